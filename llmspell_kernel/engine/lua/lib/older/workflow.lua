-- go-llmspell's `workflow`: constants; its bridge's calls have no counterpart but the builders.

local reasons = require("lib.older.reasons")
local workflow = require("lib.workflow")

local tostring, type = tostring, type

local W = {}

W.TYPES = {
  SEQUENTIAL = "sequential", PARALLEL = "parallel", CONDITIONAL = "conditional", LOOP = "loop", CUSTOM = "custom",
}
W.STATUS = {
  CREATED = "created", PENDING = "pending", RUNNING = "running", PAUSED = "paused", COMPLETED = "completed",
  FAILED = "failed", CANCELLED = "cancelled",
}
W.FORMATS = { JSON = "json", YAML = "yaml" }
W.STEP_TYPES = {
  AGENT = "agent", SCRIPT = "script", CONDITION = "condition", PARALLEL = "parallel", WAIT = "wait",
}

function W.validate_workflow(which)
  local found = type(which) == "table" and which or workflow.get(which)
  if not found then return false, { "there is no workflow '" .. tostring(which) .. "'" } end
  return found:validate()
end

local lacking = reasons({}, "a run is stopped by an interrupt or by cancelling its task (async.cancel), and one with "
  .. "checkpoints goes on with workflow:resume", { "pause_workflow", "resume_workflow", "stop_workflow" })
reasons(lacking, "steps are given when the workflow is built, workflow.sequential(name):add_step(…):build()", {
  "add_step", "remove_step", "update_step", "get_step", "list_steps", "reorder_steps",
})
reasons(lacking, "write a Lua function that builds the workflow", {
  "list_templates", "list_workflow_templates", "get_template", "get_workflow_template", "create_workflow_template",
  "remove_workflow_template", "create_workflow_from_template", "save_as_template",
})
reasons(lacking, "a workflow is Lua: keep the spell that builds it", { "export_workflow", "import_workflow" })
reasons(lacking, "what steps share is in their context", {
  "set_workflow_variable", "get_workflow_variable", "list_workflow_variables", "remove_workflow_variable",
})
reasons(lacking, "the result of a run has its errors, step by step", {
  "get_workflow_errors", "clear_workflow_errors",
})

return { members = W, lacking = lacking }
