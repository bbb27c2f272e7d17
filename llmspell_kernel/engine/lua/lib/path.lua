-- Paths into plain tables: "a.b[2].c", a key, or a list of keys. What `data`, `state` and others share.

local codec = require("codec")
local raise = require("raise")

local find, match, sub = string.find, string.match, string.sub
local math_type, tointeger = math.type, math.tointeger
local debug_getmetatable = debug.getmetatable
local next, rawequal, rawget, rawlen, rawset, setmetatable, tonumber, tostring, type =
  next, rawequal, rawget, rawlen, rawset, setmetatable, tonumber, tostring, type
local sort, remove = table.sort, table.remove

local M = {}

local DEPTH = 200

--- Whether a value is plain data all the way a reader may go: a table that is no object of somebody's.
function M.is_plain(value)
  return type(value) == "table" and debug_getmetatable(value) == nil
end

--- n if the keys of `t` are exactly 1..n, else nil; an empty table counts only if it is marked as a list.
function M.length(t)
  local n = rawlen(t)
  if n == 0 then return codec.is_array(t) and next(t) == nil and 0 or nil end
  local seen = 0
  for key in next, t do
    if math_type(key) ~= "integer" or key < 1 or key > n then return nil end
    seen = seen + 1
  end
  return seen == n and n or nil
end

local RANK = { boolean = 1, number = 2, string = 3 }

local function before(a, b)
  local kind, other = type(a), type(b)
  if kind ~= other then return (RANK[kind] or 4) < (RANK[other] or 4) end
  if kind == "number" or kind == "string" then return a < b end
  return tostring(a) < tostring(b)
end

--- The keys of `t`, in order: booleans, numbers, strings.
function M.keys(t)
  local keys = {}
  for key in next, t do keys[#keys + 1] = key end
  sort(keys, before)
  return keys
end

-- ── paths ──────────────────────────────────────────────────────────────────────────────────────────

-- A step in brackets, `[2]` or `["any text"]`, at `position`; the key and the position after it.
local function bracketed(text, position)
  local digits, after = match(text, "^%[(%-?%d+)%]()", position)
  if digits then return tointeger(tonumber(digits)), after end
  for _, pattern in next, { '^%["([^"]*)"%]()', "^%['([^']*)'%]()" } do
    local key, stop = match(text, pattern, position)
    if key then return key, stop end
  end
end

--- The keys of a path; raises for what is none, where `expected` is what else could have been given. An empty path
--- leads to the whole.
function M.parse(path, index, name, expected)
  local kind = type(path)
  if kind == "number" then
    if path ~= path then raise.refuse(index, name, "NaN is no key") end
    return { path }
  end
  if kind == "table" and not raise.is_object(path) then
    local keys = {}
    for at = 1, rawlen(path) do
      local key = rawget(path, at)
      if type(key) ~= "string" and type(key) ~= "number" and type(key) ~= "boolean" or key ~= key then
        raise.refuse(index, name, "list of keys expected, one is a " .. raise.type_of(key))
      end
      keys[at] = key
    end
    return keys
  end
  if kind ~= "string" then raise.bad_argument(index, name, expected or "path", path) end
  local keys, position = {}, 1
  while position <= #path do
    local key, after
    if sub(path, position, position) == "[" then
      key, after = bracketed(path, position)
    else
      local start = #keys > 0 and position > 1 and match(path, "^%.()", position) or (#keys == 0 and position)
      if start then key, after = match(path, "^([^%.%[]+)()", start) end
    end
    if not key then raise.refuse(index, name, "not a path: " .. raise.shown(path)) end
    keys[#keys + 1], position = key, after
  end
  return keys
end

-- The key that `step` is in `t`: a number that was written as text is one where there is such an item.
local function key_in(t, step)
  if type(step) ~= "string" or rawget(t, step) ~= nil or not find(step, "^%d+$") then return step end
  local number = tointeger(tonumber(step))
  if number and (rawget(t, number) ~= nil or (rawlen(t) > 0 and number == rawlen(t) + 1)) then return number end
  return step
end

--- The value at `keys` below `t`, nil if there is none.
function M.get(t, keys)
  for at = 1, #keys do
    if type(t) ~= "table" then return nil end
    t = rawget(t, key_in(t, keys[at]))
  end
  return t
end

--- Set the value at `keys` (at least one) below `t`, making the tables on the way; nil takes it away, and closes the
--- gap in a list. Returns what was there.
function M.set(t, keys, value)
  for at = 1, #keys - 1 do
    local key = key_in(t, keys[at])
    local below = rawget(t, key)
    if type(below) ~= "table" or rawequal(below, codec.null) then
      if value == nil then return nil end
      below = {}
      rawset(t, key, below)
    end
    t = below
  end
  local key = key_in(t, keys[#keys])
  local was = rawget(t, key)
  if value == nil and math_type(key) == "integer" and key < rawlen(t) and key >= 1 then
    remove(t, key)
  else
    rawset(t, key, value)
  end
  return was
end

-- ── copies and comparison ──────────────────────────────────────────────────────────────────────────

local function clone(value, copies, depth)
  if type(value) ~= "table" then return value end
  local meta = debug_getmetatable(value)
  if meta and rawget(meta, "__metatable") ~= nil then return value end -- an object that is closed to us is shared
  if copies[value] then return copies[value] end
  if depth > DEPTH then raise.raise("tables nested more than " .. DEPTH .. " deep cannot be copied") end
  local copy = {}
  copies[value] = copy
  for key, item in next, value do rawset(copy, clone(key, copies, depth + 1), clone(item, copies, depth + 1)) end
  if codec.is_array(value) then codec.array(copy) end
  return setmetatable(copy, meta)
end

--- A copy of a value, tables and all: what was shared in it is shared in the copy.
function M.clone(value)
  return clone(value, {}, 1)
end

local function equal(a, b, seen, depth)
  if rawequal(a, b) then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  if debug_getmetatable(a) ~= debug_getmetatable(b) then return false end
  if seen[a] == b then return true end
  if depth > DEPTH then raise.raise("tables nested more than " .. DEPTH .. " deep cannot be compared") end
  seen[a] = b
  for key, item in next, a do
    if not equal(item, rawget(b, key), seen, depth + 1) then return false end
  end
  for key in next, b do
    if rawget(a, key) == nil then return false end
  end
  return true
end

--- Whether two values are the same, or tables of the same.
function M.equal(a, b)
  return equal(a, b, {}, 1)
end

local function differences(old, new, keys, found, seen)
  if M.is_plain(old) and M.is_plain(new) then
    if seen[old] == new then return end -- told where they were met before
    if #keys > DEPTH then raise.raise("tables nested more than " .. DEPTH .. " deep cannot be compared") end
    seen[old] = new
    local all = {}
    for key in next, old do all[key] = true end
    for key in next, new do all[key] = true end
    for _, key in next, M.keys(all) do
      keys[#keys + 1] = key
      differences(rawget(old, key), rawget(new, key), keys, found, seen)
      keys[#keys] = nil
    end
  elseif not M.equal(old, new) then
    found[#found + 1] = {
      path = M.text(keys),
      kind = old == nil and "added" or new == nil and "removed" or "changed",
      old = M.clone(old),
      new = M.clone(new),
    }
  end
end

--- A path as text: `a.b[2]`.
function M.text(keys)
  local text = ""
  for at = 1, #keys do
    local key = keys[at]
    if type(key) == "string" and find(key, "^[%a_][%w_%-]*$") then
      text = text .. (at > 1 and "." or "") .. key
    elseif type(key) == "string" then
      text = text .. (find(key, '"', 1, true) and "['" .. key .. "']" or '["' .. key .. '"]')
    else
      text = text .. "[" .. tostring(key) .. "]"
    end
  end
  return text
end

--- What became of `old` to make it `new`: a list of `{ path, kind = "added" | "removed" | "changed", old, new }`.
function M.diff(old, new)
  local found = {}
  differences(old, new, {}, found, {})
  return found
end

return M
