-- Hooks as go-llmspell's third generation registers them: by id, with a context that a call shares.
local hooks = require("hooks")
local agent = require("agent")
local seen = {}

hooks.register_hook("polite", {
  type = hooks.TYPES.BEFORE_GENERATE,
  priority = hooks.PRIORITY.HIGH,
  handler = function(context)
    seen[#seen + 1] = context.prompt
    context.prompt = "Please: " .. context.prompt
    context.began = os.time()
    return context
  end,
})
hooks.register_hook("counter", {
  type = hooks.TYPES.AFTER_GENERATE,
  handler = function(context)
    assert(context.began, "before and after share a context")
    context.metadata.words = select(2, context.response:gsub("%S+", ""))
    context.response = context.response .. " [" .. context.metadata.words .. "]"
    return context
  end,
})
assert(llm.chat("What is it?") == "An answer. [2]")
assert(agent.create("Clerk", { system = "Short." }):run("And now?") == "An answer. [2]")
assert(table.concat(seen, "|") == "What is it?|And now?", table.concat(seen, "|"))

local listed = hooks.list_hooks()
assert(#listed == 2 and listed[1].id == "polite" and listed[1].type == "beforeGenerate")
hooks.disable_hook("polite")
assert(not hooks.is_hook_enabled("polite") and #hooks.get_disabled_hooks() == 1)
hooks.enable_hook("polite")

hooks.new_builder("tools"):with_priority(5):before_tool_call(function(context)
  context.arguments.expression = "40 + 2"
  return context
end):after_tool_call(function(context) context.result = context.result * 2 end):register()
assert(tools.execute("calculator", { expression = "1" }) == 84)

hooks.register_hook("cache", {
  type = hooks.TYPES.BEFORE_GENERATE,
  handler = function(context)
    context.response, context.skip_generation = "from the cache", true
    return context
  end,
})
hooks.unregister_hook("counter")
assert(llm.chat("Again?") == "from the cache")
for _, hook in ipairs(hooks.list_hooks()) do hooks.unregister_hook(hook.id) end
assert(#hooks.list_hooks() == 0 and llm.chat("Bare?") == "An answer.")
