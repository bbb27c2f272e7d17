-- Workflows of go-llmspell's third generation: what has no counterpart says so by its name.
local workflow, agent, promise = require("workflow"), require("agent"), require("promise")
for _, name in ipairs({ "pause_workflow", "set_workflow_variable", "import_workflow", "exportWorkflow", "add_step" }) do
  local ok, message = pcall(workflow[name], "flow")
  assert(not ok and message:find("go-llmspell's 'workflow." .. name .. "' has no counterpart here", 1, true), message)
end
agent.create("alpha", { system = "Short." })
agent.workflow_create("flow", { "alpha", function(text) return text .. "!" end })
assert(agent.workflow_run("flow", "hello").output == "An answer.!")
assert(agent.workflow_parallel({ "alpha", function(text) return text end }, "in"):await()[2] == "in")
assert(agent.workflow_conditional(function() return true end, function(n) return n + 1 end, nil, 4).result == 5)
local ok, message = pcall(function() return agent.profiling.start("alpha", "run") end)
assert(not ok and message:find("go-llmspell's 'agent.profiling' has no counterpart here", 1, true), message)
agent.state.set("alpha", "mood", "calm")
assert(agent.stateGet("alpha", "mood") == "calm")
local jobs = {}
for index = 1, 3 do
  jobs[index] = promise.new(function(resolve)
    require("core").async(function() resolve({ index = index, text = llm.complete({ prompt = "n" }).content }) end)
  end)
end
local results = promise.all(jobs):await()
assert(#results == 3 and results[3].text == "An answer.")
assert(llm.countTokens("hello there") > 0 and llm.quick("hi") == "An answer." and llm.STRATEGIES.FAILOVER == "failover")
ok, message = pcall(function() return llm.pool.create("pool", {}, "failover") end)
assert(not ok and message:find("llm.setup_fallback_chain", 1, true), message)
