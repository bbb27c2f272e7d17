-- `tools`: the registry of what models may call. It lives here, so that it follows undo and recovery.

local bridge = require("bridge")
local builtin_tools = require("lib.builtin_tools")
local errorobject = require("errorobject")
local hooked = require("lib.hooked")
local host = require("host")
local mcp = require("lib.mcp")
local promises = require("promises")
local options_of = require("lib.options")
local raise = require("raise")
local schema_of = require("lib.tool_schema").of
local traced = require("guarded").traced

local error, getmetatable, ipairs, next, pcall, select, setmetatable, tostring, type =
  error, getmetatable, ipairs, next, pcall, select, setmetatable, tostring, type
local math_min = math.min
local concat, sort, remove = table.concat, table.sort, table.remove
local check_schema = bridge.bind("tool_checks", "schema")
local problems_of = bridge.bind("tool_checks", "problems")
local recorded = bridge.bind("tool_checks", "recorded")

local M = {}

local KEPT = 1000 -- entries of the history
local registered, metrics, history = require("lib.names").of("tool"), {}, {}
local framed = raise.framed

for _, described in ipairs(builtin_tools) do
  described.builtin = true
  described.execute = bridge.bind("tools", described.name)
  registered[described.name] = described
end

-- A page reads as its text.
local page = { __name = "page", __tostring = function(self) return self.text end }
page.__len = function(self) return #self.text end
page.__concat = function(a, b) return tostring(a) .. tostring(b) end
page.__index = function(self, key)
  if key == "content" then return self.text end
  local method = string[key]
  return method and function(_, ...) return method(self.text, ...) end
end

local function fetched(value, err)
  if type(value) == "table" then setmetatable(value, page) end
  return value, err
end

do
  local fetch = registered.web_fetch.execute
  registered.web_fetch.execute = function(arguments) return fetched(fetch(arguments)) end
  M.web_fetch = registered.web_fetch.execute
end

local DESCRIPTION = {
  name = "string", description = "string", parameters = "table", schema = "table", input_schema = "table",
  execute = "any", record = "boolean", parallel = "any", timeout = "number",
}

-- A tool out of the table that describes it.
local function tool_of(given, caller)
  local fn = given.execute or given.handler or given.fn or given["function"] or given.func
  if type(given.name) ~= "string" or given.name == "" then
    raise.raise("'" .. caller .. "' needs a name for the tool")
  end
  if type(fn) ~= "function" then
    raise.raise("'" .. caller .. "' needs a function `execute` for the tool '" .. given.name .. "'")
  end
  options_of.check(1, caller, given, DESCRIPTION)
  local tool = {
    name = given.name,
    description = given.description or "",
    parameters = schema_of(given.parameters or given.schema or given.input_schema),
    execute = fn,
    parallel = given.parallel,
    timeout = given.timeout,
  }
  check_schema(tool.name, tool.parameters)
  if given.record then
    tool.execute = function(arguments) return recorded(tool.name, arguments, fn) end
  end
  return tool
end

--- What a tool is made of.
---@class tools.Description
---@field name? string what it is called by
---@field description? string what it does, for the model that chooses among tools
---@field parameters? table JSON Schema of its arguments, or the schema's properties alone
---@field execute? fun(arguments: table): any does it; what it returns is the result, `nil, err` says what failed
---@field record? boolean whether a cassette answers for it too: for what is never the same twice, such as chance

--- A step of a pipeline.
---@class tools.Step
---@field tool? ToolName the tool to call
---@field params? table|function its arguments, or a function that makes them of the value

--- Checks the table that describes a tool and returns the tool, without registering it.
--- ```lua
--- print(tools.describe({ name = "echo", execute = print }).name) --> echo
--- ```
---@param given tools.Description
---@return tools.Description tool
function M.describe(given)
  raise.check(1, "tools.describe", "table", given)
  local tool = tool_of(given, "tools.describe")
  local name, fn = tool.name, tool.execute
  local function call(_, arguments) return fn(arguments) end
  tool.execute = function(arguments) return hooked.tool(call, name, arguments) end
  return tool
end

-- A tool that is registered, or `server.tool` of an MCP server.
local function find(name)
  local tool = registered[name]
  if tool then return tool end
  return mcp.tool(name)
end

local function need(name, caller)
  raise.check(1, caller, "string", name)
  local tool, err = find(name)
  if tool then return tool end
  if err ~= nil and err.code ~= "not_found" then return nil, err end
  return nil, errorobject.new({
    code = "not_found",
    message = "there is no tool '" .. name .. "'",
    suggestion = "tools.list() gives those that there are",
  })
end

--- Registers a tool: `register(name, description, schema, fn)`, `register(name, fn)`, `register(name, table)`, or a
--- table `{ name, description, parameters, execute }`. `parameters` is a JSON Schema, or its properties alone.
--- ```lua
--- tools.register("double", "Doubles a number", { n = { type = "number" } }, function(args) return 2 * args.n end)
--- print(tools.execute("double", { n = 21 })) --> 42
--- ```
---@param name string|tools.Description
---@param ... any
---@return tools.Description tool
function M.register(name, ...)
  local given = name
  if type(name) == "string" then
    local second, third, fourth = ...
    if type(second) == "function" then
      given = { name = name, execute = second }
    elseif type(second) == "table" and type(third) == "function" then
      given = { name = name, parameters = second, execute = third }
    elseif type(second) == "table" then
      given = {}
      for key, value in next, second do given[key] = value end
      given.name = name
    elseif type(third) == "function" then
      given = { name = name, description = second, execute = third }
    else
      given = { name = name, description = second, parameters = third, execute = fourth }
    end
  end
  raise.check(1, "tools.register", "table", given)
  local tool = tool_of(given, "tools.register")
  registered[tool.name] = tool
  return framed(M.get(tool.name))
end

--- Registers a tool; the same as `tools.register`.
M.define = M.register

local function note(name, arguments, began, ok, failure)
  local seconds = host.now() - began
  local metric = metrics[name] or { calls = 0, errors = 0, seconds = 0 }
  metrics[name] = metric
  metric.calls, metric.seconds = metric.calls + 1, metric.seconds + seconds
  if not ok then metric.errors = metric.errors + 1 end
  if #history >= KEPT then remove(history, 1) end
  local told = failure and tostring(failure) or nil
  history[#history + 1] = { tool = name, arguments = arguments, success = ok, error = told, seconds = seconds }
end

local function noted(name, arguments, began, ok, ...)
  if not ok then
    note(name, arguments, began, false, (...))
    error((...), 0)
  end
  local value, err = ...
  note(name, arguments, began, not (value == nil and err ~= nil), err)
  return ...
end

local function fits(tool, arguments)
  local problems = problems_of(tool.name, tool.parameters, arguments)
  if #problems == 0 then return true end
  local message = "wrong arguments for " .. tool.name .. ": " .. concat(problems, "; ")
  return false, errorobject.new({ code = "bad_arguments", message = message })
end

local function execute(name, arguments)
  local tool, missing = need(name, "tools.execute")
  if not tool then return nil, missing end
  local valid, problem = fits(tool, arguments)
  if not valid then return nil, problem end
  return noted(name, arguments, host.now(), traced(tool.execute, arguments))
end

--- Checks the arguments against the tool's schema and calls it; returns what it returns, or `nil, err`.
--- ```lua
--- print(tools.execute("calculator", { expression = "6 * 7" })) --> 42
--- ```
---@param name ToolName
---@param arguments? table
---@return any value
function M.execute(name, arguments)
  raise.check(1, "tools.execute", "string", name)
  return framed(hooked.tool(execute, name, arguments == nil and {} or arguments))
end

-- Older spells find the fields of a table that a tool gives in the outcome itself.
local function outcome_of(value)
  local outcome = { success = true, result = value }
  if type(value) ~= "table" or getmetatable(value) ~= nil then return outcome end
  for key, inner in next, value do
    if type(key) == "string" and outcome[key] == nil then outcome[key] = inner end
  end
  if value.result ~= nil then
    local result = {}
    for key, inner in next, value do result[key] = inner end
    outcome.result = setmetatable(result, {
      __name = "result",
      __tostring = function(self) return tostring(self.result) end,
      __concat = function(a, b) return tostring(a) .. tostring(b) end,
    })
  end
  return outcome
end

--- Calls a tool as `tools.execute` does, and never raises: returns `{ success, result, error }`.
--- ```lua
--- print(tools.execute_safe("calculator", { expression = "1 +" }).success) --> false
--- ```
---@param name ToolName
---@param arguments? table
---@return table outcome
function M.execute_safe(name, arguments)
  local ok, value, err = pcall(M.execute, name, arguments)
  if not ok then return { success = false, error = tostring(value) } end
  if value == nil and err ~= nil then return { success = false, error = tostring(err) } end
  return framed(outcome_of(value))
end

--- Tells whether arguments fit the tool's schema: true, or `false, err`.
--- ```lua
--- print(tools.validate("calculator", { expression = "1" })) --> true
--- ```
---@param name ToolName
---@param arguments table
---@return boolean valid
function M.validate(name, arguments)
  local tool, missing = need(name, "tools.validate")
  if not tool then return false, missing end
  return framed(fits(tool, arguments == nil and {} or arguments))
end

-- A tool that there is not is nil; a server that cannot tell is more.
local function missing(err)
  if err == nil or err.code == "not_found" then return nil end
  return nil, err
end

-- What is known of a tool, in a table of its own.
local function description_of(name, caller)
  raise.check(1, caller, "string", name)
  local tool, err = find(name)
  if not tool then return nil, err end
  return { name = name, description = tool.description, parameters = tool.parameters }, tool
end

--- Returns a tool, `{ name, description, parameters, execute }`; nil if there is none of that name.
--- ```lua
--- print(tools.get("calculator").name) --> calculator
--- ```
---@param name ToolName
---@return tools.Description? tool
function M.get(name)
  local known, err = description_of(name, "tools.get")
  if not known then return missing(err) end
  known.execute = function(arguments) return M.execute(name, arguments) end
  return known
end

--- Returns what is known of a tool: `{ name, description, parameters, builtin }`; nil if there is none of that name.
--- ```lua
--- print(tools.get_info("calculator").builtin) --> true
--- ```
---@param name ToolName
---@return table? info
function M.get_info(name)
  local known, tool = description_of(name, "tools.get_info")
  if not known then return missing(tool) end
  known.builtin = tool.builtin or false
  return known
end

--- Lists the names of the tools, in order; those of MCP servers that are granted are among them, as `server.tool`.
--- ```lua
--- print(tools.names()[1]) --> calculator
--- ```
---@return string[] names
function M.names()
  local names = {}
  for name in next, registered do names[#names + 1] = name end
  for _, tool in ipairs(mcp.tools()) do
    if not registered[tool.name] then names[#names + 1] = tool.name end
  end
  sort(names)
  return names
end

local entry = { __name = "tool", __tostring = function(self) return self.name end }
entry.__concat = function(a, b) return tostring(a) .. tostring(b) end

--- Lists the tools, by their names in order: each `{ name, description, parameters }`, which reads as its name.
--- ```lua
--- local first = tools.list()[1]
--- print(first, first.description) --> calculator	Works out arithmetic, such as 2 * (3 + 4)
--- ```
---@return tools.Description[] tools
function M.list()
  local listed = M.names()
  for index, name in ipairs(listed) do listed[index] = setmetatable(M.get_info(name) or { name = name }, entry) end
  return listed
end

--- Takes a tool away; returns whether there was one.
--- ```lua
--- print(tools.remove("nothing")) --> false
--- ```
---@param name ToolName
---@return boolean removed
function M.remove(name)
  raise.check(1, "tools.remove", "string", name)
  local was = registered[name] ~= nil
  registered[name] = nil
  return was
end

-- A step of a pipeline: a name, a function, or `{ name/tool, params/args }`.
local function run_step(step, value)
  if type(step) == "function" then return step(value) end
  if type(step) == "string" then return M.execute(step, value) end
  local arguments = step.params or step.args or step.arguments or value
  if type(arguments) == "function" then arguments = arguments(value) end
  return M.execute(step.tool or step.name or step[1], arguments)
end

--- Passes a value through steps, each given what the one before returned: names of tools, functions, or
--- `{ tool, params }` with params a table or a function of the value. Stops at the first failure: `nil, err`.
--- ```lua
--- print(tools.pipeline({ function(n) return { expression = n .. "+1" } end, "calculator" }, 41)) --> 42
--- ```
---@param steps (ToolName|function|tools.Step)[]
---@param value? any
---@return any value
function M.pipeline(steps, value)
  raise.check(1, "tools.pipeline", "table", steps)
  for _, step in ipairs(steps) do
    local err
    value, err = run_step(step, value)
    if value == nil and err ~= nil then return nil, err end
  end
  return value
end

--- Makes one function of several steps, as `tools.pipeline` takes them.
--- ```lua
--- local calculate = tools.compose("calculator", tostring)
--- print(calculate({ expression = "40 + 2" })) --> 42
--- ```
---@param ... any
---@return function composed
function M.compose(...)
  local steps = { ... }
  if select("#", ...) == 1 and type(steps[1]) == "table" and #steps[1] > 0 then steps = steps[1] end
  return function(value) return M.pipeline(steps, value) end
end

--- Calls tools side by side: a list of `{ tool, params }`; returns a list of `{ success, result, error }` in its order.
--- ```lua
--- local r = tools.parallel_execute({ { tool = "calculator", params = { expression = "40 + 2" } } })
--- print(r[1].result) --> 42
--- ```
---@param calls tools.Step[]
---@return table outcomes
function M.parallel_execute(calls)
  raise.check(1, "tools.parallel_execute", "table", calls)
  local jobs, outcomes = {}, {}
  for index, call in ipairs(calls) do
    local name, arguments = call.tool or call.name or call[1], call.params or call.args or call.arguments or call[2]
    jobs[index] = promises.check(1, "tools.parallel_execute", (promises.spawn(M.execute_safe, name, arguments)))
  end
  promises.wait_for_all(jobs)
  for index, job in ipairs(jobs) do outcomes[index] = promises.await(job) end
  return outcomes
end

--- Returns how often a tool was called: `{ calls, errors, seconds }`; without a name, those of all by name.
--- ```lua
--- print(tools.get_metrics("never").calls) --> 0
--- ```
---@param name? ToolName
---@return table metrics
function M.get_metrics(name)
  local function copy(of)
    local metric = metrics[of] or { calls = 0, errors = 0, seconds = 0 }
    return { calls = metric.calls, errors = metric.errors, seconds = metric.seconds }
  end
  if name ~= nil then return copy(name) end
  local all = {}
  for each in next, metrics do all[each] = copy(each) end
  return all
end

--- Returns the last calls, oldest first: a list of `{ tool, arguments, success, error, seconds }`.
--- ```lua
--- local calls = tools.get_history()
--- ```
---@param limit? integer how many at most
---@param name? ToolName of this tool alone; may stand first
---@return table calls
function M.get_history(limit, name)
  if type(limit) == "string" then limit, name = name, limit end
  raise.check_integer(1, "tools.get_history", limit, 0, true)
  local chosen, copy = {}, {}
  for _, call in ipairs(history) do
    if name == nil or call.tool == name then chosen[#chosen + 1] = call end
  end
  for index = #chosen - math_min(limit or #chosen, #chosen) + 1, #chosen do copy[#copy + 1] = chosen[index] end
  return copy
end

return M
