-- go-llmspell's `tools`: more about files and times, builders, libraries of tools, other names.

local bridge = require("bridge")
local promises = require("promises")
local raise = require("raise")
local reasons = require("lib.older.reasons")
local tools = require("lib.tools")

local error, ipairs, next, pcall, setmetatable, tostring, type =
  error, ipairs, next, pcall, setmetatable, tostring, type
local gsub, find, lower = string.gsub, string.find, string.lower
local insert = table.insert
local make_folder = bridge.bind("compat_tools", "folder")

local T = {}

T.CATEGORIES = { MATH = "math", API = "api", TEXT = "text", FILE = "file", SYSTEM = "system" }
T.PERMISSIONS = { NETWORK = "network", FILE_READ = "file_read", FILE_WRITE = "file_write", SYSTEM = "system" }
T.RESOURCE_USAGE = { LOW = "low", MEDIUM = "medium", HIGH = "high" }

-- ── files ──────────────────────────────────────────────────────────────────────────────────────────

local function ours(name, arguments)
  local value, err = tools.execute(name, arguments)
  if value == nil and err ~= nil then error(err, 0) end
  return value
end

function T.create_directory(path)
  raise.check(1, "tools.create_directory", "string", path)
  return make_folder(path)
end

T.mkdir = T.create_directory

function T.list_files(path)
  local names = {}
  for _, entry in ipairs(ours("file_list", { path = path or "." })) do insert(names, entry.name) end
  return names
end

function T.file_copy(from, to)
  raise.check(1, "tools.file_copy", "string", from)
  raise.check(2, "tools.file_copy", "string", to)
  ours("file_write", { path = to, content = ours("file_read", { path = from }) })
  return true
end

function T.file_move(from, to)
  T.file_copy(from, to)
  ours("file_delete", { path = from })
  return true
end

-- ── times ──────────────────────────────────────────────────────────────────────────────────────────

local SECONDS = { second = 1, minute = 60, hour = 3600, day = 86400, week = 604800 }

local function seconds_of(amount, unit, caller)
  local known = SECONDS[gsub(lower(unit or "second"), "s$", "")]
  if not known then
    local known_units = "second, minute, hour, day, week"
    raise.raise("'" .. caller .. "': there is no unit '" .. tostring(unit) .. "'; there are: " .. known_units)
  end
  return amount * known
end

local function moment(time)
  if type(time) == "number" then return time end
  return ours("datetime_parse", { text = time })
end

function T.datetime_timestamp(time) return moment(time) // 1 | 0 end

function T.datetime_add(time, amount, unit)
  raise.check(2, "tools.datetime_add", "number", amount)
  return ours("datetime_format", { time = moment(time) + seconds_of(amount, unit, "tools.datetime_add") })
end

function T.datetime_subtract(time, amount, unit)
  raise.check(2, "tools.datetime_subtract", "number", amount)
  return T.datetime_add(time, -amount, unit)
end

function T.datetime_diff(first, second, unit)
  return (moment(first) - moment(second)) / seconds_of(1, unit, "tools.datetime_diff")
end

-- ── the registry by its other names ────────────────────────────────────────────────────────────────

function T.get_tool_schema(name)
  local info = tools.get_info(name)
  return info and info.parameters
end

T.get_schema, T.unregister, T.unregister_tool = T.get_tool_schema, tools.remove, tools.remove

function T.execute_async(name, arguments) return (promises.spawn(tools.execute, name, arguments)) end

function T.validate_params(tool, arguments)
  local name = type(tool) == "table" and tool.name or tool
  local ok, err = tools.validate(name, arguments)
  return { valid = ok, errors = ok and {} or { tostring(err) } }
end

function T.search(query)
  raise.check(1, "tools.search", "string", query)
  local found, wanted = {}, lower(query)
  for _, tool in ipairs(tools.list()) do
    local text = lower(tool.name .. " " .. (tool.description or ""))
    if find(text, wanted, 1, true) then insert(found, tool) end
  end
  return found
end

function T.get_categories() return { "custom" } end

function T.list_by_category() return tools.list() end

T.list_tools, T.search_tools, T.get_tool, T.get_tool_info = tools.list, T.search, tools.get, tools.get_info
T.execute_tool, T.register_custom_tool, T.get_tool_metrics = tools.execute, tools.register, tools.get_metrics
T.validate_tool_input, T.export_tool = T.validate_params, tools.get_info

--- Registers several tools by name: functions, or tables with `description`, `schema` and `execute`.
function T.register_library(library)
  raise.check(1, "tools.register_library", "table", library)
  local done, failures = 0, {}
  for name, given in next, library do
    local ok, err
    if type(given) == "function" then
      ok, err = pcall(tools.register, name, given)
    else
      ok, err = pcall(tools.register, name, given.description or "", given.schema or given.parameters or {},
        given.execute or given.func)
    end
    if ok then done = done + 1 else insert(failures, { name = name, error = tostring(err) }) end
  end
  return { registered = done, failed = #failures, failures = failures, total = done + #failures }
end

--- Calls a tool for each `{ name, input, expected, validator }`.
function T.test_tool(tool, cases)
  raise.check(2, "tools.test_tool", "table", cases)
  local name = type(tool) == "table" and tool.name or tool
  local results, passed = {}, 0
  for index, case in ipairs(cases) do
    local value, err = tools.execute(name, case.input)
    local fits = err == nil
    if fits and case.expected ~= nil then fits = value == case.expected end
    if fits and case.validator then fits = case.validator(value) and true or false end
    if fits then passed = passed + 1 end
    results[index] = {
      name = case.name or ("Test " .. index), actual = value, expected = case.expected, passed = fits,
      error = err and tostring(err),
    }
  end
  local summary = { total = #cases, passed = passed, failed = #cases - passed, pass_rate = passed / #cases }
  return { results = results, summary = summary }
end

local builder = {}
builder.__index = builder

function builder.withDescription(self, description)
  self.tool.description = description
  return self
end

function builder.withCategory(self) return self end

builder.withTags = builder.withCategory

function builder.withParameter(self, name, kind, description, required)
  self.tool.parameters[name] = { type = kind, description = description, required = required and true or false }
  return self
end

function builder.withExecute(self, fn)
  self.tool.execute = fn
  return self
end

function builder.build(self) return tools.register(self.tool) end

function T.create_builder(name) return setmetatable({ tool = { name = name, parameters = {} } }, builder) end

local lacking = reasons({}, "time it with %%timeit", { "benchmark_tool" })
reasons(lacking, "tools have a name, a description and parameters, and no more", {
  "list_by_tags", "list_tools_by_permission", "list_tools_by_resource_usage", "get_tool_documentation",
})
reasons(lacking, "this kernel uses MCP servers and is none", { "export_tool_to_m_c_p", "export_all_tools_to_m_c_p" })
reasons(lacking, "tools.get_metrics and tools.get_history are kept as long as the session", {
  "clear_history", "reset_metrics", "clear_registry", "get_registry_stats",
})
reasons(lacking, "nothing here starts programs", { "execute_command", "process_execute", "system_command" })
reasons(lacking, "os.getenv gives the variables that are granted", { "get_environment_variable" })

return { members = T, lacking = lacking }
