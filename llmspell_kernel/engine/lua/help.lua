-- `help(x)`: what a value is called and what there is to say of it, for the kernel process to explain.

local introspect = require("introspect")
local raise = require("raise")
local sandbox = require("sandbox")
local scheduler = require("scheduler")

local debug_getinfo, debug_getmetatable = debug.getinfo, debug.getmetatable
local error, next, rawequal, rawget, select, type = error, next, rawequal, rawget, select, type
local string_find, string_match = string.find, string.match

local M = {}

local OWN_SOURCE = "=[llmspell"

-- The key of a value; of several the shortest, for the longer ones are the names that older spells use.
local function key_of(t, value)
  local found
  for key, other in next, t do
    if rawequal(other, value) and type(key) == "string"
      and (not found or #key < #found or #key == #found and key < found) then
      found = key
    end
  end
  return found
end

local function module_of(value)
  local metatable = debug_getmetatable(value)
  local name = type(metatable) == "table" and rawget(metatable, "__name")
  return type(name) == "string" and string_match(name, "^module ([%w_.]+)$")
end

local function is_builtin(value)
  if type(value) ~= "function" then return false end
  local info = debug_getinfo(value, "S")
  return info.what == "C" or string_find(info.source, OWN_SOURCE, 1, true) == 1
end

local function library_member(value)
  for library, members in next, sandbox.libraries do
    local key = key_of(members, value)
    if key then return library .. "." .. key end
  end
end

local function module_member(context, value)
  for module, load_members in next, context.members do
    local key = key_of(load_members(), value)
    if key then return module .. "." .. key end
  end
end

-- The name of a value that has one: of a module, a library, a global or a session local.
local function name_of(context, value)
  local kind = type(value)
  if kind ~= "table" and kind ~= "function" then return nil end
  local module = kind == "table" and module_of(value)
  if module then return module end
  local name = library_member(value) or key_of(context.globals, value)
  if name then return name end
  for _, one in next, context.names() do
    local found, other = context.find(one)
    if found and rawequal(other, value) then return one end
  end
  return is_builtin(value) and module_member(context, value) or nil
end

-- The context of introspect.lua, from engine.lua.
function M.attach(context)
  M.context = context
end

function M.ask(...)
  local value = ...
  local name, described = "", nil
  if select("#", ...) > 0 then
    if type(value) == "string" and string_find(value, "^[%a_][%w_.:]*$") then
      name = value
    else
      if value == nil then raise.raise("the value is nil; a name goes in quotes, as in help('json.encode')") end
      name, described = name_of(M.context, value) or "", introspect.describe_value(M.context, value)
    end
  end
  local ok, answer = scheduler.call("host", "help", name, described)
  if not ok then error(answer.message, 0) end
end

return M
