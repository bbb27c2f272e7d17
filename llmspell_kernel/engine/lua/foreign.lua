-- The Lua of bridges that other packages bring. It runs where cells do and may do no more than they: what it can reach
-- beyond them are the functions that its bridge exports. Its comments say what its functions take, and the kernel
-- process has read them (bridges/lua_source.py); that is checked here.

local options = require("lib.options")
local raise = require("raise")
local sandbox = require("sandbox")
local framed = raise.framed

local gsub = string.gsub
local next, rawget, select, type = next, rawget, select, type

local M = {}

-- `fn` with its arguments checked; `parameters` is a list of { types, optional }.
local function checked(name, fn, parameters)
  local count = #parameters
  return function(...)
    for index = 1, count do
      local value, parameter = select(index, ...), parameters[index]
      local fits = parameter[2]
      if value ~= nil then fits = options.fits(parameter[1], value) end
      if not fits then raise.bad_argument(index, name, (gsub(parameter[1], "|", " or ")), value) end
    end
    return framed(fn(...))
  end
end

--- The members of the module that `declaration` describes: `exported`, and what its Lua makes.
function M.members(declaration, exported)
  local name = declaration.name
  local fn, message = sandbox.load(declaration.source, "=" .. name .. ".lua", "t")
  if not fn then raise.raise("the Lua of module '" .. name .. "' cannot be loaded: " .. message) end
  local made = fn(exported)
  if type(made) ~= "table" then raise.raise("the Lua of module '" .. name .. "' must return a table of its members") end
  local members, checks = {}, declaration.checks or {}
  for key, value in next, exported do members[key] = value end
  for key, value in next, made do
    local parameters = rawget(checks, key)
    members[key] = type(value) == "function" and parameters and checked(name .. "." .. key, value, parameters) or value
  end
  return members
end

return M
