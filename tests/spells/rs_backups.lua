-- State in scopes and its backups, hooks that lead elsewhere, and conditions with several ways, as rs-llmspell's
-- examples write them.
State.set("global", "app_config", { version = "1.0.0" })
State.set("global", "app_stats", { users = 1 })
local seen = {}
for _, key in ipairs(State.list("global")) do seen[key] = State.get("global", key) end
assert(seen.app_config.version == "1.0.0" and seen.app_stats.users == 1)
local full = State.create_backup(false)
assert(full.success and full.backup_id and full.size_bytes > 0 and full.entry_count >= 2)
State.set("global", "app_config", { version = "1.0.1" })
local second = State.create_backup(true)
assert(second.success and second.parent_id == full.backup_id)
local backups = State.list_backups()
for _, backup in ipairs(backups) do assert(os.date("%Y", backup.created_at) and backup.size_bytes > 0 and backup.id) end
assert(backups[#backups].is_incremental and State.validate_backup(full.backup_id).checksum_valid)
State.delete("global", "app_config")
assert(State.restore_backup(full.backup_id).success and State.get("global", "app_config").version == "1.0.0")
local named = State.create_backup("before")
assert(named == "before" and State.validate_backup(named) == true and State.restore_backup(named) == true)
assert(State.validate_backup("none") == false)
State.cleanup_backups(1)
assert(#State.list_backups() == 1)
assert(not State.migration_status().migration_available and #State.schema_versions() == 0)
State.set("alone", 5)
assert(State.get("alone") == 5)

local marked = { operation = "append", input = "Request: ", suffix = " [there]" }
local writing = Workflow.builder():name("critical"):parallel():add_step({
  name = "note", type = "tool", tool = "file_operations",
  input = { operation = "write", path = params.folder .. "/incident.log", input = "CRITICAL: {{task}}" },
}):build()
local router = Workflow.builder():name("router"):conditional()
  :add_step({ name = "look", type = "tool", tool = "text_manipulator", input = { operation = "analyze", input = "{{task}}" } })
  :condition(function(context) return (context.task or ""):lower():match("critical") end)
  :add_then_step({ name = "escalate", type = "workflow", workflow = writing })
  :add_else_step({ name = "sales", type = "tool", tool = "text_manipulator", input = marked })
  :add_else_step({ name = "general", type = "tool", tool = "text_manipulator", input = marked })
  :build()
assert(router:execute({ task = "CRITICAL: down" }).success and router:execute({ task = "later" }).success)
local simple = Workflow.sequential("simple"):add_step({ type = "tool", tool = "calculator", input = { input = "1" } })
assert(simple:execute().success)
local fine, problem = pcall(simple.add_template_step, simple, "research", "research-assistant", {})
assert(not fine and problem:find("rs-llmspell's steps of the kind 'template' have no counterpart here", 1, true), problem)

local hook = Hook.register("BeforeToolExecution", function(context)
  if context.component_id.name == "old_sum" then return { type = "redirect", target = "calculator" } end
  return "continue"
end, "high")
Tool.register("old_sum", function() return 0 end)
assert(Tool.execute("old_sum", { expression = "6 * 7" }).result == 42 and hook:unregister())
Tool.unregister("old_sum")
