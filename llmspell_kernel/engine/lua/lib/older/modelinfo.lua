-- go-llmspell's `require("modelinfo")`: which models there are, over `llm`.

local base = require("lib.rs.base")
local bridge = require("bridge")
local llm = require("lib.llm")
local raise = require("raise")

local error, ipairs, next, type = error, ipairs, next, type
local rep = string.rep
local insert, sort = table.insert, table.sort
local models, list_providers = bridge.bind("llm", "models"), bridge.bind("llm", "list_providers")
local cost_estimate = bridge.bind("llm", "cost_estimate")

local I = {}

I.CAPABILITIES = {
  TEXT_READ = "text.read", TEXT_WRITE = "text.write", IMAGE_READ = "image.read", IMAGE_WRITE = "image.write",
  AUDIO_READ = "audio.read", AUDIO_WRITE = "audio.write", VIDEO_READ = "video.read", VIDEO_WRITE = "video.write",
  FILE_READ = "file.read", FILE_WRITE = "file.write", FUNCTION_CALLING = "functionCalling", STREAMING = "streaming",
}
I.RANKING = { COST = "cost", PERFORMANCE = "performance", QUALITY = "quality", FEATURES = "features" }
I.PRIORITIES = {
  COST = "cost", PERFORMANCE = "performance", CONTEXT_WINDOW = "context_window", CAPABILITY = "capability",
}
I.TASKS = {
  FUNCTION_CALLING = "function_calling", TEXT_GENERATION = "text_generation", CODE_GENERATION = "code_generation",
  ANALYSIS = "analysis",
}

local function described(model)
  model.name = model.name or model.id
  model.contextWindow = model.context_tokens
  return model
end

-- Those of every provider that answers.
local function all()
  local found, err = models()
  if found == nil then error(err, 0) end
  for _, model in ipairs(found) do described(model) end
  return found
end

function I.list_models() return all() end

I.discovery_get_models, I.discovery_scan, I.discovery_refresh = I.list_models, I.list_models, I.list_models

function I.fetch_inventory() return { models = all(), providers = list_providers() } end

function I.discovery_get_providers() return list_providers() end

I.list_registries = I.discovery_get_providers

function I.get_model(name)
  raise.check(1, "modelinfo.get_model", "string", name)
  local model, err = llm.model_info(name)
  if model == nil then return nil, err end
  return described(model)
end

-- Every chat model here reads and writes text, streams, and is offered tools; no more is known of it.
local function abilities(model)
  local chats = (model.kind or "chat") == "chat"
  return {
    text = { read = true, write = chats }, image = { read = false, write = false }, functionCalling = chats,
    streaming = chats, contextWindow = model.context_tokens,
  }
end

function I.capabilities_check(name)
  local model, err = I.get_model(name)
  if model == nil then return nil, err end
  return abilities(model)
end

I.get_model_capabilities, I.capabilities_get_details = I.capabilities_check, I.capabilities_check

function I.capabilities_list()
  local names = {}
  for _, name in next, I.CAPABILITIES do insert(names, name) end
  sort(names)
  return names
end

local KNOWN = { ["text.read"] = true, ["text.write"] = true, functionCalling = true, streaming = true }

function I.find_models_by_capability(capability)
  local found = {}
  for _, model in ipairs(all()) do
    if KNOWN[capability] and abilities(model).streaming then insert(found, model) end
  end
  return found
end

I.capabilities_compare = I.find_models_by_capability

local function fitting(wanted)
  local found = {}
  for _, model in ipairs(all()) do
    local fits = (not wanted.provider or model.provider == wanted.provider) and (model.kind or "chat") == "chat"
      and (model.context_tokens == nil or model.context_tokens >= (wanted.minContextWindow or 0))
    for _, capability in ipairs(wanted.capabilities or {}) do fits = fits and KNOWN[capability] end
    if fits then insert(found, model) end
  end
  if wanted.priority == I.PRIORITIES.CONTEXT_WINDOW then
    sort(found, function(a, b) return (a.context_tokens or 0) > (b.context_tokens or 0) end)
  end
  return found
end

function I.selection_filter(filters) return fitting(filters or {}) end

function I.selection_rank(criteria)
  return fitting(type(criteria) == "table" and criteria or { priority = criteria })
end

function I.selection_find(wanted)
  local found = fitting(wanted or {})[1]
  if found == nil then return nil, "no model meets the requirements" end
  return found
end

function I.suggest_model(wanted) return I.selection_find(wanted) end

function I.selection_recommend() return I.selection_find({}) end

I.get_best_model_for_task = I.selection_recommend

function I.compare_models(names)
  local compared = {}
  for _, name in ipairs(raise.check(1, "modelinfo.compare_models", "table", names)) do
    insert(compared, { name = name, model = I.get_model(name), capabilities = I.capabilities_check(name) })
  end
  return compared
end

function I.compare_all_by_capability(capability) return I.find_models_by_capability(capability) end

function I.estimate_cost(name, usage)
  local tokens = usage and (usage.inputTokens or usage.input_tokens) or 0
  local answer = usage and (usage.outputTokens or usage.output_tokens) or 0
  return cost_estimate(rep("x", 4 * tokens // 1 | 0), { model = name, max_tokens = answer // 1 | 0 })
end

function I.estimate_conversation_cost(name, messages, tokens)
  local sent = messages * tokens
  return I.estimate_cost(name, { inputTokens = sent, outputTokens = sent * 0.8 })
end

function I.find_cheapest_model(capabilities) return I.selection_find({ capabilities = capabilities }) end

I.find_most_capable_model = I.find_cheapest_model

function I.find_largest_context_model(least)
  return I.selection_find({ minContextWindow = least, priority = I.PRIORITIES.CONTEXT_WINDOW })
end

function I.find_models_matching(filters)
  return fitting({
    provider = filters.provider, capabilities = filters.capabilities, minContextWindow = filters.min_context,
  })
end

function I.get_top_n_models(criteria, count)
  local ranked, top = I.selection_rank(criteria), {}
  for index = 1, #ranked < (count or 5) and #ranked or count or 5 do top[index] = ranked[index] end
  return top
end

local function is_able(ability)
  return function(name)
    local able = I.capabilities_check(name)
    return able ~= nil and able[ability] == true
  end
end
I.supports_function_calling, I.supports_streaming = is_able("functionCalling"), is_able("streaming")
function I.supports_images() return false end

I.discovery = {
  list_models = I.list_models, fetch_inventory = I.fetch_inventory, get_providers = I.discovery_get_providers,
  get_models = I.list_models, scan = I.list_models, refresh = I.list_models,
}
I.capabilities = {
  get_model_capabilities = I.capabilities_check, find_models_by_capability = I.find_models_by_capability,
  check = I.capabilities_check, list = I.capabilities_list, compare = I.capabilities_compare,
  get_details = I.capabilities_check,
}
I.selection = {
  suggest_model = I.suggest_model, compare_models = I.compare_models, estimate_cost = I.estimate_cost,
  get_best_model_for_task = I.get_best_model_for_task, find = I.selection_find, rank = I.selection_rank,
  filter = I.selection_filter, recommend = I.selection_recommend,
}

return base.module("modelinfo", {}, I)
