-- `plot`: charts as Vega-Lite, which JupyterLab draws itself; the kernel adds a picture for everything else.

local bridge = require("bridge")
local options_of = require("lib.options")
local raise = require("raise")
local plot_data = require("lib.plot_data")
local framed = raise.framed

local ipairs, next, rawlen, tostring, type = ipairs, next, rawlen, tostring, type
local sort = table.sort
local is_list, kind_of, rows_of = plot_data.is_list, plot_data.kind_of, plot_data.rows_of

local show = bridge.bind("plots", "show")

local M = {}

local SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
local WIDTH, HEIGHT = 480, 280
local BARS, CELLS, PIXELS, BINS = 2000, 20000, 4000, 1000 -- at most, in one chart
local GREY, FAINT = "#8a8f98", "rgba(128,128,128,0.18)"

-- Greys that can be read on white and on black, and no background of its own.
local function config()
  return {
    background = "transparent",
    view = { stroke = "transparent" },
    axis = { labelColor = GREY, titleColor = GREY, domainColor = GREY, tickColor = GREY, gridColor = FAINT },
    mark = { color = "#4c8dd6" },
    legend = { labelColor = GREY, titleColor = GREY },
    title = { color = GREY, fontSize = 14, anchor = "start" },
    range = { category = { "#4c8dd6", "#e8833a", "#3aa76d", "#d4506a", "#8f6fd1", "#2fa6b5", "#c2913a", "#8a8f98" } },
  }
end

-- Records, of which `options.x` and `options.y` name the fields.
local function named(data, options)
  local records = is_list(data) and type(data[1]) == "table" and rawlen(data[1]) == 0
  return records and (options.x or options.y or options.color)
end

-- ── charts ─────────────────────────────────────────────────────────────────────────────────────────

local function channel(rows, field, title, chart)
  local kind = kind_of(rows, field)
  local made = { field = field, type = kind, title = title or field }
  if kind == "nominal" then made.sort = false end
  if kind == "quantitative" and chart ~= "bar" then made.scale = { zero = false } end
  return made
end

local function spec_of(chart, mark, rows, encoding, options)
  local columns = {}
  for _, one in next, encoding do
    if type(one) == "table" and one.tooltip ~= false and one.field then
      columns[#columns + 1] = { field = one.field, type = one.type, title = one.title }
    end
  end
  sort(columns, function(a, b) return a.field < b.field end)
  if #columns > 0 and chart ~= "hist" then encoding.tooltip = columns end
  return {
    ["$schema"] = SCHEMA, config = config(), data = { values = rows }, mark = mark, encoding = encoding,
    width = options.width or WIDTH, height = options.height or HEIGHT,
    title = options.title and tostring(options.title),
  }
end

local function told(chart, count, drawn, options)
  local text = chart .. " plot"
  if options.title then text = text .. " “" .. tostring(options.title) .. "”" end
  text = text .. ", " .. count .. (count == 1 and " point" or " points")
  if drawn < count then text = text .. ", " .. drawn .. " of them drawn" end
  return text
end

-- `count` is how many points there were, of which `rows` are drawn.
local function draw(chart, mark, rows, encoding, options, count)
  if #rows == 0 then raise.raise("'plot." .. chart .. "' got no data") end
  local spec = spec_of(chart, mark, rows, encoding, options)
  local text = told(chart, count or #rows, count and chart ~= "hist" and #rows or count or #rows, options)
  return show(spec, text, options.picture ~= false, false)
end

local function with(more)
  local options = {
    title = "string|number", x = "string", x_title = "string", y_title = "string", width = "number", height = "number",
    picture = "boolean",
  }
  for key, wanted in next, more do options[key] = wanted end
  return options
end

local FIELDS = with({ y = "string", color = "string", color_title = "string", log = "boolean" })
local KNOWN = {
  line = FIELDS, bar = FIELDS, scatter = FIELDS, hist = with({ bins = "number" }),
  heatmap = with({ y = "string", color = "string", color_title = "string" }),
}

local function checked(name, data, options)
  raise.check(1, "plot." .. name, "table", data)
  options = options_of.read(2, "plot." .. name, options, KNOWN[name])
  for option, most in next, { width = PIXELS, height = PIXELS, bins = BINS } do
    local value = options[option]
    if value ~= nil and not (type(value) == "number" and value >= 1 and value <= most) then
      raise.raise("'" .. option .. "' of plot." .. name .. " is a number from 1 to " .. most)
    end
  end
  return options
end

local function xy(chart, mark, data, options)
  options = checked(chart, data, options)
  local rows, x, y, color
  if named(data, options) then
    rows, x, y, color = data, options.x, options.y, options.color
    if not (x and y) then raise.raise("'plot." .. chart .. "' needs x and y, the names of the records' fields") end
  else
    local by_name
    rows, by_name = rows_of(data)
    x, y = "x", "y"
    color = (by_name or rows[1] and rows[1].series) and "series" or nil
  end
  rows = plot_data.columns(chart, rows, { x, y, color })
  local count = #rows
  if chart ~= "bar" then
    rows = plot_data.thinned(rows, chart == "line" and y, color)
  elseif count > BARS then
    raise.raise("'plot.bar' got " .. count .. " bars, and draws " .. BARS
      .. " at most: plot.hist counts values, plot.line draws long lists")
  end
  local encoding = {
    x = channel(rows, x, options.x_title or x, "x"),
    y = channel(rows, y, options.y_title or y, chart),
  }
  if color then
    encoding.color = { field = color, type = kind_of(rows, color), title = options.color_title or color }
    if chart == "bar" then encoding.xOffset = { field = color } end
  end
  if chart == "bar" and encoding.x.type == "quantitative" then
    encoding.x.type, encoding.x.scale, encoding.x.sort = "ordinal", nil, nil
    encoding.x.axis = { labelAngle = 0 }
  elseif encoding.x.type == "nominal" then
    encoding.x.axis = { labelAngle = #rows > 12 and -45 or 0 }
  end
  if options.log then encoding.y.scale = { type = "log" } end
  return draw(chart, mark, rows, encoding, options, count)
end

--- How a chart of points looks.
---@class plot.Options
---@field title? string above the chart
---@field x? string the field of the records that goes to the right
---@field y? string the field of the records that goes up
---@field color? string the field of the records that tells lines or groups apart
---@field x_title? string below the axis
---@field y_title? string beside the axis
---@field color_title? string above the legend
---@field width? number in pixels (480)
---@field height? number in pixels (280)
---@field log? boolean a logarithmic scale for `y`
---@field picture? boolean false: none beside the chart, for front ends that cannot draw it

--- Draws a line: `{1, 4, 9}`, `{{x, y}, …}`, lines by name `{a = {…}, b = {…}}`, or records with `x` and `y` named.
--- ```lua
--- plot.line({ 1, 4, 9, 16 }, { title = "Squares" })
--- ```
---@param data table
---@param options? plot.Options
function M.line(data, options)
  local mark = { type = "line", point = { size = 36, filled = true }, strokeWidth = 2.2, interpolate = "monotone" }
  return framed(xy("line", mark, data, options))
end

--- Draws bars: numbers, values by name, or records; takes the options of `plot.line`.
--- ```lua
--- plot.bar({ lua = 5, python = 3 })
--- ```
---@param data table
---@param options? plot.Options
function M.bar(data, options)
  return framed(xy("bar", { type = "bar", cornerRadiusEnd = 2 }, data, options))
end

--- Draws points; takes what `plot.line` takes.
--- ```lua
--- plot.scatter({ { 1, 2 }, { 2, 3 } })
--- ```
---@param data table
---@param options? plot.Options
function M.scatter(data, options)
  return framed(xy("scatter", { type = "point", filled = true, size = 60, opacity = 0.75 }, data, options))
end

--- How a histogram looks.
---@class plot.HistOptions
---@field title? string above the chart
---@field x? string the field of the records that is counted
---@field x_title? string below the axis
---@field y_title? string beside the axis
---@field bins? number bars at most (20)
---@field width? number in pixels (480)
---@field height? number in pixels (280)
---@field picture? boolean false: none beside the chart

--- Draws how often values occur; `options.bins` is how many bars at most.
--- ```lua
--- plot.hist({ 1, 2, 2, 3, 3, 3 })
--- ```
---@param data table numbers, or records of which `x` names the field
---@param options? plot.HistOptions
function M.hist(data, options)
  options = checked("hist", data, options)
  local rows, field = data, options.x
  if not field then
    rows, field = {}, "value"
    for index, value in ipairs(data) do rows[index] = { value = value } end
  end
  rows = plot_data.columns("hist", rows, { field })
  local x, y = { field = field, title = options.x_title or field }, { type = "quantitative" }
  local counted, step = plot_data.counted(rows, field, options.bins or 20)
  local encoding = { x = x, y = y }
  if counted then
    y.field = "count"
    x.type = step and "quantitative" or "nominal"
    if step then
      x.bin = { binned = true, step = step }
      encoding.x2 = { field = "to" }
    else
      x.axis, x.sort = { labelAngle = #counted > 12 and -45 or 0 }, false
    end
  else
    x.type, x.bin = "quantitative", { maxbins = options.bins or 20 }
    y.aggregate = "count"
  end
  y.title = options.y_title or "count"
  return framed(draw("hist", { type = "bar", cornerRadiusEnd = 2 }, counted or rows, encoding, options, #rows))
end

--- How a heat map looks.
---@class plot.HeatmapOptions
---@field title? string above the chart
---@field x? string the field of the records that tells the column
---@field y? string the field of the records that tells the row
---@field color? string the field of the records that tells the colour
---@field x_title? string below the axis
---@field y_title? string beside the axis
---@field color_title? string above the legend
---@field width? number in pixels (480)
---@field height? number in pixels (280)
---@field picture? boolean false: none beside the chart

--- Draws a matrix, or records with `x`, `y` and `color`, as coloured fields.
--- ```lua
--- plot.heatmap({ { 1, 2 }, { 3, 4 } })
--- ```
---@param data table
---@param options? plot.HeatmapOptions
function M.heatmap(data, options)
  options = checked("heatmap", data, options)
  local rows, x, y, color = data, options.x, options.y, options.color
  if not (x and y and color) then
    rows, x, y, color = {}, "column", "row", "value"
    for row, values in ipairs(data) do
      if type(values) ~= "table" then
        raise.raise("'plot.heatmap' draws a list of rows, or records of which x, y and color name the fields")
      end
      for column, value in ipairs(values) do rows[#rows + 1] = { row = row, column = column, value = value } end
    end
  end
  rows = plot_data.columns("heatmap", rows, { x, y, color })
  if #rows > CELLS then raise.raise("'plot.heatmap' got " .. #rows .. " cells, and draws " .. CELLS .. " at most") end
  return draw("heatmap", { type = "rect" }, rows, {
    x = { field = x, type = "ordinal", title = options.x_title or x, axis = { labelAngle = 0 } },
    y = { field = y, type = "ordinal", title = options.y_title or y },
    color = {
      field = color, type = "quantitative", title = options.color_title or color, scale = { scheme = "viridis" },
    },
  }, options)
end

--- Shows a chart that is described in Vega-Lite itself.
--- ```lua
--- plot.vega{ data = { values = { { a = 1 }, { a = 2 } } }, mark = "bar", encoding = { y = { field = "a" } } }
--- ```
---@param spec table
function M.vega(spec)
  raise.check(1, "plot.vega", "table", spec)
  return framed(show(spec, "chart", true, true))
end

return M
