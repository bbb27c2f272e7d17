-- `agent`, also `agents`: making agents, and finding them by name.

local agents = require("lib.agent_object")
local asking = require("lib.asking")
local errorobject = require("errorobject")
local raise = require("raise")
local teams = require("lib.agent_teams")
local tools = require("lib.tools")
local framed = raise.framed

local ipairs, next, pcall, setmetatable, type = ipairs, next, pcall, setmetatable, type
local sort = table.sort

local M = {}
local registered = require("lib.names").of("agent") -- name → agent, function, or table with a function `execute`

--- What an agent is made of.
---@class agent.Config: llm.Options
---@field name? string how it is called
---@field description? string what it is good for, where it is a tool of another agent
---@field system_prompt? string the same as `system`
---@field tools? (ToolName|table|Agent)[] names of registered tools, tables that describe tools, or other agents
---@field handoffs? Agent[] agents that it may pass the conversation on to
---@field max_iterations? integer how often it may ask the model for one answer
---@field limits? agent.Limits what one run may use up
---@field output_schema? table JSON Schema that the answer must follow; the answer is then a value
---@field state? table yours to use, as `agent.state`

--- What one run of an agent may use up; then it ends with an error.
---@class agent.Limits
---@field iterations? integer questions to the model
---@field tokens? integer read and written
---@field cost? number US dollars
---@field seconds? number time
---@field result_chars? integer of one tool's answer; the rest is left out

--- What an agent is asked.
---@class agent.Input
---@field prompt? string what to ask
---@field text? string the same as `prompt`
---@field messages? llm.Message[] turns to answer, in place of a prompt
---@field images? (string|table)[] images to look at, as for `llm.chat`
---@field files? (string|table)[] files to read, as for `llm.chat`

--- Who hears a run; a function that returns a value other than nil ends it.
---@class agent.Hearing
---@field on_text? fun(text: string): any each piece of the answer
---@field on_tool_call? fun(call: llm.ToolCall): any a tool that starts
---@field on_tool_result? fun(result: table): any `{ name, arguments, result, error, seconds }` of a tool that has ended
---@field on_answer? fun(answer: table): any what the model said, to the end or to its next tools
---@field on_complete? fun(answer: any) the answer
---@field on_error? fun(err: Error) what failed

--- Makes an agent: `create(config)` or `create(name, config)`. One with a name is found by it later.
--- ```lua
--- local helper = agent.create("helper", { system = "You are brief.", tools = { "calculator" } })
--- print(helper.name, agent.get("helper") == helper) --> helper	true
--- ```
---@param name string|agent.Config
---@param config? agent.Config
---@return Agent agent
function M.create(name, config)
  if type(name) == "table" then config, name = name, name.name end
  raise.check(1, "agent.create", "string", name, true)
  raise.check(2, "agent.create", "table", config, true)
  local made = agents.new(name or "agent", config or {})
  if name then registered[name] = made end
  return made
end

--- The same as `agent.create`.
M.createAgent = M.create

--- The same as `agent.create`.
M.createLLMAgent = M.create

--- Registers an agent by name: an agent, its configuration, a function that answers, or a table with a function
--- `execute(self, input, options)`. Returns true.
--- ```lua
--- agents.register("echo", function(input) return input end)
--- print(agents.execute("echo", "hi")) --> hi
--- ```
---@param name AgentName
---@param what function|table
---@return boolean ok
function M.register(name, what)
  raise.check(1, "agent.register", "string", name)
  if type(what) ~= "function" then raise.check(2, "agent.register", "table", what) end
  if type(what) == "table" and not agents.is(what) and type(what.execute) ~= "function" then
    what = agents.new(name, what)
  end
  registered[name] = what
  return true
end

local function not_found(name)
  local message = "there is no agent '" .. name .. "'"
  return nil, errorobject.new({ code = "not_found", message = message, suggestion = "register or create it first" })
end

-- An agent by itself or by its name, which may also be a function or a table with a function `execute`.
local function need(which, caller)
  if agents.is(which) then return which end
  raise.check(1, caller, "string", which)
  local found = registered[which]
  if found == nil then return not_found(which) end
  return found
end

-- An agent that was made with `agent.create`.
local function need_made(which, caller)
  local found, missing = need(which, caller)
  if found == nil or agents.is(found) then return found, missing end
  raise.raise("'" .. caller .. "': '" .. which .. "' is a function, not made with agent.create")
end

--- Runs an agent by its name.
--- ```lua
--- agents.register("echo", function(input) return input end)
--- print(agents.execute("echo", "hi")) --> hi
--- ```
---@param name AgentName|Agent
---@param input any
---@param options? string|agent.Config context, or settings for this run alone
---@return any answer
function M.execute(name, input, options)
  local found, missing = need(name, "agent.execute")
  if not found then return nil, missing end
  if type(found) == "function" then return framed(found(input, options)) end
  if not agents.is(found) then return framed(found.execute(found, input, options)) end
  return framed(found:run(input, options))
end

--- The same as `agent.execute`.
M.run = M.execute

--- Runs an agent by its name beside everything else; a promise of the answer.
--- ```lua
--- agent.create("helper", {})
--- print(agent.run_async("helper", "Say hello."):await() ~= nil) --> true
--- ```
---@param name AgentName|Agent
---@param input any
---@param options? string|agent.Config context, or settings for this run alone
---@return Promise promise
function M.run_async(name, input, options)
  return framed(teams.spawn(M.execute, name, input, options))
end

--- Runs an agent by its name and tells each piece of its answer, as an agent's own `stream` does.
--- ```lua
--- agent.create("helper", {})
--- local answer = agents.stream("helper", "Say hello.", function(text) io.write(text) end)
--- ```
---@param name AgentName|Agent
---@param input any
---@param hear function|agent.Hearing
---@param options? string|agent.Config context, or settings for this run alone
---@return any answer
function M.stream(name, input, hear, options)
  local found, missing = need(name, "agent.stream")
  if not found then return nil, missing end
  if agents.is(found) then return framed(found:stream(input, hear, options)) end
  if type(hear) ~= "function" then raise.check(3, "agent.stream", "table", hear) end
  local fn = type(hear) == "function" and hear or hear.on_text or hear.on_content
  if type(found) == "table" and type(found.stream) == "function" then
    -- some declare it `stream(self, input, hear, options)`, go-llmspell `stream(self, input, options, hear)`
    local both = setmetatable(asking.copy(options), { __call = function(_, ...) return fn(...) end })
    return framed(found.stream(found, input, both, fn))
  end
  local answer, err = M.execute(name, input, options)
  if answer ~= nil and fn then fn(answer) end
  return answer, err
end

local entry = { __tostring = function(self) return self.name end }
entry.__concat = function(a, b) return tostring(a) .. tostring(b) end

--- Lists the agents that have a name, in order: `{ name, description, type }`, which reads as the name.
--- ```lua
--- agents.register("echo", print)
--- print(agents.list()[1].name) --> echo
--- ```
---@return table[] agents
function M.list()
  local listed = {}
  for name, found in next, registered do
    local config = type(found) == "table" and (found.config or found) or {}
    listed[#listed + 1] = setmetatable({
      name = name,
      description = config.description or "",
      type = agents.is(found) and "llm" or "function",
    }, entry)
  end
  sort(listed, function(a, b) return a.name < b.name end)
  return listed
end

--- The same as `agent.list`.
M.listAgents = M.list

--- Finds an agent by its name; nil if there is none.
--- ```lua
--- print(agent.get("nobody")) --> nil
--- ```
---@param name AgentName
---@return any agent
function M.get(name)
  raise.check(1, "agent.get", "string", name)
  return registered[name]
end

--- The same as `agent.get`.
M.getAgent = M.get

--- Forgets an agent by its name; returns whether there was one.
--- ```lua
--- print(agent.remove("nobody")) --> false
--- ```
---@param name AgentName|Agent
---@return boolean removed
function M.remove(name)
  if agents.is(name) then name = name.name end
  raise.check(1, "agent.remove", "string", name)
  local was = registered[name] ~= nil
  registered[name] = nil
  return was
end

--- The same as `agent.remove`.
M.removeAgent = M.remove

--- Whether a value is an agent.
--- ```lua
--- print(agent.is_agent(agent.create({}))) --> true
--- ```
---@param value any
---@return boolean is
function M.is_agent(value)
  return agents.is(value)
end

-- ── what agents can do themselves, by name ─────────────────────────────────────────────────────────

--- Changes what an agent is made of, as its own `configure` does.
--- ```lua
--- agent.create("helper", {})
--- print(agent.configure("helper", { temperature = 0 }).config.temperature) --> 0
--- ```
---@param name AgentName|Agent
---@param settings agent.Config
---@return Agent agent
function M.configure(name, settings)
  local found, missing = need_made(name, "agent.configure")
  if not found then return nil, missing end
  return framed(found:configure(settings))
end

--- Makes another agent like one, as its own `clone` does.
--- ```lua
--- agent.create("helper", {})
--- print(agent.clone("helper", "twin").name) --> twin
--- ```
---@param name AgentName|Agent
---@param new_name string
---@param settings? agent.Config
---@return Agent agent
function M.clone(name, new_name, settings)
  local found, missing = need_made(name, "agent.clone")
  if not found then return nil, missing end
  registered[new_name] = found:clone(new_name, settings)
  return registered[new_name]
end

--- Gives an agent several tools; returns `{ total_tools, successful_registrations, success, errors }`.
--- ```lua
--- agent.create("helper", {})
--- print(agent.add_tools("helper", { "calculator" }).success) --> true
--- ```
---@param name AgentName|Agent
---@param list (ToolName|tools.Description|Agent)[]
---@return table outcome
function M.add_tools(name, list)
  local found, missing = need_made(name, "agent.add_tools")
  if not found then return nil, missing end
  raise.check(2, "agent.add_tools", "table", list)
  local added, errors = 0, {}
  for _, tool in ipairs(list) do
    local ok, err = pcall(found.add_tool, found, tool)
    if ok then added = added + 1 else errors[#errors + 1] = tostring(err) end
  end
  return { total_tools = #list, successful_registrations = added, success = added == #list, errors = errors }
end

--- Lists the names of an agent's tools.
--- ```lua
--- agent.create("helper", { tools = { "calculator" } })
--- print(agent.get_tools("helper")[1]) --> calculator
--- ```
---@param name AgentName|Agent
---@return string[] names
function M.get_tools(name)
  local found, missing = need_made(name, "agent.get_tools")
  if not found then return nil, missing end
  return framed(found:get_tools())
end

--- Returns how an agent is doing: `{ exists, state, runs, errors }`.
--- ```lua
--- print(agent.get_status("nobody").exists) --> false
--- ```
---@param name AgentName|Agent
---@return table status
function M.get_status(name)
  local found = agents.is(name) and name or registered[name]
  local status = agents.is(found) and found:get_status() or {}
  status.exists = found ~= nil
  return status
end

--- Makes a tool of a function, for an agent's `tools`.
--- ```lua
--- local double = agent.create_tool("double", function(args) return 2 * args.n end)
--- print(double.name) --> double
--- ```
---@param name string
---@param fn function
---@param schema? table `{ description, parameters }`
---@return tools.Description tool
function M.create_tool(name, fn, schema)
  raise.check(1, "agent.create_tool", "string", name)
  raise.check(2, "agent.create_tool", "function", fn)
  schema = raise.check(3, "agent.create_tool", "table", schema, true) or {}
  local parameters = schema.parameters or (schema.type or schema.properties) and schema or nil
  local tool = { name = name, description = schema.description, parameters = parameters, execute = fn }
  return framed(tools.describe(tool))
end

for name, fn in next, teams.bound(need, M.execute) do M[name] = fn end

return M
