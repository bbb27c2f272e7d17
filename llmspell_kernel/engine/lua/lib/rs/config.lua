-- rs-llmspell's `Config`: what a spell may know of the settings. It can change none: a person does, in config.toml and
-- with %grants.

local base = require("lib.rs.base")
local bridge = require("bridge")
local json = require("lib.json")

local gmatch = string.gmatch
local ipairs, type = ipairs, type
local list_providers, granted = bridge.bind("llm", "list_providers"), bridge.bind("compat_tools", "granted")

local C = {}

local function security()
  local kinds = granted()
  return {
    allow_file_access = kinds.files or false,
    allow_network_access = kinds.http or false,
    allow_process_spawn = false,
  }
end

local function providers()
  local described = {}
  for _, name in ipairs(list_providers()) do described[name] = { name = name, provider_type = name, enabled = true } end
  return described
end

local function whole()
  local kinds = granted()
  return {
    default_engine = "lua",
    engines = { lua = { version = "5.4" } },
    providers = { default_provider = nil, providers = providers() },
    runtime = { security = security() },
    tools = {
      file_operations = { enabled = kinds.files or false },
      http_request = { enabled = kinds.http or false },
      web_search = { enabled = kinds.tools or false },
      system = { allow_process_execution = false },
    },
  }
end

--- Everything, or what a path such as "runtime.security" leads to.
function C.get(path)
  local value = whole()
  for key in gmatch(path or "", "[^.]+") do
    if type(value) ~= "table" then return nil end
    value = value[key]
  end
  return value
end

C.getSection = C.get
C.getSecurity = security
function C.getTools() return whole().tools end
function C.getProvider(name) return providers()[name] end
function C.listProviders() return list_providers() end
function C.getDefaultEngine() return "lua" end
function C.isFileAccessAllowed() return security().allow_file_access end
function C.isNetworkAccessAllowed() return security().allow_network_access end
function C.getPermissions()
  return {
    read = true, modify_providers = false, modify_security = false, modify_tools = false, modify_engines = false,
    full_access = false,
  }
end
function C.toJson() return json.encode(whole()) end
function C.listSnapshots() return {} end

return base.module("Config", {}, C, base.lacking("settings are in config.toml and in %config; what a notebook may do, "
  .. "in %grants", {
  "setProvider", "removeProvider", "setSecurity", "setTools", "addAllowedPath", "setDefaultEngine", "snapshot",
  "restoreSnapshot", "fromJson",
}))
