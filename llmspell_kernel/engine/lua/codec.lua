-- MessagePack, written in Lua, for every value that leaves or enters the engine; engine/values.py is the other end.
--
-- Integers and floats stay distinct. UTF-8 strings are `str`, others `bin`. A table with exactly the keys 1..n is an
-- array, and so is an empty one that was marked; anything else is a map that keeps its keys. `codec.null` is nil
-- inside containers. Extension types: 1 = a function of Lua's (its id), 2 = a bridge object (id, type name, label),
-- 3 = a boolean key of a map, which Python would confuse with the keys 0 and 1.
--
-- Tables are read raw, so no code of the user runs while a value is encoded.

local char, byte, sub, format = string.char, string.byte, string.sub, string.format
local find = string.find
local pack, unpack = string.pack, string.unpack
local concat = table.concat
local utf8_len = utf8.len
local math_type, tostring, type, next = math.type, tostring, type, next
local rawequal, rawget, rawlen, select, error = rawequal, rawget, rawlen, select, error
local getmetatable, setmetatable = debug.getmetatable, setmetatable

local M = {}

local USER_DEPTH = 32
local OWN_DEPTH = 200 -- of what the engine itself made: a snapshot nests several containers for each level it shows

-- Bytes of strings in one encoded value, and of the memory that its pieces take until they are joined.
M.limit = 128 * 1024 * 1024
-- Bytes of a value of the user's when it is encoded, and what is said of one that is larger; `limits.lua` sets them.
M.user_limit = M.limit
function M.too_large() return "the value is too large to cross" end
-- Bytes of the largest value of the user's that this cell has sent or received.
M.largest = 0
local PIECE = 16

-- Hooks, set by the scheduler and the handles' module.
function M.on_function(_fn) return nil end
function M.on_handle(_object) return nil end
function M.to_function(_id) return nil end
function M.to_handle(_kind, _id, _label) return nil end

M.null = setmetatable({}, {
  __name = "null",
  __tostring = function() return "null" end,
  __newindex = function() error("null has no fields", 2) end,
  __metatable = false,
})
local null = M.null

local marked = setmetatable({}, { __mode = "k" })

-- Mark `t` as a list even while it is empty; returns `t`.
function M.array(t)
  marked[t] = true
  return t
end

function M.is_array(t)
  return marked[t] == true
end

-- ── headers ────────────────────────────────────────────────────────────────────────────────────────

local SHORT_STRING, ARRAY, MAP, INTEGER = {}, {}, {}, {}
for n = 0, 31 do SHORT_STRING[n] = char(0xa0 | n) end
for n = 32, 255 do SHORT_STRING[n] = char(0xd9, n) end
for n = 0, 15 do ARRAY[n], MAP[n] = char(0x90 | n), char(0x80 | n) end
for n = -32, 127 do INTEGER[n] = char(n & 0xff) end
for n = 128, 255 do INTEGER[n] = char(0xcc, n) end
for n = 256, 1023 do INTEGER[n] = char(0xcd, n >> 8, n & 0xff) end

local NIL, FALSE, TRUE = "\xc0", "\xc2", "\xc3"
local FALSE_KEY, TRUE_KEY = "\xd4\x03\x00", "\xd4\x03\x01"

local function array_header(n)
  return ARRAY[n] or (n < 0x10000 and char(0xdc, n >> 8, n & 0xff)) or pack(">BI4", 0xdd, n)
end

local function map_header(n)
  return MAP[n] or (n < 0x10000 and char(0xde, n >> 8, n & 0xff)) or pack(">BI4", 0xdf, n)
end

local function string_header(s, length)
  if utf8_len(s) then
    return SHORT_STRING[length] or (length < 0x10000 and pack(">BI2", 0xda, length)) or pack(">BI4", 0xdb, length)
  end
  if length < 0x100 then return char(0xc4, length) end
  return length < 0x10000 and pack(">BI2", 0xc5, length) or pack(">BI4", 0xc6, length)
end

local function integer_piece(value)
  if value >= 0 then
    if value < 0x10000 then return char(0xcd, value >> 8, value & 0xff) end
    if value < 0x100000000 then
      return char(0xce, value >> 24, value >> 16 & 0xff, value >> 8 & 0xff, value & 0xff)
    end
  elseif value >= -0x80 then
    return char(0xd0, value & 0xff)
  elseif value >= -0x8000 then
    return pack(">Bi2", 0xd1, value)
  elseif value >= -0x80000000 then
    return pack(">Bi4", 0xd2, value)
  end
  return pack(">Bi8", 0xd3, value)
end

local function handle_piece(kind, id)
  return pack(">BBBi8s1", 0xc7, #kind + 9, 2, id, kind)
end

-- Whole pieces of short keys, which repeat; dropped when there are many.
local KEY_BYTES, KEY_COUNT = 40, 4096
local keys, key_count = {}, 0

local function key_piece(key)
  local length = #key
  local piece = string_header(key, length) .. key
  if length <= KEY_BYTES then
    if key_count >= KEY_COUNT then keys, key_count = {}, 0 end
    keys[key] = piece
    key_count = key_count + 1
  end
  return piece
end

-- ── encoding ───────────────────────────────────────────────────────────────────────────────────────

-- State of the value being encoded. Encoding never yields, so there is only ever one.
local out, count, bytes, max_bytes, max_depth, root
local active -- tables that are being encoded: the way from the root to here
local trail -- their keys, by depth

local function path(depth)
  local parts = { root }
  for level = 1, depth do
    local key = trail[level]
    if type(key) == "string" and find(key, "^[%a_][%w_]*$") then
      parts[#parts + 1] = (level == 1 and root == "" and "" or ".") .. sub(key, 1, 60)
    elseif type(key) == "string" then
      parts[#parts + 1] = format("[%q]", sub(key, 1, 60))
    else
      parts[#parts + 1] = "[" .. tostring(key) .. "]" -- a number or a boolean: nothing else is a key here
    end
  end
  local whole = concat(parts)
  return whole == "" and "" or whole .. ": "
end

local function refuse(problem, depth)
  error(path(depth) .. problem, 0)
end

local function too_large(depth)
  refuse(M.too_large(), depth)
end

local put_table

local function put_other(value, kind, depth)
  if kind == "boolean" then
    count = count + 1
    out[count] = value and TRUE or FALSE
  elseif kind == "nil" then
    count = count + 1
    out[count] = NIL
  elseif kind == "function" then
    local id = M.on_function(value)
    if not id then refuse("a function cannot cross here", depth) end
    count = count + 1
    out[count] = pack(">BBi8", 0xd7, 1, id)
  elseif kind == "thread" then
    refuse("a coroutine cannot cross", depth)
  else
    refuse("a " .. kind .. " cannot cross", depth)
  end
end

local function put_key(key, depth)
  local kind = type(key)
  count = count + 1
  if kind == "string" then
    bytes = bytes + #key
    out[count] = key_piece(key)
  elseif kind == "number" then
    if math_type(key) == "integer" then
      out[count] = INTEGER[key] or integer_piece(key)
    else
      out[count] = pack(">Bd", 0xcb, key)
    end
  elseif kind == "boolean" then
    out[count] = key and TRUE_KEY or FALSE_KEY
  else
    refuse("a key that is a " .. kind .. " cannot cross", depth - 1)
  end
end

-- Put the value found under `key` of the table at `depth`.
local function put(value, depth, key)
  local kind = type(value)
  if kind == "string" then
    local length = #value
    bytes = bytes + length
    if bytes > max_bytes then
      trail[depth] = key
      too_large(depth)
    end
    count = count + 2
    out[count - 1] = string_header(value, length)
    out[count] = value
  elseif kind == "number" then
    count = count + 1
    if math_type(value) == "integer" then
      out[count] = INTEGER[value] or integer_piece(value)
    else
      out[count] = pack(">Bd", 0xcb, value)
    end
  else
    trail[depth] = key
    if kind == "table" then return put_table(value, depth + 1) end
    put_other(value, kind, depth)
  end
end

-- n if the keys of `t` are exactly 1..n, else nil; n = 0 only for a marked table.
local function list_length(t)
  local n = rawlen(t)
  if n == 0 then
    return marked[t] and next(t) == nil and 0 or nil
  end
  local seen = 0
  for key in next, t do
    if math_type(key) ~= "integer" or key < 1 or key > n then return nil end
    seen = seen + 1
  end
  return seen == n and n or nil
end

local function put_list(t, n, depth)
  count = count + 1
  out[count] = array_header(n)
  for index = 1, n do put(rawget(t, index), depth, index) end
end

local function put_map(t, depth)
  count = count + 1
  local header, size = count, 0
  for key, value in next, t do
    size = size + 1
    local piece = keys[key]
    if piece then
      count = count + 1
      out[count] = piece
    else
      put_key(key, depth)
    end
    put(value, depth, key)
  end
  out[header] = map_header(size)
end

put_table = function(t, depth)
  local meta = getmetatable(t)
  if meta then
    if rawequal(t, null) then
      count = count + 1
      out[count] = NIL
      return
    end
    local kind, id = M.on_handle(t)
    if kind then
      count = count + 1
      out[count] = handle_piece(kind, id)
      return
    end
    -- an object of the engine's own, such as a channel: what it is is not in its fields
    if rawget(meta, "__metatable") == false and next(t) == nil then
      local name = rawget(meta, "__name")
      refuse("a " .. (type(name) == "string" and name or "table") .. " cannot cross", depth - 1)
    end
  end
  if active[t] then refuse("a cycle cannot cross", depth - 1) end
  if depth > max_depth then
    refuse(format("tables nested more than %d deep cannot cross", max_depth), depth - 1)
  end
  if bytes > max_bytes or bytes + count * PIECE > M.limit then too_large(depth - 1) end
  active[t] = true
  local n = list_length(t)
  if n then
    put_list(t, n, depth)
  else
    put_map(t, depth)
  end
  active[t] = nil
end

local function begin(depth, name, most)
  out, count, bytes, max_bytes, max_depth, root = {}, 0, 0, most, depth, name
  active, trail = {}, {}
end

local function finish()
  local result = concat(out, "", 1, count)
  out, active, trail = nil, nil, nil
  return result
end

-- Encode one value of the engine's own making.
function M.encode(value)
  begin(OWN_DEPTH, "value", M.limit)
  put(value, 0)
  return finish()
end

-- Encode values of the user's as an array of exactly as many items; raises a message that names the path to what
-- cannot cross. Outside containers nil stays nil, as trailing arguments too.
function M.encode_many(...)
  begin(USER_DEPTH, "", M.user_limit)
  local n = select("#", ...)
  count = 1
  out[1] = array_header(n)
  for index = 1, n do
    root = "argument " .. index
    put((select(index, ...)), 0)
  end
  local whole = finish()
  if #whole > max_bytes then
    root = ""
    too_large(0)
  end
  if #whole > M.largest then M.largest = #whole end
  return whole
end

-- ── decoding ───────────────────────────────────────────────────────────────────────────────────────

local DECODE_DEPTH = 200

local function truncated()
  error("MessagePack: the data ends too early", 0)
end

local function need(data, position, length)
  if #data - position + 1 < length then truncated() end
end

local take -- (data, position, depth) → value, next position

local function take_list(data, position, depth, n)
  need(data, position, n)
  if depth > DECODE_DEPTH then error("MessagePack: nested too deep", 0) end
  local result = {}
  if n == 0 then marked[result] = true end
  for index = 1, n do
    local value
    value, position = take(data, position, depth + 1)
    if value == nil then value = null end
    result[index] = value
  end
  return result, position
end

local function take_map(data, position, depth, n)
  need(data, position, 2 * n)
  if depth > DECODE_DEPTH then error("MessagePack: nested too deep", 0) end
  local result = {}
  for _ = 1, n do
    local key, value
    local tag = byte(data, position)
    if tag and tag >= 0xa0 and tag <= 0xbf then
      local stop = position + tag - 0xa0
      key = sub(data, position + 1, stop)
      position = stop + 1
    else
      key, position = take(data, position, depth + 1)
      if key == nil or key ~= key then error("MessagePack: nil and NaN are no keys", 0) end
    end
    value, position = take(data, position, depth + 1)
    if value == nil then value = null end
    result[key] = value
  end
  return result, position
end

local function take_string(data, position, length)
  local stop = position + length
  if stop > #data + 1 then truncated() end
  return sub(data, position, stop - 1), stop
end

local function take_extension(data, position, length)
  local kind = byte(data, position)
  local body
  body, position = take_string(data, position + 1, length)
  if kind == 1 and length == 8 then return M.to_function((unpack(">i8", body))), position end
  if kind == 2 and length > 8 then
    local id, name, label = unpack(">i8s1", body)
    return M.to_handle(name, id, sub(body, label)), position
  end
  if kind == 3 and length == 1 then return body == "\1", position end
  error("MessagePack: unknown extension type " .. tostring(kind), 0)
end

local function number_taker(layout, length)
  return function(data, position)
    need(data, position, length)
    return unpack(layout, data, position)
  end
end

-- By tag, for the tags from 0xc0 to 0xdf: takers get the position after the tag.
local takers = {
  [0xc0] = function(_, position) return nil, position end,
  [0xc2] = function(_, position) return false, position end,
  [0xc3] = function(_, position) return true, position end,
  [0xca] = number_taker(">f", 4),
  [0xcb] = number_taker(">d", 8),
  [0xcc] = number_taker(">I1", 1),
  [0xcd] = number_taker(">I2", 2),
  [0xce] = number_taker(">I4", 4),
  [0xcf] = function(data, position)
    need(data, position, 8)
    local value, after = unpack(">i8", data, position)
    if value < 0 then error("MessagePack: an integer over 2^63-1", 0) end
    return value, after
  end,
  [0xd0] = number_taker(">i1", 1),
  [0xd1] = number_taker(">i2", 2),
  [0xd2] = number_taker(">i4", 4),
  [0xd3] = number_taker(">i8", 8),
}

-- Takers of tags whose body has a length of 1, 2 or 4 bytes before it.
local function sized(first_tag, layouts, body)
  for index, layout in ipairs(layouts) do
    local length_taker = number_taker(layout, 1 << index - 1 + 3 - #layouts)
    takers[first_tag + index - 1] = function(data, position, depth)
      local length, after = length_taker(data, position)
      return body(data, after, depth, length)
    end
  end
end

local function string_body(data, position, _, length) return take_string(data, position, length) end
local function extension_body(data, position, _, length) return take_extension(data, position, length) end
sized(0xc4, { ">I1", ">I2", ">I4" }, string_body)
sized(0xc7, { ">I1", ">I2", ">I4" }, extension_body)
sized(0xd9, { ">I1", ">I2", ">I4" }, string_body)
sized(0xdc, { ">I2", ">I4" }, take_list)
sized(0xde, { ">I2", ">I4" }, take_map)
for power = 0, 4 do
  takers[0xd4 + power] = function(data, position) return take_extension(data, position, 1 << power) end
end

take = function(data, position, depth)
  local tag = byte(data, position)
  if not tag then truncated() end
  position = position + 1
  if tag < 0x80 then return tag, position end
  if tag >= 0xe0 then return tag - 0x100, position end
  if tag >= 0xc0 then
    local taker = takers[tag]
    if not taker then error("MessagePack: unknown tag " .. tag, 0) end
    return taker(data, position, depth)
  end
  if tag >= 0xa0 then return take_string(data, position, tag - 0xa0) end
  if tag >= 0x90 then return take_list(data, position, depth, tag - 0x90) end
  return take_map(data, position, depth, tag - 0x80)
end

-- Decode the value at `position` (1 unless given); returns it and the position after it.
function M.decode(data, position)
  return take(data, position or 1, 1)
end

-- Decode an array as a list of values, such as arguments: nil stays nil, `n` is their number.
function M.decode_list(data)
  if #data > M.largest then M.largest = #data end
  local tag = byte(data, 1)
  local n, position
  if tag and tag >= 0x90 and tag <= 0x9f then
    n, position = tag - 0x90, 2
  elseif tag == 0xdc then
    n, position = unpack(">I2", data, 2)
  elseif tag == 0xdd then
    n, position = unpack(">I4", data, 2)
  else
    error("MessagePack: an array was expected", 0)
  end
  need(data, position, n)
  local result = { n = n }
  for index = 1, n do
    result[index], position = take(data, position, 1)
  end
  return result
end

return M
