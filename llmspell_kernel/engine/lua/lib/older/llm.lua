-- go-llmspell's `llm`: its bridges' names for the same questions.

local llm = require("lib.llm")
local raise = require("raise")
local reasons = require("lib.older.reasons")
local bridge = require("bridge")

local next = next
local models, list_providers, get_provider, count_tokens =
  bridge.bind("llm", "models"), bridge.bind("llm", "list_providers"), bridge.bind("llm", "get_provider"),
  bridge.bind("llm", "count_tokens")

local L = {}

L.MODELS = {
  GPT4 = "gpt-4", GPT35_TURBO = "gpt-3.5-turbo", CLAUDE3 = "claude-3", CLAUDE2 = "claude-2",
}
L.DEFAULTS = { temperature = 0.7, maxTokens = 1000, topP = 1.0 }
L.ERRORS = {
  RATE_LIMIT = "rate_limit_exceeded", INVALID_MODEL = "invalid_model", CONTEXT_LENGTH = "context_length_exceeded",
}
L.STRATEGIES = {
  ROUND_ROBIN = "round_robin", FAILOVER = "failover", FASTEST = "fastest", WEIGHTED = "weighted",
  LEAST_USED = "least_used",
}

function L.quick(prompt) return llm.quick_prompt(prompt) end

function L.generate_with_provider(provider, prompt, options)
  raise.check(1, "llm.generate_with_provider", "string", provider)
  local given = { provider = provider }
  for key, value in next, options or {} do given[key] = value end
  return llm.chat(prompt, given)
end

function L.batch_complete(prompts, options) return llm.batch_process(prompts, options) end

function L.create_agent(config) return require("lib.agent").create(config) end

-- `llm.Agent(config)` and `llm.agentComplete(id, prompt)`
L.Agent = L.create_agent

function L.agent_complete(id, prompt, options) return require("lib.agent").run(id, prompt, options) end

function L.get_providers() return list_providers() end

function L.get_model_info(name, provider) return llm.model_info(name, provider) end

function L.get_model(name) return llm.model_info(name) end

function L.estimate_tokens(text) return count_tokens(text) end

L.providers = {
  list = function() return list_providers() end,
  get = function() return get_provider() end,
  generateWith = L.generate_with_provider,
}
L.providers_list, L.providers_generate_with = L.providers.list, L.generate_with_provider
L.models_list, L.models_get_info = function(provider) return models(provider) end, L.get_model_info

local lacking = reasons({}, "providers are described in config.toml, and chosen with llm.set_provider", {
  "providers_create", "providers_get", "providers_get_template", "providers_create_from_environment",
  "providers_remove", "providers_templates_list", "providers_templates_validate", "providers_export_config",
  "providers_import_config", "providers_set_metadata", "providers_get_metadata", "providers_list_by_capability",
  "get_provider_capabilities", "models_check_capabilities",
})
local chain = "use llm.setup_fallback_chain(providers) and llm.generate_with_fallback(prompt)"
reasons(lacking, chain, {
  "providers_create_multi", "providers_configure_multi", "providers_get_multi", "pool", "pool_create", "pool_stream",
  "pool_get", "pool_list", "pool_remove", "pool_generate", "pool_generate_message", "pool_get_health",
  "pool_get_metrics", "pool_get_provider_health", "pool_reset_metrics", "pool_get_response", "pool_return_response",
  "pool_get_token", "pool_return_token", "pool_get_channel", "pool_return_channel",
})
reasons(lacking, "record answers with a cassette (record = \"auto\") and replay them", { "providers_create_mock" })
reasons(lacking, "llm.usage and %usage tell what was used", { "get_provider_metrics", "reset_provider_metrics" })
reasons(lacking, "give options with each question: llm.chat(prompt, { temperature = 0.2 })", { "set_option" })
reasons(lacking, "use agent:stream", { "agent_stream" })
reasons(lacking, "give llm.stream a function that hears the pieces", { "read_stream", "close_stream" })

return { members = L, lacking = lacking }
