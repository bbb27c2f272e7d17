-- rs-llmspell's `Agent`, over `agent`.

local agents = require("lib.agent")
local asking = require("lib.asking")
local base = require("lib.rs.base")
local promises = require("promises")
local raise = require("raise")
local tools = require("lib.tools")

require("lib.rs.tool")

local error, ipairs, next, pcall, rawget, setmetatable, tostring, type =
  error, ipairs, next, pcall, rawget, setmetatable, tostring, type

local M = {}
local made, contexts, shared = {}, {}, {}

-- ── an agent as rs-llmspell sees it ────────────────────────────────────────────────────────────────

local methods = {}
local meta = { __name = "Agent" }
meta.__index = function(self, key)
  local own = methods[key]
  if own ~= nil then return own end
  local value = self.agent[key]
  if type(value) ~= "function" then return value end
  return function(_, ...) return value(self.agent, ...) end
end
meta.__tostring = function(self) return "agent: " .. tostring(self.name) end

-- What is asked: a text, or a table with one.
local function prompt_of(input)
  if type(input) == "string" then return input end
  raise.check(1, "agent:execute", "table", input)
  local text = input.text or input.prompt or input.input or input.content or input.message
  return raise.check(1, "agent:execute", "string", text), input.context
end

local readable = { __name = "result", __tostring = function(answer) return answer.text end }
readable.__concat = function(a, b) return tostring(a) .. tostring(b) end

local function answer_of(self, result)
  return setmetatable({
    text = result.text,
    content = result.text,
    response = result.text,
    result = setmetatable({ text = result.text, content = result.text }, readable),
    output = result.value == nil and result.text or result.value,
    success = true,
    tool_calls = result.tool_calls,
    usage = result.usage,
    metadata = { model = result.model, provider = result.provider, agent = self.name, iterations = result.iterations },
  }, readable)
end

function methods.execute(self, input, options)
  local text, context = prompt_of(input)
  local given = asking.copy(options)
  if context ~= nil then given.context = context end
  local result, err = self.agent:run({ prompt = text }, given)
  if result == nil then error(err, 0) end
  return answer_of(self, result)
end

methods.invoke = methods.execute

function methods.complete(self, input) return methods.execute(self, input).text end

methods.prompt = methods.complete

-- execute_streaming(prompt[, options], callback)
function methods.execute_streaming(self, input, options, callback)
  if type(options) == "function" then options, callback = nil, options end
  local text, hear = prompt_of(input), callback
  -- asked with a table, it tells of tables
  if type(input) == "table" and callback then
    hear = function(piece) return callback(setmetatable({ text = piece, content = piece }, readable)) end
  end
  local result, err = self.agent:stream({ prompt = text }, hear, options)
  if result == nil then error(err, 0) end
  return answer_of(self, result)
end

methods.invokeStream, methods.invoke_stream = methods.execute_streaming, methods.execute_streaming

function methods.execute_async(self, input, callback)
  return (promises.spawn(function()
    local ok, answer = pcall(methods.execute, self, input)
    if callback then callback(ok and answer or nil, not ok and answer or nil) end
    if not ok then return nil, answer end
    return answer
  end))
end

methods.invokeAsync = methods.execute_async

function methods.get_config(self) return asking.copy(self.agent.config) end

function methods.get_metrics(self)
  local status = self.agent:get_status()
  return {
    requests_total = status.runs,
    requests_failed = status.errors,
    last_seconds = status.seconds or 0,
    success_rate = status.runs > 0 and (status.runs - status.errors) / status.runs or 1,
  }
end

function methods.get_state(self) return self.agent:get_status().state end

methods.get_agent_state = methods.get_state

function methods.set_state(self, state)
  self.agent.state = raise.check(1, "agent:set_state", "table", state)
  return true
end

function methods.get_health(self) return { status = "healthy", healthy = true, name = self.name } end

function methods.is_healthy() return true end

function methods.destroy(self) return agents.remove(self.name) end

local LIFECYCLE = { "initialize", "start", "pause", "resume", "stop", "terminate" }
for _, name in ipairs(LIFECYCLE) do
  methods[name] = function() return true end -- an agent here is always ready
end

-- ── making ─────────────────────────────────────────────────────────────────────────────────────────

local COPIED = { "system_prompt", "system", "temperature", "max_tokens", "provider", "model", "top_p", "seed" }

-- Our configuration out of rs-llmspell's.
local function config_of(given)
  local config = { tools = {}, description = given.description }
  for _, source in ipairs({ given.custom_config or {}, given.model_config or {}, given }) do
    for _, key in ipairs(COPIED) do
      if source[key] ~= nil then config[key] = source[key] end
    end
  end
  if type(config.model) == "table" then
    local model = config.model
    config.model, config.provider = model.model_id or model.name, model.provider or config.provider
    config.temperature = config.temperature or model.temperature
    config.max_tokens = config.max_tokens or model.max_tokens
  end
  local limits = given.resource_limits or {}
  config.limits = { seconds = limits.max_execution_time_secs }
  config.max_iterations = limits.max_tool_calls and limits.max_tool_calls + 1 or given.max_iterations
  for _, tool in ipairs(given.tools or given.allowed_tools or {}) do
    if type(tool) == "table" and tool.agent then tool = tool.agent end
    if type(tool) == "string" then tool = base.tool_for_agent(tool) end
    if tool ~= nil then table.insert(config.tools, tool) end
  end
  return config
end

local unnamed = 0

local function new(given)
  local name = given.name
  if not name then
    unnamed = unnamed + 1
    name = "agent-" .. unnamed
  end
  local inner = agents.create(name, config_of(given))
  local agent = setmetatable({ agent = inner, name = name, id = name, capabilities = given.capabilities or {} }, meta)
  made[name] = agent
  return agent
end

local fields = {
  "name", "type", "agent_type", "model", "provider", "temperature", "max_tokens", "system_prompt", "description",
  "custom_config", "resource_limits", "memory_enabled", "context_window", "model_config", "top_p", "seed", "stream",
  "timeout_ms", "max_iterations", "thinking_budget",
}
local building = {}
for _, key in ipairs(fields) do
  building[key] = function(self, value)
    self.given[key] = value
    return self
  end
end

function building.tool(self, tool)
  table.insert(self.given.tools, tool)
  return self
end

function building.tools(self, list)
  for _, tool in ipairs(list) do building.tool(self, tool) end
  return self
end

building.add_tool, building.allowed_tools = building.tool, building.tools

function building.capability(self, name)
  table.insert(self.given.capabilities, name)
  return self
end

function building.build(self) return new(self.given) end

local start = base.builder("Agent", building)

--- Begins an agent: `:name`, `:model("provider/model")`, `:provider`, `:system_prompt`, `:temperature`, `:max_tokens`,
--- `:tool`, `:custom_config`, `:resource_limits`, then `:build()`.
--- ```lua
--- local helper = Agent.builder():name("helper"):system_prompt("You are brief."):build()
--- local answer = helper:execute({ text = "Say hello." })
--- ```
---@return table builder
function M.builder() return start({ given = { tools = {}, capabilities = {} } }) end

--- Makes an agent of one table.
--- ```lua
--- print(Agent.create({ name = "helper", system_prompt = "You are brief." }).name) --> helper
--- ```
---@param config table
---@return table agent
function M.create(config)
  if type(config) == "string" then config = { model = config } end
  raise.check(1, "Agent.create", "table", config)
  return new(config)
end

--- Finds an agent by its name; nil if there is none.
--- ```lua
--- print(Agent.get("nobody")) --> nil
--- ```
---@param name string
---@return table? agent
function M.get(name)
  raise.check(1, "Agent.get", "string", name)
  return made[name]
end

--- Lists the agents: `{ name, type, description }`.
--- ```lua
--- print(type(Agent.list())) --> table
--- ```
---@return table[] agents
function M.list()
  local listed = {}
  for index, agent in ipairs(agents.list()) do
    listed[index] = { name = agent.name, type = agent.type, description = agent.description, status = "ready" }
  end
  return listed
end

local more = {}

function more.register(name, config)
  if type(name) == "table" then config, name = name, name.name end
  local given = asking.copy(config)
  given.name = name
  return new(given).name
end

more.list_instances, more.discover, more.createAsync, more.create_async = M.list, M.list, M.create, M.create

function more.discover_by_capability(capability)
  local found = {}
  for _, agent in next, made do
    for _, has in ipairs(agent.capabilities) do
      if has == capability then table.insert(found, { name = agent.name, type = "llm" }) end
    end
  end
  return found
end

-- The kinds of agents that there are are asked for by the same name as agents.
local KINDS = { llm = "answers with a model", tool = "answers with a tool", composite = "answers with other agents" }

function more.get_info(name)
  if KINDS[name] and not made[name] then
    return { name = name, type = name, description = KINDS[name], required_parameters = { "model" } }
  end
  local agent = made[name]
  if not agent then raise.raise("there is no agent '" .. tostring(name) .. "'") end
  local config, capabilities = agent:get_config(), agent.capabilities
  return { name = name, type = "llm", model = config.model, provider = config.provider, capabilities = capabilities }
end

more.get_details = more.get_info

--- What one agent can do, or all together.
function more.list_capabilities(name)
  if name ~= nil then return made[name] and made[name].capabilities or {} end
  local listed, seen = {}, {}
  for _, agent in next, made do
    for _, capability in ipairs(agent.capabilities) do
      if not seen[capability] then table.insert(listed, capability) end
      seen[capability] = true
    end
  end
  table.sort(listed)
  return listed
end

--- The tool that asks an agent; under a name of its own it is registered, and the name is given.
function more.wrap_as_tool(name, options)
  local agent = type(name) == "table" and name or made[name]
  if not agent then raise.raise("there is no agent '" .. tostring(name) .. "'") end
  local tool = agent.agent and agent.agent:as_tool()
    or { name = agent.name, description = "Asks the agents of " .. agent.name, execute = function(arguments)
      return agent:execute(arguments.prompt).output
    end }
  local own = options and (options.tool_name or options.name)
  if not own then return tool end
  tools.register({
    name = own,
    description = options.description or tool.description,
    execute = function(arguments)
      return tool.execute({ prompt = (prompt_of(next(arguments) == nil and "" or arguments)) })
    end,
  })
  return own
end

-- create_composite{ name, agents, strategy } or create_composite(name, agents, { routing_strategy })
function more.create_composite(config, list, options)
  if type(config) == "string" then
    config = { name = config, agents = list, strategy = options and (options.routing_strategy or options.strategy) }
  end
  local team = {}
  for index, name in ipairs(config.agents or {}) do
    team[index] = type(name) == "table" and (name.agent_name or name.agent) or name
  end
  local method = (config.strategy or config.coordination_strategy) == "parallel" and "parallel" or "sequential"
  agents.register(config.name, function(input)
    local done, err = agents.collaborate(team, prompt_of(input), { coordination_method = method })
    if done == nil then return nil, err end
    return done.results
  end)
  local function execute(_, input)
    local output, err = agents.execute(config.name, input)
    if output == nil then error(err, 0) end
    local lines = {}
    for _, member in ipairs(team) do
      local said = type(output) == "table" and output[type(member) == "table" and member.name or member]
      if type(said) == "string" then table.insert(lines, said) end
    end
    local text = table.concat(lines, "\n\n")
    return setmetatable({ success = true, output = output, text = text, content = text, response = text }, readable)
  end
  local composite = { name = config.name, execute = execute, invoke = execute, capabilities = {}, members = team }
  function composite.get_config() return { name = config.name } end
  made[config.name] = composite
  return composite
end

function more.get_hierarchy(name)
  local agent = made[name]
  if not agent then raise.raise("there is no agent '" .. tostring(name) .. "'") end
  local children = {}
  for index, member in ipairs(rawget(agent, "members") or {}) do
    children[index] = { name = type(member) == "table" and member.name or member, children = {} }
  end
  return { name = name, children = children }
end

function more.list_templates() return {} end

function more.create_context(name, data) contexts[name] = asking.copy(data) return name end

function more.create_child_context(parent, name, data)
  local merged = asking.copy(contexts[parent])
  for key, value in next, data or {} do merged[key] = value end
  contexts[name] = merged
  return name
end

function more.update_context(name, data)
  contexts[name] = contexts[name] or {}
  for key, value in next, data or {} do contexts[name][key] = value end
end

function more.get_context_data(name) return contexts[name] end

function more.remove_context(name) contexts[name] = nil end

function more.set_shared_memory(key, value) shared[key] = value end

function more.get_shared_memory(key) return shared[key] end

return base.module("Agent", M, more, {
  create_from_template = "there are no agent templates; use Agent.builder",
})
