-- rs-llmspell's `Provider`, over `llm`.

local base = require("lib.rs.base")
local bridge = require("bridge")
local promises = require("promises")

require("lib.promise")

local ipairs, pcall = ipairs, pcall
local list_providers, models = bridge.bind("llm", "list_providers"), bridge.bind("llm", "models")

local M = {}

local function models_of(name)
  local ok, offered = pcall(models, name)
  local names = {}
  for index, model in ipairs(ok and offered or {}) do names[index] = model.id end
  return names
end

local function describe(name)
  local offered = models_of(name)
  return {
    name = name,
    enabled = #offered > 0,
    capabilities = { supports_streaming = true, supports_multimodal = true, available_models = offered },
  }
end

--- Lists the providers that answer right now: `{ name, enabled, capabilities }`.
--- ```lua
--- print(type(Provider.list())) --> table
--- ```
---@return table[] providers
function M.list()
  local jobs, found = {}, {}
  for index, name in ipairs(list_providers()) do jobs[index] = (promises.spawn(describe, name)) end
  for _, job in ipairs(jobs) do
    local provider = job:await()
    if provider.enabled then found[#found + 1] = provider end
  end
  return found
end

--- Tells of a provider; nil if it is not known.
--- ```lua
--- print(Provider.get("nobody")) --> nil
--- ```
---@param name string
---@return table? provider
function M.get(name)
  for _, known in ipairs(list_providers()) do
    if known == name then return describe(name) end
  end
  return nil
end

--- Whether a provider answers right now.
--- ```lua
--- print(Provider.isAvailable("nobody")) --> false
--- ```
---@param name string
---@return boolean available
function M.isAvailable(name)
  local provider = M.get(name)
  return provider ~= nil and provider.enabled
end

local more = { is_available = M.isAvailable }

function more.getCapabilities(name)
  local provider = M.get(name)
  return provider and provider.capabilities
end

more.get_capabilities = more.getCapabilities

return base.module("Provider", M, more)
