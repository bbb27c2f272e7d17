-- What go-llmspell's second generation adds to Lua's libraries when `core` is required.
local core = require("core")
assert(string.template("Hi {{ name }}, {{gone}}", { name = "Ada" }) == "Hi Ada, {{gone}}")
assert(string.slugify("Hello, World!") == "hello-world" and string.truncate("abcdefgh", 5) == "ab...")
assert(#("a,b,c"):split(",") == 3 and (" t "):trim() == "t" and string.capitalize("abc") == "Abc")
assert(string.camelcase("hello big world") == "helloBigWorld" and string.snakecase("helloBigWorld") == "hello_big_world")
assert(#table.keys({ a = 1, b = 2 }) == 2 and table.values({ a = 7 })[1] == 7 and table.merge({ a = 1 }, { b = 2 }).b == 2)
local cyclic = { list = { 1 } }
cyclic.self = cyclic
local copy = table.deep_copy(cyclic)
assert(copy.self == copy and copy.list ~= cyclic.list and table.is_empty({}) and table.contains({ 1, 2 }, 2))
assert(table.slice({ 1, 2, 3 }, 2)[2] == 3 and table.reverse({ 1, 2, 3 })[1] == 3 and #table.shuffle({ 1, 2, 3 }) == 3)
assert(os.format(86400, "%Y") == "1970" and os.duration(0, 3600).hours == 1 and os.add_time(0, { hours = 1 }) == 3600)
assert(os.humanize_duration(3661) == "1 hour 1 minute 1 second" and os.parse_time("2024-01-02") > 0 and os.now() > 0)
assert(core.crypto.base64url_decode(core.crypto.base64url_encode("\255\254?")) == "\255\254?")

local structured = require("structured")
local schema = structured.builder():add_string("name", true, 1):add_number("age", false, 0):build()
structured.create_and_save("user", schema)
assert(structured.validate("user", '{"name":"Ada"}').valid and not structured.validate(schema, { age = 3 }).valid)
assert(structured.validate_batch("user", { { name = "a" }, {} })[2].error)
structured.register_validator("even", function(n) return n % 2 == 0, "odd" end)
assert(structured.validate_custom(3, "even").errors[1] == "odd" and structured.list_versions("user")[1] == nil)
assert(structured.validate_async("user", { name = "x" }):await().valid)
local fine, problem = pcall(structured.to_openapi, schema)
assert(not fine and problem:find("'structured.to_openapi' has no counterpart here", 1, true), problem)

local modelinfo = require("modelinfo")
assert(modelinfo.CAPABILITIES.STREAMING == "streaming" and #modelinfo.list_models() > 0)
assert(modelinfo.get_model("tiny-chat").name == "tiny-chat" and modelinfo.supports_streaming("tiny-chat"))
assert(modelinfo.selection.find({ capabilities = { "streaming" } }).name and #modelinfo.get_top_n_models("cost", 1) == 1)
assert(#modelinfo.discovery.get_providers() > 3 and modelinfo.compare_models({ "tiny-chat" })[1].capabilities)

-- and of the first one: what is wrong comes first
assert(tostring(llm.set_provider("no such")):find("there is no provider", 1, true) and llm.set_provider("openai") == nil)
local heard = {}
agents.register("echo", { execute = print, stream = function(self, input, options, callback)
  for word in input:gmatch("%S+") do
    local err = callback(word .. " ")
    if err then return err end
  end
end })
assert(agents.stream("echo", "one two", function(piece) heard[#heard + 1] = piece end) == nil and #heard == 2)
