-- Tools as go-llmspell's third generation defines and calls them.
local tools, agent, utils, logging = require("tools"), require("agent"), require("utils"), require("logging")
local log = logging.default()

local made = tools.define("multiply", "Multiplies", {
  parameters = {
    a = { type = "number", required = true },
    b = { type = "number", required = true },
    notes = { type = "table", required = false },
  },
}, function(args)
  if args.b == 0 then error("nothing to do") end
  return { result = args.a * args.b, notes = args.notes and #args.notes or 0 }
end)
assert(made.name == "multiply")
local outcome = tools.execute_safe("multiply", { a = 7, b = 8, notes = { "x", "y" } })
assert("7 * 8 = " .. outcome.result == "7 * 8 = 56" and outcome.notes == 2)
local failed = tools.execute_safe("multiply", { a = 7, b = 0 })
assert(not failed.success and failed.error:find("nothing to do"))
assert(tools.validate_params("multiply", { a = 1 }).valid == false)
assert(agent.create("Calculator", { tools = { "multiply", "calculator" } }):run("7 by 8?") == "An answer.")

local built = tools.createBuilder("shout"):withDescription("Shouts"):withParameter("text", "string", "what", true)
  :withExecute(function(args) return args.text:upper() end):build()
assert(tools.executeTool(built.name, { text = "hi" }) == "HI" and #tools.searchTools("shout") == 1)
local library = tools.register_library({ one = function() return 1 end, two = { execute = function() return 2 end } })
assert(library.registered == 2 and tools.test_tool("two", { { input = {}, expected = 2 } }).summary.passed == 1)

local folder = params.folder .. "/made/deep"
if not tools.file_exists(folder) then tools.create_directory(folder) end
tools.file_write(folder .. "/a.txt", "text")
tools.file_copy(folder .. "/a.txt", folder .. "/b.txt")
tools.file_move(folder .. "/b.txt", folder .. "/c.txt")
assert(table.concat(tools.list_files(folder), " ") == "a.txt c.txt")
assert(tools.file_read(folder .. "/c.txt"):sub(1, 2) == "te")

local day = tools.datetime_add("2024-01-15T14:30:00Z", 1, "day")
assert(tools.datetime_format(day, "YYYY-MM-DD HH:mm:ss") == "2024-01-16 14:30:00")
assert(tools.datetime_parse("2024-01-15 14:30:00", "YYYY-MM-DD HH:mm:ss") == 1705329000.0)
assert(tools.datetime_diff(day, "2024-01-15T14:30:00Z", "hours") == 24.0)
log:info("tools are done")
utils.general_sleep(1)
local ok, message = pcall(tools.benchmark_tool, "two")
assert(not ok and message:find("go-llmspell's 'tools.benchmark_tool' has no counterpart here", 1, true), message)
