-- rs-llmspell's `Memory`, over `memory`.

local asking = require("lib.asking")
local base = require("lib.rs.base")
local raise = require("raise")

local error, ipairs, tostring = error, ipairs, tostring

local M = {}

local COLLECTION = "rs episodes"

local function memory() return base.need("memory", "Memory") end

local function entry_of(note)
  local metadata = asking.copy(note.metadata)
  local role, session = metadata["rs role"], metadata["rs session"]
  metadata["rs role"], metadata["rs session"] = nil, nil
  local entry = { id = note.id, session_id = session, role = role, content = note.text }
  entry.metadata, entry.score = metadata, note.score
  return entry
end

local episodic = {}

function episodic.add(session, role, content, metadata)
  raise.check(1, "Memory.episodic.add", "string", session)
  raise.check(2, "Memory.episodic.add", "string", role)
  raise.check(3, "Memory.episodic.add", "string", content)
  local kept = asking.copy(metadata)
  kept["rs role"], kept["rs session"] = role, session
  local id, err = memory().add(content, { metadata = kept, scope = session, collection = COLLECTION })
  if id == nil then error(err, 0) end
  return tostring(id)
end

function episodic.search(session, query, limit)
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
  for _, note in ipairs(memory().list({ collection = COLLECTION, scope = session }) or {}) do
    table.insert(entries, 1, entry_of(note))
  end
  return entries
end

local function no_graph(name)
  return function()
    local what = "rs-llmspell's 'Memory.semantic." .. name .. "'"
    raise.raise(what .. " has no counterpart here: there is no graph of knowledge")
  end
end

local more = {
  episodic = episodic,
  semantic = {
    query = no_graph("query"), add = no_graph("add"), query_by_type = no_graph("query_by_type"),
    get_by_type = no_graph("get_by_type"),
  },
}

--- Counts what is remembered: `{ episodic_count, semantic_count }`.
--- ```lua
--- print(Memory.stats().semantic_count) --> 0
--- ```
---@return table stats
function M.stats()
  local notes = memory().list({ collection = COLLECTION }) or {}
  return { episodic_count = #notes, semantic_count = 0, sessions_with_unprocessed = 0 }
end

return base.module("Memory", M, more, { consolidate = "there is no graph of knowledge to consolidate into" })
