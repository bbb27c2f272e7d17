-- Workflows and their hooks as rs-llmspell's examples write them.
local heard = {}
local handles = {}
for _, point in ipairs({ "BeforeWorkflowStart", "BeforeWorkflowStage", "AfterWorkflowStage", "AfterWorkflowComplete",
  "BeforeToolExecution", "ToolError", "SystemStartup" }) do
  handles[point] = Hook.register(point, function(context)
    heard[#heard + 1] = point .. ":" .. (context.data.stage_name or context.component_id.name)
    return "continue"
  end, "high")
end
local report = Workflow.builder():name("report"):description("Steps that use each other"):sequential()
  :add_step({ name = "id", type = "tool", tool = "uuid-generator", input = { operation = "generate" } })
  :add_step({ name = "hash", type = "tool", tool = "hash-calculator",
    input = { operation = "hash", algorithm = "sha256", input = "{{step.id.result}}" } })
  :add_step({ name = "page", type = "tool", tool = "template-creator",
    input = { input = "{{digest}}", context = { digest = "{{step.hash.result}}" } } })
  :build()
local result = report:execute({})
assert(result.text == "Workflow 'report' completed successfully", result.text)
assert(#report:get_output("page").result == 64 and result._metadata.execution_time_ms >= 0)
assert(table.concat(heard, " ") == "BeforeWorkflowStart:report BeforeWorkflowStage:id AfterWorkflowStage:id "
  .. "BeforeWorkflowStage:hash AfterWorkflowStage:hash BeforeWorkflowStage:page AfterWorkflowStage:page "
  .. "AfterWorkflowComplete:report", table.concat(heard, " "))
heard = {}
Tool.execute("calculator", { input = "1 +" })
assert(table.concat(heard, " ") == "BeforeToolExecution:calculator ToolError:calculator", table.concat(heard, " "))
for _, handle in pairs(handles) do handle:unregister() end
assert(#Hook.list() == 0)

local function shouting(name, text)
  return Workflow.builder():name(name):sequential():add_step({
    name = "say", type = "tool", tool = "template-creator",
    input = { input = text .. " {{what}}", context = { what = "{{input.content}}" } },
  }):build()
end
local route = Workflow.builder():name("route"):conditional()
  :add_step({ name = "size", type = "tool", tool = "text-manipulator",
    input = { operation = "count", input = "{{input.content}}", count_type = "chars" } })
  :condition({ type = "shared_data_equals", key = "kind", value = "blog" })
  :add_then_step({ name = "blog", type = "workflow", workflow = shouting("blog", "Blog:") })
  :add_else_step({ name = "mail", type = "workflow", workflow = shouting("mail", "Mail:") })
  :build()
route:set_shared_data("kind", "blog")
assert(route:execute({ content = "news" }).output.result == "Blog: news")
route:set_shared_data("kind", "mail")
assert(route:execute({ content = "news" }).output.result == "Mail: news")
