-- What a workflow that is built can do; lib/workflow_run.lua runs it.

local agents = require("lib.agent")
local asking = require("lib.asking")
local kept = require("lib.workflow_kept")
local promises = require("promises")
local raise = require("raise")
local runner = require("lib.workflow_run")
local shown = require("lib.workflow_shown")
local tools = require("lib.tools")
local framed = raise.framed

require("lib.promise")

local getmetatable, ipairs, setmetatable, type = getmetatable, ipairs, setmetatable, type
local insert = table.insert

local W = {}

--- Options of one run of a workflow.
---@class workflow.RunOptions
---@field on_progress? fun(event: table) hears `{ workflow, step, path, status, output, error, seconds }` of each step
---@field on_checkpoint? fun(checkpoint: table) gets what is done so far after each step: plain data to keep
---@field checkpoint? table what an earlier run has done, which is not done again

--- A workflow that can be run, as often as wanted.
---@class Workflow
---@field id string
---@field name string
---@field type "sequential"|"parallel"|"conditional"|"loop"
---@field description? string
---@field steps workflow.Step[]
---@field persistent? string the name under which a run that has not ended outlives the session
local methods = {}
local meta = { __name = "Workflow", __index = methods }

function meta.__tostring(self) return "workflow: " .. self.name .. " (" .. self.type .. ")" end

--- Runs the workflow. Returns its result, also where a step has failed: `success`, `status` (`completed`, `failed` or
--- `cancelled`), `output` (of the last step; of all by name side by side; of each iteration in a loop), `error`,
--- `steps` (each with `name, type, status, output, error, attempts, seconds`), `execution_id`, `checkpoint` and
--- `metadata`.
--- ```lua
--- local flow = workflow.sequential()
---   :add_step("hello", function(name) return "hello " .. name end)
---   :add_step({ name = "shout", fn = string.upper, input = "{{hello.output}}!" }):build()
--- local result = flow:execute("Ada")
--- print(result.success, result.output) --> true	HELLO ADA!
--- ```
---@param input? any `{{params}}` in the steps
---@param options? workflow.RunOptions
---@return table result
function methods:execute(input, options)
  raise.check(2, "workflow:execute", "table", options, true)
  self.last = runner.execute(self, input, options)
  return self.last
end

--- The same as `execute`.
methods.run = methods.execute

--- Runs the workflow beside everything else; a promise of the result, which `fn(result, err)` gets as well.
--- ```lua
--- local flow = workflow.sequential():add_step(function(n) return 2 * n end):build()
--- print(flow:execute_async(21):await().output) --> 42
--- ```
---@param input? any
---@param fn? fun(result: table, err: string)
---@return Promise promise
function methods:execute_async(input, fn)
  return (promises.spawn(function()
    local result = self:execute(input)
    if fn then fn(result, result.error) end
    return result
  end))
end

--- Shows the steps as a diagram, which follows the runs from then on: what runs, what is done, and how long it took.
--- ```lua
--- local flow = workflow.sequential("greet"):add_step("hello", function() return "hello" end):build()
--- print(flow:show():execute().output) --> hello
--- ```
---@return Workflow workflow
function methods:show()
  shown.show(self)
  return self
end

--- Goes on where a run has ended: what its checkpoint says is done is not done again. A workflow that was built with
--- `persistent` needs no checkpoint: it goes on where its last run was when it failed, was interrupted or lost its
--- kernel, and begins if there is no such run.
--- ```lua
--- local tries = 0
--- local flow = workflow.sequential():add_step("one", function() return 1 end)
---   :add_step("two", function(n) tries = tries + 1 assert(tries > 1, "not yet") return n + 1 end):build()
--- local first = flow:execute()
--- print(first.status, flow:resume(first).output) --> failed	2
--- ```
---@param from? table the result of a run, or its checkpoint
---@param input? any what the run was given, unless told
---@param options? workflow.RunOptions
---@return table result
function methods:resume(from, input, options)
  raise.check(1, "workflow:resume", "table", from, self.persistent ~= nil)
  local given = asking.copy(options)
  if from then
    given.checkpoint = from.checkpoint or from
    if type(given.checkpoint) ~= "table" or type(given.checkpoint.outputs) ~= "table" then
      raise.raise("bad argument #1 to 'workflow:resume' (the result of a run, or its checkpoint, expected)")
    end
  else
    local checkpoint, err = kept.load(self.persistent)
    if err then return nil, err end
    given.checkpoint = checkpoint
  end
  return framed(self:execute(input, given))
end

-- The report of a step of the last run, also of one inside another.
local function report_of(reports, name)
  for _, report in ipairs(reports or {}) do
    if report.name == name or report.path == name then return report end
    local inner = report_of(report.steps, name)
    if inner then return inner end
  end
end

--- Returns the output of a step of the last run, or of the last run itself.
--- ```lua
--- local flow = workflow.sequential():add_step("one", function() return 1 end):build()
--- flow:execute()
--- print(flow:get_output("one"), flow:get_output()) --> 1	1
--- ```
---@param step? string
---@return any output
function methods:get_output(step)
  if not self.last then return nil end
  if step == nil then return self.last.output end
  local report = report_of(self.last.steps, step)
  return report and report.output
end

--- Returns how the last run went: `{ state, execution_id, error, seconds }`; `state` is `created` before the first.
--- ```lua
--- print(workflow.sequential():add_step(print):build():get_status().state) --> created
--- ```
---@return table status
function methods:get_status()
  local last = self.last
  if not last then return { state = "created", status = "created" } end
  return {
    state = last.status,
    status = last.status,
    execution_id = last.execution_id,
    error = last.error,
    seconds = last.seconds,
  }
end

--- Tells whether the workflow could run: true, or false and a list of what is wrong, such as agents or tools that are
--- not there.
--- ```lua
--- print((workflow.sequential():add_step({ tool = "calculator" }):build():validate())) --> true
--- ```
---@return boolean valid
---@return string[] problems
function methods:validate()
  local problems = {}
  local function look(steps)
    for _, step in ipairs(steps) do
      if type(step.agent) == "string" and agents.get(step.agent) == nil then
        insert(problems, step.name .. ": there is no agent '" .. step.agent .. "'")
      end
      if type(step.tool) == "string" and not tools.get(step.tool) then
        insert(problems, step.name .. ": there is no tool '" .. step.tool .. "'")
      end
      if step.workflow then
        local _, inner = step.workflow:validate()
        for _, problem in ipairs(inner) do insert(problems, step.name .. "/" .. problem) end
      end
    end
  end
  look(self.steps)
  for _, branch in ipairs(self.branches) do look(branch.steps) end
  return #problems == 0, problems
end

-- ── for the builder ────────────────────────────────────────────────────────────────────────────────

W.registered = {}
local made_so_far = 0

--- Whether `value` is a workflow that is built.
function W.is(value)
  return type(value) == "table" and getmetatable(value) == meta
end

--- The workflow out of its parts, found by its name from then on.
function W.new(parts)
  made_so_far = made_so_far + 1
  parts.id = parts.name .. "-" .. made_so_far
  W.registered[parts.name] = setmetatable(parts, meta)
  return parts
end

return W
