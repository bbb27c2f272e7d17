-- The smaller globals of rs-llmspell: JSON, Event, Utils, Template, LocalLLM, Streaming.

local base = require("lib.rs.base")
local bridge = require("bridge")
local coroutines = require("coroutines")
local host = require("host")
local json = require("lib.json")
local raise = require("raise")
local scheduler = require("scheduler")

local error, ipairs, pairs, pcall, setmetatable, tostring = error, ipairs, pairs, pcall, setmetatable, tostring
local time = os.time
local find, gsub, match = string.find, string.gsub, string.match
local insert, remove, sort = table.insert, table.remove, table.sort

local modules = {}

local function define(name, members, lacking) modules[name] = base.module(name, {}, members, lacking) end

local function uuid() return require("lib.rs.tool_table").uuid_generator({}).uuid end

-- ── JSON, Utils ────────────────────────────────────────────────────────────────────────────────────

local function parse(text)
  local value, err = json.decode(text)
  if value == nil and err ~= nil then error(err, 0) end
  return value
end

local function stringify(value, pretty) return json.encode(value, pretty and { indent = 2 } or nil) end

define("JSON", { parse = parse, stringify = stringify, decode = parse, encode = stringify })

define("Utils", {
  sleep = function(milliseconds) scheduler.sleep(milliseconds / 1000) end,
  uuid = uuid,
  generate_uuid = uuid,
  timestamp = function() return time() end,
  now = function() return time() end,
  trim = function(text) return match(text, "^%s*(.-)%s*$") end,
  json_encode = stringify,
  json_decode = parse,
})

-- ── LocalLLM ───────────────────────────────────────────────────────────────────────────────────────

local models = bridge.bind("llm", "models")

local function offered(provider)
  local ok, found = pcall(models, provider)
  return ok and found or {}
end

local function local_models(backend)
  local listed = {}
  for _, name in ipairs(backend and { backend } or { "local", "ollama" }) do
    for _, model in ipairs(offered(name == "candle" and "local" or name)) do
      insert(listed, { id = model.id, backend = name, size_bytes = model.bytes or 0 })
    end
  end
  return listed
end

define("LocalLLM", {
  status = function()
    local ollama, own = offered("ollama"), offered("local")
    return {
      ollama = { running = #ollama > 0, models = #ollama },
      candle = { ready = #own > 0, models = #own }, -- the model that runs here takes its place
    }
  end,
  list = local_models,
  info = function(id)
    for _, model in ipairs(local_models()) do
      if model.id == id then
        model.format = "gguf"
        return model
      end
    end
    raise.raise("there is no local model '" .. tostring(id) .. "'")
  end,
}, { pull = "run `llmspell models pull` in a terminal" })

-- ── Event ──────────────────────────────────────────────────────────────────────────────────────────

local subscriptions, published, received, next_subscription = {}, 0, 0, 0

local function fits(pattern, topic)
  local plain = gsub(gsub(pattern, "[^%w*]", "%%%0"), "%*", ".*")
  return find(topic, "^" .. plain .. "$") ~= nil
end

define("Event", {
  publish = function(topic, data)
    raise.check(1, "Event.publish", "string", topic)
    published = published + 1
    local event = { event_type = topic, topic = topic, type = topic, data = data, payload = data, timestamp = time() }
    for _, one in pairs(subscriptions) do
      if fits(one.pattern, topic) then insert(one.queue, event) end
    end
    return true
  end,
  subscribe = function(pattern)
    raise.check(1, "Event.subscribe", "string", pattern)
    next_subscription = next_subscription + 1
    local id = "subscription-" .. next_subscription
    subscriptions[id] = { id = id, pattern = pattern, queue = {} }
    return id
  end,
  receive = function(id, milliseconds)
    local one = subscriptions[id]
    if not one then raise.raise("there is no subscription '" .. tostring(id) .. "'") end
    local deadline = host.now() + (milliseconds or 0) / 1000
    while #one.queue == 0 and host.now() < deadline do scheduler.sleep(0.01) end
    if #one.queue > 0 then received = received + 1 end
    return remove(one.queue, 1)
  end,
  unsubscribe = function(id)
    local was = subscriptions[id] ~= nil
    subscriptions[id] = nil
    return was
  end,
  list_subscriptions = function()
    local listed = {}
    for id, one in pairs(subscriptions) do insert(listed, { id = id, pattern = one.pattern }) end
    sort(listed, function(a, b) return a.id < b.id end)
    return listed
  end,
  get_stats = function()
    local active = 0
    for _ in pairs(subscriptions) do active = active + 1 end
    return {
      event_bus_stats = { total_published = published, total_received = received },
      bridge_stats = { active_subscriptions = active },
    }
  end,
})

-- ── Template, Streaming ────────────────────────────────────────────────────────────────────────────

define("Template", {
  list = function() return {} end,
  search = function() return {} end,
}, base.lacking("there are no built-in templates here; spells are templates: `spell.run`", {
  "execute", "info", "schema", "estimate_cost", "get",
}))

local stream_methods = {}
local stream_meta = { __name = "Stream", __index = stream_methods }

function stream_methods.next(self)
  if self.ended then return nil end
  local ok, value = coroutine.resume(self.thread)
  if not ok then error(value, 0) end
  self.ended = coroutine.status(self.thread) == "dead"
  if self.ended then return nil end
  return value
end

function stream_methods.isDone(self) return self.ended end

function stream_methods.collect(self)
  local values = {}
  for value in stream_methods.next, self do insert(values, value) end
  return values
end

define("Streaming", {
  create = function(generator)
    raise.check(1, "Streaming.create", "function", generator)
    return setmetatable({ thread = coroutines.create(generator), ended = false }, stream_meta)
  end,
  yield = function(value) return coroutine.yield(value) end,
})

return function(declaration) return modules[declaration.name] end
