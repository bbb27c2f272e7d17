-- `agent`, also `agents`: agents are Lua tables, so that they follow undo and recovery; the loop is the kernel's.

local bridge = require("bridge")
local errorobject = require("errorobject")
local raise = require("raise")
local tools = require("lib.tools")

local getmetatable = getmetatable
local ipairs, next, setmetatable, tostring, type = ipairs, next, setmetatable, tostring, type
local insert, remove, sort, unpack = table.insert, table.remove, table.sort, table.unpack
local run_loop = bridge.bind("agent_runs", "run")

local M = {}
local registered = {}

--- A model that uses tools, and remembers what was said until it is reset.
---@class Agent
---@field name string
local methods = {}
local meta = { __name = "Agent", __index = methods }

function meta.__tostring(self) return "agent: " .. tostring(self.name) end

-- A tool as an agent holds it: the name of a registered one, or a table that describes one.
local function resolve(tool)
  if type(tool) == "string" then
    local found = tools.get(tool)
    if not found then raise.raise("there is no tool '" .. tool .. "'; tools.list() gives those that there are") end
    return found
  end
  if type(tool) == "table" and getmetatable(tool) == meta then return tool:as_tool() end
  raise.check(1, "agent:add_tool", "table", tool)
  return tools.describe(tool)
end

--- What an agent is made of.
---@class agent.Config: llm.Options
---@field name? string how it is called
---@field description? string what it is good for, where it is a tool of another agent
---@field system_prompt? string the same as `system`
---@field tools? (ToolName|table|Agent)[] names of registered tools, tables that describe tools, or other agents
---@field max_iterations? integer how often it may ask the model for one answer
---@field output_schema? table JSON Schema that the answer must follow; the answer is then a value

--- Makes an agent: `create(config)` or `create(name, config)`.
--- ```lua
--- local helper = agent.create("helper", { system = "You are brief.", tools = { "calculator" } })
--- print(helper.name) --> helper
--- ```
---@param name string|agent.Config
---@param config? agent.Config
---@return Agent agent
function M.create(name, config)
  if type(name) == "table" then config, name = name, name.name end
  raise.check(2, "agent.create", "table", config, true)
  config = config or {}
  local made = setmetatable({ name = name or "agent", config = config, messages = {}, tools = {} }, meta)
  for _, tool in ipairs(config.tools or {}) do made:add_tool(tool) end
  return made
end

local function ask(self, messages)
  local config, offered = self.config, {}
  local question = { messages = messages, schema = config.output_schema }
  question.system = config.system or config.system_prompt
  for _, key in ipairs({ "model", "provider", "temperature", "max_tokens", "top_p", "seed", "stop", "timeout" }) do
    question[key] = config[key]
  end
  for index, tool in ipairs(self.tools) do
    local execute = tool.execute
    offered[index] = {
      name = tool.name,
      description = tool.description,
      parameters = tool.parameters,
      -- a function of this run's own, which the kernel lets go at its end
      execute = function(arguments)
        local value, err = execute(arguments)
        return value, err ~= nil and tostring(err) or nil
      end,
    }
  end
  return run_loop(question, offered, { iterations = config.max_iterations })
end

--- Runs the agent until it has an answer, and remembers the turn. A string is answered with a string (or the value,
--- with an `output_schema`), a table `{ prompt }` with `{ text, value, tool_calls, usage, iterations }`.
--- ```lua
--- local helper = agent.create({ system = "You are brief." })
--- local answer = helper:run("Say hello.")
--- ```
---@param prompt string|{ prompt: string }
---@param context? any added to the prompt
---@return any answer
function methods:run(prompt, context)
  local text = type(prompt) == "table" and (prompt.prompt or prompt.text or prompt.input) or prompt
  raise.check(1, "agent:run", "string", text)
  if type(context) == "string" then text = context .. "\n\n" .. text end
  local messages = { unpack(self.messages) }
  insert(messages, { role = "user", content = text })
  local result, err = ask(self, messages)
  if result == nil then return nil, err end
  insert(messages, { role = "assistant", content = result.text })
  self.messages = messages
  if type(prompt) == "table" then return result end
  if result.value ~= nil then return result.value end
  return result.text
end

--- Answers a list of messages, or a string, and remembers nothing of it when given messages.
--- ```lua
--- local helper = agent.create({})
--- local answer = helper:chat({ { role = "user", content = "Say hello." } })
--- ```
---@param messages string|llm.Message[]
---@return any answer
function methods:chat(messages)
  if type(messages) == "string" then return self:run(messages) end
  raise.check(1, "agent:chat", "table", messages)
  local result, err = ask(self, messages)
  if result == nil then return nil, err end
  return result
end

--- Forgets what was said.
--- ```lua
--- agent.create({}):reset()
--- ```
function methods:reset()
  self.messages = {}
end

--- Lists the names of the agent's tools.
--- ```lua
--- print(agent.create({ tools = { "calculator" } }):get_tools()[1]) --> calculator
--- ```
---@return table names
function methods:get_tools()
  local names = {}
  for index, tool in ipairs(self.tools) do names[index] = tool.name end
  return names
end

--- Gives the agent another tool.
--- ```lua
--- agent.create({}):add_tool("calculator")
--- ```
---@param tool ToolName|table|Agent
function methods:add_tool(tool)
  local added = resolve(tool)
  self:remove_tool(added.name)
  insert(self.tools, added)
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
---@return table tool
function methods:as_tool()
  return {
    name = self.name,
    description = self.config.description or ("Asks the agent " .. self.name),
    parameters = { type = "object", properties = { prompt = { type = "string" } }, required = { "prompt" } },
    execute = function(arguments)
      local result, err = ask(self, { { role = "user", content = arguments.prompt } })
      if result == nil then return nil, err end
      return result.text
    end,
  }
end

--- Registers an agent by name: an agent, its configuration, or a function that answers.
--- ```lua
--- agents.register("echo", function(input) return input end)
--- print(agents.execute("echo", "hi")) --> hi
--- ```
---@param name string
---@param what function|agent.Config|Agent
function M.register(name, what)
  raise.check(1, "agent.register", "string", name)
  if type(what) ~= "function" then raise.check(2, "agent.register", "table", what) end
  if type(what) == "table" and getmetatable(what) ~= meta then what = M.create(name, what) end
  registered[name] = what
end

--- Runs a registered agent.
--- ```lua
--- agents.register("echo", function(input) return input end)
--- print(agents.execute("echo", "hi")) --> hi
--- ```
---@param name AgentName
---@param input any
---@return any answer
function M.execute(name, input)
  raise.check(1, "agent.execute", "string", name)
  local found = registered[name]
  if found == nil then
    local message = "there is no agent '" .. name .. "'"
    return nil, errorobject.new({ code = "not_found", message = message, suggestion = "register it first" })
  end
  if type(found) == "function" then return found(input) end
  return found:run(input)
end

--- Lists the names of the registered agents, in order.
--- ```lua
--- agents.register("echo", print)
--- print(agents.list()[1]) --> echo
--- ```
---@return table names
function M.list()
  local names = {}
  for name in next, registered do names[#names + 1] = name end
  sort(names)
  return names
end

return M
