-- `plot`: charts as Vega-Lite, which JupyterLab draws itself; the kernel adds a picture for everything else.

local bridge = require("bridge")
local raise = require("raise")

local ipairs, next, rawlen, tostring, type = ipairs, next, rawlen, tostring, type
local sort = table.sort

local show = bridge.bind("plots", "show")

local M = {}

local SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
local WIDTH, HEIGHT = 480, 280
local GREY, FAINT = "#8a8f98", "rgba(128,128,128,0.18)"

-- Greys that can be read on white and on black, and no background of its own.
local function config()
  return {
    background = "transparent",
    view = { stroke = "transparent" },
    axis = { labelColor = GREY, titleColor = GREY, domainColor = GREY, tickColor = GREY, gridColor = FAINT },
    legend = { labelColor = GREY, titleColor = GREY },
    title = { color = GREY, fontSize = 14, anchor = "start" },
    range = { category = { "#4c8dd6", "#e8833a", "#3aa76d", "#d4506a", "#8f6fd1", "#2fa6b5", "#c2913a", "#8a8f98" } },
  }
end

-- ── data ───────────────────────────────────────────────────────────────────────────────────────────

local function is_list(value) return type(value) == "table" and rawlen(value) > 0 end

local function sorted_keys(t)
  local keys = {}
  for key in next, t do keys[#keys + 1] = key end
  sort(keys, function(a, b)
    if type(a) == type(b) and type(a) ~= "table" then return a < b end
    return tostring(a) < tostring(b)
  end)
  return keys
end

local function add_points(rows, list, series)
  for index, value in ipairs(list) do
    local row
    if type(value) == "table" then row = { x = value.x or value[1], y = value.y or value[2] }
    else row = { x = index, y = value } end
    if series then row.series = series end
    rows[#rows + 1] = row
  end
end

-- Rows with `x`, `y` and perhaps `series`: from numbers, pairs, lists by name, or values by name.
local function rows_of(data)
  local rows = {}
  if is_list(data) then
    if is_list(data[1]) and type(data[1][1]) == "table" then
      for number, list in ipairs(data) do add_points(rows, list, tostring(number)) end
    else
      add_points(rows, data)
    end
    return rows, false
  end
  local by_name = false
  for _, key in ipairs(sorted_keys(data)) do
    if type(data[key]) == "table" then
      by_name = true
      add_points(rows, data[key], tostring(key))
    else
      rows[#rows + 1] = { x = key, y = data[key] }
    end
  end
  return rows, by_name
end

local function kind_of(rows, field)
  for _, row in ipairs(rows) do
    local value = row[field]
    if value ~= nil and type(value) ~= "number" then return "nominal" end
  end
  return "quantitative"
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
    width = options.width or WIDTH, height = options.height or HEIGHT, title = options.title,
  }
end

local function told(chart, rows, options)
  local text = chart .. " plot"
  if options.title then text = text .. " “" .. options.title .. "”" end
  return text .. ", " .. #rows .. (#rows == 1 and " point" or " points")
end

local function draw(chart, mark, rows, encoding, options)
  if #rows == 0 then raise.raise("'plot." .. chart .. "' got no data") end
  return show(spec_of(chart, mark, rows, encoding, options), told(chart, rows, options), options.picture ~= false)
end

local function checked(name, data, options)
  raise.check(1, "plot." .. name, "table", data)
  raise.check(2, "plot." .. name, "table", options, true)
  return options or {}
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
  return draw(chart, mark, rows, encoding, options)
end

--- Draws a line: `{1, 4, 9}`, `{{x, y}, …}`, lines by name `{a = {…}, b = {…}}`, or records with `x` and `y` named.
--- Options: `title, x, y, color` (fields of records), `x_title, y_title, width, height, log`.
--- ```lua
--- plot.line({ 1, 4, 9, 16 }, { title = "Squares" })
--- ```
---@param data table
---@param options? table
function M.line(data, options)
  local mark = { type = "line", point = { size = 36, filled = true }, strokeWidth = 2.2, interpolate = "monotone" }
  return xy("line", mark, data, options)
end

--- Draws bars: numbers, values by name, or records; takes the options of `plot.line`.
--- ```lua
--- plot.bar({ lua = 5, python = 3 })
--- ```
---@param data table
---@param options? table
function M.bar(data, options)
  return xy("bar", { type = "bar", cornerRadiusEnd = 2 }, data, options)
end

--- Draws points; takes what `plot.line` takes.
--- ```lua
--- plot.scatter({ { 1, 2 }, { 2, 3 } })
--- ```
---@param data table
---@param options? table
function M.scatter(data, options)
  return xy("scatter", { type = "point", filled = true, size = 60, opacity = 0.75 }, data, options)
end

--- Draws how often values occur; `options.bins` is how many bars at most.
--- ```lua
--- plot.hist({ 1, 2, 2, 3, 3, 3 })
--- ```
---@param data table numbers, or records of which `x` names the field
---@param options? table
function M.hist(data, options)
  options = checked("hist", data, options)
  local rows, field = data, options.x
  if not field then
    rows, field = {}, "value"
    for index, value in ipairs(data) do rows[index] = { value = value } end
  end
  return draw("hist", { type = "bar", cornerRadiusEnd = 2 }, rows, {
    x = {
      field = field, type = "quantitative", bin = { maxbins = options.bins or 20 }, title = options.x_title or field,
    },
    y = { aggregate = "count", type = "quantitative", title = options.y_title or "count" },
  }, options)
end

--- Draws a matrix, or records with `x`, `y` and `color`, as coloured fields.
--- ```lua
--- plot.heatmap({ { 1, 2 }, { 3, 4 } })
--- ```
---@param data table
---@param options? table
function M.heatmap(data, options)
  options = checked("heatmap", data, options)
  local rows, x, y, color = data, options.x, options.y, options.color
  if not (x and y and color) then
    rows, x, y, color = {}, "column", "row", "value"
    for row, values in ipairs(data) do
      for column, value in ipairs(values) do rows[#rows + 1] = { row = row, column = column, value = value } end
    end
  end
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
  return show(spec, "chart", true)
end

return M
