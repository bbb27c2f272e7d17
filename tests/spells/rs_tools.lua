-- Tools as rs-llmspell's examples and its handbook call them.
local function parsed(result)
  local fine, value = pcall(JSON.parse, result.text)
  return fine and value or nil
end
assert(parsed(Tool.get("calculator"):execute({ input = "sqrt(64)" })).result.result == 8)
assert(parsed(Tool.get("calculator").execute({ operation = "add", a = 1, b = 2 })).result.result == 3)
assert(#parsed(Tool.get("uuid_generator"):execute({ input = "v4" })).result.uuid == 36)
assert(JSON.parse(Tool.get("hash_calculator"):execute({ input = "x", algorithm = "md5" }).output).result.hash)
assert(Tool.get("calculator").schema.parameters[1].name == "expression" and Tool.info("calculator").description)
assert(Tool.get("no_such_tool") == nil and not Tool.exists("no_such_tool"))
local regex = Tool.get("regex_matcher")
local matched = regex:execute({ input = "a", pattern = "a" })
assert(not matched.success and matched.error:find("rs-llmspell's tool 'regex_matcher' has no counterpart here", 1, true))

local swapped = Tool.execute("text-manipulator", {
  operation = "replace", input = "hello world", options = { from = "world", to = "there" },
})
assert(swapped.result.result == "hello there" and Tool.no_such_feature == nil)
assert(Tool.execute("uuid-generator", { operation = "component_id", prefix = "tool" }).result.id:find("^tool_"))

local waited
Tool.invoke_async("calculator", { input = "2 + 2" }):next(function(result) waited = result end):await()
assert(waited.result.result == 4)
local batch = Tool.batch_invoke({
  { name = "calculator", params = { input = "2 + 2" } }, { name = "random-generator", params = { type = "uuid" } },
})
assert(batch[1].success and #batch[2].result.result == 36)
assert(Tool.register("shout_loud", function(params) return { success = true, result = params.input:upper() } end))
assert(Tool.invoke("shout_loud", { input = "x" }).result == "X" and Tool.get_metrics("shout_loud").invocations == 1)
assert(Tool.pipeline({ { name = "shout_loud", params = { input = "a" } }, { name = "shout_loud" } }).result == "A")
assert(Tool.unregister("shout_loud") and not Tool.exists("shout_loud"))

local path = params.folder .. "/tools.csv"
assert(Tool.invoke("file-writer", { path = path, content = "name,age\nJohn,30\n" }).success)
assert(Tool.invoke("csv-processor", { input = Tool.invoke("file-reader", { path = path }).text }).rows[1].name == "John")
assert(#Tool.invoke("directory-scanner", { path = params.folder }).entries >= 1)
assert(Tool.invoke("data-validation", { input = "a@b.co", rules = { rules = { { type = "email" } } } }).valid)
local wrong = Tool.invoke("data_validation", { input = { age = 7 }, rules = { age = { { type = "range", min = 18 } } } })
assert(not wrong.valid and wrong.errors[1].field == "age")
assert(Tool.invoke("diff-calculator", { old_text = "a\nb", new_text = "a\nc" }).result.result == "-b\n+c")
local address = Tool.invoke("url-analyzer", { input = "https://example.org:81/a?q=1" })
assert(address.host == "example.org" and address.port == 81 and address.query.q == "1")
