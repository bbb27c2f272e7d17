-- What an agent is and can do. Agents are Lua tables, so that they follow undo and recovery; the loop is the kernel's.

local asking = require("lib.asking")
local bridge = require("bridge")
local hooked = require("lib.hooked")
local host = require("host")
local json = require("lib.json")
local promises = require("promises")
local options_of = require("lib.options")
local raise = require("raise")
local response = require("lib.response")
local toolset = require("lib.toolset")
local framed = raise.framed

require("lib.promise") -- what runs beside everything else gives has its methods

local getmetatable, ipairs, next, setmetatable, tostring, type =
  getmetatable, ipairs, next, setmetatable, tostring, type
local concat, insert, remove, sort, unpack = table.concat, table.insert, table.remove, table.sort, table.unpack
local gsub = string.gsub
local run_loop = bridge.bind("agent_runs", "run")

local A = {}

--- Something that answers, with tools and a memory.
---@class Agent
---@field name string how it is called
---@field id string the same as `name`
---@field config agent.Config what it is made of
---@field messages llm.Message[] what was said, the calls of tools included
---@field tools tools.Description[] what it may call
---@field state table yours to use
local methods = {}
local meta = { __name = "Agent", __index = methods }
toolset.agent = meta

function meta.__tostring(self) return "agent: " .. tostring(self.name) end

--- Whether `value` is an agent.
function A.is(value)
  return type(value) == "table" and getmetatable(value) == meta
end

local OPTIONS = { "model", "provider", "temperature", "max_tokens", "top_p", "seed", "stop", "timeout" }
local LIMITS = { iterations = true, tokens = true, cost = true, seconds = true, result_chars = true }

-- What an agent may use up in one run.
local function limits_of(config)
  local limits = {}
  for key, value in next, config.limits or {} do
    if not LIMITS[key] then
      local known = "cost, iterations, result_chars, seconds, tokens"
      raise.raise("an agent has no limit '" .. tostring(key) .. "'; there are: " .. known)
    end
    if type(value) ~= "number" then raise.raise("the limit '" .. key .. "' of an agent must be a number") end
    if value <= 0 or value ~= value then raise.raise("the limit '" .. key .. "' of an agent must be more than 0") end
    limits[key] = value
  end
  local most = raise.check_integer(1, "max_iterations", config.max_iterations, 1, true)
  limits.iterations = most or limits.iterations
  return limits
end

local CONFIG = {
  name = "any", description = "string", system = "string", system_prompt = "string", tools = "any", handoffs = "any",
  max_iterations = "any", limits = "any", output_schema = "any", state = "any", model = "any", provider = "any",
  temperature = "any", max_tokens = "any", top_p = "any", stop = "any", seed = "any", timeout = "any",
}

local function check(config)
  options_of.check(2, "agent.create", config, CONFIG)
  limits_of(config)
  for _, key in ipairs({ "tools", "handoffs", "output_schema", "state" }) do
    if config[key] ~= nil and type(config[key]) ~= "table" then
      raise.raise("the `" .. key .. "` of an agent must be a table, got " .. raise.type_of(config[key]))
    end
  end
end

--- An agent of that name and configuration.
function A.new(name, config)
  local made = setmetatable({
    name = name,
    id = name,
    config = config,
    messages = {},
    tools = {},
    state = config.state or {},
    status = { state = "created", runs = 0, errors = 0 },
  }, meta)
  check(config)
  for _, tool in ipairs(config.tools or {}) do made:add_tool(tool) end
  return made
end

-- ── one run ────────────────────────────────────────────────────────────────────────────────────────

-- The tools that pass the conversation on to other agents.
local function handoffs_of(self)
  local offered, chosen = {}, {}
  for _, other in ipairs(self.config.handoffs or {}) do
    if not A.is(other) then raise.raise("the handoffs of an agent must be agents") end
    insert(offered, {
      name = "transfer_to_" .. gsub(other.name, "[^%w_-]", "_"),
      description = "Hands the conversation over to " .. other.name
        .. (other.config.description and ": " .. other.config.description or ""),
      parameters = { type = "object" },
      parallel = false,
      execute = function()
        chosen.agent = other
        return "The conversation goes on with " .. other.name .. "."
      end,
    })
  end
  return offered, chosen
end

local function question_of(self, messages, options)
  local config = self.config
  local question = { messages = messages, schema = config.output_schema }
  question.images, question.files = options.images, options.files
  question.system = config.system or config.system_prompt
  for _, key in ipairs(OPTIONS) do
    question[key] = options[key] == nil and config[key] or options[key]
  end
  return question
end

local function noted(self, began, result, err)
  local status = self.status
  status.state, status.runs = result and "completed" or "failed", status.runs + 1
  status.seconds = host.now() - began
  if not result then status.errors = status.errors + 1 end
  return result, err
end

-- Answer `messages`. `hear` is told each step and ends the run by returning true.
local function answer(self, messages, options, hear)
  local offered, chosen = handoffs_of(self)
  for _, tool in ipairs(self.tools) do insert(offered, tool) end
  local watched = hear or next(self.config.handoffs or {}) ~= nil
  self.status.state = "running"
  local began = host.now()
  local function listen(kind, value)
    if kind == "tool_result" and chosen.agent then return true end
    return hear and hear(kind, value)
  end
  local result, err = hooked.agent(function(_, question)
    local heard, ask = watched and listen or nil, hooked.of_agent()
    return run_loop(question, toolset.offer(offered), limits_of(self.config), heard, hear ~= nil, ask,
      self.name)
  end, self.name, question_of(self, messages, options))
  if type(result) == "string" then result = { text = result, tool_calls = {}, iterations = 0 } end
  noted(self, began, result, err)
  if result == nil then return nil, err end
  if chosen.agent then
    local taken, problem = answer(chosen.agent, messages, options, hear)
    if taken then taken.agent = taken.agent or chosen.agent.name end
    return taken, problem
  end
  result.content = result.text
  return response.of(result)
end

-- Context that is no option of the question, as lines before what is asked.
local function context_lines(context)
  if type(context) == "string" then return context end
  local lines = {}
  for key, value in next, context do
    if type(key) == "string" and type(value) ~= "function" then
      insert(lines, key .. ": " .. (type(value) == "table" and json.encode(value) or tostring(value)))
    end
  end
  sort(lines)
  return #lines > 0 and concat(lines, "\n") or nil
end

-- The second argument of a run: options of the question, and everything else as context.
local function split(context)
  if context == nil or type(context) == "string" then return {}, context end
  local options, rest = {}, asking.copy(context)
  for _, key in ipairs(OPTIONS) do
    options[key] = context[key]
    rest[key] = nil
  end
  return options, context_lines(rest)
end

-- The turns that a run begins with: what was said, and what is asked now.
local function begun(self, caller, prompt, context)
  local messages = { unpack(self.messages) }
  local text = prompt
  if type(prompt) == "table" then
    text = prompt.prompt or prompt.text or prompt.input or prompt.content
    if prompt.messages then
      for _, message in ipairs(prompt.messages) do insert(messages, message) end
      return messages
    end
  end
  raise.check(1, caller, "string", text)
  if context then text = context .. "\n\n" .. text end
  insert(messages, { role = "user", content = text })
  return messages
end

-- Run, remember the turn, and give what was asked for.
local function run(self, caller, prompt, context, hear)
  if not A.is(self) then raise.raise("call " .. gsub(caller, "^.*:", "") .. " with a colon: an_" .. caller .. "(…)") end
  local options, lines = split(context)
  if type(prompt) == "table" then options.images, options.files = prompt.images, prompt.files end
  local messages = begun(self, caller, prompt, lines)
  local result, err = answer(self, messages, options, hear)
  if result == nil then return nil, err end
  if result.messages then
    self.messages = result.messages
  else
    insert(messages, { role = "assistant", content = result.text })
    self.messages = messages
  end
  if type(prompt) == "table" then return result end
  if result.value ~= nil then return result.value end
  return result.text
end

--- Runs the agent until it has an answer, and remembers the turn. A string is answered with a string (or the value,
--- with an `output_schema`), a table `{ prompt }` with a result table, which reads as its text.
--- ```lua
--- local helper = agent.create({ system = "You are brief." })
--- local answer = helper:run("Say hello.", { temperature = 0 })
--- ```
---@param prompt string|agent.Input
---@param context? string|table added before the prompt; options such as `temperature` count for this run
---@return any answer
function methods:run(prompt, context)
  return framed(run(self, "agent:run", prompt, context))
end

--- Runs the agent beside everything else; a promise of what `run` gives.
--- ```lua
--- local helper = agent.create({})
--- print(helper:run_async("Say hello."):await() ~= nil) --> true
--- ```
---@param prompt string|agent.Input
---@param context? string|table
---@return Promise promise
function methods:run_async(prompt, context)
  return (promises.spawn(run, self, "agent:run_async", prompt, context))
end

-- What a spell gives to hear a run: a function of the text, or functions by what they hear.
local function hearing_of(hear)
  if type(hear) == "function" then hear = { on_text = hear } end
  raise.check(2, "agent:stream", "table", hear)
  local functions = {
    text = hear.on_text or hear.on_content or hear.on_chunk,
    tool_call = hear.on_tool_call,
    tool_result = hear.on_tool_result,
    answer = hear.on_answer,
  }
  for kind, fn in next, functions do functions[kind] = response.hearing(fn) end
  return function(kind, value)
    local fn = functions[kind]
    if fn then return fn(value) end
  end
end

--- Runs the agent as `run` does, and tells each piece of text and each tool call while they come: to a function of the
--- text, or to `{ on_text, on_tool_call, on_tool_result, on_complete, on_error }`. One that returns a value other than
--- nil ends the run: what was said by then is the answer.
--- ```lua
--- local helper = agent.create({})
--- local answer = helper:stream("Count to three.", function(text) io.write(text) end)
--- ```
---@param prompt string|agent.Input
---@param hear function|agent.Hearing
---@param context? string|table
---@return any answer
function methods:stream(prompt, hear, context)
  local result, err = run(self, "agent:stream", prompt, context, hearing_of(hear))
  local told = type(hear) == "table" and hear or {}
  if result == nil and told.on_error then told.on_error(err) end
  if result == nil then return nil, err end
  if told.on_complete then told.on_complete(result) end
  return result
end

--- Answers a list of messages, or a string, and remembers nothing of it when given messages.
--- ```lua
--- local helper = agent.create({})
--- local answer = helper:chat({ { role = "user", content = "Say hello." } })
--- ```
---@param messages string|llm.Message[]
---@return any answer
function methods:chat(messages)
  if type(messages) == "string" then return framed(self:run(messages)) end
  raise.check(1, "agent:chat", "table", messages)
  return framed(answer(self, messages, {}))
end

--- Hands the conversation so far to another agent, which answers and remembers it from there on.
--- ```lua
--- local first, second = agent.create("first", {}), agent.create("second", {})
--- first:run("My name is Ada.")
--- local answer = first:hand_off(second, "What is my name?")
--- print(#second:get_history()) --> 4
--- ```
---@param to Agent
---@param prompt string
---@param context? string|table
---@return any answer
function methods:hand_off(to, prompt, context)
  if not A.is(to) then raise.bad_argument(1, "agent:hand_off", "Agent", to) end
  to.messages = { unpack(self.messages) }
  return framed(to:run(prompt, context))
end

-- ── memory ─────────────────────────────────────────────────────────────────────────────────────────

--- Forgets what was said.
--- ```lua
--- agent.create({}):reset()
--- ```
function methods:reset()
  self.messages = {}
end

--- Returns a copy of what was said: a list of messages, the calls of tools included.
--- ```lua
--- print(#agent.create({}):get_history()) --> 0
--- ```
---@return llm.Message[] messages
function methods:get_history()
  local copy = {}
  for index, message in ipairs(self.messages) do copy[index] = asking.copy(message) end
  return copy
end

--- Returns how the agent is doing: `{ state, runs, errors, seconds }`.
--- ```lua
--- print(agent.create({}):get_status().state) --> created
--- ```
---@return table status
function methods:get_status()
  return asking.copy(self.status)
end

-- ── tools ──────────────────────────────────────────────────────────────────────────────────────────

--- Lists the names of the agent's tools.
--- ```lua
--- print(agent.create({ tools = { "calculator" } }):get_tools()[1]) --> calculator
--- ```
---@return string[] names
function methods:get_tools()
  local names = {}
  for index, tool in ipairs(self.tools) do names[index] = tool.name end
  return names
end

--- Gives the agent another tool.
--- ```lua
--- agent.create({}):add_tool("calculator")
--- ```
---@param tool ToolName|tools.Description|Agent
function methods:add_tool(tool)
  local added = toolset.resolve(tool, "agent:add_tool")
  if not added then return end
  self:remove_tool(added.name)
  insert(self.tools, added)
end

--- Gives the agent several tools.
--- ```lua
--- agent.create({}):add_tools({ "calculator", "datetime_now" })
--- ```
---@param tools (ToolName|tools.Description|Agent)[]
function methods:add_tools(tools)
  raise.check(1, "agent:add_tools", "table", tools)
  for _, tool in ipairs(tools) do self:add_tool(tool) end
end

--- Takes a tool from the agent; returns whether it had it.
--- ```lua
--- print(agent.create({}):remove_tool("calculator")) --> false
--- ```
---@param name ToolName
---@return boolean removed
function methods:remove_tool(name)
  for index, tool in ipairs(self.tools) do
    if tool.name == name then
      remove(self.tools, index)
      return true
    end
  end
  return false
end

--- Makes a tool of the agent, for `tools.register` or for another agent.
--- ```lua
--- print(agent.create("helper", {}):as_tool().name) --> helper
--- ```
---@return tools.Description tool
function methods:as_tool()
  return {
    name = gsub(self.name, "[^%w_-]", "_"),
    description = self.config.description or ("Asks the agent " .. self.name),
    parameters = { type = "object", properties = { prompt = { type = "string" } }, required = { "prompt" } },
    execute = function(arguments)
      local result, err = answer(self, { { role = "user", content = arguments.prompt } }, {})
      if result == nil then return nil, err end
      if result.value ~= nil then return result.value end
      return result.text
    end,
  }
end

-- ── what it is made of ─────────────────────────────────────────────────────────────────────────────

--- Changes what the agent is made of; the rest stays.
--- ```lua
--- local helper = agent.create({})
--- helper:configure({ temperature = 0 })
--- print(helper.config.temperature) --> 0
--- ```
---@param settings agent.Config
---@return Agent agent
function methods:configure(settings)
  raise.check(1, "agent:configure", "table", settings)
  local config = asking.copy(self.config)
  for key, value in next, settings do config[key] = value end
  check(config)
  self.config = config
  if settings.tools then
    self.tools = {}
    self:add_tools(settings.tools)
  end
  return self
end

--- Makes another agent like this one, without its memory.
--- ```lua
--- print(agent.create("first", {}):clone("second", { temperature = 0 }).name) --> second
--- ```
---@param name string
---@param settings? agent.Config what is different
---@return Agent agent
function methods:clone(name, settings)
  raise.check(1, "agent:clone", "string", name)
  raise.check(2, "agent:clone", "table", settings, true)
  local config = asking.copy(self.config)
  config.tools, config.state = { unpack(self.tools) }, nil
  for key, value in next, settings or {} do config[key] = value end
  return A.new(name, config)
end

A.answer = answer

return A
