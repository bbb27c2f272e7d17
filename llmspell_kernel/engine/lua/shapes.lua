-- Tables that are better looked at as a grid: arrays of records and matrices. And tables of MIME types.

local columns = require("columns")

local debug_getmetatable = debug.getmetatable
local math_huge, math_max, math_min, math_type = math.huge, math.max, math.min, math.type
local string_match, string_sub = string.match, string.sub
local table_sort = table.sort
local next, rawget, rawlen, type = next, rawget, rawlen, type

local M = {}

local HEAD, TAIL = 60, 20 -- rows of the value itself
local INNER_HEAD, INNER_TAIL = 20, 5 -- rows of a grid inside another value
local COLUMNS = 40
local CELLS = 3200 -- of all rows that are shown
local NAMES = 400 -- different keys before it is no grid
local CELL_BYTES = 300
local MATRIX_WIDTH = 1000
local VECTOR_WIDTH = 100 -- wider rows of floats are vectors: each is summed up by itself
local VECTOR_LEAST, VECTOR_MOST = 20, 100000 -- numbers worth statistics
local TRACE = 60
local CUT_BYTES = 200

-- The first and the last of the n rows; `keys` are the keys of a map's, else they are items.
local function rows_of(t, n, depth, keys)
  local rows = {}
  local head, tail = HEAD, TAIL
  if depth > 0 then head, tail = INNER_HEAD, INNER_TAIL end
  if n <= head + tail then head, tail = n, 0 end
  if keys then
    n = math_min(n, head + tail)
    for i = 1, n do rows[i] = rawget(t, keys[i]) or false end
    return rows, n
  end
  for i = 1, head do rows[i] = rawget(t, i) or false end
  for i = n - tail + 1, n do rows[#rows + 1] = rawget(t, i) or false end
  return rows, head
end

-- A table with its own idea of how it looks is no row.
local function is_plain(value)
  if type(value) ~= "table" then return false end
  local metatable = debug_getmetatable(value)
  if type(metatable) ~= "table" then return true end
  return rawget(metatable, "__tostring") == nil and rawget(metatable, "__html") == nil
    and rawget(metatable, "__name") == nil
end

-- Whether all rows are plain tables that are shown nowhere else so far.
local function fresh(rows, job)
  local seen = {}
  for i = 1, #rows do
    local row = rows[i]
    if not is_plain(row) or seen[row] or job.ids[row] then return false end
    seen[row] = true
  end
  return true
end

-- The names used by the rows, sorted, or nil if less than a part `alike` of all cells is filled.
local function column_names(rows, alike)
  local uses, names, cells = {}, {}, 0
  for i = 1, #rows do
    local key, size = next(rows[i]), 0
    while key ~= nil do
      if type(key) ~= "string" then return nil end
      if not uses[key] then
        names[#names + 1] = key
        uses[key] = 0
      end
      uses[key] = uses[key] + 1
      size = size + 1
      if #names > NAMES or size > NAMES then return nil end
      key = next(rows[i], key)
    end
    if size == 0 then return nil end
    cells = cells + size
  end
  if cells < alike * #rows * #names then return nil end
  table_sort(names, function(a, b) return string_sub(a, 1, CUT_BYTES) < string_sub(b, 1, CUT_BYTES) end)
  return names
end

-- The names in the order that `first` gives them, the others after them.
local function in_order(names, first)
  local place = {}
  for i = 1, #first do place[first[i]] = i end
  table_sort(names, function(a, b)
    local x, y = place[a] or math_huge, place[b] or math_huge
    if x ~= y then return x < y end
    return string_sub(a, 1, CUT_BYTES) < string_sub(b, 1, CUT_BYTES)
  end)
  return names
end

-- The common length of rows that are arrays of scalars, or nil.
local function matrix_width(rows)
  local width = rawlen(rows[1])
  if width < 2 or width > MATRIX_WIDTH or #rows < 2 then return nil end
  if width > VECTOR_WIDTH and math_type(rawget(rows[1], 1)) == "float" then return nil end
  for i = 1, #rows do
    local row = rows[i]
    if rawlen(row) ~= width then return nil end
    local key, size = next(row), 0
    while key ~= nil do
      local kind = type(rawget(row, key))
      size = size + 1
      if size > width or (kind ~= "number" and kind ~= "boolean" and kind ~= "string") then return nil end
      key = next(row, key)
    end
    if size ~= width then return nil end
  end
  return width
end

-- Most cells must be plain values: grids of tables are easier to read as a tree.
local function mostly_scalar(rows, names)
  local scalars, tables = 0, 0
  for i = 1, #rows do
    for c = 1, math_min(#names, COLUMNS) do
      local value = rawget(rows[i], names[c])
      if type(value) == "table" then tables = tables + 1 elseif value ~= nil then scalars = scalars + 1 end
    end
  end
  return scalars >= tables
end

local function fewer_rows(rows, head, width, labelled)
  local most = math_max(10, CELLS // width)
  if #rows <= most then return rows, head end
  local kept_tail = labelled and 0 or most // 4
  local kept_head = most - kept_tail
  local kept = {}
  for i = 1, math_min(kept_head, head) do kept[i] = rows[i] end
  local shown_head = #kept
  for i = #rows - kept_tail + 1, #rows do kept[#kept + 1] = rows[i] end
  return kept, shown_head
end

local function describe_cells(rows, keys, width, job, describe, depth)
  local limits = job.budget.string
  job.budget.string = { CELL_BYTES }
  local described = {}
  for i = 1, #rows do
    local row, cells = rows[i], {}
    for c = 1, width do
      local key = c
      if keys then key = keys[c] end
      cells[c] = describe(job, rawget(row, key), depth + 2)
    end
    described[i] = cells
  end
  job.budget.string = limits
  return described
end

--- A grid of the table `t`, or nil if it is not made of rows.
--
-- It has `n` items and nothing else, or, if `keys` are given, these sorted keys and no items.
function M.grid(t, n, job, describe, depth, keys)
  if n < 1 then return nil end
  local rows, head = rows_of(t, n, depth, keys)
  if not fresh(rows, job) then return nil end
  local chosen = depth == 0 and job.budget.columns
  local names, width = chosen or nil, nil
  if not keys and not chosen then width = matrix_width(rows) end
  if not width and not chosen then
    names = column_names(rows, keys and 0.75 or 0.5)
    if not names or not mostly_scalar(rows, names) then return nil end
    if columns.of(t) then names = in_order(names, columns.of(t)) end
  end
  width = width or #names
  local shown_width = math_min(width, COLUMNS)
  rows, head = fewer_rows(rows, head, shown_width, keys ~= nil)
  -- Cells are small: four of them count as one node.
  local cost = #rows * shown_width // 4
  if job.nodes < cost then return nil end
  local nodes = job.nodes
  local grid = { width = width, head = head, first_id = job.last_id + 1 }
  for i = 1, #rows do job.ids[rows[i]] = job.last_id + i end
  job.last_id = job.last_id + #rows
  if keys then
    grid.labels = {}
    for i = 1, #rows do grid.labels[i] = describe(job, keys[i], depth + 1) end
  end
  if names then
    grid.columns = {}
    for c = 1, shown_width do grid.columns[c] = describe(job, string_sub(names[c], 1, CUT_BYTES), depth + 1) end
  end
  grid.rows = describe_cells(rows, names, shown_width, job, describe, depth)
  job.nodes = nodes - cost
  return grid
end

--- What an array of numbers amounts to, or nil if it is short, very long, or has anything else in it.
--
-- `trace` holds the means of up to TRACE stretches of equal length, for a small curve.
function M.statistics(t, n)
  if n < VECTOR_LEAST or n > VECTOR_MOST or type(rawget(t, 1)) ~= "number" or type(rawget(t, n)) ~= "number" then
    return nil
  end
  local least, greatest, sum, squares, integers = math_huge, -math_huge, 0.0, 0.0, true
  local points = math_min(n, TRACE)
  local trace, point, stretch, stretch_start = {}, 1, 0.0, 0
  for i = 1, n do
    local value = rawget(t, i)
    if type(value) ~= "number" or value ~= value or value - value ~= 0 then return nil end
    if value < least then least = value end
    if value > greatest then greatest = value end
    if math_type(value) == "float" then integers = false end
    value = value + 0.0
    sum, squares, stretch = sum + value, squares + value * value, stretch + value
    if i == point * n // points then
      trace[point] = stretch / (i - stretch_start)
      point, stretch, stretch_start = point + 1, 0.0, i
    end
  end
  return {
    least = least, greatest = greatest, mean = sum / n, norm = squares ^ 0.5, integers = integers, trace = trace,
  }
end

--- Whether all keys of `t` look like MIME types (and there is one).
function M.is_mime(t)
  local key = next(t)
  if key == nil then return false end
  local seen = 0
  while key ~= nil do
    if type(key) ~= "string" or not string_match(string_sub(key, 1, CUT_BYTES), "^%l+/[%w.+-]+$") then return false end
    seen = seen + 1
    if seen > 50 then return false end
    key = next(t, key)
  end
  return true
end

return M
