-- rs-llmspell's `Memory`, over `memory`.

local asking = require("lib.asking")
local base = require("lib.rs.base")
local host = require("host")
local raise = require("raise")
local scheduler = require("scheduler")

local error, ipairs, tostring = error, ipairs, tostring
local date = os.date

local M = {}

local COLLECTION = "rs episodes"

local function memory() return base.need("memory", "Memory") end

local function entry_of(note)
  local metadata = asking.copy(note.metadata)
  local role, session, at = metadata["rs role"], metadata["rs session"], metadata["rs time"]
  metadata["rs role"], metadata["rs session"], metadata["rs time"] = nil, nil, nil
  local entry = { id = note.id, session_id = session, role = role, content = note.text, created_at = at }
  entry.metadata, entry.score = metadata, note.score
  return entry
end

local episodic = {}

function episodic.add(session, role, content, metadata)
  session = base.id_of(session)
  raise.check(1, "Memory.episodic.add", "string", session)
  raise.check(2, "Memory.episodic.add", "string", role)
  raise.check(3, "Memory.episodic.add", "string", content)
  local kept = asking.copy(metadata)
  kept["rs role"], kept["rs session"], kept["rs time"] = role, session, date("!%Y-%m-%dT%H:%M:%SZ")
  local id, err = memory().add(content, { metadata = kept, scope = session, collection = COLLECTION })
  if id == nil then error(err, 0) end
  return tostring(id)
end

function episodic.search(session, query, limit)
  session = base.id_of(session)
  local options = { collection = COLLECTION, k = limit or 10 }
  if session ~= "" then options.scope = session end
  local found, err = memory().search(query, options)
  if found == nil then error(err, 0) end
  local entries = {}
  for index, hit in ipairs(found.results) do entries[index] = entry_of(hit) end
  return entries
end

function episodic.get_session(session)
  local entries = {}
  session = base.id_of(session)
  for _, note in ipairs(memory().list({ collection = COLLECTION, scope = session }) or {}) do
    table.insert(entries, 1, entry_of(note))
  end
  return entries
end

-- There is no graph of knowledge: asking it says so and finds nothing, putting something into it raises.
local NO_GRAPH = "has no counterpart here: there is no graph of knowledge"

local function finds_nothing(name)
  return function()
    host.write(2, scheduler.cell(), "rs-llmspell's '" .. name .. "' " .. NO_GRAPH .. ", so it finds nothing\n")
    return {}
  end
end

local function cannot(name)
  return function() raise.raise("rs-llmspell's '" .. name .. "' " .. NO_GRAPH) end
end

local more = { episodic = episodic, semantic = {} }
for _, name in ipairs({ "query", "query_by_type", "get_by_type" }) do
  more.semantic[name] = finds_nothing("Memory.semantic." .. name)
end
for _, name in ipairs({ "add", "get", "delete" }) do more.semantic[name] = cannot("Memory.semantic." .. name) end

function more.consolidate()
  local said = NO_GRAPH .. " to consolidate into"
  host.write(2, scheduler.cell(), "rs-llmspell's 'Memory.consolidate' " .. said .. "\n")
  return { entries_processed = 0, entities_added = 0, entities_updated = 0, entities_deleted = 0, duration_ms = 0 }
end

--- Counts what is remembered: `{ episodic_count, semantic_count }`.
--- ```lua
--- print(Memory.stats().semantic_count) --> 0
--- ```
---@return table stats
function M.stats()
  local notes = memory().list({ collection = COLLECTION }) or {}
  return {
    episodic_count = #notes, semantic_count = 0, sessions_with_unprocessed = 0,
    has_episodic = true, has_semantic = false, has_consolidation = false,
  }
end

return base.module("Memory", M, more)
