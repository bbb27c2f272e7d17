-- Tools as models are offered them: names, tables or agents in, descriptions with a function each out.

local errorobject = require("errorobject")
local host = require("host")
local raise = require("raise")
local scheduler = require("scheduler")
local schema_of = require("lib.tool_schema").of
local tools = require("lib.tools")

local error, getmetatable, ipairs, next, pcall, rawget, tostring, type =
  error, getmetatable, ipairs, next, pcall, rawget, tostring, type

local M = {}

local DEPTH = 30 -- of tables in the answer of a tool

-- The metatable of agents, which lib/agent.lua sets.
M.agent = nil

-- OpenAI's shape has everything under `function`.
local function unwrapped(tool)
  local inner = rawget(tool, "function")
  return type(inner) == "table" and inner or tool
end

-- Tools that go-llmspell's spells name and that there are none of here: an agent goes without them, and it is said.
local WITHOUT = {
  code_interpreter = "nothing here runs other languages", code_executor = "nothing here runs other languages",
  execute_command = "nothing here starts programs", process_execute = "nothing here starts programs",
  system_command = "nothing here starts programs",
}

--- The tool that a name, a table or an agent stands for; nil for one that an agent goes without.
function M.resolve(tool, caller)
  if type(tool) == "string" then
    local found = tools.get(tool)
    if not found and WITHOUT[tool] then
      local said = "go-llmspell's tool '" .. tool .. "' has no counterpart here: " .. WITHOUT[tool]
      host.write(2, scheduler.cell(), said .. "; the agent goes without it\n")
      return nil
    end
    if not found then raise.raise("there is no tool '" .. tool .. "'; tools.list() gives those that there are") end
    return found
  end
  if type(tool) == "table" and M.agent and getmetatable(tool) == M.agent then tool = tool:as_tool() end
  raise.check(1, caller, "table", tool)
  return tools.describe(unwrapped(tool))
end

--- Whether a tool is only described: the one that asks wants to hear of its calls, and to make them itself.
function M.is_described_only(tool)
  if type(tool) ~= "table" or (M.agent and getmetatable(tool) == M.agent) then return false end
  local given = unwrapped(tool)
  local fn = given.execute or given.handler or given.fn or given["function"] or given.func
  return type(fn) ~= "function" and type(given.name) == "string" and tools.get(given.name) == nil
end

--- What a model is told of a tool that is only described.
function M.description(tool)
  local given = unwrapped(tool)
  return {
    name = given.name,
    description = given.description,
    parameters = schema_of(given.parameters or given.schema or given.input_schema),
  }
end

-- What only a person can put right: a model must not be able to talk around it.
local FOR_THE_PERSON = { missing_grant = true, limit_exceeded = true, cancelled = true, budget_exceeded = true }

-- Where in a value something is that no model can be told of: a cycle, or tables nested too deep; nil for plain data.
local function untellable(value, path, around, depth)
  if type(value) ~= "table" then return nil end
  if around[value] then return path .. " is a table that is inside itself" end
  if depth > DEPTH then return path .. " is nested too deep" end
  around[value] = true
  for key, inner in next, value do
    local problem = type(inner) == "table" and untellable(inner, path .. "." .. tostring(key), around, depth + 1)
    if problem then return problem end
  end
  around[value] = nil
end

-- What the model is told of a tool's call.
local function told(ok, value, err)
  if not ok then
    if errorobject.is(value) and FOR_THE_PERSON[value.code] then error(value, 0) end
    return nil, errorobject.text(value)
  end
  local problem = untellable(value, "result", {}, 1)
  if problem then return nil, "the tool's answer is no plain data: " .. problem end
  return value, err ~= nil and errorobject.text(err) or nil
end

--- A list of tools with a function of this run's own each, which the kernel lets go at the end of the run.
function M.offer(list)
  local offered = {}
  for index, tool in ipairs(list) do
    local execute = tool.execute
    offered[index] = {
      name = tool.name,
      description = tool.description,
      parameters = tool.parameters,
      parallel = tool.parallel,
      timeout = tool.timeout,
      execute = function(arguments) return told(pcall(execute, arguments)) end,
    }
  end
  return offered
end

return M
