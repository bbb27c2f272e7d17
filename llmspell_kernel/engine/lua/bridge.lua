-- Module tables made from the bridges' declarations: each function sends a call to the kernel process.
-- A module is a read-only proxy that is filled when it is first touched.

local scheduler = require("scheduler")
local errorobject = require("errorobject")
local failure = require("failure")
local handles = require("handles")
local raise = require("raise")

local B = {}

local unpack = table.unpack

B.world_error = errorobject.new

-- A function of Lua's that the bridge called has raised: its frames belong to this call's. Returns what to raise.
local function raised_inside(described)
  local err = described.message
  if described.code ~= nil then
    err = errorobject.new({ code = described.code, message = err, suggestion = described.suggestion })
  elseif described.source and described.line then
    err = described.source .. ":" .. described.line .. ": " .. err
  end
  failure.remember(err, "callback", described.frames or {}, described.omitted, described.omitted_after)
  return err
end

local function failed(value)
  if value.raise then
    value.raise = nil
    local described = value.details and value.details.failure
    if described then error(raised_inside(described), 0) end
    -- a plain misuse is a message with the caller's position; anything richer is an error object
    if value.code == nil then raise.raise(value.message) end
    error(errorobject.new(value), 0)
  end
  value.raise = nil
  return nil, errorobject.new(value)
end

-- The Lua function for one declared bridge function; messages call it `shown`, if that is given.
function B.bind(module, name, shown)
  return function(...)
    local ok, value = scheduler.call_as(shown, module, name, ...)
    if ok then return unpack(value, 1, value.n) end
    return raise.framed(failed(value))
  end
end

local function fill(declaration)
  local members
  if declaration.lua then
    members = require(declaration.lua)
    if type(members) == "function" then members = members(declaration) end
  else
    members = {}
  end
  for _, name in ipairs(declaration.functions or {}) do
    if rawget(members, name) == nil then members[name] = B.bind(declaration.name, name) end
  end
  return require("lib.older").completed(declaration.name, members)
end

-- The same for a bridge that brings Lua of its own. That may look into the module while it is being loaded, where it
-- finds a part, and it may be stopped before it has ended: then the next cell loads it again.
local function filler_of_foreign()
  local loading
  return function(declaration)
    local cell, task = scheduler.cell(), scheduler.current()
    if loading and loading.cell == cell and loading.task == task then return loading.part, true end
    loading = { cell = cell, task = task, part = fill(declaration) }
    local ended <close> = setmetatable({}, { __close = function() loading = nil end }) -- luacheck: ignore 211
    return require("foreign").members(declaration, loading.part)
  end
end

-- A read-only table that loads its members on first use.
function B.proxy(declaration)
  local name = declaration.name
  for _, type_declaration in ipairs(declaration.types or {}) do handles.declare(type_declaration, B.bind) end
  local members
  local meta = { __name = "module " .. name, __metatable = false }
  local fill_it = declaration.source and filler_of_foreign() or fill
  local function load_members()
    if members then return members end
    local filled, partly = fill_it(declaration)
    if not partly then members, meta.__index = filled, filled end
    return filled
  end
  meta.__index = function(_, key) return load_members()[key] end
  meta.__newindex = function(_, key)
    error("module '" .. name .. "' is read-only: cannot set '" .. tostring(key) .. "'; make a table of your own", 2)
  end
  meta.__pairs = function()
    local copy = {}
    for key, value in next, load_members() do copy[key] = value end
    return next, copy, nil
  end
  meta.__tostring = function() return "module: " .. name end
  local call = declaration.call
  if call then
    raise.called[name] = call
    meta.__call = function(_, ...) return load_members()[call](...) end
  end
  -- introspection runs no Lua of other packages: what that makes it knows once it was used
  B.members[name] = declaration.source and function() return members or fill(declaration) end or load_members
  return setmetatable({}, meta)
end

-- Module name → function that gives its members, for introspection.
B.members = raise.members

return B
