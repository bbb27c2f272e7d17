-- The data of charts: rows of plain values, and never more of them than a page can hold.

local raise = require("raise")

local ipairs, next, rawlen, tostring, type = ipairs, next, rawlen, tostring, type
local math_floor, math_huge, math_log, math_max, math_min =
  math.floor, math.huge, math.log, math.max, math.min
local sort = table.sort

local M = {}

local POINTS = 5000 -- at most, in one chart

--- Whether a table has items.
function M.is_list(value) return type(value) == "table" and rawlen(value) > 0 end

local function sorted_keys(t)
  local keys = {}
  for key in next, t do keys[#keys + 1] = key end
  sort(keys, function(a, b)
    local kind = type(a)
    if kind == type(b) and (kind == "number" or kind == "string") then return a < b end
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

--- Rows with `x`, `y` and perhaps `series`: from numbers, pairs, lists by name, or values by name.
function M.rows_of(data)
  local rows = {}
  if M.is_list(data) then
    if M.is_list(data[1]) and type(data[1][1]) == "table" then
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

--- How Vega-Lite calls what a field of rows holds.
function M.kind_of(rows, field)
  for _, row in ipairs(rows) do
    local value = row[field]
    if value ~= nil and type(value) ~= "number" then return "nominal" end
  end
  return "quantitative"
end

local PLAIN = { ["nil"] = true, number = true, string = true, boolean = true }

--- Copies of records with these fields only; raises for what is no plain value, and for a field that none has.
function M.columns(chart, records, fields)
  local rows, missing = {}, {}
  for _, field in next, fields do missing[field] = true end
  for index, record in ipairs(records) do
    if type(record) ~= "table" then raise.raise("'plot." .. chart .. "' got no record at " .. index) end
    local row = {}
    for _, field in next, fields do
      local value = record[field]
      if not PLAIN[type(value)] then
        raise.raise("'plot." .. chart .. "' cannot draw a " .. type(value) .. " (" .. tostring(field) .. " of point "
          .. index .. ")")
      end
      if value ~= nil then missing[field] = nil end
      row[field] = value
    end
    rows[index] = row
  end
  local absent = next(missing)
  if rows[1] and absent then
    raise.raise("'plot." .. chart .. "' found no " .. tostring(absent) .. " in the data")
  end
  return rows
end

-- ── less of it ─────────────────────────────────────────────────────────────────────────────────────

local function by_series(rows, series)
  if not series then return { rows } end
  local lists, found = {}, {}
  for _, row in ipairs(rows) do
    local name = row[series]
    if name == nil then name = "" end
    local list = found[name]
    if not list then
      list = {}
      found[name], lists[#lists + 1] = list, list
    end
    list[#list + 1] = row
  end
  return lists
end

-- Add the lowest and the highest of the rows from `first` to `last`, in their order.
local function add_extremes(kept, list, first, last, y)
  local low, high
  for index = first, last do
    local value = list[index][y]
    if type(value) == "number" and value == value then
      if not low or value < list[low][y] then low = index end
      if not high or value > list[high][y] then high = index end
    end
  end
  low, high = low or first, high or first
  kept[#kept + 1] = list[math_min(low, high)]
  if low ~= high then kept[#kept + 1] = list[math_max(low, high)] end
end

--- At most as many rows as can be drawn: of a line (whose `y` is given) the peaks, else some at even distances.
function M.thinned(rows, y, series)
  if #rows <= POINTS then return rows end
  local kept, share = {}, #rows / POINTS
  for _, list in ipairs(by_series(rows, series)) do
    local width = y and 2 * share or share
    local place = 1
    while place < #list + 1 do
      local first, last = math_floor(place), math_min(#list, math_floor(place + width) - 1)
      if y then add_extremes(kept, list, first, last, y) else kept[#kept + 1] = list[first] end
      place = place + width
    end
  end
  return kept
end

-- ── counting ───────────────────────────────────────────────────────────────────────────────────────

local function counted_names(rows, field)
  local counts, found = {}, {}
  for _, row in ipairs(rows) do
    local name = tostring(row[field])
    local entry = found[name]
    if not entry then
      entry = { [field] = name, count = 0 }
      found[name], counts[#counts + 1] = entry, entry
    end
    entry.count = entry.count + 1
  end
  return counts
end

-- A step of 1, 2 or 5 times a power of ten that covers `range` with at most `bins` steps.
local function step_for(range, bins)
  local least = range / bins
  local power = 10.0 ^ math_floor(math_log(least, 10))
  for _, times in ipairs{ 1, 2, 5 } do
    if power * times >= least then return power * times end
  end
  return power * 10
end

--- Counts of values by name, or of many numbers by steps, and the step; nil for a few numbers, which the page counts.
function M.counted(rows, field, bins)
  if M.kind_of(rows, field) == "nominal" then return counted_names(rows, field) end
  if #rows <= POINTS then return nil end
  local low, high = math_huge, -math_huge
  for _, row in ipairs(rows) do
    local value = row[field]
    if value and value - value == 0 then low, high = math_min(low, value), math_max(high, value) end
  end
  if low > high then return nil end
  local step = high > low and step_for(high - low, math_max(1, bins)) or 1.0
  local counts, found = {}, {}
  for _, row in ipairs(rows) do
    local value = row[field]
    if value and value - value == 0 then
      local place = math_floor(value / step)
      local entry = found[place]
      if not entry then
        entry = { [field] = place * step, to = (place + 1) * step, count = 0 }
        found[place], counts[#counts + 1] = entry, entry
      end
      entry.count = entry.count + 1
    end
  end
  sort(counts, function(a, b) return a[field] < b[field] end)
  return counts, step
end

return M
