-- Agents under the names of both of rs-llmspell's spellings, and the shapes of their answers.
local settings = {
  agent_type = "llm", model = { provider = "openai", model_id = "gpt-3.5-turbo", temperature = 0.3, settings = {} },
  allowed_tools = { "calculator", "no-such-tool" }, custom_config = { system_prompt = "Be brief." },
  resource_limits = { max_execution_time_secs = 60, max_memory_mb = 256, max_tool_calls = 10, max_recursion_depth = 5 },
}
settings.name = "analyst"
local name = Agent.register(settings)
local agent = Agent.get(name)
local thread = coroutine.create(function() return agent:invoke({ text = "Hello" }) end)
local fine, answer = coroutine.resume(thread)
while fine and coroutine.status(thread) ~= "dead" do fine, answer = coroutine.resume(thread, answer) end
assert(fine and answer.text == "An answer." and answer.response == answer.text and answer.result.content == answer.text)
assert(Agent.getInfo("llm").required_parameters[1] and Agent.get_details(name).name == name)
for _, capability in ipairs(Agent.listCapabilities()) do assert(type(capability) == "string") end
settings.name = "writer"
local writer = Agent.register(settings)
local tool = Agent.wrapAsTool(writer, { tool_name = "creative_writer", description = "Writes" })
assert(tool == "creative_writer" and Tool.exists(tool) and Tool.invoke(tool, { text = "Write" }).text == "An answer.")
assert(#Agent.discoverByCapability("none") == 0 and #Agent.listInstances() >= 2 and #Agent.list_templates() == 0)
Agent.createComposite("both", { name, writer }, { routing_strategy = "sequential" })
assert(Agent.get("both"):execute({ text = "Go" }).text:find("An answer."))
assert(#Agent.get_hierarchy("both").children == 2)
local told, said = {}, {}
agent:invokeStream({ text = "Count" }, function(chunk) told[#told + 1] = chunk.text end)
agent:invokeStream("Count", {}, function(chunk) said[#said + 1] = chunk end)
assert(table.concat(told) == "An answer." and table.concat(said) == "An answer.")
assert(agent:set_state({ topic = "x" }) and agent:get_state().topic == "x" or agent:get_state())
assert(Agent.create("gpt-4"):prompt("Hello") == "An answer.")
State.save("custom", ":last", answer)
assert(State.load("custom", ":last").text == "An answer.")
