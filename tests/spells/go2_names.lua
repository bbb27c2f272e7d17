-- More names of go-llmspell's modules: those that lead to ours, and those that say that there is nothing of the kind.
local events, errors, data, tools, logging = require("events"), require("errors"), require("data"), require("tools"), require("logging")
local heard = {}
local app = events.namespace("app")
app:on("started", function(value) heard[#heard + 1] = value end)
app:emit("started", 1)
events.publish("app.started", 2)
assert(#heard == 2 and heard[2] == 2)
local both = events.aggregate({ "go2.first", "go2.second" }, 5000)
async.sleep(0.01)
events.emit("go2.first", "a")
events.emit("go2.second", "b")
local collected = both:await()
assert(collected["go2.first"] == "a" and collected["go2.second"] == "b")
local last
assert(errors.finally(function() return 5 end, function() last = true end) == 5 and last)
assert(errors.chain({ function(x) return x + 1 end, tostring })(1) == "2" and errors.get_stack_trace():find("stack"))
assert(data.from_csv("a,b\n1,2")[1].b and data.from_yaml("a: 1").a == 1 and data.transform(2, function(n) return 2 * n end) == 4)
assert(tools.get_schema("calculator").type == "object" and logging.new("spell") and logging.with_context({ id = 1 }))
assert(state.merge({ a = 1 }, { b = 2 }).b == 2 and not state.validate({}, { type = "object", required = { "x" } }))
for name, call in pairs({
  ["auth.login"] = function() return auth.login({}) end, ["auth.get_token"] = function() return auth.get_token() end,
  ["state.expire"] = function() return state.expire("x", 1) end, ["events.replay"] = function() events.replay() end,
  ["log.set_formatter"] = function() logging.set_formatter(print) end, ["data.sanitize"] = function() data.sanitize({}) end,
}) do
  local fine, problem = pcall(call)
  assert(not fine and problem:find("go-llmspell's '" .. name .. "' has no counterpart here", 1, true), problem)
end
assert(llm.nothing_of_the_kind == nil and not agent.no_such_feature)
