-- rs-llmspell's `Session` and `Artifact`, over `state`.

local asking = require("lib.asking")
local base = require("lib.rs.base")
local bridge = require("bridge")
local raise = require("raise")
local state = require("lib.state")

local error, ipairs, pairs, setmetatable, tostring, type =
  error, ipairs, pairs, setmetatable, tostring, type
local date, time = os.date, os.time
local find, gsub = string.find, string.gsub
local insert, sort = table.insert, table.sort
local digest, encode64, decode64 =
  bridge.bind("compat_tools", "digest"), bridge.bind("compat_tools", "encode"), bridge.bind("compat_tools", "decode")
local read_file = bridge.bind("tools", "file_read")

local modules = {}

local function uuid() return require("lib.rs.tool_table").uuid_generator({}).uuid end

-- ── Session ────────────────────────────────────────────────────────────────────────────────────────
-- `Session.create` gives the id of a new session, a string, as its examples use it; given an id, as its handbook has
-- it, or from a builder, it gives the session, which has methods.

local SAVED = "rs sessions"

local sessions, current = {}, nil
local methods = {}
local meta = { __name = "Session", __index = methods, __tostring = function(self) return self.id end }
meta.__concat = function(a, b) return tostring(a) .. tostring(b) end

function methods.get(self, key) return self.data[key] end
function methods.set(self, key, value) self.data[key] = value end
function methods.delete(self, key) self.data[key] = nil end
methods.get_value, methods.store_value = methods.get, methods.set
for _, key in ipairs({ "id", "name", "status", "created_at", "tags", "description", "metadata" }) do
  methods["get_" .. key] = function(self) return self[key] end
end
function methods.add_tag(self, tag) insert(self.tags, tag) end
function methods.store_artifact(self, name, data) return modules.Artifact.store(self.id, "data", name, data) end

local id_of = base.id_of

local function session_of(id, caller)
  id = id_of(id)
  return sessions[id] or raise.raise("'" .. caller .. "': there is no session '" .. tostring(id) .. "'")
end

local FIELDS = { "name", "description", "tags", "user", "ttl", "created_by", "parent_session_id" }

local function create(config)
  config = config or {}
  local made = { id = config.id or uuid(), metadata = config.metadata or {}, status = "active", data = {} }
  made.custom_metadata, made.named = made.metadata, config.id ~= nil
  for _, key in ipairs(FIELDS) do made[key] = config[key] end
  made.name, made.tags = made.name or made.id, made.tags or {}
  made.created_at = date("!%Y-%m-%dT%H:%M:%SZ", time())
  sessions[made.id] = setmetatable(made, meta)
  return made
end

local building = {}
for _, key in ipairs({ "id", "metadata", "name", "description", "tags", "user", "ttl", "created_by" }) do
  building[key] = function(self, value)
    self.given[key] = value
    return self
  end
end
building.tag = function(self, tag)
  self.given.tags = self.given.tags or {}
  insert(self.given.tags, tag)
  return self
end
function building.build(self) return create(self.given) end
local start = base.builder("Session", building)

-- What a spell is given for a session.
local function given_for(one)
  if one == nil or one.named then return one end
  return one.id
end

local function has_all(tags, wanted)
  for _, tag in ipairs(wanted or {}) do
    local has = false
    for _, own in ipairs(tags) do has = has or own == tag end
    if not has then return false end
  end
  return true
end

function methods.has_tag(self, tag) return has_all(self.tags, { tag }) end

local function with_status(status)
  return function(id)
    session_of(id, "Session." .. status).status = status
    return true
  end
end

local S = {
  create = function(config)
    raise.check(1, "Session.create", "table", config, true)
    return given_for(create(config))
  end,
  builder = function() return start({ given = {} }) end,
  get = function(id) return session_of(id, "Session.get") end,
  list = function(filter)
    filter = filter or {}
    local status, listed = filter.status or filter.active and "active", {}
    for _, one in pairs(sessions) do
      local fits = status and one.status == status or not status and one.status ~= "completed"
      if fits and (not filter.user or one.user == filter.user) and has_all(one.tags, filter.tags) then
        insert(listed, one)
      end
    end
    sort(listed, function(a, b) return a.id < b.id end)
    while filter.limit and #listed > filter.limit do listed[#listed] = nil end
    return listed
  end,
  get_current = function() return current end,
  set_current = function(id) current = id and session_of(id, "Session.set_current") or nil end,
  save = function(id)
    local one = session_of(id, "Session.save")
    local kept = { id = one.id, metadata = one.metadata, data = one.data, tags = one.tags, named = one.named }
    for _, key in ipairs(FIELDS) do kept[key] = one[key] end
    return state.save(SAVED, one.id, kept)
  end,
  load = function(id)
    id = id_of(id)
    local saved = state.load(SAVED, id)
    if saved == nil then raise.raise("there is no saved session '" .. tostring(id) .. "'") end
    local made = create(saved)
    made.data, made.named = saved.data or {}, saved.named
    return given_for(made)
  end,
  delete = function(id)
    id = id_of(id)
    sessions[id] = nil
    return state.delete(SAVED, id)
  end,
  complete = with_status("completed"),
  suspend = with_status("suspended"),
  resume = with_status("active"),
}
S.setCurrent = S.set_current
function S.getCurrent() return given_for(current) end
-- Nothing is recorded that could be replayed: these three say so, and `replay` raises.
function S.can_replay() return false end
function S.list_replayable() return {} end
function S.get_replay_metadata(id) return { session_id = id_of(id), can_replay = false } end

modules.Session = base.module("Session", {}, S, { replay = "cassettes replay what models answered" })

-- ── Artifact ───────────────────────────────────────────────────────────────────────────────────────

local sequences = {} -- of a session: how many artifacts it was given

local function place_of(session)
  if session == "" or session == nil then session = current end
  return "rs artifacts " .. tostring(id_of(session))
end

-- States hold text: anything else is kept in base 64.
local function kept(content)
  if type(content) ~= "string" or utf8.len(content) then return content, nil end
  return encode64(content), true
end

-- What an artifact is called by: prints as its id.
local reference = { __name = "artifact", __tostring = function(self) return self.id end }
reference.__concat = function(a, b) return tostring(a) .. tostring(b) end

local A = {}

function A.store(session, kind, name, content, metadata)
  local place = place_of(session)
  local sequence = (sequences[place] or 0) + 1
  sequences[place] = sequence
  local text = type(content) == "string" and content or require("lib.json").encode(content)
  local body, packed = kept(content)
  local artifact = {
    id = uuid(), type = kind, artifact_type = kind, name = name, content = body, packed = packed,
    size = #text, sequence = sequence, content_hash = digest("blake2b", text), metadata = metadata or {},
    created_at = date("!%Y-%m-%dT%H:%M:%SZ", time()),
  }
  local done, err = state.save(place, artifact.id, artifact)
  if not done then error(err, 0) end
  return setmetatable({
    id = artifact.id, content_hash = artifact.content_hash, sequence = sequence, session_id = id_of(session),
  }, reference)
end

function A.store_file(session, path, kind, metadata)
  local content, err = read_file({ path = path })
  if content == nil then error(err, 0) end
  return A.store(session, kind, gsub(path, "^.*/", ""), content, metadata)
end

A.storeFile = A.store_file

-- An artifact as it is shown: what is known of it is in `metadata` too.
local function shown(artifact)
  local copy, about = asking.copy(artifact), asking.copy(artifact.metadata)
  for _, key in ipairs({ "name", "artifact_type", "size", "content_hash", "sequence" }) do
    if about[key] == nil then about[key] = artifact[key] end
  end
  about.custom = asking.copy(artifact.metadata)
  copy.metadata, copy.packed, copy.tags, copy.mime_type = about, nil, about.tags or {}, about.mime_type
  if artifact.packed then copy.content = decode64(artifact.content) end
  return copy
end

function A.get(session, id)
  id = id_of(id)
  local artifact = state.load(place_of(session), id)
  if artifact == nil then raise.raise("there is no artifact '" .. tostring(id) .. "' in this session") end
  return shown(artifact)
end

function A.list(session)
  local listed, place = {}, place_of(session)
  for _, id in ipairs(state.list_keys(place)) do
    local artifact = shown(state.load(place, id))
    artifact.content = nil
    insert(listed, artifact)
  end
  sort(listed, function(a, b) return (a.sequence or 0) < (b.sequence or 0) end)
  return listed
end

function A.query(query)
  raise.check(1, "Artifact.query", "table", query)
  local kind, listed = query.type or query.artifact_type, {}
  local pattern = query.name_pattern and "^" .. gsub(gsub(query.name_pattern, "[^%w*]", "%%%0"), "%*", ".*") .. "$"
  for _, artifact in ipairs(A.list(query.session_id)) do
    local fits = (not kind or artifact.type == kind) and (not pattern or find(artifact.name, pattern) ~= nil)
    if fits and has_all(artifact.metadata.tags or {}, query.tags) then insert(listed, artifact) end
    if query.limit and #listed >= query.limit then break end
  end
  return listed
end

function A.delete(session, id) return state.delete(place_of(session), id_of(id)) end

modules.Artifact = base.module("Artifact", {}, A)

return function(declaration) return modules[declaration.name] end
