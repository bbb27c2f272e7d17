-- Putting workflows together.

local agents = require("lib.agent")
local asking = require("lib.asking")
local options_of = require("lib.options")
local raise = require("raise")
local workflows = require("lib.workflow_object")

local ipairs, math_type, setmetatable, tostring, type = ipairs, math.type, setmetatable, tostring, type
local concat, insert = table.concat, table.insert

--- One step of a workflow.
---@class workflow.Step
---@field name? string how later steps refer to it; `step1` and so on unless told
---@field type? "tool"|"agent"|"function"|"workflow" what does it; told by which of the next four there is
---@field tool? ToolName|function|table the tool to call
---@field agent? AgentName|Agent the agent to ask
---@field fn? fun(input: any, context: table): any the function to call; `nil, err` says what failed
---@field workflow? Workflow the workflow to run
---@field input? any what it is given, with templates such as `{{step1.output}}`; else what the step before gave
---@field condition? fun(context: table): any leaves the step out unless it gives true
---@field retry? integer|workflow.Retry how often to try
---@field timeout? number seconds for one attempt
---@field fallback? any takes the place of its output when it fails; a function is given the error
---@field on_error? "fail"|"continue" whether the workflow goes on when it fails

--- How often to try, and how long to wait between.
---@class workflow.Retry
---@field times? integer attempts, 3 unless told
---@field backoff? number seconds before the second attempt, 0.5 unless told
---@field factor? number how much longer each wait is than the one before, 2 unless told

-- ── steps ──────────────────────────────────────────────────────────────────────────────────────────

local FUNCTION_NAMES = { "fn", "func", "execute", "handler", "callback", "function" }
local OTHER_TYPES = { custom = "function", script = "function", fn = "function", func = "function" }

local function retry_of(given)
  if given == nil then return nil end
  if math_type(given) then given = { times = given } end
  raise.check(1, "retry", "table", given)
  for _, key in ipairs({ "times", "max_attempts", "backoff", "factor" }) do
    raise.check_number(1, "retry." .. key, given[key], 0, true)
  end
  return { times = given.times or given.max_attempts or 3, backoff = given.backoff or 0.5, factor = given.factor or 2 }
end

local WHEN_IT_FAILS = { fail = "fail", fail_fast = "fail", stop = "fail", abort = "fail" }
for _, name in ipairs({ "continue", "skip", "ignore" }) do WHEN_IT_FAILS[name] = "continue" end

-- What happens when a step fails, by its name.
local function when_it_fails(caller, what)
  if type(what) == "string" and not WHEN_IT_FAILS[what] then
    raise.raise("'" .. caller .. "' knows no `on_error` '" .. what .. "'; there are: continue, fail, retry")
  end
  return WHEN_IT_FAILS[what]
end

local function type_of(step, caller)
  local kind = OTHER_TYPES[step.type] or step.type
  kind = kind or step.tool and "tool" or step.agent and "agent" or step.workflow and "workflow" or "function"
  local fits = { tool = step.tool, agent = step.agent, workflow = step.workflow, ["function"] = step.fn }
  if kind ~= "tool" and kind ~= "agent" and kind ~= "workflow" and kind ~= "function" then
    local known = "agent, function, tool, workflow"
    raise.raise("'" .. caller .. "' knows no steps of the type '" .. tostring(kind) .. "'; there are: " .. known)
  end
  if fits[kind] == nil then
    local key = kind == "function" and "fn" or kind
    raise.raise("the step '" .. step.name .. "' of '" .. caller .. "' needs `" .. key .. "`")
  end
  if kind == "workflow" and not workflows.is(step.workflow) then
    raise.raise("the step '" .. step.name .. "' of '" .. caller .. "' needs a workflow that is built")
  end
  return kind
end

local STEP = {
  name = "string", type = "string", tool = "any", agent = "any", fn = "function", workflow = "any", input = "any",
  condition = "any", retry = "any", timeout = "number", fallback = "any", on_error = "string", prompt = "any",
  params = "any", parameters = "any", retries = "any", description = "any",
}

-- A step as the runner takes it.
local function step_of(caller, number, name, given)
  if type(name) == "table" or type(name) == "function" then given, name = name, nil end
  if type(given) == "function" then given = { fn = given } end
  if agents.is_agent(given) then given = { agent = given } end
  if workflows.is(given) then given = { workflow = given, name = given.name } end
  raise.check(1, caller, "table", given)
  options_of.check(1, caller, given, STEP)
  local step = asking.copy(given)
  step.name = name or given.name or given.id or "step" .. number
  for _, key in ipairs(FUNCTION_NAMES) do step.fn = step.fn or given[key] end
  if step.input == nil then step.input = given.params or given.parameters or given.prompt or given.args end
  step.condition = given.condition or given.when
  step.retry = retry_of(given.retry or given.retries or given.max_retries)
  local seconds = given.timeout or given.timeout_ms and given.timeout_ms / 1000
  step.timeout = raise.check_number(1, "timeout", seconds, 0, true)
  if given.on_error == "retry" then
    step.retry = step.retry or retry_of({})
  elseif given.on_error ~= nil then
    step.on_error = when_it_fails(caller, given.on_error)
  end
  step.type = type_of(step, caller)
  return step
end

-- ── building ───────────────────────────────────────────────────────────────────────────────────────

--- Puts a workflow together: every method but `build` returns the builder again.
---@class workflow.Builder
local builder = {}
local builder_meta = { __name = "WorkflowBuilder", __index = builder }

function builder_meta.__tostring(self) return "workflow builder: " .. self.made.name end

local function new(kind, given)
  local config = type(given) == "table" and given or { name = given }
  local made = {
    name = config.name or kind,
    type = kind,
    description = config.description,
    steps = {},
    branches = {},
    loop = {},
    max_concurrency = config.max_concurrency,
    max_iterations = config.max_iterations,
    fail_fast = config.fail_fast ~= false,
    timeout = config.timeout,
    retry = retry_of(config.retry),
    on_progress = config.on_progress,
    lenient = config.lenient,
    persistent = config.persistent,
  }
  local built = setmetatable({ made = made, unnamed = 0 }, builder_meta)
  for _, step in ipairs(config.steps or {}) do built:add_step(step) end
  return built
end

local function set(self, key, value)
  self.made[key] = value
  return self
end

-- A name that no other step of the list has.
local function check_name(steps, name)
  for _, step in ipairs(steps) do
    if step.name == name then raise.raise("the workflow has a step '" .. name .. "' already") end
  end
end

local function add(self, steps, caller, name, given)
  local step = step_of(caller, #steps + 1, name, given)
  check_name(steps, step.name)
  insert(steps, step)
  return self
end

--- Names the workflow.
--- ```lua
--- print(workflow.builder():name("report"):add_step(print):build().name) --> report
--- ```
---@param name string
---@return workflow.Builder self
function builder:name(name) return set(self, "name", raise.check(1, "name", "string", name)) end

--- Says what the workflow is for.
--- ```lua
--- workflow.sequential():description("Writes the weekly report")
--- ```
---@param text string
---@return workflow.Builder self
function builder:description(text) return set(self, "description", text) end

--- Lets the steps run one after the other, as they do unless told.
--- ```lua
--- print(workflow.builder():sequential():add_step(print):build().type) --> sequential
--- ```
---@return workflow.Builder self
function builder:sequential() return set(self, "type", "sequential") end

--- Lets the steps run side by side.
--- ```lua
--- print(workflow.builder():parallel():add_step(print):build().type) --> parallel
--- ```
---@return workflow.Builder self
function builder:parallel() return set(self, "type", "parallel") end

--- Lets a condition choose which steps run.
--- ```lua
--- local flow = workflow.builder():conditional()
--- ```
---@return workflow.Builder self
function builder:conditional() return set(self, "type", "conditional") end

--- Lets the steps run again and again.
--- ```lua
--- local flow = workflow.builder():loop()
--- ```
---@return workflow.Builder self
function builder:loop() return set(self, "type", "loop") end

--- Adds a step: a table, a function, an agent or a workflow, maybe with its name before it.
--- ```lua
--- local flow = workflow.sequential():add_step({ name = "double", fn = function(n) return 2 * n end }):build()
--- print(flow:execute(21).output) --> 42
--- ```
---@param name string|workflow.Step|function
---@param step? workflow.Step|function
---@return workflow.Builder self
function builder:add_step(name, step) return add(self, self.made.steps, "add_step", name, step) end

--- The same as `add_step`.
builder.step = builder.add_step

--- The same as `add_step`, for a workflow whose steps run side by side.
builder.branch = builder.add_step

--- The same as `add_step`, for a loop.
builder.body = builder.add_step

-- ── conditions ─────────────────────────────────────────────────────────────────────────────────────

local function branch_named(self, name, condition)
  for _, branch in ipairs(self.made.branches) do
    if branch.name == name then return branch end
  end
  local branch = { name = name, condition = condition, steps = {} }
  local last = self.made.branches[#self.made.branches]
  if last and last.name == "else" then
    insert(self.made.branches, #self.made.branches, branch)
  else
    insert(self.made.branches, branch)
  end
  return branch
end

-- Conditions see what was passed in, every step by its name, `params` and `previous`.
local function condition_of(given)
  if type(given) == "function" then return given end
  raise.raise("a condition must be a function of the context")
end

--- Says which steps run: the ones added by `add_then_step` if the function gives true, else those of `add_else_step`.
--- In a loop: it goes on as long as the function gives true.
--- ```lua
--- local flow = workflow.conditional():condition(function(context) return context.n > 1 end)
---   :add_then_step(function() return "many" end):add_else_step(function() return "one" end):build()
--- print(flow:execute({ n = 2 }).output, flow:execute({ n = 1 }).output) --> many	one
--- ```
---@param fn fun(context: table): any
---@return workflow.Builder self
function builder:condition(fn)
  condition_of(fn)
  if self.made.type == "loop" then
    self.made.loop.condition = fn
  else
    branch_named(self, "then", fn).condition = fn
  end
  return self
end

--- Adds a step for when the condition holds.
--- ```lua
--- local flow = workflow.conditional():condition(function() return true end):add_then_step(print)
--- ```
---@param name string|workflow.Step|function
---@param step? workflow.Step|function
---@return workflow.Builder self
function builder:add_then_step(name, step)
  return add(self, branch_named(self, "then").steps, "add_then_step", name, step)
end

--- The same as `add_then_step`.
builder.when_true = builder.add_then_step

--- Adds a step for when no condition holds.
--- ```lua
--- local flow = workflow.conditional():condition(function() return false end):add_else_step(print)
--- ```
---@param name string|workflow.Step|function
---@param step? workflow.Step|function
---@return workflow.Builder self
function builder:add_else_step(name, step)
  return add(self, branch_named(self, "else").steps, "add_else_step", name, step)
end

--- The same as `add_else_step`.
builder.when_false = builder.add_else_step

--- Adds one of several branches; the first whose condition holds runs.
--- ```lua
--- local flow = workflow.conditional()
---   :add_branch("big", function(context) return context.n > 99 end, { function() return "big" end })
---   :add_branch("small", function() return true end, { function() return "small" end }):build()
--- print(flow:execute({ n = 5 }).branch) --> small
--- ```
---@param name string
---@param condition fun(context: table): any
---@param steps workflow.Step[]
---@return workflow.Builder self
function builder:add_branch(name, condition, steps)
  raise.check(1, "add_branch", "string", name)
  raise.check(3, "add_branch", "table", steps)
  local branch = branch_named(self, name, condition_of(condition))
  for _, step in ipairs(steps) do add(self, branch.steps, "add_branch", step) end
  return self
end

-- ── loops ──────────────────────────────────────────────────────────────────────────────────────────

--- Lets a loop go over a list, or over what a template such as `{{params.cities}}` gives; steps see it as `item`.
--- ```lua
--- local flow = workflow.loop():over({ 1, 2, 3 })
---   :add_step({ name = "double", fn = function(n) return 2 * n end, input = "{{item}}" }):build()
--- print(table.concat(flow:execute().output, " ")) --> 2 4 6
--- ```
---@param items table|string
---@return workflow.Builder self
function builder:over(items)
  if type(items) ~= "string" then raise.check(1, "over", "table", items) end
  self.made.loop.items = items
  return self
end

--- The same as `over`.
builder.with_items = builder.over

--- Lets a loop count from a number to another; steps see it as `item`.
--- ```lua
--- local flow = workflow.loop():range(1, 3):add_step({ fn = function(n) return n * n end, input = "{{item}}" }):build()
--- print(table.concat(flow:execute().output, " ")) --> 1 4 9
--- ```
---@param first number
---@param last number
---@param step? number
---@return workflow.Builder self
function builder:range(first, last, step)
  local loop = self.made.loop
  loop.first = raise.check(1, "range", "number", first)
  loop.last = raise.check(2, "range", "number", last)
  loop.step = raise.check(3, "range", "number", step, true)
  if step == 0 then raise.raise("the step of a range cannot be 0") end
  return self
end

--- Lets a loop go on as long as the function gives true; the same as `condition` of a loop.
--- ```lua
--- local flow = workflow.loop():while_condition(function(context) return context.index < 3 end):add_step(print)
--- ```
---@param fn fun(context: table): any
---@return workflow.Builder self
function builder:while_condition(fn)
  self.made.loop.condition = condition_of(fn)
  return self
end

--- Lets a loop end once the function gives true after an iteration.
--- ```lua
--- local flow = workflow.loop():until_condition(function(context) return context.previous >= 8 end)
---   :add_step(function(n) return (type(n) == "number" and n or 1) * 2 end):build()
--- print(#flow:execute().output) --> 3
--- ```
---@param fn fun(context: table): any
---@return workflow.Builder self
function builder:until_condition(fn)
  self.made.loop["until"] = condition_of(fn)
  return self
end

--- Sets how often a loop may run its steps, 1000 times unless told.
--- ```lua
--- print(#workflow.loop():max_iterations(2):add_step(function() return 1 end):build():execute().output) --> 2
--- ```
---@param count integer
---@return workflow.Builder self
function builder:max_iterations(count)
  return set(self, "max_iterations", raise.check_integer(1, "max_iterations", count, 1))
end

-- ── how it runs ────────────────────────────────────────────────────────────────────────────────────

--- Sets how many steps run side by side at most.
--- ```lua
--- local flow = workflow.parallel():max_concurrency(2)
--- ```
---@param count integer
---@return workflow.Builder self
function builder:max_concurrency(count)
  return set(self, "max_concurrency", raise.check_integer(1, "max_concurrency", count, 1))
end

--- Sets whether the first failure ends the steps beside it, as it does unless told.
--- ```lua
--- local flow = workflow.parallel():fail_fast(false)
--- ```
---@param on boolean
---@return workflow.Builder self
function builder:fail_fast(on) return set(self, "fail_fast", on and true or false) end

--- Sets how often every step is tried that does not say so itself.
--- ```lua
--- local flow = workflow.sequential():retry({ times = 3, backoff = 0.1 })
--- ```
---@param retry integer|workflow.Retry
---@return workflow.Builder self
function builder:retry(retry) return set(self, "retry", retry_of(retry)) end

--- Lets runs outlive the session: what each step gave is kept in the project's file until the run has succeeded, and
--- `resume()` goes on from there, also after a restart of the kernel.
--- ```lua
--- local flow = workflow.sequential("report"):persistent():add_step("one", function() return 1 end):build()
--- print(flow:resume().output) --> 1
--- ```
---@param name? string what the run is kept under; the workflow's own name unless told
---@return workflow.Builder self
function builder:persistent(name)
  return set(self, "persistent", raise.check(1, "persistent", "string", name, true) or true)
end

--- Sets how many seconds the whole workflow may take.
--- ```lua
--- local flow = workflow.sequential():timeout(60)
--- ```
---@param seconds number
---@return workflow.Builder self
function builder:timeout(seconds) return set(self, "timeout", raise.check_number(1, "timeout", seconds, 0)) end

--- Sets what happens when a step fails that does not say so itself: `fail`, `continue`, or `retry`, which tries three
--- times.
--- ```lua
--- local flow = workflow.sequential():on_error("continue")
--- ```
---@param what "fail"|"continue"|"retry"
---@return workflow.Builder self
function builder:on_error(what)
  if what == "retry" then self.made.retry = self.made.retry or retry_of({}) end
  if self.made.lenient then what = WHEN_IT_FAILS[what] end
  return set(self, "on_error", what == "retry" and "fail" or when_it_fails("on_error", what) or "fail")
end

--- Sets who hears how far it is.
--- ```lua
--- local flow = workflow.sequential():on_progress(function(event) print(event.step, event.status) end)
--- ```
---@param fn fun(event: table)
---@return workflow.Builder self
function builder:on_progress(fn) return set(self, "on_progress", raise.check(1, "on_progress", "function", fn)) end

local TYPES = { sequential = true, parallel = true, conditional = true, loop = true }

local function problems_of(made)
  local problems = {}
  local count = #made.steps
  for _, branch in ipairs(made.branches) do
    count = count + #branch.steps
    if branch.name ~= "else" and not branch.condition then insert(problems, "its condition is missing") end
  end
  if not TYPES[made.type] then
    insert(problems, "there is no type '" .. tostring(made.type) .. "', only conditional, loop, parallel, sequential")
  end
  if count == 0 then insert(problems, "it has no steps") end
  if made.type == "conditional" and #made.branches == 0 then insert(problems, "it has no branches") end
  return problems
end

--- Makes the workflow; raises if something is missing.
--- ```lua
--- print(workflow.sequential("greet"):add_step(print):build()) --> workflow: greet (sequential)
--- ```
---@return Workflow workflow
function builder:build()
  local made = asking.copy(self.made)
  local problems = problems_of(made)
  if #problems > 0 then
    raise.raise("the workflow '" .. made.name .. "' cannot be built: " .. concat(problems, "; "))
  end
  local steps = {}
  for index, step in ipairs(made.steps) do
    steps[index] = asking.copy(step)
    steps[index].on_error = step.on_error or made.on_error
  end
  made.steps = steps
  if made.persistent == true then made.persistent = made.name end
  return workflows.new(made)
end

return { new = new }
