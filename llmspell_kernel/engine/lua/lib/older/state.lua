-- go-llmspell's state of a script: `state.get("app.user.name")`, one tree of values by dotted paths.

local paths = require("lib.path")
local raise = require("raise")
local state = require("lib.state")

local error, getmetatable, ipairs, next, tostring, type = error, getmetatable, ipairs, next, tostring, type
local gmatch = string.gmatch

local S = {}

local SCOPE = "script state" -- where `state.save(name)` puts the whole tree

local tree = {}

-- As there, what goes in and what comes out are copies: what a spell does to them does not change the state.
local function copy(value, seen)
  if type(value) ~= "table" or getmetatable(value) ~= nil then return value end
  seen = seen or {}
  if seen[value] then return seen[value] end
  local made = {}
  seen[value] = made
  for key, inner in next, value do made[key] = copy(inner, seen) end
  return made
end

local function parts_of(path, caller)
  if type(path) == "number" then return { path } end
  raise.check(1, "state." .. caller, "string", path)
  local parts = {}
  for part in gmatch(path, "[^%.]+") do parts[#parts + 1] = part end
  return parts
end

-- The table that holds the last part of a path, and that part; nil if there is no such table and none is made.
local function holder(path, caller, make)
  local parts, at = parts_of(path, caller), tree
  for index = 1, #parts - 1 do
    local inner = at[parts[index]]
    if type(inner) ~= "table" then
      if not make then return nil end
      inner = {}
      at[parts[index]] = inner
    end
    at = inner
  end
  return at, parts[#parts]
end

function S.get(path, default)
  if path == nil or path == "" then return copy(tree) end
  local at, key = holder(path, "get")
  local value = at and at[key]
  if value == nil then return default end
  return copy(value)
end

function S.set(path, value)
  local at, key = holder(path, "set", true)
  if key == nil then raise.raise("'state.set' needs a path") end
  at[key] = copy(value)
end

function S.update(path, fn)
  raise.check(2, "state.update", "function", fn)
  local value = fn(S.get(path))
  S.set(path, value)
  return value
end

function S.has(path) return S.get(path) ~= nil end

function S.keys() return paths.keys(tree) end

--- Forgets the whole tree, or what is at a path.
function S.clear(path)
  if type(path) == "string" and path ~= "" then return S.set(path, nil) end
  tree = {}
end

function S.export() return copy(tree) end

S.snapshot = S.export

function S.import(values)
  raise.check(1, "state.import", "table", values)
  tree = copy(values)
end

S.restore = S.import

--- What `state.delete(path)` is with a path alone.
function S.forget(path) S.set(path, nil) end

--- What `state.save(name)` is with a name alone: keeps the tree in the project's file.
function S.keep(name)
  local done, err = state.save(SCOPE, name or "default", tree)
  if done == nil then error(err, 0) end
  return true
end

--- What `state.load(name)` is with a name alone.
function S.recall(name)
  local values, err = state.load(SCOPE, name or "default")
  if values == nil then return nil, err or ("no state '" .. tostring(name or "default") .. "' was saved") end
  tree = values
  return true
end

--- The fields of both, those of the second going before.
function S.merge(first, second)
  local merged = copy(first)
  for key, value in next, second or {} do merged[key] = copy(value) end
  return merged
end

function S.transform(values, fn) return fn(copy(values)) end

function S.filter(values, fn)
  local kept = {}
  for key, value in next, values do
    if fn(value, key) then kept[key] = value end
  end
  return kept
end

function S.validate(values, schema)
  local result = require("lib.data").validate(values, schema)
  return result.valid, result.errors
end

local lacking = { expire = "what is kept stays until it is deleted; spell.cache(key, value, seconds) lets go" }
for _, name in ipairs({ "create_shared_context", "with_inheritance_config", "create_schema", "migrate" }) do
  lacking[name] = "states are made with state.create(name, options)"
end

return { members = S, lacking = lacking }
