-- rs-llmspell's `Tool`, over `tools`.

local asking = require("lib.asking")
local base = require("lib.rs.base")
local errorobject = require("errorobject")
local host = require("host")
local json = require("lib.json")
local promises = require("promises")
local raise = require("raise")
local scheduler = require("scheduler")
local tools = require("lib.tools")
local theirs = require("lib.rs.tool_more")

require("lib.promise")

local getmetatable, ipairs, next, pcall, setmetatable, tostring, type =
  getmetatable, ipairs, next, pcall, setmetatable, tostring, type
local sort = table.sort
local gsub = string.gsub

local M = {}

local OTHERS = {
  datetime_handler = "date_time_handler", regex = "regex_matcher", uuid = "uuid_generator",
  data_validator = "data_validation", csv_analyzer = "csv_processor", text_analyzer = "text_manipulator",
  random_generator = "data_generator",
}

local function normal(name)
  local plain = gsub(name, "%-", "_")
  return OTHERS[plain] or plain
end

-- Our own tool of that name, in either spelling.
local function own(name)
  return tools.get(name) and name or tools.get(normal(name)) and normal(name) or nil
end

local MACHINE, SERVER = "nothing here looks at the machine", "use an MCP server"
local LACKING = {
  process_executor = "nothing here starts programs",
  environment_reader = "os.getenv gives the variables that are granted",
  system_monitor = MACHINE, service_checker = MACHINE,
  regex_matcher = "use Lua's patterns: string.match, string.gmatch",
  file_watcher = "nothing here watches files",
  file_search = "use file-operations with list",
  file_converter = "read the file, change the text, write it",
  database_connector = "use `state` or an MCP server",
  rate_limiter = "write it in Lua, with os.time or Debug.timer",
  circuit_breaker = "use errors.circuit_breaker",
  webpage_monitor = "fetch the page again and compare", sitemap_crawler = "fetch it with http-request",
  archive_handler = SERVER, email_sender = SERVER, image_processor = SERVER, video_processor = SERVER,
  audio_processor = SERVER, audio_analyzer = SERVER, pdf_processor = SERVER, graphql_query = "use http-request",
  graph_builder = SERVER, citation_formatter = SERVER, local_llm = "use LocalLLM and Agent",
}

local function missing(name)
  local reason = LACKING[normal(name)]
  local message = reason and "rs-llmspell's tool '" .. name .. "' has no counterpart here: " .. reason
    or "there is no tool '" .. name .. "'; Tool.list() gives those that there are"
  return errorobject.new({ code = "not_found", message = message })
end

local meta = { __name = "result", __tostring = function(self) return self.text end }

local function text_of(value)
  if type(value) == "string" then return value end
  return json.encode({ success = true, result = value }) or tostring(value)
end

-- What a tool gave, as rs-llmspell tells it.
local function told(value)
  local text = text_of(value)
  -- a spell's own tool may tell it so itself
  if type(value) == "table" and getmetatable(value) == nil and type(value.success) == "boolean" then
    local own_result = asking.copy(value)
    if own_result.text == nil then own_result.text = text end
    return setmetatable(own_result, meta)
  end
  local result = { success = true, text = text, result = value, output = text, content = text }
  if type(value) == "table" and getmetatable(value) == nil then
    for key, inner in next, value do
      if key == "output" or type(key) == "string" and result[key] == nil then result[key] = inner end
    end
  end
  return setmetatable(result, meta)
end

-- The value that a tool gives, by rs-llmspell's name or ours; nil and an error if it fails.
local function value_of(name, params)
  local run = theirs[normal(name)]
  -- a tool that a spell has registered goes before rs-llmspell's of the same name
  local mine = own(name)
  if mine and not (run and tools.get_info(mine).builtin) then return tools.execute(mine, params) end
  if not run then return nil, missing(name) end
  local ok, value = pcall(run, params)
  if ok then return value end
  if errorobject.is(value) and value.code == "missing_grant" then error(value, 0) end
  return nil, value
end

--- Calls a tool by rs-llmspell's name, such as `file-operations`, or by ours. Returns
--- `{ success, text, result, output, error }`.
--- ```lua
--- print(Tool.execute("calculator", { operation = "evaluate", input = "6 * 7" }).result.result) --> 42
--- ```
---@param name string
---@param params? table
---@return table result
function M.execute(name, params)
  raise.check(1, "Tool.execute", "string", name)
  raise.check(2, "Tool.execute", "table", params, true)
  local value, err = value_of(name, params or {})
  if value == nil and err ~= nil then
    return setmetatable({ success = false, error = errorobject.text(err), code = err.code }, {
      __name = "result",
      __tostring = function(self) return self.error end,
    })
  end
  return told(value)
end

--- The same as `Tool.execute`.
M.invoke = M.execute

--- Lists the tools: `{ name, description }`, by our names and rs-llmspell's.
--- ```lua
--- print(#Tool.list() > 10) --> true
--- ```
---@return table[] tools
function M.list()
  local names, listed = {}, {}
  for _, tool in ipairs(tools.list()) do names[type(tool) == "table" and tool.name or tool] = true end
  for name in next, theirs do names[name] = true end
  for name in next, names do
    local info = tools.get_info(name) or {}
    listed[#listed + 1] = { name = name, description = info.description or "", category = "general" }
  end
  sort(listed, function(a, b) return a.name < b.name end)
  return listed
end

--- Whether there is a tool of that name.
--- ```lua
--- print(Tool.exists("file-operations"), Tool.exists("nothing")) --> true	false
--- ```
---@param name string
---@return boolean exists
function M.exists(name)
  raise.check(1, "Tool.exists", "string", name)
  return own(name) ~= nil or theirs[normal(name)] ~= nil
end

-- What `info.parameters` asks for, as rs-llmspell lists it.
local function parameters_of(info)
  local listed, schema = {}, info.parameters or {}
  local needs = {}
  for _, name in ipairs(schema.required or {}) do needs[name] = true end
  for name, each in next, schema.properties or {} do
    listed[#listed + 1] = {
      name = name, type = each.type, description = each.description, required = needs[name] or false,
      default = each.default,
    }
  end
  sort(listed, function(a, b) return a.name < b.name end)
  return listed
end

--- Returns a tool: `{ name, description, parameters, schema, execute }`; nil if there is none. One of rs-llmspell's
--- that has no counterpart here says so when it is executed.
--- ```lua
--- print(Tool.get("calculator"):execute({ input = "6 * 7" }).result.result) --> 42
--- ```
---@param name string
---@return table? tool
function M.get(name)
  if not M.exists(name) and not LACKING[normal(name)] then return nil end
  local info = tools.get_info(own(name) or "") or {}
  -- with a colon or with a dot
  local function run(self, params)
    if params == nil and type(self) == "table" and self.execute == nil then params = self end
    return M.execute(name, params)
  end
  local description = info.description or ("rs-llmspell's tool " .. name)
  return {
    name = name,
    description = description,
    version = "1.0.0",
    category = "general",
    parameters = info.parameters or {},
    schema = { name = name, description = description, parameters = parameters_of(info) },
    execute = run,
    invoke = run,
    getSchema = function() return info.parameters or {} end,
  }
end

local more = {}

more.is_available, more.has = M.exists, M.exists
more.get_info, more.info = M.get, M.get

function more.get_schema(name)
  local found = M.get(name)
  return found and found.parameters
end

function more.register(name, ...) return (tools.register(name, ...)) and true end

more.unregister = tools.remove

function more.discover() return M.list() end

function more.categories() return { "general" } end

function more.invoke_async(name, params) return (promises.spawn(M.execute, name, params)) end

more.execute_async = more.invoke_async

function more.batch(operations)
  raise.check(1, "Tool.batch", "table", operations)
  local jobs, results = {}, {}
  for index, operation in ipairs(operations) do
    local name, params = operation.tool or operation.name, operation.params or operation.input
    jobs[index] = promises.check(1, "Tool.batch", (promises.spawn(M.execute, name, params)))
  end
  for index, job in ipairs(jobs) do results[index] = promises.await(job) end
  return results
end

more.batch_invoke, more.parallel = more.batch, more.batch

--- Each tool is given what the one before it gave, as `input`, where its own parameters have none.
function more.pipeline(operations)
  raise.check(1, "Tool.pipeline", "table", operations)
  local last
  for _, operation in ipairs(operations) do
    local params = asking.copy(operation.params)
    if last and params.input == nil then params.input = last.result end
    last = M.execute(operation.tool or operation.name, params)
    if not last.success then break end
  end
  return last
end

function more.get_metrics(name)
  local found = own(name) and tools.get_metrics(own(name)) or {}
  local calls = found.calls or 0
  local average = calls > 0 and found.seconds * 1000 / calls or 0
  return { invocations = calls, failures = found.errors or 0, average_duration = average }
end

base.tool_value, base.has_tool = value_of, M.exists

--- What an agent is given for a tool by rs-llmspell's name; nil, and a line that says so, if there is none: there an
--- agent may allow tools that are not there.
function base.tool_for_agent(name)
  local found = own(name)
  if found then return found end
  if not theirs[normal(name)] then
    host.write(2, scheduler.cell(), errorobject.text(missing(name)) .. "; the agent goes without it\n")
    return nil
  end
  return {
    name = normal(name),
    description = "rs-llmspell's tool " .. name,
    parameters = { type = "object" },
    execute = function(arguments) return value_of(name, arguments) end,
  }
end

return base.module("Tool", M, more)
