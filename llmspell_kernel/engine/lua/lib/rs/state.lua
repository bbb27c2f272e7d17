-- rs-llmspell's `State`, over `state`.

local base = require("lib.rs.base")
local json = require("lib.json")
local raise = require("raise")
local state = require("lib.state")

local ipairs, next, tostring, type = ipairs, next, tostring, type
local time = os.time
local sub = string.sub
local sort = table.sort

local M = {}

local GLOBAL = "global"

local function check(name, scope, key)
  raise.check(1, name, "string", scope)
  if key ~= nil and type(key) ~= "string" and type(key) ~= "number" then raise.bad_argument(2, name, "string", key) end
end

-- A scope with its id: State.save("user", "alice", "theme", v) keeps under "user:alice".
local function set(scope, key, value)
  local done, err = state.save(scope, key, value)
  if not done then raise.raise(tostring(err)) end
  return true
end

--- Keeps a value in the project's file, under a scope such as `"global"` and a key; or under a key alone.
--- ```lua
--- State.save("global", "theme", "dark")
--- print(State.load("global", "theme"), State.load("theme")) --> dark	dark
--- ```
---@param scope string
---@param key any
---@param value? any
---@return boolean done
function M.save(scope, key, value)
  check("State.save", scope, value ~= nil and key or nil)
  if value == nil then return set(GLOBAL, scope, key) end
  return set(scope, key, value)
end

--- Returns what was kept; nil if nothing was.
--- ```lua
--- print(State.load("global", "never saved")) --> nil
--- ```
---@param scope string
---@param key? string|number
---@return any value
function M.load(scope, key)
  check("State.load", scope, key)
  if key == nil then return state.load(GLOBAL, scope) end
  return state.load(scope, key)
end

--- Takes away what was kept; returns whether there was anything.
--- ```lua
--- State.save("global", "theme", "dark")
--- print(State.delete("global", "theme"), State.delete("theme")) --> true	false
--- ```
---@param scope string
---@param key? string|number
---@return boolean was
function M.delete(scope, key)
  check("State.delete", scope, key)
  if key == nil then return state.delete(GLOBAL, scope) end
  return state.delete(scope, key)
end

--- Lists the keys of a scope, of `"global"` unless told.
--- ```lua
--- State.save("listed", "a", 1)
--- print(State.list_keys("listed")[1]) --> a
--- ```
---@param scope? string
---@return string[] keys
function M.list_keys(scope)
  return state.list_keys(raise.check(1, "State.list_keys", "string", scope, true) or GLOBAL)
end

local more = {}

-- get(key), or get(scope, key); set(key, value), or set(scope, key, value)
function more.get(scope, key) return M.load(scope, key) end

function more.set(scope, key, value) return M.save(scope, key, value) end

more.list = M.list_keys

function more.exists(key) return M.load(key) ~= nil end

function more.get_scoped(scope, key) return state.load(scope, key) end

function more.set_scoped(scope, key, value) return set(scope, key, value) end

function more.delete_scoped(scope, key) return state.delete(scope, key) end

function more.list_scoped(scope) return state.list_keys(scope) end

-- State of one workflow, agent or tool: `State.agent_set("helper", "topic", value)`.
for _, kind in ipairs({ "workflow", "agent", "tool" }) do
  more[kind .. "_get"] = function(id, key) return state.load(kind, id .. ":" .. key) end
  more[kind .. "_set"] = function(id, key, value) return set(kind, id .. ":" .. key, value) end
  more[kind .. "_list"] = function(id)
    local names, prefix = {}, id .. ":"
    for _, key in ipairs(state.list_keys(kind)) do
      if sub(key, 1, #prefix) == prefix then names[#names + 1] = sub(key, #prefix + 1) end
    end
    return names
  end
end

function more.clear_scope(scope)
  for _, key in ipairs(state.list_keys(scope)) do state.delete(scope, key) end
  return true
end

function more.clear() return more.clear_scope(GLOBAL) end

function more.increment(key, amount)
  local value = (M.load(key) or 0) + (amount or 1)
  set(GLOBAL, key, value)
  return value
end

function more.append(key, value)
  local list = M.load(key) or {}
  if type(list) ~= "table" then raise.raise("the state '" .. key .. "' is no list") end
  list[#list + 1] = value
  set(GLOBAL, key, list)
  return #list
end

function more.compare_and_swap(key, old, new)
  if M.load(key) ~= old then return false end
  return set(GLOBAL, key, new)
end

-- ── copies of a scope ──────────────────────────────────────────────────────────────────────────────

local BACKUPS = "rs backups"

-- A backup that was given a name is told of by its name, as the handbook has it; one that was not, by a table, as the
-- examples have it.
local function told(backup, short)
  if backup.named then return short end
  return {
    success = true, backup_id = backup.id, parent_id = backup.parent_id, size_bytes = backup.size_bytes,
    entry_count = backup.entry_count, entries_restored = backup.entry_count,
    is_valid = true, checksum_valid = true, integrity_valid = true, errors = {},
  }
end

local function backup_of(id)
  local backup = state.load(BACKUPS, id)
  if backup == nil then raise.raise("there is no backup '" .. tostring(id) .. "'") end
  return backup
end

local function all_backups()
  local listed = {}
  for index, id in ipairs(state.list_keys(BACKUPS)) do listed[index] = state.load(BACKUPS, id) end
  sort(listed, function(a, b) return a.number < b.number end)
  return listed
end

-- create_backup(name), or create_backup(incremental): each holds everything, so that either can be restored alone
function more.create_backup(given)
  local before, values, bytes, count = all_backups(), {}, 0, 0
  for _, key in ipairs(M.list_keys()) do
    values[key] = M.load(key)
    bytes, count = bytes + #(json.encode(values[key]) or ""), count + 1
  end
  local last = before[#before]
  local backup = {
    number = last and last.number + 1 or 1, values = values, size_bytes = bytes, entry_count = count,
    created_at = time(), is_incremental = given == true, named = type(given) == "string",
  }
  backup.id = backup.named and given or "backup-" .. backup.number
  backup.parent_id = backup.is_incremental and (last and last.id or backup.id) or nil
  set(BACKUPS, backup.id, backup)
  return told(backup, backup.id)
end

function more.list_backups()
  local listed = all_backups()
  for _, backup in ipairs(listed) do
    backup.values, backup.named, backup.name = nil, nil, backup.id
  end
  return listed
end

function more.restore_backup(id)
  local backup = backup_of(id)
  more.clear()
  for key, value in next, backup.values do set(GLOBAL, key, value) end
  return told(backup, true)
end

function more.validate_backup(id)
  local backup = state.load(BACKUPS, id)
  return backup ~= nil and told(backup, true)
end

function more.delete_backup(id) return state.delete(BACKUPS, id) end

--- Takes away all but the last `keep`.
function more.cleanup_backups(keep)
  local backups = all_backups()
  for index = 1, #backups - (keep or 0) do state.delete(BACKUPS, backups[index].id) end
  return true
end

function more.get_storage_usage()
  local bytes, entries = 0, M.list_keys()
  for _, key in ipairs(entries) do bytes = bytes + #(json.encode(M.load(key)) or "") end
  return { bytes_used = bytes, entries_count = #entries }
end

--- There are no migrations, and it can be asked.
function more.migration_status()
  return {
    migration_available = false, current_version = "1.0.0", latest_version = "1.0.0", is_latest = true,
    total_schemas = 0, migration_targets = {}, error = "states here have no versions",
  }
end

function more.schema_versions() return {} end

more.get_migration_status, more.get_schema_versions = more.migration_status, more.schema_versions
more.list_schema_versions = more.schema_versions

return base.module("State", M, more, base.lacking("states here have no versions; use snapshots of `state.create`", {
  "migrate", "migrate_to_version", "get_current_schema_version", "get_backup_stats",
}))
