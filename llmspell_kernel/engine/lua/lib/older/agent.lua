-- go-llmspell's `agent`: other names, the state of an agent, workflows put together out of agents.

local agents = require("lib.agent")
local promise = require("lib.promise")
local raise = require("raise")
local reasons = require("lib.older.reasons")
local workflow = require("lib.workflow")

local ipairs, next, tostring, type = ipairs, next, tostring, type

local G = {}

G.lifecycle_create, G.lifecycle_list, G.lifecycle_get, G.lifecycle_remove =
  agents.create, agents.list, agents.get, agents.remove
G["lifecycleCreateLLM"] = agents.create

function G.list_active()
  local active = {}
  for _, name in ipairs(agents.list()) do active[tostring(name)] = agents.get(tostring(name)) end
  return active
end

function G.list_tools(name) return agents.get_tools(name) end

local function need(name, caller)
  local found = type(name) == "table" and name or agents.get(name)
  if type(found) ~= "table" then
    raise.raise("'agent." .. caller .. "': there is no agent '" .. tostring(name) .. "'")
  end
  return found
end

function G.register_tool(name, tool, config)
  need(name, "register_tool"):add_tool(type(config) == "table" and config or tool)
  return true
end

function G.unregister_tool(name, tool) return need(name, "unregister_tool"):remove_tool(tool) end

-- ── state ──────────────────────────────────────────────────────────────────────────────────────────

function G.state_get(name, key)
  local state = need(name, "state_get").state
  if key == nil then return state end
  return state[key]
end

function G.state_set(name, key, value)
  need(name, "state_set").state[key] = value
  return true
end

function G.state_export(name)
  local copy = {}
  for key, value in next, need(name, "state_export").state do copy[key] = value end
  return copy
end

function G.state_import(name, values)
  need(name, "state_import").state = raise.check(2, "agent.state_import", "table", values)
  return true
end

function G.chat(name, prompt) return agents.run(name, prompt) end

function G.get_metrics(name) return agents.get_status(name) end

G.state = { get = G.state_get, set = G.state_set, export = G.state_export, import = G.state_import }

-- ── workflows ──────────────────────────────────────────────────────────────────────────────────────

-- A step of theirs: a function, an agent's name, or `{ agent_id, options }`.
local function run_step(step, input)
  if type(step) == "function" then return step(input) end
  if type(step) == "string" then return agents.run(step, input) end
  if type(step) == "table" and step.agent_id then return agents.run(step.agent_id, input, step.options) end
  raise.raise("a step is a function, the name of an agent, or a table with 'agent_id'")
end

local function step_of(step, index)
  if type(step) == "table" and not step.agent_id then return step end
  local name = type(step) == "string" and step or "step" .. index
  return { name = name .. "_" .. index, fn = function(input) return run_step(step, input) end }
end

function G.workflow_create(name, steps, options)
  raise.check(1, "agent.workflow_create", "string", name)
  raise.check(2, "agent.workflow_create", "table", steps)
  local config = { type = options and options.type or "sequential", steps = {} }
  for index, step in ipairs(steps) do config.steps[index] = step_of(step, index) end
  return workflow.create(name, config)
end

function G.workflow_run(which, input, options) return workflow.execute(which, input, options) end

G.workflow_execute = G.workflow_run

function G.workflow_parallel(steps, input)
  raise.check(1, "agent.workflow_parallel", "table", steps)
  local jobs = {}
  for index, step in ipairs(steps) do jobs[index] = promise.spawn(run_step, step, input) end
  return promise.all(jobs)
end

function G.workflow_conditional(condition, yes, no, input)
  if type(condition) ~= "boolean" then raise.check(1, "agent.workflow_conditional", "function", condition) end
  local holds = condition
  if type(condition) == "function" then holds = condition(input) end
  local step = yes
  if not holds then step = no end
  if step == nil then return { condition_result = holds, executed = false } end
  return { condition_result = holds, executed = true, result = run_step(step, input) }
end

G.get_workflow_status = workflow.get_workflow_status

local lacking = reasons({}, "use events.on and events.emit", {
  "events", "events_emit", "events_subscribe", "events_unsubscribe", "events_start_recording",
  "events_stop_recording", "events_replay",
})
reasons(lacking, "use hooks.before, hooks.after and hooks.around", {
  "hooks", "hooks_register", "hooks_unregister", "hooks_execute", "hooks_list",
})
reasons(lacking, "agent:get_status() and %usage tell what was used", {
  "profiling", "profiling_start", "profiling_stop", "profiling_get_metrics", "profiling_get_report",
  "lifecycle_get_metrics",
})
reasons(lacking, "keep what agent.state_export gives in a state of state.create", {
  "state_save_snapshot", "state_load_snapshot", "state_list_snapshots",
})
reasons(lacking, "put the workflow together with workflow.sequential(name):add_step(…)", {
  "workflow_add_step", "list_active_workflows",
})

return { members = G, lacking = lacking }
