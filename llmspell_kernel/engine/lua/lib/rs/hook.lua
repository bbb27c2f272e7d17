-- rs-llmspell's `Hook`, over `hooks` and, for workflows, over `events`.

local base = require("lib.rs.base")
local events = require("lib.events")
local hooks = require("lib.hooks")
local host = require("host")
local raise = require("raise")
local scheduler = require("scheduler")

local ipairs, next, pairs, tostring, type = ipairs, next, pairs, tostring, type
local concat, insert, sort = table.concat, table.insert, table.sort

-- What happens at each of its points here: a hook of ours, an event of a workflow, or nothing.
local CALLS = {
  BeforeToolExecution = { "before", "tools" }, AfterToolExecution = { "after", "tools" },
  BeforeAgentExecution = { "before", "agent" }, AfterAgentExecution = { "after", "agent" },
  ToolError = { "failed", "tools" }, AgentError = { "failed", "agent" },
  ToolValidation = { "before", "tools" },
}
local HAPPENINGS = {
  BeforeWorkflowStart = "workflow.started", AfterWorkflowComplete = "workflow.completed",
  WorkflowError = "workflow.failed", BeforeWorkflowStage = "workflow.step.started",
  AfterWorkflowStage = "workflow.step.completed", WorkflowStageTransition = "workflow.step.started",
  WorkflowCheckpoint = "workflow.step.completed",
}
local NEVER = {
  "SystemStartup", "SystemShutdown", "BeforeAgentInit", "AfterAgentInit", "BeforeAgentShutdown", "AfterAgentShutdown",
  "BeforeToolDiscovery", "AfterToolDiscovery", "WorkflowRollback", "BeforeStateRead", "AfterStateRead",
  "BeforeStateWrite", "AfterStateWrite", "SessionStart", "SessionEnd", "SessionCheckpoint", "SessionRestore",
  "SecurityViolation", "ResourceLimitExceeded", "BeforeSecurityCheck", "AfterSecurityCheck",
}
local never = {}
for _, point in ipairs(NEVER) do never[point] = true end

local PRIORITIES = { highest = 100, high = 50, normal = 0, low = -50, lowest = -100 }
local registered, count = {}, 0

local function context_of(point, name, data)
  return {
    point = point,
    data = data,
    metadata = {},
    language = "lua",
    correlation_id = "hook-" .. count,
    component_id = { name = tostring(name), component_type = point },
  }
end

-- What a hook of theirs says, as ours say it.
local function verdict_of(point, said)
  local kind = type(said) == "table" and said.type or said
  if kind == "cancel" or kind == "skip" or kind == "skipped" then
    return hooks.cancel(type(said) == "table" and said.reason or "a hook of " .. point)
  end
  if kind == "retry" then return hooks.again() end
  return nil, (kind == "modified" or kind == "replace") and said.data or nil
end

local RUN = {}

function RUN.before(point, fn)
  return function(name, given)
    local data = { tool_name = name, agent_name = name, parameters = given, input = given }
    local said = fn(context_of(point, name, data))
    if type(said) == "table" and said.type == "redirect" then return said.target, given end
    local verdict, instead = verdict_of(point, said)
    if verdict ~= nil then return verdict end
    if instead ~= nil then return name, instead.parameters or instead.input or given end
  end
end

function RUN.after(point, fn)
  return function(result, err, name, given)
    local data = { tool_name = name, agent_name = name, parameters = given, result = result, output = result }
    data.success, data.error = err == nil, err and tostring(err)
    local verdict, instead = verdict_of(point, fn(context_of(point, name, data)))
    if verdict ~= nil then return verdict end
    return instead
  end
end

function RUN.failed(point, fn)
  return function(result, err, name, given)
    if result == nil and err ~= nil then
      local data = { tool_name = name, agent_name = name, parameters = given, error_message = tostring(err) }
      return (verdict_of(point, fn(context_of(point, name, data))))
    end
  end
end

local function listen(point, event, fn)
  local function hear(told)
    fn(context_of(point, told.workflow, {
      workflow_type = told.type, stage_name = told.step, to_stage = told.step, from_stage = told.previous,
      checkpoint_name = told.path, error_message = told.error, error_stage = told.step, output = told.output,
    }))
  end
  events.on(event, hear)
  return function() events.off(event, hear) end
end

local function attach(point, fn, priority)
  local call = CALLS[point]
  if call then
    local id = hooks[call[1] == "failed" and "after" or call[1]](call[2], RUN[call[1]](point, fn), priority)
    return function() hooks.remove(id) end
  end
  if HAPPENINGS[point] then return listen(point, HAPPENINGS[point], fn) end
  if never[point] then
    local line = "rs-llmspell's hook point '" .. point .. "' has no counterpart here: it never comes\n"
    host.write(2, scheduler.cell(), line)
    return function() end
  end
  local known = {}
  for _, group in ipairs({ CALLS, HAPPENINGS, never }) do
    for name in next, group do insert(known, name) end
  end
  sort(known)
  raise.raise("there is no hook point '" .. point .. "'; there are: " .. concat(known, ", "))
end

local H = {}

function H.register(point, fn, priority)
  raise.check(1, "Hook.register", "string", point)
  raise.check(2, "Hook.register", "function", fn)
  local rank = PRIORITIES[priority or "normal"]
  if not rank then
    raise.raise("there is no priority '" .. tostring(priority) .. "'; there are: highest, high, normal, low, lowest")
  end
  count = count + 1
  local id, detach = "hook-" .. count, attach(point, fn, rank)
  local handle = { name = point }
  function handle.id() return id end
  function handle.hook_point() return point end
  function handle.unregister()
    local was = registered[id] ~= nil
    registered[id] = nil
    detach()
    return was
  end
  registered[id] = { id = id, hook_point = point, name = point, language = "lua", priority = priority or "normal" }
  return handle
end

function H.unregister(handle) return handle.unregister() end

function H.list(filter)
  local wanted, listed = type(filter) == "table" and filter or { hook_point = filter }, {}
  for _, hook in pairs(registered) do
    local fits = wanted.hook_point == nil or hook.hook_point == wanted.hook_point
    if fits and (wanted.priority == nil or hook.priority == wanted.priority) then insert(listed, hook) end
  end
  sort(listed, function(a, b) return a.id < b.id end)
  return listed
end

return base.module("Hook", {}, H)
