-- A session is its id, a string; with an id of one's own, or from a builder, it has methods.
local root = Session.create({
  name = "Root", description = "A quarter", tags = { "analysis", "q4" }, metadata = { quarter = "Q4", priority = "high" },
})
local dept = Session.create({ name = "Sales", parent_session_id = root, metadata = { department = "sales" } })
assert(type(dept) == "string" and #dept:sub(1, 8) == 8 and #("session_" .. dept) == 44)
local about = Session.get(dept)
assert(about.custom_metadata.department == "sales" and about.status == "active" and about.id == dept)
local urgent = {}
for _, session in ipairs(Session.list()) do
  if session.custom_metadata and session.custom_metadata.priority == "high" then urgent[session.id] = session.name end
end
assert(urgent[root] == "Root" and not urgent[dept])
assert(JSON.stringify({ session_id = root }):find(root, 1, true))

local stored = Artifact.store(root, "user_input", "one.json", JSON.stringify({ n = 1 }), {
  mime_type = "application/json", step = "one", tags = { "first" }, title = "First",
})
assert(stored.content_hash and stored.session_id == root and stored.sequence)
for _, artifact in ipairs(Artifact.list(root)) do
  assert(artifact.name == "one.json" and artifact.artifact_type == "user_input" and artifact.size == 7)
  assert(artifact.metadata.custom.step == "one" and artifact.metadata.title == "First" and artifact.tags[1] == "first")
  assert(artifact.created_at and Artifact.get(root, artifact.id).content == '{"n":1}')
end
Session.setCurrent(root)
assert(Session.getCurrent() == root)
Session.setCurrent(nil)
assert(Session.getCurrent() == nil and not Session.canReplay(root) and #Session.listReplayable() == 0)
assert(Session.save(root) and Session.load(root) == root)

local collection = RAG.create_session_collection(root, 3600)
assert(collection.created and collection.namespace == "session_" .. root)
assert(RAG.configure_session({ session_id = root, vector_ttl = 60 }).configured)
local kept = RAG.ingest({ content = "[user]: good day", metadata = { role = "user", session_id = root } },
  { scope = "session", scope_id = root })
assert(kept.success and kept.documents_processed == 1 and kept.vectors_created == 1, kept.error)
local found = RAG.search("good day", { limit = 3, collection = collection.namespace })
assert(found.success and found.results[1].metadata.session_id == root)
assert(string.format("%d", RAG.cleanup_scope("session", root)) == "1")
assert(#Memory.episodic.add(root, "user", "good day", { topic = "greeting" }) > 0)

local named = Session.create({ id = "user-123", metadata = { username = "alice" } })
named:set("query", "weather")
assert(named:get("query") == "weather" and Session.get("user-123").metadata.username == "alice")
named:store_artifact("results", { 1, 2 })
assert(#Artifact.list("user-123") == 1)
local built = Session.builder():name("built"):tag("production"):tag("second"):build()
assert(built:get_name() == "built" and built:get_status() == "active" and built:get_id() and built:get_created_at())
built:add_tag("important")
built:store_value("k", 5)
assert(built:has_tag("important") and built:get_tags()[2] == "second" and built:get_value("k") == 5)
for _, session in ipairs({ root, dept, named, built }) do Session.delete(session) end
