-- `workflow`: steps put together; lib/workflow_run.lua runs them.

local asking = require("lib.asking")
local errorobject = require("errorobject")
local kept = require("lib.workflow_kept")
local new_builder = require("lib.workflow_builder").new
local raise = require("raise")
local workflows = require("lib.workflow_object")
local framed = raise.framed

local ipairs, next, type = ipairs, next, type
local insert, sort = table.insert, table.sort
local registered = workflows.registered

local M = {}

--- Begins a workflow whose steps run one after the other.
--- ```lua
--- local flow = workflow.sequential("sum"):add_step(function(n) return n + 1 end):build()
--- print(flow:execute(1).output) --> 2
--- ```
---@param name? string|table its name, or a table with `name`, `steps` and other settings
---@return workflow.Builder builder
function M.sequential(name) return framed(new_builder("sequential", name)) end

--- Begins a workflow whose steps run side by side; its output has those of all by name.
--- ```lua
--- local flow = workflow.parallel():add_step("a", function() return 1 end)
---   :add_step("b", function() return 2 end):build()
--- print(flow:execute().output.b) --> 2
--- ```
---@param name? string|table
---@return workflow.Builder builder
function M.parallel(name) return framed(new_builder("parallel", name)) end

--- Begins a workflow where a condition chooses which steps run.
--- ```lua
--- local flow = workflow.conditional("route"):condition(function(context) return context.urgent end)
---   :add_then_step(function() return "now" end):add_else_step(function() return "later" end):build()
--- print(flow:execute({ urgent = true }).output) --> now
--- ```
---@param name? string|table
---@return workflow.Builder builder
function M.conditional(name) return framed(new_builder("conditional", name)) end

--- Begins a workflow whose steps run again and again.
--- ```lua
--- local flow = workflow.loop():range(1, 2):add_step(function(n) return 1 end):build()
--- print(#flow:execute().output) --> 2
--- ```
---@param name? string|table
---@return workflow.Builder builder
function M.loop(name) return framed(new_builder("loop", name)) end

--- Begins a workflow whose kind is told later: `:parallel()`, `:conditional()`, `:loop()`.
--- ```lua
--- local flow = workflow.builder("both"):parallel():add_step(print):build()
--- ```
---@param name? string|table
---@return workflow.Builder builder
function M.builder(name) return framed(new_builder("sequential", name)) end

--- The same as `workflow.builder`.
M.new_builder = M.builder

--- The same as `workflow.builder`.
M.create_builder = M.builder

--- What a workflow is made of.
---@class workflow.Config
---@field name? string what it is called
---@field type? "sequential"|"parallel"|"conditional"|"loop" how its steps run
---@field steps? workflow.Step[] the steps
---@field condition? function decides between `then_steps` and `else_steps`
---@field then_steps? workflow.Step[] where the condition holds
---@field else_steps? workflow.Step[] where it does not
---@field items? table what a loop goes over
---@field persistent? boolean|string whether runs outlive the session, maybe under another name

--- Makes a workflow of one table: `name`, `type`, `steps`, and for its kind `condition`, `then_steps`, `else_steps`,
--- `items`.
--- ```lua
--- local flow = workflow.create({ name = "sum", steps = { { name = "one", fn = function() return 1 end } } })
--- print(flow:execute().output) --> 1
--- ```
---@param name string|workflow.Config
---@param config? workflow.Config
---@return Workflow workflow
function M.create(name, config)
  if type(name) == "table" then config, name = name, name.name end
  raise.check(1, "workflow.create", "string", name, true)
  raise.check(name and 2 or 1, "workflow.create", "table", config)
  config = asking.copy(config)
  config.name = name or config.name
  local made = new_builder(config.type or "sequential", config)
  if config.condition then made:condition(config.condition) end
  for _, step in ipairs(config.then_steps or {}) do made:add_then_step(step) end
  for _, step in ipairs(config.else_steps or {}) do made:add_else_step(step) end
  if config.items then made:over(config.items) end
  if config.on_error then made:on_error(config.on_error) end
  return made:build()
end

--- The same as `workflow.create`.
M.create_workflow = M.create

--- Finds a workflow by the name that it was built with; nil if there is none.
--- ```lua
--- workflow.sequential("greet"):add_step(print):build()
--- print(workflow.get("greet").name) --> greet
--- ```
---@param name string
---@return Workflow? workflow
function M.get(name)
  raise.check(1, "workflow.get", "string", name)
  return registered[name]
end

--- The same as `workflow.get`.
M.get_workflow = M.get

--- Lists the names of the workflows that were built, in order.
--- ```lua
--- workflow.sequential("greet"):add_step(print):build()
--- print(#workflow.list() > 0) --> true
--- ```
---@return string[] names
function M.list()
  local names = {}
  for name in next, registered do insert(names, name) end
  sort(names)
  return names
end

--- The same as `workflow.list`.
M.list_workflows = M.list

--- Forgets a workflow by its name; returns whether there was one.
--- ```lua
--- print(workflow.remove("nothing")) --> false
--- ```
---@param name string
---@return boolean removed
function M.remove(name)
  raise.check(1, "workflow.remove", "string", name)
  local was = registered[name] ~= nil
  registered[name] = nil
  return was
end

--- The same as `workflow.remove`.
M.delete_workflow = M.remove

--- Runs a workflow by its name; returns its result, or `nil, err` if there is none.
--- ```lua
--- workflow.sequential("one"):add_step(function() return 1 end):build()
--- print(workflow.execute("one").output) --> 1
--- ```
---@param name string|Workflow
---@param input? any
---@param options? workflow.RunOptions
---@return table result
function M.execute(name, input, options)
  if workflows.is(name) then return framed(name:execute(input, options)) end
  local found = M.get(name)
  if found then return framed(found:execute(input, options)) end
  return nil, errorobject.new({ code = "not_found", message = "there is no workflow '" .. name .. "'" })
end

--- The same as `workflow.execute`.
M.execute_workflow = M.execute

--- Lists the names of the persistent workflows whose runs have not come to their end: `resume()` goes on with them.
--- ```lua
--- local flow = workflow.sequential("half"):persistent():add_step(function() error("no") end):build()
--- flow:execute()
--- print(table.concat(workflow.unfinished(), " ")) --> half
--- workflow.forget("half")
--- ```
---@return string[] names
function M.unfinished() return framed(kept.names()) end

--- Forgets the unfinished run of a persistent workflow; returns whether there was one.
--- ```lua
--- print(workflow.forget("nothing")) --> false
--- ```
---@param name string
---@return boolean forgotten
function M.forget(name)
  raise.check(1, "workflow.forget", "string", name)
  return kept.forget(name)
end

--- Tells how the last run of a workflow went, as its own `get_status` does; nil if there is none of that name.
--- ```lua
--- print(workflow.get_workflow_status("nothing")) --> nil
--- ```
---@param name string
---@return table? status
function M.get_workflow_status(name)
  local found = M.get(name)
  return found and found:get_status()
end

return M
