-- rs-llmspell's `Workflow`, over `workflow`.

local asking = require("lib.asking")
local base = require("lib.rs.base")
local bridge = require("bridge")
local host = require("host")
local raise = require("raise")
local scheduler = require("scheduler")
local workflows = require("lib.workflow")

require("lib.rs.tool")

local error, ipairs, next, pcall, setmetatable, tonumber, tostring, type =
  error, ipairs, next, pcall, setmetatable, tonumber, tostring, type
local match = string.match
local read_file = bridge.bind("tools", "file_read")

local M = {}

-- Steps may name rs-llmspell's agents and carry what they do under `action`.
local function step_of(step)
  if type(step) ~= "table" then return step end
  local copy = asking.copy(step)
  for key, value in next, step.action or {} do copy[key] = value end
  copy.name, copy.action = copy.name or copy.id, nil
  if type(copy.agent) == "table" and copy.agent.agent then copy.agent = copy.agent.agent end
  if type(copy.workflow) == "table" and copy.workflow.inner then copy.workflow = copy.workflow.inner end
  if type(copy.type) == "string" and copy.type ~= "custom" and copy[copy.type] == nil and copy.fn == nil then
    copy.type = nil
  end
  return copy
end

-- ── a workflow as rs-llmspell sees it ──────────────────────────────────────────────────────────────

local methods = {}
local meta = { __name = "Workflow" }
meta.__index = function(self, key)
  if methods[key] ~= nil then return methods[key] end
  local value = self.inner[key]
  if type(value) ~= "function" then return value end
  return function(_, ...) return value(self.inner, ...) end
end
meta.__tostring = function(self) return tostring(self.inner) end

local on_failure, debugging -- Workflow.setDefaultErrorHandler, Workflow.enableDebug

local function print_step(kind, name, what)
  host.write(1, scheduler.cell(), "[DEBUG] [" .. kind .. "] " .. tostring(name) .. ": " .. tostring(what) .. "\n")
end

local OPTIONS = { execute_tool = function(name, input) return base.tool_value(name, input or {}) end }

function methods.execute(self, input)
  local given = input
  if next(self.shared) ~= nil and (input == nil or type(input) == "table") then
    given = asking.copy(self.shared)
    for key, value in next, input or {} do given[key] = value end
  end
  local result = self.inner:execute(given, OPTIONS)
  if not result.success and on_failure then
    local said = on_failure({ message = tostring(result.error) }, { workflow = self.inner.name, steps = result.steps })
    if said == "retry" then result = self.inner:execute(given, OPTIONS) end
  end
  if debugging then print_step("workflow", self.inner.name, result.success and "completed" or result.error) end
  local milliseconds = (result.seconds or 0) * 1000 // 1 | 0
  result._metadata = { execution_time_ms = milliseconds }
  result.metadata.extra.execution_time_ms = milliseconds
  result.text = "Workflow '" .. self.inner.name .. "' " .. (result.success and "completed successfully"
    or "failed: " .. tostring(result.error))
  local state = base.need("state", "Workflow")
  for _, report in next, result.steps do
    if report.output ~= nil and type(report.output) ~= "function" then
      pcall(state.save, "workflow", result.execution_id .. ":" .. report.name, report.output)
    end
  end
  return result
end

methods.run = methods.execute

--- True, or false and what is wrong: a tool may have rs-llmspell's name.
function methods.validate(self)
  local _, problems = self.inner:validate()
  local wrong = {}
  for _, problem in ipairs(problems or {}) do
    local name = match(tostring(problem), "no tool '([^']+)'")
    if not (name and base.has_tool(name)) then wrong[#wrong + 1] = problem end
  end
  if #wrong == 0 then return true end
  return false, wrong
end

--- A value that the steps and conditions of later runs see by its key.
function methods.set_shared_data(self, key, value) self.shared[key] = value end

function methods.get_shared_data(self, key) return self.shared[key] end

function methods.debug(self) return tostring(self.inner) end

function methods.execute_async(self, input, callback)
  return require("lib.agent_teams").spawn(function()
    local result = methods.execute(self, input)
    if callback then callback(result, result.error) end
    return result
  end)
end

function methods.get_info(self)
  return { id = self.inner.id, name = self.inner.name, type = self.inner.type, description = self.inner.description }
end

local made = {}

-- ── building ───────────────────────────────────────────────────────────────────────────────────────

local building = {}

-- Methods that our own builder has, some with other names.
local SAME = {
  name = "name", description = "description", sequential = "sequential", parallel = "parallel",
  conditional = "conditional", loop = "loop", max_iterations = "max_iterations",
  with_max_iterations = "max_iterations", max_concurrency = "max_concurrency", fail_fast = "fail_fast",
  while_condition = "while_condition", until_condition = "until_condition", over = "over", with_items = "over",
  on_progress = "on_progress",
}
for theirs, ours in next, SAME do
  building[theirs] = function(self, ...)
    local builder = self.builder
    builder[ours](builder, ...)
    return self
  end
end

for theirs, ours in next, {
  add_step = "add_step", step = "add_step", branch = "add_step", body = "add_step", body_step = "add_step",
  add_then_step = "add_then_step", when_true = "add_then_step", add_else_step = "add_else_step",
  when_false = "add_else_step",
} do
  building[theirs] = function(self, name, step)
    local builder = self.builder
    builder[ours](builder, type(name) == "string" and name or step_of(name), step_of(step))
    local given = type(name) == "table" and name or step
    if type(given) == "table" and type(given.update) == "function" then
      builder[ours](builder, { name = (given.name or "step") .. " update", fn = function(_, context)
        given.update(context, context.previous)
        return context.previous
      end })
    end
    return self
  end
end

-- Conditions that rs-llmspell describes by tables.
local CONDITIONS = {
  always = function() return true end,
  never = function() return false end,
  shared_data_equals = function(wanted, context) return context[wanted.key] == wanted.value end,
  shared_data_exists = function(wanted, context) return context[wanted.key] ~= nil end,
  step_output_contains = function(wanted, context)
    local report = context.steps[wanted.step_id or wanted.step]
    local text = report and tostring(report.output) or ""
    return string.find(text, wanted.search_text or wanted.value or "", 1, true) ~= nil
  end,
}

-- "> 0.8", or what a value has to be.
local function compared(value, wanted)
  local operator, number = match(tostring(wanted), "^%s*([<>=~!]+)%s*(-?[%d.]+)%s*$")
  if not operator then return tostring(value) == tostring(wanted) end
  local have, against = tonumber(tostring(value)), tonumber(number)
  if not have then return false end
  if operator == ">" then return have > against end
  if operator == ">=" then return have >= against end
  if operator == "<" then return have < against end
  if operator == "<=" then return have <= against end
  return (have == against) == (operator == "==" or operator == "=")
end

-- condition("step:NAME:output", wanted), or condition("a.path", wanted)
local function of_path(path, wanted)
  local name = match(path, "^step:(.-):output$")
  return function(context)
    local value
    if name then
      local report = context.steps[name]
      value = report and report.output
    else
      value = context.get(path)
    end
    if wanted == nil then return value ~= nil and value ~= false end
    return compared(value, wanted)
  end
end

function building.condition(self, condition, expected)
  if type(condition) == "string" then condition = of_path(condition, expected) end
  if type(condition) == "table" then
    local wanted, holds = condition, CONDITIONS[condition.type]
    if not holds then
      local kind = tostring(condition.type)
      raise.raise("rs-llmspell's condition '" .. kind .. "' has no counterpart here: give a function")
    end
    condition = function(context) return holds(wanted, context) end
  end
  self.builder:condition(condition)
  return self
end

function building.timeout(self, milliseconds)
  self.builder:timeout(milliseconds / 1000)
  return self
end

building.timeout_ms = building.timeout

function building.on_error(self, what)
  self.builder:on_error(what)
  return self
end

building.error_strategy = building.on_error

function building.max_retries(self, count)
  self.builder:retry({ times = count + 1 })
  return self
end

building.retries = building.max_retries

function building.with_range(self, range, last, step)
  if type(range) == "table" then range, last, step = range.start, range["end"], range.step end
  self.builder:range(range, last, step)
  return self
end

building.range = building.with_range

function building.merge_strategy(self) return self end

function building.custom_steps(self, steps)
  for _, step in ipairs(steps) do building.add_step(self, step) end
  return self
end

function building.build(self)
  local built = setmetatable({ inner = self.builder:build(), shared = {} }, meta)
  made[built.inner.name] = built
  return built
end

--- A workflow need not be built to be run.
function building.execute(self, input) return building.build(self):execute(input) end

function building.add_template_step()
  raise.raise("rs-llmspell's steps of the kind 'template' have no counterpart here: there are no built-in templates")
end

local start = base.builder("Workflow", building)

local function begin(kind, name)
  local made_now = start({ builder = workflows[kind]({ lenient = true }) })
  return name and made_now:name(name) or made_now
end

--- Begins a workflow: `:name`, `:sequential()` or another kind, `:add_step{ name, type, tool, input }`, `:build()`.
--- ```lua
--- local flow = Workflow.builder():name("sum"):sequential()
---   :add_step({ name = "add", type = "tool", tool = "calculator", input = { input = "40 + 2" } }):build()
--- print(flow:execute({}).success, flow:get_output("add").result) --> true	42
--- ```
---@param name? string
---@return table builder
function M.builder(name) return begin("builder", name) end

--- Begins a workflow whose steps run one after the other.
--- ```lua
--- print(Workflow.sequential():name("w"):step("one", { fn = function() return 1 end }):build().type) --> sequential
--- ```
---@param name? string
---@return table builder
function M.sequential(name) return begin("sequential", name) end

--- Begins a workflow whose steps run side by side.
--- ```lua
--- print(Workflow.parallel():branch("one", { fn = function() return 1 end }):build().type) --> parallel
--- ```
---@param name? string
---@return table builder
function M.parallel(name) return begin("parallel", name) end

--- Begins a workflow where a condition chooses.
--- ```lua
--- local flow = Workflow.conditional():condition(function(ctx) return ctx.n > 1 end)
---   :when_true({ fn = function() return "many" end }):build()
--- print(flow:execute({ n = 2 }).output) --> many
--- ```
---@param name? string
---@return table builder
function M.conditional(name) return begin("conditional", name) end

--- Begins a workflow whose steps run again and again.
--- ```lua
--- local flow = Workflow.loop():range(1, 2):body({ fn = function() return 1 end }):build()
--- print(#flow:execute({}).output) --> 2
--- ```
---@param name? string
---@return table builder
function M.loop(name) return begin("loop", name) end

local more = {}

function more.create(config)
  raise.check(1, "Workflow.create", "table", config)
  local builder = begin(config.type or "sequential")
  if config.name then builder:name(config.name) end
  for _, step in ipairs(config.steps or {}) do builder:add_step(step) end
  return builder:build()
end

function more.get(name) return made[name] end

function more.list()
  local listed = {}
  for name, flow in next, made do table.insert(listed, { name = name, type = flow.inner.type }) end
  table.sort(listed, function(a, b) return a.name < b.name end)
  return listed
end

function more.save(name, flow) made[name] = flow end

function more.delete(name)
  local was = made[name] ~= nil
  made[name] = nil
  return was
end

more.remove = more.delete
function more.register(name, flow) made[name] = flow end
function more.clear() made = {} end

--- Hears of each workflow that failed, `(error, context)`; "retry" lets it run once more.
function more.set_default_error_handler(fn)
  on_failure = raise.check(1, "Workflow.setDefaultErrorHandler", "function", fn, true)
end

function more.enable_debug(on) debugging = on == nil or on and true or false end
function more.is_debug_enabled() return debugging and true or false end
function more.disable_debug() debugging = false end

function more.execute_async(which, input, callback)
  local flow = type(which) == "table" and which or made[which]
  if not flow then raise.raise("there is no workflow '" .. tostring(which) .. "'") end
  return methods.execute_async(flow, input, callback)
end

function more.get_info(name)
  local flow = made[name]
  if not flow then raise.raise("there is no workflow '" .. tostring(name) .. "'") end
  return flow:get_info()
end

function more.types() return { "sequential", "parallel", "conditional", "loop" } end

function more.from_yaml(text)
  local data = base.need("data", "Workflow.from_yaml")
  local config, err = data.parse(text, "yaml")
  if config == nil then error(err, 0) end
  return more.create(config)
end

function more.from_file(path)
  local text, err = read_file({ path = path })
  if text == nil then error(err, 0) end
  return more.from_yaml(text)
end

return base.module("Workflow", M, more)
