-- What completion, inspection and the variables panel ask of the live state, between cells.
--
-- Nothing here runs user code: tables are read with rawget and next, metatables with debug.getmetatable,
-- and an `__index` is followed only where it is a table. Everything is bounded, so that no value of a cell can
-- make an answer slow. Texts in the answers are valid UTF-8; names that are not are left out.
--
-- Each function takes the context that engine.lua makes:
--   globals   the cells' environment
--   find      name → whether it is a session local, its value
--   names     () → list of the session locals' names
--   baseline  shallow copy of `globals` as it was before the first cell
--   members   module name → function that gives the members of a bridge module (bridge.lua)
-- and paths: lists such as { "cfg", "items", 1 }, the first a name. Rows are lists { name, type, detail }:
-- detail is "(a, b, ...)" for a Lua function, "" for a built-in one, a short text for a plain value.

local preview = require("preview")

local debug_getinfo, debug_getlocal = debug.getinfo, debug.getlocal
local debug_getmetatable, debug_getupvalue = debug.getmetatable, debug.getupvalue
local co_status = coroutine.status
local string_find, string_gsub, string_lower = string.find, string.gsub, string.lower
local string_match, string_sub, string_upper = string.match, string.sub, string.upper
local table_concat, table_sort = table.concat, table.sort
local utf8_len = utf8.len
local math_min, math_type = math.min, math.type
local next, rawequal, rawget, rawlen, tostring, type = next, rawequal, rawget, rawlen, tostring, type

local M = {}

local ROWS = 2000 -- names in one answer
local LOOKED_AT = 50000 -- keys read for one answer
local CHAIN = 20 -- links of an `__index` chain
local NAME_BYTES = 200
local PARAMETERS, UPVALUES, METAMETHODS = 40, 30, 40
local COUNTED = 100000 -- entries of one table that are counted
local PREVIEW_ITEMS, PREVIEW_KEYS = 20, 60 -- of one table
local OWN_SOURCE = "=[llmspell" -- chunk names of the engine's own Lua begin so

-- ── values ─────────────────────────────────────────────────────────────────────────────────────────

local function safe_name(key)
  return type(key) == "string" and #key <= NAME_BYTES and utf8_len(key) ~= nil
end

-- What `__index` says, where that is a table; true as a second value where it is a function.
local function behind(value)
  local metatable = debug_getmetatable(value)
  local index = type(metatable) == "table" and rawget(metatable, "__index")
  if type(index) == "table" then return index, false end
  return nil, type(index) == "function"
end

local function name_of_type(value)
  local metatable = debug_getmetatable(value)
  local name = type(metatable) == "table" and rawget(metatable, "__name")
  return safe_name(name) and name or nil
end

-- The members of a bridge module, which its proxy loads only when it is touched.
local function module_members(context, value)
  local module = string_match(name_of_type(value) or "", "^module ([%w_.]+)$")
  local load_members = module and context.members and context.members[module]
  return load_members and load_members() or nil
end

-- The table where the search goes on after `value`, and whether only running code could tell.
local function next_link(context, value)
  local index, dynamic = behind(value)
  if index == nil and dynamic then
    index = module_members(context, value)
    dynamic = index == nil
  end
  return index, dynamic
end

local function field(context, value, key)
  for _ = 1, CHAIN do
    if type(value) == "table" then
      local found = rawget(value, key)
      if found ~= nil then return found end
    elseif type(value) ~= "string" and type(value) ~= "userdata" then
      return nil
    end
    value = next_link(context, value)
    if value == nil then return nil end
  end
  return nil
end

local function root(context, name)
  if context.find then
    local found, value = context.find(name)
    if found then return value, "local" end
  end
  return field(context, context.globals, name), "global"
end

-- The value at `path` (nil if there is none) and where its root was found.
local function resolve(context, path)
  local value, scope = root(context, path[1])
  for position = 2, #path do
    if value == nil then return nil end
    value, scope = field(context, value, path[position]), "field"
  end
  return value, scope
end

local function parameters(f)
  local info = debug_getinfo(f, "Su")
  if info.what == "C" or string_find(info.source, OWN_SOURCE, 1, true) == 1 then return "" end
  local names = {}
  for position = 1, math_min(info.nparams, PARAMETERS) do names[position] = debug_getlocal(f, position) or "_" end
  if info.isvararg then names[#names + 1] = "..." end
  return "(" .. table_concat(names, ", ") .. ")"
end

local function plain(value, limit)
  local kind = type(value)
  if kind == "userdata" then return "userdata" end
  if kind == "table" then return "{…}" end
  return preview.text(value, limit)
end

-- The first line of a text, if it is short valid UTF-8.
local function plain_line(text)
  local line = string_match(string_sub(text, 1, NAME_BYTES), "^[^\n]*")
  return utf8_len(line) and line or ""
end

-- Keys outside the list part in a readable order: of a large table the first that come.
local function other_keys(t, length)
  local keys, key, looked_at = {}, next(t), 0
  while key ~= nil and looked_at < PREVIEW_KEYS + length do
    if math_type(key) ~= "integer" or key < 1 or key > length then keys[#keys + 1] = key end
    key, looked_at = next(t, key), looked_at + 1
  end
  table_sort(keys, function(a, b)
    local is_text = type(a) == "string"
    if is_text ~= (type(b) == "string") then return is_text end
    return is_text and string_sub(a, 1, NAME_BYTES) < string_sub(b, 1, NAME_BYTES)
  end)
  return keys
end

local function key_text(key)
  if type(key) == "string" and #key <= 60 and string_find(key, "^[%a_][%w_]*$") then return key end
  return "[" .. plain(key, 20) .. "]"
end

-- One line for a value, like preview.text but blind to `__tostring`.
local function text_of(value, limit)
  if type(value) ~= "table" then return plain(value, limit) end
  local length = math_min(rawlen(value), PREVIEW_ITEMS)
  local keys = other_keys(value, length)
  local parts, used = {}, 0
  for position = 1, length + #keys do
    if used > limit or #parts >= PREVIEW_ITEMS then
      parts[#parts + 1] = "…"
      break
    end
    local key = keys[position - length]
    local text = plain(rawget(value, key == nil and position or key), math_min(40, limit))
    parts[#parts + 1] = key == nil and text or key_text(key) .. " = " .. text
    used = used + #parts[#parts] + 2
  end
  local name = name_of_type(value)
  return (name and name .. " " or "") .. "{" .. table_concat(parts, ", ") .. "}"
end

local function detail_of(value)
  local kind = type(value)
  if kind == "function" then return parameters(value) end
  if kind == "table" then return name_of_type(value) or "" end
  if kind == "number" or kind == "boolean" then return tostring(value) end
  if kind == "thread" or kind == "userdata" then return "" end
  return plain(value, 40)
end

-- How many entries a table has, counted up to `bound`, and whether that is all.
local function count(t, bound)
  local n, key = 0, next(t)
  while key ~= nil and n < bound do
    n = n + 1
    key = next(t, key)
  end
  return n, key == nil
end

-- ── listing names ──────────────────────────────────────────────────────────────────────────────────

-- A pattern that finds `prefix`, made of letters, digits and underscores, at the start of a name in either case.
local function prefix_pattern(prefix)
  return "^" .. string_gsub(string_sub(prefix, 1, NAME_BYTES), "%a", function(char)
    return "[" .. string_lower(char) .. string_upper(char) .. "]"
  end)
end

-- A collector of rows whose names begin with `prefix`, in either case, each name once.
local function collector(prefix, limit)
  local pattern = string_find(prefix, "^[%w_]+$") and prefix_pattern(prefix)
  local size = #prefix
  local rows, seen, looked_at = {}, {}, 0
  local C = { rows = rows, full = false }

  local function add(name, value)
    if seen[name] or not safe_name(name) then return end
    if #rows >= limit then C.full = true return end
    seen[name] = true
    rows[#rows + 1] = { name, type(value), detail_of(value) }
  end

  local function matches(name)
    if pattern then return string_find(name, pattern) end
    return size == 0 or string_sub(name, 1, size) == prefix
  end

  function C.add(name, value)
    if matches(name) then add(name, value) end
  end

  function C.add_table(t)
    local key, value = next(t)
    while key ~= nil do
      looked_at = looked_at + 1
      if looked_at > LOOKED_AT then C.full = true end
      if C.full then return end
      if type(key) == "string" and matches(key) then add(key, value) end
      key, value = next(t, key)
    end
  end

  return C
end

local function list_or_nil(rows)
  return rows[1] ~= nil and rows or nil
end

-- Everything that `value` answers to by name.
local function collect(context, value, prefix, limit)
  local found = collector(prefix, limit)
  local visited, dynamic = {}, false
  for _ = 1, CHAIN do
    if value == nil or visited[value] or found.full then break end
    visited[value] = true
    if type(value) == "table" then found.add_table(value) end
    value, dynamic = next_link(context, value)
  end
  return found, dynamic
end

-- The fields at `path` whose names begin with `prefix`: rows, the value's own first; nil if there is no such value.
function M.fields(context, path, prefix, limit)
  local value = resolve(context, path)
  if value == nil then return nil end
  local kind = type(value)
  local answer = { type = kind, type_name = name_of_type(value) }
  if kind == "table" or kind == "string" or kind == "userdata" then
    local found, dynamic = collect(context, value, prefix or "", math_min(limit or ROWS, ROWS))
    answer.rows, answer.truncated, answer.dynamic = list_or_nil(found.rows), found.full, dynamic
  end
  return answer
end

-- The names that a cell can use and that begin with `prefix`: session locals and globals.
function M.names(context, prefix, limit)
  local found = collector(prefix or "", math_min(limit or ROWS, ROWS))
  for _, name in next, context.names and context.names() or {} do
    local is_local, value = context.find(name)
    if is_local and type(name) == "string" then found.add(name, value) end
  end
  local locals = #found.rows
  found.add_table(context.globals)
  return { rows = list_or_nil(found.rows), locals = locals, truncated = found.full }
end

-- What spells have registered of a kind (lib/names.lua): name → its description.
function M.registered(context, kind, limit)
  if kind == "tool" and context.members and context.members.tools then context.members.tools() end
  local found, left = {}, limit
  for name, value in next, require("lib.names").of(kind) do
    if left == 0 then break end
    if safe_name(name) then
      local description = type(value) == "table" and rawget(value, "description")
      found[name] = type(description) == "string" and plain_line(description) or ""
      left = left - 1
    end
  end
  return found
end

-- ── describing one value ───────────────────────────────────────────────────────────────────────────

local function upvalues(f)
  local rows = {}
  for position = 1, UPVALUES do
    local name, value = debug_getupvalue(f, position)
    if name == nil then break end
    if name ~= "_ENV" and name ~= "" then rows[#rows + 1] = { name, type(value), text_of(value, 40) } end
  end
  return list_or_nil(rows)
end

local function describe_function(f, answer)
  local info = debug_getinfo(f, "S")
  answer.parameters = parameters(f)
  answer.builtin = info.what == "C" or string_find(info.source, OWN_SOURCE, 1, true) == 1
  if answer.builtin then return end
  local chunk = string_match(info.source, "^[=@](.*)$") or info.short_src
  answer.chunk = utf8_len(chunk) and string_sub(chunk, 1, NAME_BYTES) or "?"
  answer.line, answer.last_line = info.linedefined, info.lastlinedefined
  answer.upvalues = upvalues(f)
end

local function metamethods(value)
  local metatable = debug_getmetatable(value)
  if type(metatable) ~= "table" or type(value) == "string" then return nil end
  local names, key = {}, next(metatable)
  while key ~= nil and #names < METAMETHODS do
    if safe_name(key) then names[#names + 1] = key end
    key = next(metatable, key)
  end
  table_sort(names)
  return { names = list_or_nil(names) }
end

-- What there is to say of a value that is not nil.
function M.describe_value(context, value, limit)
  local kind = type(value)
  local answer = { type = kind, type_name = name_of_type(value), preview = text_of(value, 200) }
  answer.metatable = metamethods(value)
  if kind == "function" then
    describe_function(value, answer)
  elseif kind == "string" then
    answer.size = #value
  elseif kind == "thread" then
    answer.preview = "coroutine (" .. co_status(value) .. ")"
  elseif kind == "table" then
    local found, dynamic = collect(context, value, "", math_min(limit or 50, ROWS))
    answer.rows, answer.truncated, answer.dynamic = list_or_nil(found.rows), found.full, dynamic
    answer.size, answer.counted = count(value, COUNTED)
    answer.length = rawlen(value)
  end
  return answer
end

-- What there is to say of the value at `path`; nil if there is none.
function M.describe(context, path, limit)
  local value, scope = resolve(context, path)
  if value == nil then return nil end
  local answer = M.describe_value(context, value, limit)
  answer.scope = scope
  return answer
end

-- ── variables ──────────────────────────────────────────────────────────────────────────────────────

local function variable(name, value, scope, bound)
  local size, counted = nil, nil
  if type(value) == "string" then size = #value end
  if type(value) == "table" then size, counted = count(value, bound) end
  return {
    name = name,
    type = type(value),
    type_name = name_of_type(value),
    scope = scope,
    size = size,
    counted = counted,
    detail = type(value) == "function" and parameters(value) or nil,
    preview = text_of(value, 80),
  }
end

-- What the cells have made: session locals, and globals that were not there before the first cell.
function M.variables(context, limit)
  limit = math_min(limit or ROWS, ROWS)
  local list, seen, baseline = {}, {}, context.baseline or {}
  local left = COUNTED
  local function add(name, value, scope)
    seen[name] = true
    local entry = variable(name, value, scope, left)
    if entry.counted ~= nil then left = left - entry.size end
    list[#list + 1] = entry
  end
  for _, name in next, context.names and context.names() or {} do
    local found, value = context.find(name)
    if found and #list < limit and safe_name(name) then add(name, value, "local") end
  end
  local key, value = next(context.globals)
  local looked_at = 0
  while key ~= nil and #list < limit and looked_at < LOOKED_AT do
    if safe_name(key) and not seen[key] and not rawequal(baseline[key], value) then
      add(key, value, "global")
    end
    looked_at = looked_at + 1
    key, value = next(context.globals, key)
  end
  table_sort(list, function(a, b) return a.name < b.name end)
  return { variables = list_or_nil(list), truncated = key ~= nil }
end

-- ── a snapshot for the time while a cell runs ──────────────────────────────────────────────────────

local SNAPSHOT_FIELDS = 60 -- of one table

-- Names with the fields of the cells' own tables, at most `limit` rows in all.
function M.snapshot(context, limit)
  limit = math_min(limit or ROWS, ROWS)
  local baseline = context.baseline or {}
  local top = M.names(context, "", limit)
  local left = limit - (top.rows and #top.rows or 0)
  for position = 1, top.rows and #top.rows or 0 do
    local entry = top.rows[position]
    if left <= 0 then break end
    local value = root(context, entry[1])
    if type(value) == "table" and not rawequal(baseline[entry[1]], value) then
      local found = collect(context, value, "", math_min(left, SNAPSHOT_FIELDS))
      entry[4] = list_or_nil(found.rows)
      left = left - #found.rows
    end
  end
  return top
end

return M
