-- rs-llmspell's `Context`, over `Memory` and `RAG`.

local base = require("lib.rs.base")
local bridge = require("bridge")
local memory = require("lib.rs.memory")
local rag = require("lib.rs.rag")
local raise = require("raise")

local ipairs, type = ipairs, type
local concat, sort = table.concat, table.sort
local count_tokens = bridge.bind("llm", "count_tokens")

local M = {}

local STRATEGIES = { "episodic", "hybrid", "rag", "semantic" }

local function candidates(query, strategy, session)
  local found = {}
  if strategy ~= "rag" then
    for _, entry in ipairs(memory.episodic.search(session or "", query, 20)) do
      entry.source, entry.timestamp = entry.session_id, entry.created_at
      found[#found + 1] = { chunk = entry, score = entry.score, ranker = "similarity" }
    end
  end
  if strategy == "rag" or strategy == "hybrid" then
    for _, hit in ipairs(rag.search(query, { limit = 20 }).results) do
      local chunk = { id = hit.id, content = hit.content, role = "document", metadata = hit.metadata, source = "rag" }
      found[#found + 1] = { chunk = chunk, score = hit.score, ranker = "similarity" }
    end
  end
  sort(found, function(a, b) return a.score > b.score end)
  return found
end

--- Collects what is known about a question, the best first, as far as the tokens reach. Returns
--- `{ chunks = { { chunk, score } }, token_count, total_confidence, formatted }`.
--- ```lua
--- Memory.episodic.add("s", "user", "The sky is blue.")
--- print(#Context.assemble("What colour is the sky?", "episodic", 500, "s").chunks) --> 1
--- ```
---@param query string
---@param strategy? string `episodic`, `rag` or `hybrid`
---@param tokens? integer
---@param session? string
---@return table context
function M.assemble(query, strategy, tokens, session)
  session = base.id_of(session)
  raise.check(1, "Context.assemble", "string", query)
  local chunks, lines, used, confidence = {}, {}, 0, 0
  for _, candidate in ipairs(candidates(query, strategy or "hybrid", session)) do
    local cost = count_tokens(candidate.chunk.content)
    if used + cost > (tokens or 2000) then break end
    used, confidence = used + cost, confidence + candidate.score
    chunks[#chunks + 1] = candidate
    lines[#lines + 1] = "[" .. (candidate.chunk.role or "note") .. "] " .. candidate.chunk.content
  end
  local first, last
  for _, each in ipairs(chunks) do
    local at = each.chunk.timestamp
    if at and (not first or at < first) then first = at end
    if at and (not last or at > last) then last = at end
  end
  return {
    chunks = chunks,
    temporal_span = { first, last },
    token_count = used,
    total_confidence = #chunks > 0 and confidence / #chunks or 0,
    formatted = concat(lines, "\n"),
  }
end

local more = {}

function more.strategies() return STRATEGIES end

-- test(query, session); the second may also be how many tokens
function more.test(query, session)
  local tokens = type(session) == "number" and session or 2000
  return M.assemble(query, "hybrid", tokens, type(session) ~= "number" and session or nil)
end

function more.strategy_stats()
  local stats = memory.stats()
  return { episodic_count = stats.episodic_count, semantic_count = stats.semantic_count, strategies = STRATEGIES }
end

return base.module("Context", M, more)
