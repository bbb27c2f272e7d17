-- Running workflows: steps of every kind, one after the other, side by side, by conditions, in loops.

local agents = require("lib.agent")
local asking = require("lib.asking")
local errorobject = require("errorobject")
local events = require("lib.events")
local host = require("host")
local kept = require("lib.workflow_kept")
local promises = require("promises")
local raise = require("raise")
local scheduler = require("scheduler")
local template = require("lib.workflow_template")
local tools = require("lib.tools")

local error, ipairs, next, pcall, rawget, setmetatable, tostring, type =
  error, ipairs, next, pcall, rawget, setmetatable, tostring, type
local format, match = string.format, string.match
local insert, pack, unpack = table.insert, table.pack, table.unpack

local R = {}

-- ── what steps see ─────────────────────────────────────────────────────────────────────────────────

-- The context of one workflow: `params`, `steps`, `previous`, and by name what was passed in and every step.
local function context_of(run, params, parent)
  local context = { params = params, steps = {}, previous = nil, input = params }
  function context.names()
    local names = { params = true, previous = true }
    for name in next, type(params) == "table" and params or {} do names[tostring(name)] = true end
    for name in next, context.steps do names[name] = true end
    return names
  end
  function context.get(path) return template.lookup(context, path) end
  return setmetatable(context, { __index = function(_, key)
    local steps = rawget(context, "steps")
    if steps[key] ~= nil then return steps[key] end
    if type(params) == "table" and params[key] ~= nil then return params[key] end
    if key == "execution_id" then return run.id end
    return parent and parent[key]
  end })
end

-- What rs-llmspell's workflows inside others find under `input`: what the outer one was given, where theirs lacks it.
local function inherited(params, parent)
  return setmetatable(type(params) == "table" and asking.copy(params) or {}, { __index = function(_, key)
    return type(parent.input) == "table" and parent.input[key] or nil
  end })
end

-- ── one attempt at one step ────────────────────────────────────────────────────────────────────────

local kinds = {}

local function checked(ok, value, err)
  if not ok then error(value, 0) end
  if value == nil and err ~= nil then error(err, 0) end
  return value
end

kinds["function"] = function(step, input, context)
  return checked(true, step.fn(input, context))
end

function kinds.tool(step, input, _, run)
  local tool = step.tool
  if type(tool) == "function" then return checked(true, tool(input)) end
  if type(tool) == "table" then return checked(true, tool.execute(input)) end
  return checked(true, (run.options.execute_tool or tools.execute)(tool, input))
end

function kinds.agent(step, input, context, run)
  local asked = input
  if type(asked) == "table" then asked = asked.prompt or asked.text or asked.input or asked.content end
  if asked == nil then asked = context.previous end
  if type(asked) ~= "string" then asked = tostring(asked) end
  local found = step.agent
  if not agents.is_agent(found) and type(found) == "table" and type(found.agent) == "table" then found = found.agent end
  local answer = checked(true, agents.execute(found, asked))
  local name = type(found) == "string" and found or found.name
  run.agent_outputs[name] = answer
  return answer
end

function kinds.workflow(step, input, context, run, report)
  local result = R.execute(step.workflow, input, run.options, { parent = run, path = report.path, context = context })
  report.steps, report.type = result.steps, result.type
  if not result.success then error(result.failure or result.error, 0) end
  return result.output
end

-- ── attempts, timeouts ─────────────────────────────────────────────────────────────────────────────

-- `fn()` in a task of its own, cancelled when it takes too long.
local function within(seconds, what, fn)
  if not seconds then return fn() end
  local state = promises.state_of((promises.spawn(fn)))
  if not promises.wait(state, seconds) then
    local late = errorobject.new({
      code = "timeout",
      message = format("%s did not finish within %g seconds", what, seconds),
      retryable = true,
    })
    promises.cancel(state, scheduler.cancellation(late.message))
    scheduler.yield() -- what was cancelled ends first
    error(late, 0)
  end
  if state.state == "rejected" then error(state.err, 0) end
  return unpack(state.values, 1, state.values.n)
end

local function is_cancellation(err) return errorobject.is(err) and err.code == "cancelled" end

local function tell(run, report, status, more)
  local event = { workflow = run.name, execution_id = run.id, step = report.name, path = report.path, status = status }
  for key, value in next, more or {} do event[key] = value end
  for _, hear in ipairs(run.listeners) do hear(event) end
  -- steps are told of as `workflow.step.started` and the like, the whole as `workflow.started`
  local of_whole = match(status, "^workflow_(.*)$")
  events.emit(of_whole and "workflow." .. of_whole or "workflow.step." .. status, event)
end

-- Try until it succeeds, as often as the step allows, waiting longer each time.
local function attempt(run, step, report, fn)
  local retry = step.retry or run.workflow.retry or { times = 1 }
  local pause = retry.backoff or 0
  while true do
    report.attempts = report.attempts + 1
    local results = pack(pcall(within, step.timeout, "the step '" .. report.name .. "'", fn))
    if results[1] then return true, results[2] end
    local err = results[2]
    if report.attempts >= (retry.times or 1) or is_cancellation(err) then return false, err end
    tell(run, report, "retrying", { attempt = report.attempts + 1, error = errorobject.text(err), wait = pause })
    if pause > 0 then scheduler.sleep(pause) end
    pause = pause * (retry.factor or 2)
  end
end

-- ── one step ───────────────────────────────────────────────────────────────────────────────────────

local function saved_output(run, report)
  local saved = run.checkpoint.outputs[report.path]
  return saved and { value = saved.output }
end

local function conclude(run, report, status, output, err)
  if not report.began then return end -- it was given up before
  report.status, report.output = status, output
  report.seconds = host.now() - report.began
  report.began = nil
  if err ~= nil then report.error = errorobject.text(err) end
  if status == "completed" and run.options.on_checkpoint then run.options.on_checkpoint(run.checkpoint) end
  tell(run, report, status, { output = output, error = report.error, seconds = report.seconds })
end

-- Put what a step gave into the checkpoint, and where the run outlives the session into the project's file. Returns
-- false and an error if it cannot be kept.
local function saved_for_later(run, report, output)
  local entry = { output = output }
  if run.persistent then
    local done, err = kept.add(run.persistent, report.path, entry)
    if not done then return false, err end
  end
  run.checkpoint.outputs[report.path] = entry
  return true
end

-- What takes the place of a step that failed: a value, or what a function of the error gives.
local function fallback(step, err, context)
  if type(step.fallback) == "function" then return step.fallback(err, context) end
  return step.fallback
end

local function input_of(step, context, lenient)
  if step.input ~= nil then return template.fill(step.input, context, lenient) end
  if context.previous ~= nil then return context.previous end
  return context.params
end

-- Runs a step; returns whether to go on. What it came to is in its report and in the context.
local function run_step(run, step, context, prefix, reports)
  local report = { name = step.name, type = step.type, status = "running", attempts = 0, path = prefix .. step.name }
  report.began = host.now()
  insert(reports, report)
  context.steps[step.name] = report
  local saved = saved_output(run, report)
  if saved then
    report.restored = true
    conclude(run, report, "completed", saved.value)
    context.previous = saved.value
    return true
  end
  if step.condition and not step.condition(context) then
    conclude(run, report, "skipped")
    return true
  end
  tell(run, report, "started")
  local ok, value = attempt(run, step, report, function()
    return kinds[step.type](step, input_of(step, context, run.lenient), context, run, report)
  end)
  local output, slip = value, nil
  if not ok and step.fallback ~= nil then output, slip, ok = fallback(step, value, context), value, true end
  if ok then ok, value = saved_for_later(run, report, output) end
  if ok then
    conclude(run, report, "completed", output, slip)
    context.previous = output
    return true
  end
  conclude(run, report, is_cancellation(value) and "cancelled" or "failed", nil, value)
  if step.on_error == "continue" or step.on_error == "skip" then return true end
  run.failure = run.failure or value
  return false
end

-- ── the four kinds of workflow ─────────────────────────────────────────────────────────────────────

local shapes = {}

local function in_order(run, steps, context, prefix, reports)
  for _, step in ipairs(steps) do
    if not run_step(run, step, context, prefix, reports) then return false end
  end
  return true
end

function shapes.sequential(run, context, reports)
  return in_order(run, run.workflow.steps, context, run.prefix, reports)
end

local function cancel_all_but(own, jobs)
  for index, job in ipairs(jobs) do
    if index ~= own then promises.cancel(job, scheduler.cancellation("another step failed")) end
  end
  scheduler.yield() -- what was cancelled ends first
end

-- Each step in a task of its own, at most `most` at once; reports keep the order of the steps.
local function spawn_all(run, context, places, most)
  local jobs, taken, steps = {}, 0, run.workflow.steps
  local function work(own)
    while taken < #steps and not (run.failure and run.workflow.fail_fast) do
      taken = taken + 1
      local index = taken
      local branch = setmetatable({ steps = {} }, { __index = context })
      run_step(run, steps[index], branch, run.prefix, places[index])
      context.steps[steps[index].name] = places[index][1]
      if run.failure and run.workflow.fail_fast and not run.ending then
        run.ending = true
        return cancel_all_but(own, jobs)
      end
    end
  end
  for index = 1, most do jobs[index] = promises.state_of((promises.spawn(work, index))) end
  return jobs
end

function shapes.parallel(run, context, reports)
  local steps, places = run.workflow.steps, {}
  for index = 1, #steps do places[index] = {} end
  local most = run.workflow.max_concurrency or #steps
  local jobs = spawn_all(run, context, places, most < #steps and most or #steps)
  local outputs = {}
  promises.wait_for_all(jobs)
  for index, step in ipairs(steps) do
    local report = places[index][1] or { name = step.name, type = step.type, status = "cancelled", attempts = 0 }
    if report.status == "running" then report.status, report.began = "cancelled", nil end
    insert(reports, report)
    outputs[step.name] = report.output
  end
  context.previous = outputs
  return run.failure == nil
end

function shapes.conditional(run, context, reports)
  local workflow = run.workflow
  if not in_order(run, workflow.steps, context, run.prefix, reports) then return false end
  for _, branch in ipairs(workflow.branches) do
    if not branch.condition or branch.condition(context) then
      run.branch = branch.name
      return in_order(run, branch.steps, context, run.prefix .. branch.name .. "/", reports)
    end
  end
  return true
end

local function more_to_do(loop, context, index)
  if loop.items then return index <= #loop.items end
  if loop.last and (loop.step > 0 and context.item > loop.last or loop.step < 0 and context.item < loop.last) then
    return false
  end
  return not loop.condition or loop.condition(context) and true or false
end

-- What a loop goes over, its templates filled.
local function loop_of(run, context)
  local loop = asking.copy(run.workflow.loop)
  loop.items = loop.items and template.fill(loop.items, context, run.lenient)
  if loop.items ~= nil and type(loop.items) ~= "table" then
    raise.raise("the loop '" .. run.name .. "' needs a list to go over, got " .. type(loop.items))
  end
  loop.step = loop.step or 1
  return loop
end

function shapes.loop(run, context, reports)
  local loop, outputs = loop_of(run, context), {}
  context.item = loop.first
  local index = 1
  while index <= (run.workflow.max_iterations or 1000) do
    context.index, context.iteration = index, index
    if loop.items then context.item = loop.items[index] end
    if not more_to_do(loop, context, index) then break end
    local report = { name = "#" .. index, type = "sequential", status = "running", steps = {} }
    insert(reports, report)
    local ok = in_order(run, run.workflow.steps, context, run.prefix .. "#" .. index .. "/", report.steps)
    report.status = ok and "completed" or "failed"
    if not ok then return false end
    outputs[index] = context.previous
    if loop["until"] and loop["until"](context) then break end
    if loop.first then context.item = context.item + loop.step end
    index = index + 1
  end
  context.previous = outputs
  return true
end

-- ── a whole workflow ───────────────────────────────────────────────────────────────────────────────

local function identifier()
  local parts = {}
  for index = 1, 4 do parts[index] = format("%08x", math.random(0, 0xffffffff)) end
  return table.concat(parts, "-")
end

-- A callback that is left out leaves no hole.
local function listeners_of(workflow, options)
  local listeners = {}
  insert(listeners, workflow.on_progress)
  insert(listeners, options.on_progress)
  insert(listeners, workflow.shown)
  return listeners
end

local function run_of(workflow, options, nested)
  local parent = nested and nested.parent
  return {
    workflow = workflow,
    name = workflow.name,
    options = options,
    lenient = workflow.lenient,
    id = parent and parent.id or options.checkpoint and options.checkpoint.execution_id or identifier(),
    prefix = nested and nested.path .. "/" or "",
    agent_outputs = parent and parent.agent_outputs or {},
    persistent = parent and parent.persistent or not parent and workflow.persistent or nil,
    checkpoint = parent and parent.checkpoint
      or { execution_id = options.checkpoint and options.checkpoint.execution_id, outputs = {} },
    listeners = parent and parent.listeners or listeners_of(workflow, options),
  }
end

local function result_of(run, context, reports, ok, began)
  local failure = run.failure
  return setmetatable({
    name = run.name,
    type = run.workflow.type,
    workflow_type = run.workflow.type,
    success = ok,
    status = ok and "completed" or is_cancellation(failure) and "cancelled" or "failed",
    execution_id = run.id,
    steps = reports,
    output = ok and context.previous or nil,
    error = failure ~= nil and errorobject.text(failure) or nil,
    failure = failure,
    seconds = host.now() - began,
    branch = run.branch,
    checkpoint = run.checkpoint,
    metadata = {
      description = run.workflow.description,
      extra = { execution_id = run.id, agent_outputs = run.agent_outputs },
    },
  }, { __name = "workflow" })
end

local function progress(run, status, more)
  if run.prefix == "" then tell(run, { name = nil, path = "" }, status, more) end
end

--- Run `workflow`; returns its result, also where a step has failed.
-- The run as it begins: what its checkpoint says is done, and what was asked.
local function begin(run, input)
  local before = run.options.checkpoint or {}
  for path, saved in next, before.outputs or {} do run.checkpoint.outputs[path] = saved end
  run.checkpoint.execution_id = run.id
  if input == nil then input = before.input end
  run.checkpoint.input = input
  return input
end

-- What is done before the first step: a run that outlives the session is noted.
local function note(run, nested)
  if not run.persistent or nested then return end
  local done, err = kept.begin(run.persistent, run.checkpoint)
  if not done then error(err, 0) end
end

function R.execute(workflow, input, options, nested)
  options = options or {}
  local run, began, reports = run_of(workflow, options, nested), host.now(), {}
  if not nested then input = begin(run, input) end
  local context = context_of(run, input == nil and {} or input, nested and nested.context)
  if run.lenient and nested then context.input = inherited(input, nested.context) end
  progress(run, "workflow_started")
  local ok, passed = pcall(within, workflow.timeout, "the workflow '" .. run.name .. "'", function()
    note(run, nested)
    return shapes[workflow.type](run, context, reports)
  end)
  if not ok then run.failure = passed end
  for _, report in ipairs(reports) do
    if report.status == "running" then report.status, report.began = "cancelled", nil end
  end
  if ok and passed and run.persistent and not nested then kept.forget(run.persistent) end
  local result = result_of(run, context, reports, ok and passed, began)
  progress(run, "workflow_" .. result.status, { seconds = result.seconds, error = result.error })
  return result
end

return R
