-- Tables of options that the library's own functions take: a wrong type raises, and the person is warned, once, of a
-- name that the function does not know, with the nearest that it does.

local raise = require("raise")
local scheduler = require("scheduler")

local next, tostring, type = next, tostring, type
local concat, gmatch, gsub, sub, tointeger = table.concat, string.gmatch, string.gsub, string.sub, math.tointeger

local M = {}

local TOLD = 20 -- keys that a function does not take: no more are told
local SHOWN = 60 -- bytes of such a key
local NAMED = { string = true, number = true, boolean = true }

--- Whether `value` is of one of the types that `wanted` names (`"integer|string"`), and the value to take.
function M.fits(wanted, value)
  local kind = type(value)
  for one in gmatch(wanted, "[^|]+") do
    if one == kind or one == "any" then return true, value end
    if one == "integer" and kind == "number" and tointeger(value) then return true, tointeger(value) end
    if one == "false" and value == false then return true, value end
  end
  return false
end

-- The options of `given` that are known, each of a type that it may have.
local function taken(name, given, known)
  local options = {}
  for key, wanted in next, known do
    local value = given[key]
    if value ~= nil then
      local fits, fitted = M.fits(wanted, value)
      if not fits then
        raise.raise("bad option '" .. key .. "' to '" .. name .. "' (" .. gsub(wanted, "|", " or ") .. " expected, got "
          .. raise.type_of(value) .. ")")
      end
      options[key] = fitted
    end
  end
  return options
end

local told = {} -- name of a function → the keys that it does not take and that were told, and how many they are

-- Each key is told once, and of very many only the first: a loop that is wrong tells no more than one call.
local function warn(name, given, known, slips_only)
  local before = told[name] or { keys = {}, count = 0 }
  local unknown = {}
  for key in next, given do
    if before.count == TOLD then break end
    local shown = NAMED[type(key)] and sub(tostring(key), 1, SHOWN) or type(key)
    if known[key] == nil and not before.keys[shown] then
      before.keys[shown], before.count = true, before.count + 1
      unknown[#unknown + 1] = shown
    end
  end
  if #unknown == 0 then return end
  told[name] = before
  local names = {}
  for key in next, known do names[#names + 1] = key end
  scheduler.post("host", "unknown_options", name, unknown, names, slips_only)
end

--- What a spell gave to the function `name` as its argument `index`, a table of options or nil, as a table of its own.
--- `known` tells the type of each option that there is, in words such as `"integer|string"`.
function M.read(index, name, given, known)
  if given == nil then return {} end
  raise.check(index, name, "table", given)
  local options = taken(name, given, known)
  warn(name, given, known, false)
  return options
end

--- The same of a table that may hold any other key too: it is returned as it is, and only what is almost a known
--- name is told.
function M.check(index, name, given, known)
  if given == nil then return {} end
  raise.check(index, name, "table", given)
  taken(name, given, known)
  warn(name, given, known, true)
  return given
end

--- An option that must be a number of at least `least`, where it is given.
function M.at_least(name, options, key, least)
  local value = options[key]
  if value ~= nil and (value < least or value ~= value) then
    raise.raise("bad option '" .. key .. "' to '" .. name .. "' (" .. least .. " or more expected, got "
      .. tostring(value) .. ")")
  end
  return value
end

--- An option that must be one of the words of a list, where it is given.
function M.one_of(name, options, key, words)
  local value = options[key]
  for index = 1, #words do
    if value == nil or value == words[index] then return value end
  end
  raise.raise("bad option '" .. key .. "' to '" .. name .. "' (one of " .. concat(words, ", ") .. " expected, got '"
    .. tostring(value) .. "')")
end

return M
