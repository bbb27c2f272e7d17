-- Names of go-llmspell's modules that have other names here, or no counterpart. They are found where a module has no
-- member of a name, so that they are in nobody's way: neither in completion nor in the reference.

local raise = require("raise")
local unchecked = require("unchecked")

local gsub, lower = string.gsub, string.lower
local getmetatable, rawget, require, setmetatable, type = getmetatable, rawget, require, setmetatable, type

local M = {}

-- Module → where its older names are.
local PLACES = {
  agent = "lib.older.agent",
  async = "lib.older.async",
  auth = "lib.older.auth",
  data = "lib.older.data",
  errors = "lib.older.errors",
  events = "lib.older.events",
  hooks = "lib.older.hooks",
  llm = "lib.older.llm",
  log = "lib.older.log",
  spell = "lib.older.spell",
  state = "lib.older.state",
  tools = "lib.older.tools",
  utils = "lib.older.utils",
  workflow = "lib.older.workflow",
}

-- `getToolInfo`, as the bridges of go-llmspell were called, is `get_tool_info`.
local function snake(key)
  return (gsub(key, "%u", function(letter) return "_" .. lower(letter) end))
end

-- It may be called or looked into, and says so either way.
local function without(module, key, reason)
  local function say()
    raise.raise("go-llmspell's '" .. module .. "." .. key .. "' has no counterpart here: " .. reason)
  end
  return setmetatable({}, { __call = say, __index = say, __name = "nothing" })
end

--- What `module.key` was; nil if it was nothing. `members` are those that the module has.
function M.find(module, key, members)
  local place = PLACES[module]
  if not place or type(key) ~= "string" then return nil end
  local older = require(place)
  local name = snake(key)
  local value = older.members[key]
  if value == nil then value = older.members[name] end
  if value ~= nil then return unchecked.member(module .. "." .. key, value) end
  if name ~= key then value = rawget(members, name) end
  if value ~= nil then return value end
  local reason = older.lacking[key] or older.lacking[name]
  return reason and without(module, key, reason)
end

--- Lets `members` of a module be found under their older names too.
function M.completed(module, members)
  if not PLACES[module] or getmetatable(members) ~= nil then return members end
  return setmetatable(members, { __index = function(_, key) return M.find(module, key, members) end })
end

return M
