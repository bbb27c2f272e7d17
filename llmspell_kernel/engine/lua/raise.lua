-- Errors that the engine's own functions raise for their callers: with the position of the user's code, wherever in
-- the engine they are found, and in the words that Lua itself uses.

local getinfo, getmetatable = debug.getinfo, debug.getmetatable
local concat, error, find, format, gsub, match, next, rawget, sub, type =
  table.concat, error, string.find, string.format, string.gsub, string.match, next, rawget, string.sub, type
local math_type = math.type

local M = {}

local OWN = "^=%[llmspell"
local LEVELS = 1000 -- functions of ours call themselves for each level of a table
local SHOWN = 60 -- bytes of a text in a message

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

--- What a call gave. `return framed(call(…))` is no tail call of `call`: the function that returns so keeps its place
--- in tracebacks, and its name.
function M.framed(...) return ... end

--- What Lua calls the type of `value`.
function M.type_of(value)
  local meta = getmetatable(value)
  local name = type(meta) == "table" and type(value) ~= "string" and rawget(meta, "__name")
  return type(name) == "string" and name or type(value)
end

--- A text in a message, in quotes: of a long one how it begins.
function M.shown(text)
  if #text <= SHOWN then return "'" .. text .. "'" end
  return "'" .. match(sub(text, 1, SHOWN), "^(.-)[\192-\247]?[\128-\191]*$") .. "...'"
end

-- ── arguments ──────────────────────────────────────────────────────────────────────────────────────

--- Module → a function that gives its members; bridge.lua fills it.
M.members = {}

--- Module → its member that is called when the module itself is; bridge.lua fills it.
M.called = {}

--- The types of objects whose methods are bridge calls; handles.lua fills it.
M.types = {}

--- The function's name as the user wrote it, where it has several: `json.parse` is `json.decode`.
function M.as_called(name)
  local module, member = match(name, "^([%w_]+)%.([%w_]+)$")
  local members = module and M.members[module]
  local level = members and user_level()
  local info = level and getinfo(level - 1, "nft")
  if not info then return name end
  if info.istailcall and M.called[module] == member then return module end -- by its __call
  local written = info.name
  if not written or written == member then return name end
  local all = members()
  if rawget(all, written) ~= info.func or rawget(all, member) ~= info.func then return name end
  return module .. "." .. written
end

--- Raise `bad argument #1 to 'channel.make' (words)`. A method's number 1 is the one after `self`.
function M.refuse(index, name, words)
  error(format("bad argument #%d to '%s' (%s)", index, M.as_called(name), words), user_level() or 0)
end

local refuse = M.refuse

--- Raise `bad argument #1 to 'channel.make' (number expected, got string)`.
function M.bad_argument(index, name, expected, value)
  local words = expected .. " expected, got " .. M.type_of(value)
  refuse(index, name, words)
end

--- Raise because the method `name` (`state:get`) was called on something else than its object.
function M.no_self(name)
  local method = match(name, "[^:]+$")
  error(format("call %s with a colon: %s(…)", method, name), user_level() or 0)
end

--- Whether a table is an object of the engine's own, such as a promise: what it has is not in its fields.
function M.is_object(value)
  local meta = getmetatable(value)
  return meta ~= nil and rawget(meta, "__metatable") == false and type(rawget(meta, "__name")) == "string"
end

--- Whether a value can be called: a function, or a table such as a mock.
function M.is_callable(value)
  if type(value) == "function" then return true end
  local meta = type(value) == "table" and getmetatable(value)
  return meta and type(rawget(meta, "__call")) == "function" or false
end

--- Raise unless `value` is of the Lua type `expected`; nil passes if `optional`. Returns `value`. A promise is no
--- table, nor is any other object of ours; what can be called is a function.
function M.check(index, name, expected, value, optional)
  if type(value) == expected then
    if expected == "table" and M.is_object(value) then M.bad_argument(index, name, expected, value) end
  elseif (value ~= nil or not optional) and not (expected == "function" and M.is_callable(value)) then
    M.bad_argument(index, name, expected, value)
  end
  return value
end

--- Raise unless `value` is a number of at least `least`; nil passes if `optional`. Returns `value`.
function M.check_number(index, name, value, least, optional)
  if value == nil and optional then return nil end
  if type(value) ~= "number" then M.bad_argument(index, name, "number", value) end
  if value < least or value ~= value then
    refuse(index, name, format("a number of at least %s expected, got %s", least, value))
  end
  return value
end

--- Raise unless `value` is a whole number; nil passes if `optional`. Returns it as an integer.
function M.check_whole(index, name, value, optional)
  if value == nil and optional then return nil end
  if type(value) ~= "number" then M.bad_argument(index, name, "number", value) end
  if math_type(value) == "integer" then return value end
  if value % 1 ~= 0 or value >= 2 ^ 63 or value < -2 ^ 63 then
    refuse(index, name, "number has no integer representation")
  end
  return value // 1 | 0
end

--- Raise unless `value` is an integer of at least `least`; nil passes if `optional`. Returns it as an integer.
function M.check_integer(index, name, value, least, optional)
  return M.check_whole(index, name, M.check_number(index, name, value, least, optional), optional)
end

--- Raise unless `value` is one of the strings in the list `known`; nil passes if `optional`. Returns `value`.
function M.check_option(index, name, value, known, optional)
  M.check(index, name, "string", value, optional)
  for _, one in next, known do
    if value == one or value == nil then return value end
  end
  local all = gsub(concat(known, "', '"), "', '([^']+)$", "' or '%1")
  refuse(index, name, "'" .. all .. "' expected, got " .. M.shown(value))
end

return M
