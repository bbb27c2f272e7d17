-- `json`: JSON (RFC 8259) both ways, exactly: integers stay integers, floats floats, `null` is a value, and what cannot
-- be written or read is told with its place.

local codec = require("codec")
local of_float = require("digits").of_float
local errorobject = require("errorobject")
local options_of = require("lib.options")
local raise = require("raise")
local framed = raise.framed

local byte, char, find, format, gsub, match, rep, sub =
  string.byte, string.char, string.find, string.format, string.gsub, string.match, string.rep, string.sub
local concat, sort = table.concat, table.sort
local math_min, math_type, tointeger = math.min, math.type, math.tointeger
local tonumber, tostring, type = tonumber, tostring, type
local next, pcall, rawequal, rawget, rawlen, error = next, pcall, rawequal, rawget, rawlen, error
local debug_getmetatable = debug.getmetatable
local utf8_char, utf8_len = utf8.char, utf8.len

local M = {}

local null, is_array = codec.null, codec.is_array
local DEPTH = 500
local NAME_BYTES = 60 -- of a key in a message

-- ── encoding ───────────────────────────────────────────────────────────────────────────────────────

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
  ["\t"] = "\\t", ["\127"] = "\\u007f" }
for code = 0, 31 do
  ESCAPES[char(code)] = ESCAPES[char(code)] or format("\\u%04x", code)
end

-- The value that is being written; encoding never yields, so there is only ever one.
local out, count, active, trail, step, sorted_names

local function refuse(problem, depth)
  local parts = { "value" }
  for level = 1, depth do
    local key = trail[level]
    if type(key) == "number" then
      parts[#parts + 1] = "[" .. tostring(key) .. "]"
    elseif find(key, "^[%a_][%w_]*$") then
      parts[#parts + 1] = "." .. sub(key, 1, NAME_BYTES)
    else
      parts[#parts + 1] = format("[%q]", sub(key, 1, NAME_BYTES))
    end
  end
  error({ refused = concat(parts) .. ": " .. problem }, 0)
end

local function put(text)
  count = count + 1
  out[count] = text
end

local function quoted(value, depth)
  if find(value, '[%c"\\\128-\255]') then
    if not utf8_len(value) then refuse("a string that is not UTF-8 cannot be written as JSON", depth) end
    value = gsub(value, '[%c"\\]', ESCAPES)
  end
  return '"' .. value .. '"'
end

local function number(value, depth)
  if math_type(value) == "integer" then return tostring(value) end
  if value ~= value or value - value ~= 0 then refuse(tostring(value) .. " cannot be written as JSON", depth) end
  return of_float(value)
end

-- How many items `t` has if it is a list, else nil.
local function length_of(t)
  local n = rawlen(t)
  if n == 0 then return is_array(t) and next(t) == nil and 0 or nil end
  local seen = 0
  for key in next, t do
    if math_type(key) ~= "integer" or key < 1 or key > n then return nil end
    seen = seen + 1
  end
  return seen == n and n or nil
end

local put_value

-- Put a value with what stands before it: a comma, a member's name.
local function put_after(lead, value, depth)
  local kind = type(value)
  count = count + 1
  if kind == "string" then
    out[count] = lead .. quoted(value, depth)
  elseif kind == "number" then
    out[count] = lead .. (math_type(value) == "integer" and tostring(value) or number(value, depth))
  elseif kind == "boolean" then
    out[count] = lead .. (value and "true" or "false")
  else
    out[count] = lead
    put_value(value, depth)
  end
end

local function put_list(t, n, depth)
  local lead = step and "\n" .. rep(step, depth) or ""
  count = count + 1
  out[count] = "["
  for index = 1, n do
    trail[depth] = index
    put_after(index > 1 and "," .. lead or lead, rawget(t, index), depth)
  end
  count = count + 1
  out[count] = step and "\n" .. rep(step, depth - 1) .. "]" or "]"
end

-- Names as they are written, with their colon; dropped when there are many.
local labels, label_count = {}, 0

local function label_of(name, depth)
  local label = quoted(name, depth) .. ":"
  if #name < 40 then
    if label_count > 4096 then labels, label_count = {}, 0 end
    labels[name], label_count = label, label_count + 1
  end
  return label
end

-- The members' names in order, and what key each is of where that is no string.
local function names_of(t, depth)
  local names, size, keys = {}, 0, nil
  for key in next, t do
    size = size + 1
    names[size] = key
    if type(key) ~= "string" then
      if type(key) ~= "number" then
        refuse("a key that is a " .. raise.type_of(key) .. " cannot be written as JSON", depth - 1)
      end
      local name = number(key, depth - 1)
      if rawget(t, name) ~= nil or keys and keys[name] then
        refuse(format("two keys would both be written as %q", name), depth - 1)
      end
      keys = keys or {}
      names[size], keys[name] = name, key
    end
  end
  if sorted_names then sort(names) end
  return names, keys
end

local function put_object(t, depth)
  local names, keys = names_of(t, depth)
  if #names == 0 then return put("{}") end
  local lead = step and "\n" .. rep(step, depth) or ""
  local gap = step and " " or ""
  count = count + 1
  out[count] = "{"
  for index = 1, #names do
    local name = names[index]
    trail[depth] = name
    local before = (index > 1 and "," .. lead or lead) .. (labels[name] or label_of(name, depth)) .. gap
    local key = keys and keys[name]
    put_after(before, rawget(t, key == nil and name or key), depth)
  end
  count = count + 1
  out[count] = step and "\n" .. rep(step, depth - 1) .. "}" or "}"
end

local function put_table(t, depth)
  local meta = debug_getmetatable(t)
  if meta then
    if rawequal(t, null) then return put("null") end
    if rawget(meta, "__metatable") == false then -- an object of the engine's own: what it is is not in its fields
      refuse("a " .. raise.type_of(t) .. " cannot be written as JSON", depth)
    end
  end
  if active[t] then refuse("a table that contains itself cannot be written as JSON", depth) end
  if depth >= DEPTH then refuse(format("tables nested more than %d deep cannot be written as JSON", DEPTH), 3) end
  active[t] = true
  local n = length_of(t)
  if n == 0 then
    put("[]")
  elseif n then
    put_list(t, n, depth + 1)
  else
    put_object(t, depth + 1)
  end
  active[t] = nil
end

put_value = function(value, depth)
  local kind = type(value)
  if kind == "string" then
    put(quoted(value, depth))
  elseif kind == "number" then
    put(number(value, depth))
  elseif kind == "boolean" then
    put(value and "true" or "false")
  elseif kind == "table" then
    put_table(value, depth)
  elseif kind == "nil" then
    put("null")
  else
    refuse("a " .. kind .. " cannot be written as JSON", depth)
  end
end

local OPTIONS = { indent = "integer|string|boolean", sort = "boolean" }
local INDENT_MOST = 100 -- spaces of a level

local function indent_of(options)
  local given = options.indent
  if given == true then return "  " end
  if type(given) == "string" then return given end
  if given == nil or given == false then return nil end
  return rep(" ", math_min(INDENT_MOST, options_of.at_least("json.encode", options, "indent", 0)))
end

-- `name` is the function that was called.
local function encoded(name, value, options)
  step = options and indent_of(options) or nil
  sorted_names = not options or options.sort ~= false
  out, count, active, trail = {}, 0, {}, {}
  local ok, problem = pcall(put_value, value, 0)
  local text = ok and concat(out, "", 1, count)
  out, active, trail = nil, nil, nil
  if ok then return text end
  if type(problem) ~= "table" then error(problem, 0) end
  raise.raise("'" .. raise.as_called(name) .. "': " .. problem.refused)
end

--- How JSON is written.
---@class json.Options
---@field indent? integer|string|boolean spaces of each level (100 at most), or the text that stands for one; true: 2
---@field sort? boolean false: keys in any order, which is a bit faster

--- Writes a value as JSON. A table with the keys 1..n is an array, any other an object whose keys are sorted; `{}` is
--- an empty object, `json.array()` an empty array, `json.null` is null. Raises, naming the place, for what JSON has no
--- word for: functions, NaN and infinities, cycles, strings that are not UTF-8.
--- ```lua
--- print(json.encode({ name = "Ada", born = 1815, tags = { "maths", "poetry" } }))
--- --> {"born":1815,"name":"Ada","tags":["maths","poetry"]}
--- ```
---@param value any
---@param options? json.Options|boolean true: indented
---@return string json
function M.encode(value, options)
  if type(options) == "boolean" then options = { indent = options } end
  if options ~= nil then
    if type(options) ~= "table" then raise.bad_argument(2, "json.encode", "table or boolean", options) end
    options = options_of.read(2, "json.encode", options, OPTIONS)
  end
  return framed(encoded("json.encode", value, options))
end

--- Writes a value as JSON over several lines, indented; the same as `json.encode(value, true)`.
--- ```lua
--- print(json.pretty({ 1, { a = true } }))
--- ```
---@param value any
---@return string json
function M.pretty(value)
  return framed(encoded("json.pretty", value, { indent = true }))
end

-- ── decoding ───────────────────────────────────────────────────────────────────────────────────────

local function broken(problem, position)
  error({ problem = problem, position = position }, 0)
end

local function shown_at(text, position)
  local found = match(text, "^[%w_]+", position) or match(text, "^[\32-\126\194-\244][\128-\191]*", position)
  if not found then return position > #text and "the end" or format("the byte 0x%02x", byte(text, position)) end
  return "'" .. sub(found, 1, NAME_BYTES) .. "'"
end

local SIMPLE = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}

-- The character of `\uXXXX` at `position` (that of the `u`), and the position after it.
local function unicode(text, position)
  local digits = match(text, "^%x%x%x%x", position + 1)
  if not digits then broken("\\u needs four hexadecimal digits", position - 1) end
  local code = tonumber(digits, 16)
  local after = position + 5
  if code >= 0xd800 and code < 0xdc00 then
    local low = match(text, "^\\u([dD][c-fC-F]%x%x)", after)
    if low then return utf8_char(0x10000 + (code - 0xd800 << 10) + (tonumber(low, 16) - 0xdc00)), after + 6 end
  end
  if code >= 0xd800 and code < 0xe000 then code = 0xfffd end -- half of a pair is no character
  return utf8_char(code), after
end

-- The string whose opening quote is before `position`, and the position after its closing one.
local function take_string(text, position)
  local stop = find(text, '["\\%c]', position)
  if stop and byte(text, stop) == 34 then return sub(text, position, stop - 1), stop + 1 end
  local parts, begin, from = {}, position, position
  while true do
    stop = find(text, '["\\%c]', from)
    if not stop then broken("a string without its closing quote", begin - 1) end
    local mark = byte(text, stop)
    if mark == 34 then
      parts[#parts + 1] = sub(text, position, stop - 1)
      return concat(parts), stop + 1
    elseif mark == 92 then
      parts[#parts + 1] = sub(text, position, stop - 1)
      local escape = sub(text, stop + 1, stop + 1)
      if escape == "u" then
        parts[#parts + 1], position = unicode(text, stop + 1)
      else
        local plain = SIMPLE[escape]
        if not plain then broken("a backslash means nothing before " .. shown_at(text, stop + 1), stop) end
        parts[#parts + 1] = plain
        position = stop + 2
      end
      from = position
    elseif mark == 127 then
      from = stop + 1 -- the one control character that may stand as it is
    else
      broken("a line break or another control character in a string", stop)
    end
  end
end

local function take_number(text, position)
  local stop = find(text, "[^%d%+%-%.eE]", position) or #text + 1
  local digits = sub(text, position, stop - 1)
  local whole = match(digits, "^%-?(%d+)$")
  if not whole then
    whole = match(digits, "^%-?(%d+)%.%d+$") or match(digits, "^%-?(%d+)[eE][%+%-]?%d+$")
      or match(digits, "^%-?(%d+)%.%d+[eE][%+%-]?%d+$")
    if not whole then broken("not a number: " .. sub(digits, 1, NAME_BYTES), position) end
    if #whole > 1 and byte(whole) == 48 then broken("a number with a leading zero", position) end
    return tonumber(digits), stop -- with a point or an exponent Lua reads a float too
  end
  if #whole > 1 and byte(whole) == 48 then broken("a number with a leading zero", position) end
  return tointeger(tonumber(digits)) or tonumber(digits .. ".0"), stop
end

local function skip(text, position)
  return find(text, "[^ \n\r\t]", position) or #text + 1
end

local take -- (text, position of its first character, depth) → value, position after it

local function take_array(text, position, depth)
  local list, n = {}, 0
  position = skip(text, position)
  if byte(text, position) == 93 then return codec.array(list), position + 1 end
  while true do
    n = n + 1
    list[n], position = take(text, position, depth)
    local mark = byte(text, position)
    if mark ~= 44 and mark ~= 93 then
      position = skip(text, position)
      mark = byte(text, position)
    end
    if mark == 93 then return list, position + 1 end
    if mark ~= 44 then broken("',' or ']' expected near " .. shown_at(text, position), position) end
    position = skip(text, position + 1)
    if byte(text, position) == 93 then broken("a value expected after ','", position) end
  end
end

local function take_object(text, position, depth)
  local object = {}
  position = skip(text, position)
  if byte(text, position) == 125 then return object, position + 1 end
  while true do
    if byte(text, position) ~= 34 then
      broken("a name in double quotes expected near " .. shown_at(text, position), position)
    end
    local key
    key, position = take_string(text, position + 1)
    if byte(text, position) ~= 58 then
      position = skip(text, position)
      if byte(text, position) ~= 58 then broken("':' expected near " .. shown_at(text, position), position) end
    end
    object[key], position = take(text, skip(text, position + 1), depth)
    local mark = byte(text, position)
    if mark ~= 44 and mark ~= 125 then
      position = skip(text, position)
      mark = byte(text, position)
    end
    if mark == 125 then return object, position + 1 end
    if mark ~= 44 then broken("',' or '}' expected near " .. shown_at(text, position), position) end
    position = skip(text, position + 1)
  end
end

take = function(text, position, depth)
  local mark = byte(text, position)
  if mark == 34 then return take_string(text, position + 1) end
  if mark == 123 or mark == 91 then
    if depth >= DEPTH then broken(format("nested more than %d deep", DEPTH), position) end
    return (mark == 123 and take_object or take_array)(text, position + 1, depth + 1)
  end
  if mark == 45 or (mark and mark >= 48 and mark <= 57) then return take_number(text, position) end
  if mark == 116 and sub(text, position, position + 3) == "true" then return true, position + 4 end
  if mark == 102 and sub(text, position, position + 4) == "false" then return false, position + 5 end
  if mark == 110 and sub(text, position, position + 3) == "null" then return null, position + 4 end
  if not mark then broken("a value expected, but the text ends", position) end
  broken("a value expected near " .. shown_at(text, position), position)
end

local function whole(text)
  local first = sub(text, 1, 3) == "\239\187\191" and 4 or 1 -- a byte order mark
  local value, position = take(text, skip(text, first), 0)
  position = skip(text, position)
  if position <= #text then broken("nothing more expected, near " .. shown_at(text, position), position) end
  return value
end

-- Line and column (in characters) of a byte.
local function place(text, position)
  local number_of_line, start = 1, 1
  while true do
    local stop = find(text, "\n", start, true)
    if not stop or stop >= position then break end
    number_of_line, start = number_of_line + 1, stop + 1
  end
  local column = (utf8_len(sub(text, start, position - 1)) or position - start) + 1
  return number_of_line, column
end

--- Reads JSON. `null` comes as `json.null`, except when it is all there is: that is nil. Whole numbers beyond 64 bits
--- come as floats; of a name that is there twice in an object the last value counts. What is not JSON gives `nil, err`,
--- where `err.message` tells the line and column, and `err.details` has `line`, `column`, `position`.
--- ```lua
--- local value = json.decode('{"n": 1, "x": 1.0, "list": []}')
--- print(value.n, value.x) --> 1	1.0
--- print(json.decode("[1, 2")) --> nil	not JSON: line 1, column 6: ',' or ']' expected near the end
--- ```
---@param text string
---@return any value
---@return Error? err
function M.decode(text)
  raise.check(1, "json.decode", "string", text)
  local ok, value = pcall(whole, text)
  if ok then
    if rawequal(value, null) then return nil end
    return value
  end
  if type(value) ~= "table" then error(value, 0) end
  local number_of_line, column = place(text, value.position)
  return nil, errorobject.new({
    code = "bad_json",
    message = format("not JSON: line %d, column %d: %s", number_of_line, column, value.problem),
    retryable = false,
    details = { line = number_of_line, column = column, position = value.position },
  })
end

--- Marks a table as a list, so that it is written as `[]` even while it is empty; without one, makes an empty list.
--- ```lua
--- print(json.encode({ items = json.array() })) --> {"items":[]}
--- ```
---@param list? table
---@return table list
function M.array(list)
  return codec.array(raise.check(1, "json.array", "table", list, true) or {})
end

--- Tells whether a value is null, whatever it came from.
--- ```lua
--- print(json.is_null(json.decode("[null]")[1])) --> true
--- ```
---@param value any
---@return boolean null
function M.is_null(value)
  return rawequal(value, null)
end

M.null = null

M.parse = M.decode

M.stringify = M.encode

return M
