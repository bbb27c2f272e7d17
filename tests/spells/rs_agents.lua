-- Agents and tools as rs-llmspell's examples make and call them.
local helper = Agent.createAsync({ name = "helper", model = "openai/tiny-chat", system_prompt = "Short." })
assert(helper:complete("hi") == "An answer.")
local name = Agent.register({
  name = "analyst", agent_type = "llm",
  model = { provider = "openai", model_id = "tiny-chat", temperature = 0.3, max_tokens = 20, settings = {} },
  allowed_tools = { "calculator" }, custom_config = { system_prompt = "Short." },
  resource_limits = { max_execution_time_secs = 60, max_memory_mb = 256, max_tool_calls = 10 },
})
assert(Agent.get(name):invoke({ text = "Now?" }).text == "An answer.")
local thread = coroutine.create(function() return helper:invoke({ text = "Inside?" }) end)
local ok, answer = coroutine.resume(thread)
while ok and coroutine.status(thread) ~= "dead" do ok, answer = coroutine.resume(thread, answer) end
assert(ok and answer.text == "An answer.")
assert(#Agent.get_info("llm").required_parameters > 0)
local team = Agent.create_composite({
  name = "team", coordination_strategy = "sequential",
  agents = { { role = "one", agent_name = "helper" }, { role = "two", agent_name = name } },
})
assert(team:execute({ text = "Together?" }).success)

local calculator = Tool.get("calculator")
assert(calculator:execute({ input = "6 * 7" }).result.result == 42)
assert(JSON.parse(calculator:execute({ input = "6 * 7" }).text).result.result == 42)
assert(Tool.invoke("base64_encoder", { input = "rs", operation = "encode" }).encoded == "cnM=")
assert(Tool.execute("text-manipulator", { operation = "count", input = "a b c", count_type = "words" }).result.result == 3)
assert(not Tool.exists("process_executor"))
local message = Tool.get("process_executor"):execute({ executable = "ls" }).error
assert(message:find("has no counterpart here: nothing here starts programs", 1, true), message)

State.agent_set("helper", "topic", "tools")
assert(State.agent_get("helper", "topic") == "tools" and State.workflow_get("flow", "step") == nil)
local fine, told = pcall(Replay.run, Replay.create_config(Replay.modes.exact))
assert(not fine and told:find("rs-llmspell's 'Replay.run' has no counterpart here", 1, true), told)
