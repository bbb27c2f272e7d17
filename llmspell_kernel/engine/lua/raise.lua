-- Errors that the engine's own functions raise for their callers: with the position of the user's code, wherever in
-- the engine they are found, and in the words that Lua itself uses.

local getinfo, getmetatable = debug.getinfo, debug.getmetatable
local error, find, format, rawget, type = error, string.find, string.format, rawget, type
local math_type = math.type

local M = {}

local OWN = "^=%[llmspell"
local LEVELS = 40

-- The level, seen by the caller, of the innermost function that is the user's; nil if there is none near.
local function user_level()
  for level = 3, LEVELS do
    local info = getinfo(level, "S")
    if not info then return nil end
    if info.what ~= "C" and not find(info.source, OWN) then return level - 1 end
  end
end

--- Whether a chunk, as `debug.getinfo` names its source, is the engine's own.
function M.is_own(source) return find(source, OWN) ~= nil end

--- Raise `message` with the position in the user's code that led here.
function M.raise(message)
  error(message, user_level() or 0)
end

--- What Lua calls the type of `value`.
function M.type_of(value)
  local meta = getmetatable(value)
  local name = type(meta) == "table" and type(value) ~= "string" and rawget(meta, "__name")
  return type(name) == "string" and name or type(value)
end

--- Raise `bad argument #1 to 'channel.make' (number expected, got string)`.
function M.bad_argument(index, name, expected, value)
  local got = value == nil and "no value" or M.type_of(value)
  error(format("bad argument #%d to '%s' (%s expected, got %s)", index, name, expected, got), user_level() or 0)
end

--- Raise unless `value` is of the Lua type `expected`; nil passes if `optional`. Returns `value`.
function M.check(index, name, expected, value, optional)
  if type(value) ~= expected and not (optional and value == nil) then
    M.bad_argument(index, name, expected, value)
  end
  return value
end

--- Raise unless `value` is a number of at least `least`; nil passes if `optional`. Returns `value`.
function M.check_number(index, name, value, least, optional)
  if value == nil and optional then return nil end
  if type(value) ~= "number" then M.bad_argument(index, name, "number", value) end
  if value < least or value ~= value then
    error(
      format("bad argument #%d to '%s' (a number of at least %s expected, got %s)", index, name, least, value),
      user_level() or 0
    )
  end
  return value
end

--- Raise unless `value` is an integer of at least `least`; nil passes if `optional`. Returns it as an integer.
function M.check_integer(index, name, value, least, optional)
  value = M.check_number(index, name, value, least, optional)
  if value == nil or math_type(value) == "integer" then return value end
  if value % 1 ~= 0 or value >= 2 ^ 63 then
    error(format("bad argument #%d to '%s' (number has no integer representation)", index, name), user_level() or 0)
  end
  return value // 1 | 0
end

return M
