-- What a call of a method that is not there was made on, so that the error can name the nearest that is.

local raise = require("raise")

local getinfo, getlocal, getmetatable = debug.getinfo, debug.getlocal, debug.getmetatable
local next, rawget, type = next, rawget, type
local match, sort, sub = string.match, table.sort, string.sub

local M = {}

local LEVELS = 12 -- of the engine's own, around the function that raised
local VALUES = 255 -- that a function can have at once
local CHAIN = 20 -- links of an `__index` chain
local NAMES, LOOKED_AT, NAME_BYTES = 200, 2000, 100

local HANDLERS = { ["=[llmspell receiver]"] = true, ["=[llmspell failure]"] = true, ["=[llmspell engine]"] = true,
  ["=[llmspell guarded]"] = true }

-- The level, seen by `object_called`, of the function that raised, if that is the user's.
local function raising(thread)
  for level = 0, LEVELS do
    local info
    if thread then info = getinfo(thread, level, "S") else info = getinfo(level + 2, "S") end
    if not info then return nil end
    if not HANDLERS[info.source] then
      return info.what ~= "C" and not raise.is_own(info.source) and level or nil
    end
  end
end

-- How likely it is that a method of `value` was called: 0 if it can have none.
local function likelihood(value)
  local kind = type(value)
  if kind == "string" then return 1 end
  if kind ~= "table" and kind ~= "userdata" then return 0 end
  return getmetatable(value) and 3 or 2
end

-- Lua puts the method, which is nil here, and then the object where it keeps what it has no name for.
local function object_called(thread)
  local level = raising(thread)
  local found, best, before = nil, 1, true
  for index = 1, level and VALUES or 0 do
    local name, value
    if thread then name, value = getlocal(thread, level, index) else name, value = getlocal(level + 1, index) end
    if not name then break end
    local likely = before == nil and likelihood(value) or 0
    if likely >= best then found, best = value, likely end
    before = value
    if name ~= "(temporary)" then before = true end
  end
  return found
end

local function is_method(key, value)
  return type(value) == "function" and type(key) == "string" and #key <= NAME_BYTES and match(key, "^%a[%w_]*$")
end

-- Where the search for a method goes on after `value`.
local function behind(value)
  local meta = getmetatable(value)
  if type(meta) ~= "table" then return nil end
  return rawget(meta, "members") or rawget(meta, "__index")
end

local function names_of(object)
  local names, left = {}, LOOKED_AT
  for _ = 1, CHAIN do
    for key, value in next, type(object) == "table" and object or {} do
      left = left - 1
      if left < 0 or #names == NAMES then return names end
      if is_method(key, value) then names[#names + 1] = key end
    end
    object = behind(object)
    if object == nil then break end
  end
  return names
end

local last_message, last_names -- what was found last: the error may be raised again, elsewhere

--- The methods of what the running function, or that of a `thread` that has died, has called a method of that is not
--- there; nil if `err` tells of something else, or the object cannot be found.
function M.methods(err, thread)
  if type(err) ~= "string" or not match(err, "attempt to call a nil value %(method '[^']+'%)$") then return nil end
  local object = object_called(thread)
  if object then
    local names = names_of(object)
    sort(names)
    last_message, last_names = err, names[1] and names
  end
  return last_message and sub(err, -#last_message) == last_message and last_names or nil
end

return M
