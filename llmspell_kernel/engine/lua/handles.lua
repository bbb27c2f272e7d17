-- Bridge objects as Lua sees them: read-only, with methods that are bridge calls, the same object for the same thing.
--
-- The kernel process counts how often it has sent each; when Lua collects one it is told how often that was received,
-- so that one which is on its way at that moment is not lost.

local codec = require("codec")
local finalizer = require("finalizer")
local host = require("host")
local raise = require("raise")
local scheduler = require("scheduler")

local framed = raise.framed
local next, setmetatable = next, setmetatable
local unpack = table.unpack

local M = {}

local types = {} -- type name → metatable
local methods_of = {} -- type name → its methods
local objects = setmetatable({}, { __mode = "v" }) -- id → object
local infos = setmetatable({}, { __mode = "k" }) -- object → { type, id, received, label }
local collected, count = {}, 0 -- id, times received, id, …

local function metatable_of(name)
  local meta = {
    __name = name,
    __metatable = false,
    __index = {},
    __newindex = function() raise.raise("a value of the type " .. name .. " is read-only") end,
    __tostring = function(object)
      local info = infos[object]
      return name .. ": " .. (info.label ~= "" and info.label or info.id)
    end,
    [finalizer] = function(object)
      local info = infos[object]
      if not info then return end -- a stop broke into its making
      collected[count + 1], collected[count + 2] = info.id, info.received
      count = count + 2
    end,
  }
  types[name], methods_of[name] = meta, meta.__index
  return meta
end

local function method_of(name, method, call)
  return function(self, ...)
    local info = self ~= nil and infos[self]
    if not info or info.type ~= name then
      raise.raise("call " .. method .. " with a colon: object:" .. method .. "(…)")
    end
    return framed(call(self, ...))
  end
end

--- Declare a type and its methods; `bind(type, method)` makes the function that calls the bridge.
function M.declare(declaration, bind)
  if not types[declaration.name] then metatable_of(declaration.name) end
  raise.types[declaration.name] = true
  for _, method in next, declaration.methods do
    methods_of[declaration.name][method] = method_of(declaration.name, method, bind(declaration.name, method))
  end
end

--- The methods of a declared type, to which a module in Lua may add its own.
function M.methods(name)
  if not types[name] then metatable_of(name) end
  return methods_of[name]
end

function codec.to_handle(name, id, label)
  local object = objects[id]
  if object then
    infos[object].received = infos[object].received + 1
    return object
  end
  object = setmetatable({}, types[name] or metatable_of(name))
  infos[object] = { type = name, id = id, received = 1, label = label }
  objects[id] = object
  return object
end

function codec.on_handle(object)
  local info = infos[object]
  if info then return info.type, info.id end
end

--- The metatable of a type, for a module that gives its objects fields.
function M.metatable(name)
  return types[name] or metatable_of(name)
end

--- Tell the kernel process what has been collected.
function M.release()
  if count == 0 then return end
  local fresh = {}
  local ids, most = collected, count -- nothing is allocated from here on, so nothing collected
  collected, count = fresh, 0
  for first = 1, most, 200 do
    host.send("release", unpack(ids, first, first + 199 < most and first + 199 or most))
  end
end

scheduler.end_turn = M.release

return M
