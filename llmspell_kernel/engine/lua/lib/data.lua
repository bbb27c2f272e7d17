-- `data`: plain tables: paths, copies, and the usual work on lists and maps. Its formats are read and written by
-- json.lua, data_xml.lua and, for YAML and CSV, in the kernel process (bridges/data.py).
--
-- A table with the keys 1..n is a list, any other a map. Maps are gone through in the order of their keys, so that a
-- notebook shows the same each time.

local bridge = require("bridge")
local codec = require("codec")
local columns = require("columns")
local json = require("lib.json")
local path = require("lib.path")
local raise = require("raise")
local xml = require("lib.data_xml")
local framed = raise.framed

local next, rawget, rawlen, rawset, select, type = next, rawget, rawlen, rawset, select, type
local debug_getmetatable, sort = debug.getmetatable, table.sort
local null = codec.null
local NAN = {} -- stands for NaN
local DEPTH = 200

local M = {}

-- ── formats ────────────────────────────────────────────────────────────────────────────────────────

local READERS = { json = json.decode }
local WRITERS = { json = json.encode }
for _, name in next, { "yaml", "csv" } do
  READERS[name] = bridge.bind("data", "parse_" .. name)
  WRITERS[name] = bridge.bind("data", "to_" .. name)
  M["parse_" .. name], M["to_" .. name] = READERS[name], WRITERS[name]
end
READERS.xml, WRITERS.xml = xml.parse_xml, xml.to_xml
M.parse_xml, M.to_xml = xml.parse_xml, xml.to_xml

-- The fields of a file have an order, in which a grid shows them.
local parse_csv = READERS.csv
function M.parse_csv(text, options)
  local rows, names = parse_csv(text, options)
  if rows == nil then return nil, names end
  return columns.mark(rows, names)
end
READERS.csv = M.parse_csv
READERS.yml, WRITERS.yml = READERS.yaml, WRITERS.yaml

local function format_of(table_of, index, format, name)
  raise.check(index, name, "string", format)
  return table_of[format]
    or raise.refuse(index, name, "no such format: " .. raise.shown(format) .. "; there are csv, json, xml and yaml")
end

--- Reads a text in a format: `"json"`, `"yaml"`, `"xml"` or `"csv"`. What does not follow it gives `nil, err`.
--- ```lua
--- print(data.parse("a: [1, 2]", "yaml").a[2]) --> 2
--- ```
---@param text string
---@param format "json"|"yaml"|"xml"|"csv"
---@param options? data.Csv|data.Yaml|data.Xml those of `data.parse_csv` and the like
---@return any value
---@return Error? err
function M.parse(text, format, options)
  raise.check(1, "data.parse", "string", text)
  local read = format_of(READERS, 2, format, "data.parse")
  return framed(read(text, raise.check(3, "data.parse", "table", options, true)))
end

--- Writes a value in a format: `"json"`, `"yaml"`, `"xml"` or `"csv"`.
--- ```lua
--- print(data.stringify({ { n = 1, s = "x,y" } }, "csv"))
--- ```
---@param value any
---@param format "json"|"yaml"|"xml"|"csv"
---@param options? json.Options|data.Csv|data.YamlStyle|data.XmlStyle those of `data.to_csv` and the like
---@return string text
function M.stringify(value, format, options)
  local write = format_of(WRITERS, 2, format, "data.stringify")
  return framed(write(value, raise.check(3, "data.stringify", "table", options, true)))
end

--- Turns a text of one format into one of another. What does not follow the first gives `nil, err`; what the second
--- has no word for raises.
--- ```lua
--- print(data.convert("a: 1", "yaml", "json")) --> {"a":1}
--- ```
---@param text string
---@param from "json"|"yaml"|"xml"|"csv"
---@param to "json"|"yaml"|"xml"|"csv"
---@return string? text
---@return Error? err
function M.convert(text, from, to)
  raise.check(1, "data.convert", "string", text)
  local read = format_of(READERS, 2, from, "data.convert")
  local write = format_of(WRITERS, 3, to, "data.convert")
  local value, err = read(text)
  if value == nil and err ~= nil then return nil, err end
  return framed(write(value))
end

M.convert_format = M.convert

--- Reads JSON, as `json.decode` does.
--- ```lua
--- print(data.parse_json("[1, 2]")[2]) --> 2
--- ```
---@param text string
---@return any value
---@return Error? err
function M.parse_json(text)
  return framed(json.decode(raise.check(1, "data.parse_json", "string", text)))
end

--- Writes a value as JSON, as `json.encode` does; `"pretty"` stands for an indent.
--- ```lua
--- print(data.to_json({ 1, 2 })) --> [1,2]
--- ```
---@param value any
---@param options? json.Options|boolean|"pretty" true: indented
---@return string json
function M.to_json(value, options)
  if options == "pretty" then options = true end
  if type(options) ~= "boolean" then raise.check(2, "data.to_json", "table", options, true) end
  return framed(json.encode(value, options))
end

local problems_of = bridge.bind("tool_checks", "problems")

--- Checks a value against a JSON Schema: `{ valid, errors }`. Each error is a text that begins with its place, such as
--- `items[2].price: -1 is less than the minimum of 0`.
--- ```lua
--- local result = data.validate({ n = "x" }, { type = "object", properties = { n = { type = "integer" } } })
--- print(result.valid, #result.errors) --> false	1
--- ```
---@param value any
---@param schema table
---@return table result
function M.validate(value, schema)
  raise.check(2, "data.validate", "table", schema)
  local problems = problems_of("", schema, value)
  return { valid = #problems == 0, errors = problems }
end

-- ── lists and maps ─────────────────────────────────────────────────────────────────────────────────

local function list_or_map(name, t)
  raise.check(1, name, "table", t)
  return path.length(t) or (next(t) == nil and 0) or nil
end

-- Goes through a list or map: `step(value, key)`, until it returns true.
local function each(name, t, step)
  local n = list_or_map(name, t)
  if n then
    for index = 1, n do
      if step(rawget(t, index), index) then return true end
    end
  else
    for _, key in next, path.keys(t) do
      if step(rawget(t, key), key) then return true end
    end
  end
  return false
end

-- A function of a value and its key: `by` itself, or what is at the path `by`.
local function getter(index, name, by)
  if raise.is_callable(by) then return by end
  local keys = path.parse(by, index, name, "function or path")
  return function(value) return path.get(value, keys) end
end

--- Makes a list or map of what `fn(value, key)` returns for each item; nil leaves an item out.
--- ```lua
--- print(table.concat(data.map({ 1, 2, 3 }, function(n) return n * n end), " ")) --> 1 4 9
--- print(data.map({ a = 1 }, function(n, key) return key .. n end).a) --> a1
--- ```
---@param items table
---@param fn function|string|number|table a function, or a path that is taken of each item
---@return table items
function M.map(items, fn)
  local n, result = list_or_map("data.map", items), {}
  fn = getter(2, "data.map", fn)
  each("data.map", items, function(value, key)
    local made = fn(value, key)
    if made ~= nil then rawset(result, n and #result + 1 or key, made) end
  end)
  return n and codec.array(result) or result
end

--- Makes a list or map of the items for which `fn(value, key)` is true.
--- ```lua
--- print(#data.filter({ 1, 2, 3, 4 }, function(n) return n % 2 == 0 end)) --> 2
--- ```
---@param items table
---@param fn function
---@return table items
function M.filter(items, fn)
  local n, result = list_or_map("data.filter", items), {}
  raise.check(2, "data.filter", "function", fn)
  each("data.filter", items, function(value, key)
    if fn(value, key) then rawset(result, n and #result + 1 or key, value) end
  end)
  return n and codec.array(result) or result
end

--- Makes one value of all: `fn(so_far, value, key)` for each, beginning with the third argument, or with the first
--- item. Of nothing that is nil.
--- ```lua
--- print(data.reduce({ 1, 2, 3 }, function(sum, n) return sum + n end)) --> 6
--- print(data.reduce({ 1, 2, 3 }, function(sum, n) return sum + n end, 10)) --> 16
--- ```
---@param items table
---@param fn function
---@param ... any
---@return any value
function M.reduce(items, fn, ...)
  raise.check(1, "data.reduce", "table", items)
  raise.check(2, "data.reduce", "function", fn)
  local begun, so_far = select("#", ...) > 0, (...)
  each("data.reduce", items, function(value, key)
    if begun then so_far = fn(so_far, value, key) else begun, so_far = true, value end
  end)
  return so_far
end

--- Finds the first item for which `fn(value, key)` is true; returns it and its key, or nil if there is none.
--- ```lua
--- print(data.find({ 5, 8, 12 }, function(n) return n > 6 end)) --> 8	2
--- ```
---@param items table
---@param fn function
---@return any value
---@return any key
function M.find(items, fn)
  raise.check(1, "data.find", "table", items)
  raise.check(2, "data.find", "function", fn)
  local found, at
  each("data.find", items, function(value, key)
    if fn(value, key) then
      found, at = value, key
      return true
    end
  end)
  return found, at
end

local function grouped(name, items, by)
  raise.check(1, name, "table", items)
  local groups = {}
  by = getter(2, name, by)
  each(name, items, function(value, key)
    local group = by(value, key)
    if group == nil or group ~= group then return end -- neither nil nor NaN is a key
    if groups[group] == nil then groups[group] = {} end
    groups[group][#groups[group] + 1] = value
  end)
  return groups
end

--- Puts the items into lists by what `by` gives for them: a function, or a path.
--- ```lua
--- local groups = data.group_by({ { k = "a", n = 1 }, { k = "b", n = 2 }, { k = "a", n = 3 } }, "k")
--- print(#groups.a, #groups.b) --> 2	1
--- ```
---@param items table
---@param by function|string|number|table
---@return table groups
function M.group_by(items, by)
  return (grouped("data.group_by", items, by))
end

M.group = M.group_by

--- Counts the items by what `by` gives for them: a function, or a path.
--- ```lua
--- print(data.count_by({ "x", "y", "x" }, function(s) return s end).x) --> 2
--- ```
---@param items table
---@param by function|string|number|table
---@return table counts
function M.count_by(items, by)
  local counts = {}
  for group, members in next, grouped("data.count_by", items, by) do counts[group] = #members end
  return counts
end

-- Raise unless all that rows are to be ordered by can be compared; NaN, which has no place, is taken for nothing.
local function check_ranks(name, rows)
  local first
  for index = 1, #rows do
    local rank = rows[index].rank
    if rank ~= rank then rank, rows[index].rank = nil, nil end
    if first == nil then first = rank end
    if rank ~= nil then
      local kind, meta = type(rank), debug_getmetatable(rank)
      local ordered = kind == "number" or kind == "string" or meta and rawget(meta, "__lt") ~= nil
      if not ordered or kind ~= type(first) then
        raise.refuse(2, name, ordered and "it gives a " .. raise.type_of(first) .. " and a " .. raise.type_of(rank)
          .. ", which cannot be compared" or "it gives a " .. raise.type_of(rank) .. ", which has no order")
      end
    end
  end
end

--- Makes a list of the items in the order of what `by` gives for them, a function or a path; equal ones keep their
--- order.
--- ```lua
--- print(data.sort_by({ { n = 2 }, { n = 1 } }, "n")[1].n) --> 1
--- print(table.concat(data.sort_by({ 1, 3, 2 }, function(n) return n end, true), " ")) --> 3 2 1
--- ```
---@param items table
---@param by function|string|number|table
---@param descending? boolean
---@return table items
function M.sort_by(items, by, descending)
  raise.check(1, "data.sort_by", "table", items)
  by = getter(2, "data.sort_by", by)
  local rows = {}
  each("data.sort_by", items, function(value, key)
    rows[#rows + 1] = { value = value, rank = by(value, key), place = #rows }
  end)
  check_ranks("data.sort_by", rows)
  sort(rows, function(a, b)
    if a.rank == b.rank then return a.place < b.place end
    if a.rank == nil or b.rank == nil then return b.rank == nil end
    if descending then return b.rank < a.rank end
    return a.rank < b.rank
  end)
  local result = codec.array({})
  for index = 1, #rows do result[index] = rows[index].value end
  return result
end

--- Makes a list of the items without repetitions: of those that are the same, or for which `by` gives the same, the
--- first.
--- ```lua
--- print(table.concat(data.unique({ 3, 1, 3, 2, 1 }), " ")) --> 3 1 2
--- ```
---@param items table
---@param by? function|string|number|table
---@return table items
function M.unique(items, by)
  raise.check(1, "data.unique", "table", items)
  local seen, result = {}, codec.array({})
  local key_of = by ~= nil and getter(2, "data.unique", by) or function(value) return value end
  each("data.unique", items, function(value, key)
    local mark = key_of(value, key)
    if mark == nil or mark ~= mark then mark = mark == nil and null or NAN end -- which are no keys
    if not seen[mark] then
      seen[mark] = true
      result[#result + 1] = value
    end
  end)
  return result
end

--- Makes one list of the items of lists.
--- ```lua
--- print(table.concat(data.flatten({ 1, { 2, { 3 } } }), " ", 1, 2)) --> 1 2
--- print(#data.flatten({ 1, { 2, { 3 } } }, 2)) --> 3
--- ```
---@param items table
---@param levels? integer how many; one unless it is given
---@return table items
function M.flatten(items, levels)
  raise.check(1, "data.flatten", "table", items)
  levels = raise.check_integer(2, "data.flatten", levels, 0, true) or 1
  local result = codec.array({})
  local function add(list, left)
    if levels - left > DEPTH then
      raise.raise("'data.flatten': lists nested more than " .. DEPTH .. " deep cannot be flattened")
    end
    each("data.flatten", list, function(value)
      if left > 0 and type(value) == "table" and path.length(value) then
        add(value, left - 1)
      else
        result[#result + 1] = value
      end
    end)
  end
  add(items, levels)
  return result
end

--- Cuts a list into lists of at most `size` items.
--- ```lua
--- print(#data.chunk({ 1, 2, 3, 4, 5 }, 2)) --> 3
--- ```
---@param items table
---@param size integer
---@return table lists
function M.chunk(items, size)
  raise.check(1, "data.chunk", "table", items)
  size = raise.check_integer(2, "data.chunk", size, 1)
  local lists = codec.array({})
  each("data.chunk", items, function(value)
    local last = lists[#lists]
    if not last or #last == size then
      last = {}
      lists[#lists + 1] = last
    end
    last[#last + 1] = value
  end)
  return lists
end

--- Lists the keys, in order.
--- ```lua
--- print(table.concat(data.keys({ b = 1, a = 2 }), " ")) --> a b
--- ```
---@param items table
---@return table keys
function M.keys(items)
  return framed(codec.array(path.keys(raise.check(1, "data.keys", "table", items))))
end

--- Lists the values, in the order of their keys.
--- ```lua
--- print(table.concat(data.values({ b = 1, a = 2 }), " ")) --> 2 1
--- ```
---@param items table
---@return table values
function M.values(items)
  local result = codec.array({})
  each("data.values", items, function(value) result[#result + 1] = value end)
  return result
end

--- Lists the items as `{ key, value }`, in the order of their keys.
--- ```lua
--- for _, pair in ipairs(data.entries({ a = 1 })) do print(pair.key, pair.value) end --> a	1
--- ```
---@param items table
---@return table entries
function M.entries(items)
  local result = codec.array({})
  each("data.entries", items, function(value, key) result[#result + 1] = { key = key, value = value } end)
  return result
end

--- Makes a map of a list of `{ key, value }`.
--- ```lua
--- print(data.from_entries({ { key = "a", value = 1 } }).a) --> 1
--- ```
---@param entries table
---@return table items
function M.from_entries(entries)
  local result = {}
  each("data.from_entries", entries, function(entry)
    if type(entry) ~= "table" then
      raise.refuse(1, "data.from_entries", "list of { key, value } expected, one is a " .. raise.type_of(entry))
    end
    local key, value = rawget(entry, "key"), rawget(entry, "value")
    if key == nil then key, value = rawget(entry, 1), rawget(entry, 2) end
    if key ~= nil and key == key then rawset(result, key, value) end
  end)
  return result
end

--- Counts the items of a list or map.
--- ```lua
--- print(data.size({ a = 1, b = 2 })) --> 2
--- ```
---@param items table
---@return integer count
function M.size(items)
  raise.check(1, "data.size", "table", items)
  local count = 0
  for _ in next, items do count = count + 1 end
  return count
end

--- Tells whether a value is a list: a table with exactly the keys 1..n.
--- ```lua
--- print(data.is_list({ 1, 2 }), data.is_list({ a = 1 })) --> true	false
--- ```
---@param value any
---@return boolean list
function M.is_list(value)
  return type(value) == "table" and path.length(value) ~= nil
end

local function chosen(name, items, keys, wanted)
  raise.check(1, name, "table", items)
  raise.check(2, name, "table", keys)
  local named, result = {}, {}
  for index = 1, rawlen(keys) do named[rawget(keys, index)] = true end
  for key, value in next, items do
    if (named[key] or false) == wanted then rawset(result, key, value) end
  end
  return result
end

--- Makes a map of some of the keys.
--- ```lua
--- print(data.size(data.pick({ a = 1, b = 2, c = 3 }, { "a", "b" }))) --> 2
--- ```
---@param items table
---@param keys table
---@return table items
function M.pick(items, keys)
  return framed(chosen("data.pick", items, keys, true))
end

--- Makes a map of all but some of the keys.
--- ```lua
--- print(data.size(data.omit({ a = 1, b = 2, c = 3 }, { "a", "b" }))) --> 1
--- ```
---@param items table
---@param keys table
---@return table items
function M.omit(items, keys)
  return framed(chosen("data.omit", items, keys, false))
end

-- ── whole tables ───────────────────────────────────────────────────────────────────────────────────

--- Copies a value, tables inside tables too.
--- ```lua
--- local copy = data.clone({ list = { 1 } })
--- copy.list[1] = 2
--- ```
---@param value any
---@return any copy
function M.clone(value)
  return framed(path.clone(value))
end

local function merge(target, source, depth)
  if depth > DEPTH then raise.raise("'data.merge': tables nested more than " .. DEPTH .. " deep cannot be merged") end
  for key, value in next, source do
    local old = rawget(target, key)
    local both = path.is_plain(value) and path.is_plain(old) and not path.length(value) and not path.length(old)
    if both then merge(old, value, depth + 1) else rawset(target, key, path.clone(value)) end
  end
end

--- Makes a new table of several, maps inside maps too; of two values, or two lists, for one key the later is taken.
--- ```lua
--- local merged = data.merge({ a = { x = 1, y = 1 } }, { a = { y = 2 } })
--- print(merged.a.x, merged.a.y) --> 1	2
--- ```
---@param ... table
---@return table merged
function M.merge(...)
  local result = {}
  for index = 1, select("#", ...) do
    local source = select(index, ...)
    merge(result, raise.check(index, "data.merge", "table", source), 1)
  end
  return result
end

M.deep_merge = M.merge

--- Tells whether two values are the same, or tables of the same.
--- ```lua
--- print(data.equal({ a = { 1 } }, { a = { 1 } })) --> true
--- ```
---@param a any
---@param b any
---@return boolean equal
function M.equal(a, b)
  return framed(path.equal(a, b))
end

--- Lists what is different: `{ path, kind, old, new }`, where kind is `"added"`, `"removed"` or `"changed"`.
--- ```lua
--- for _, d in ipairs(data.diff({ a = { b = 1 } }, { a = { b = 2 } })) do print(d.path, d.old, d.new) end --> a.b	1	2
--- ```
---@param old table
---@param new table
---@return table differences
function M.diff(old, new)
  raise.check(1, "data.diff", "table", old)
  raise.check(2, "data.diff", "table", new)
  return framed(codec.array(path.diff(old, new)))
end

--- Returns what is at a path, such as `"users[1].name"` or `{ "users", 1, "name" }`; `default` if there is nothing.
--- ```lua
--- print(data.get({ users = { { name = "Ada" } } }, "users[1].name")) --> Ada
--- print(data.get({}, "a.b", "nothing")) --> nothing
--- ```
---@param t table
---@param where string|number|table
---@param default? any
---@return any value
function M.get(t, where, default)
  raise.check(1, "data.get", "table", t)
  local value = path.get(t, path.parse(where, 2, "data.get"))
  if value == nil then return default end
  return value
end

--- Sets what is at a path, making the tables on the way; nil takes it away. Changes the table and returns it.
--- ```lua
--- print(data.set({}, "a.b", 1).a.b) --> 1
--- ```
---@param t table
---@param where string|number|table
---@param value any
---@return table t
function M.set(t, where, value)
  raise.check(1, "data.set", "table", t)
  local keys = path.parse(where, 2, "data.set")
  if #keys == 0 then raise.refuse(2, "data.set", "the path is empty") end
  path.set(t, keys, value)
  return t
end

--- Tells whether there is anything at a path.
--- ```lua
--- print(data.has({ a = { b = false } }, "a.b")) --> true
--- ```
---@param t table
---@param where string|number|table
---@return boolean has
function M.has(t, where)
  raise.check(1, "data.has", "table", t)
  return path.get(t, path.parse(where, 2, "data.has")) ~= nil
end

M.get_path = M.get

M.set_path = M.set

return M
