-- rs-llmspell's `RAG`, over `rag`.

local asking = require("lib.asking")
local base = require("lib.rs.base")
local raise = require("raise")

local ipairs, tostring, type = ipairs, tostring, type
local match = string.match

local M = {}

local function rag(what) return base.need("rag", what) end

-- Our options out of rs-llmspell's.
local function options_of(given)
  local options = {}
  given = given or {}
  options.k = given.k or given.limit or given.top_k
  local scope_id, collection = base.id_of(given.scope_id), given.collection
  local scope = given.tenant_id and "tenant:" .. given.tenant_id
    or given.scope and given.scope .. (scope_id and ":" .. scope_id or "") or nil
  -- the collection of a session is what has its scope
  local session = type(collection) == "string" and match(collection, "^session_(.+)$")
  if session then scope, collection = scope or "session:" .. session, nil end
  options.collection, options.min_similarity = collection, given.threshold
  if scope and scope ~= "global" then options.scope = scope end
  return options
end

--- Puts documents into the library: `{ content, metadata }` or a list of them. Returns `{ success, vectors, error }`.
--- ```lua
--- print(RAG.ingest({ content = "The sky is blue.", metadata = { title = "sky" } }).success) --> true
--- ```
---@param documents table|string
---@param options? table
---@return table outcome
function M.ingest(documents, options)
  if type(documents) ~= "string" then raise.check(1, "RAG.ingest", "table", documents) end
  local list = (type(documents) == "string" or documents.content or documents.text) and { documents } or documents
  local ours = {}
  for index, document in ipairs(list) do
    if type(document) == "string" then document = { content = document } end
    local metadata = asking.copy(document.metadata)
    ours[index] = { text = document.content or document.text, metadata = metadata, id = document.id }
  end
  local done, err = rag("RAG.ingest").ingest(ours, options_of(options))
  if done == nil then return { success = false, error = tostring(err) } end
  return {
    success = true, documents = #ours, vectors = done.chunks, total_vectors = done.chunks,
    documents_processed = #ours, vectors_created = done.chunks,
  }
end

--- Finds what answers a question: `{ success, results = { { content, score, metadata } }, error }`.
--- ```lua
--- RAG.ingest({ content = "The sky is blue." })
--- print(RAG.search("What colour is the sky?", { limit = 1 }).success) --> true
--- ```
---@param query string
---@param options? table `limit`, `threshold`, `collection`, `scope`, `tenant_id`
---@return table found
function M.search(query, options)
  raise.check(1, "RAG.search", "string", query)
  local found, err = rag("RAG.search").search(query, options_of(options))
  if found == nil then return { success = false, error = tostring(err), results = {}, total = 0 } end
  local results = {}
  for _, hit in ipairs(found.results) do
    results[#results + 1] = {
      id = hit.id, content = hit.text, text = hit.text, score = hit.score, metadata = hit.metadata,
    }
  end
  return { success = true, results = results, total = #results }
end

local more = {}

function more.configure(options)
  raise.check(1, "RAG.configure", "table", options)
  return true
end

function more.list_providers() return { "local" } end

function more.create_session_collection(session, options)
  local id = raise.check(1, "RAG.create_session_collection", "string", base.id_of(session))
  local ttl = type(options) == "table" and options.ttl or options
  return { session_id = id, namespace = "session_" .. id, created = true, ttl = ttl }
end

-- configure_session(session, options), or of one table that names the session
function more.configure_session(session, options)
  local given = type(session) == "table" and session.session_id and session or options or {}
  return {
    session_id = base.id_of(given.session_id or session), vector_ttl = given.vector_ttl or 3600, configured = true,
  }
end

function more.get_stats(scope)
  local total, collections = 0, rag("RAG.get_stats").collections()
  for _, collection in ipairs(collections) do total = total + (collection.chunks or 0) end
  return { total_vectors = total, namespace_count = #collections, scope = scope }
end

function more.cleanup_scope(scope, id)
  id = base.id_of(id)
  return rag("RAG.cleanup_scope").delete({ scope = scope .. (id and ":" .. id or "") })
end

function more.save() return true end -- everything is kept as it comes

return base.module("RAG", M, more)
