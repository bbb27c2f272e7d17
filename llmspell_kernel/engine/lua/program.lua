-- A spell that another one runs (`spell.run`): what it is given, and what it comes to.

local codec = require("codec")
local errorobject = require("errorobject")
local sandbox = require("sandbox")

local error = error

local M = {}

local began, returned = false, nil

--- Before the spell is run in this fresh state: its parameters and its name.
function M.begin(_context, name, params)
  local env = sandbox.env
  env.params, env.ARGS, env.arg = params, params, params
  require("lib.spell").init({ name = name })
  began = true
end

--- The values that a cell ends with. A spell that returns `nil, err` has failed.
function M.took(values)
  if not began then return end
  if values[1] == nil and errorobject.is(values[2]) then error(values[2], 0) end
  returned = values[1]
end

--- What the spell returned; if nothing, its outputs. Plain data only: its state ends with it.
function M.result(_context)
  function codec.on_function() error("a function cannot leave the spell that made it", 0) end
  local on_handle = codec.on_handle
  function codec.on_handle(object)
    if on_handle(object) then error("a bridge object cannot leave the spell that made it", 0) end
    return nil
  end
  if returned ~= nil then return returned end
  return require("lib.spell").outputs()
end

return M
