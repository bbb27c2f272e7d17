-- rs-llmspell's `Replay`: descriptions of what is to be replayed, and comparing; the replaying itself is done by
-- cassettes.

local base = require("lib.rs.base")
local json = require("lib.json")
local raise = require("raise")

local ipairs, next, setmetatable, tostring, type = ipairs, next, setmetatable, tostring, type
local format = string.format
local insert, sort = table.insert, table.sort

local R = { modes = { exact = "exact", modified = "modified", simulate = "simulate", debug = "debug" } }

function R.create_modification(path, value, enabled)
  raise.check(1, "Replay.create_modification", "string", path)
  return { path = path, value = value, enabled = enabled ~= false }
end

local methods = {}
function methods.add_modification(self, path, value, enabled)
  insert(self.modifications, type(path) == "table" and path or R.create_modification(path, value, enabled))
  return self
end
function methods.set_mode(self, mode)
  if not R.modes[mode] then raise.raise("there is no mode '" .. tostring(mode) .. "'") end
  self.mode = mode
  return self
end
for _, key in ipairs({ "compare_results", "timeout_seconds", "stop_on_error" }) do
  methods["set_" .. key] = function(self, value)
    self[key] = value
    return self
  end
end

function R.create_config(mode)
  local made = setmetatable({ modifications = {}, metadata = {} }, { __name = "ReplayConfig", __index = methods })
  return methods.set_mode(made, mode or "exact")
end

local function describe(kind)
  return function(...)
    local first, second, third = ...
    return { kind = kind, delay = first, interval = second, max_executions = third, expression = first }
  end
end
R.schedules = { once = describe("once"), interval = describe("interval"), cron = describe("cron") }

-- ── comparing ──────────────────────────────────────────────────────────────────────────────────────

local function compare(old, new, path, found)
  if type(old) == "table" and type(new) == "table" then
    for key, value in next, old do compare(value, new[key], path .. "." .. tostring(key), found) end
    for key, value in next, new do
      if old[key] == nil then compare(nil, value, path .. "." .. tostring(key), found) end
    end
    return
  end
  found.total = found.total + 1
  if old ~= new then insert(found, { path = path, original = old, replayed = new }) end
end

local function value_of(given)
  if type(given) ~= "string" then return given end
  local value = json.decode(given)
  if value == nil then return given end
  return value
end

function R.create_comparator()
  local function compare_json(_, original, replayed)
    local found = { total = 0 }
    compare(value_of(original), value_of(replayed), "$", found)
    local different, total = #found, found.total
    found.total = nil
    sort(found, function(a, b) return a.path < b.path end)
    return {
      identical = different == 0,
      similarity_score = total == 0 and 1 or (total - different) / total,
      differences = found,
      summary = different == 0 and "identical" or format("%d of %d values differ", different, total),
    }
  end
  return { compare_json = compare_json, compare = compare_json }
end

return base.module("Replay", {}, R, base.lacking("cassettes replay what models answered (record = \"auto\")", {
  "run", "execute", "start", "schedule", "replay",
}))
