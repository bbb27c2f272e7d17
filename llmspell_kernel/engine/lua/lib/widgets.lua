-- `widgets`: ipywidgets by name, their traits as fields, `interact` and `ask`.

local bridge = require("bridge")
local globals = require("globals")
local handles = require("handles")
local options_of = require("lib.options")
local raise = require("raise")
local scheduler = require("scheduler")
local framed = raise.framed

local getinfo, getlocal = debug.getinfo, debug.getlocal
local error, ipairs, math_type, next, pairs, rawget, rawlen, select, setmetatable, tostring, type =
  error, ipairs, math.type, next, pairs, rawget, rawlen, select, setmetatable, tostring, type
local concat, sort, unpack = table.concat, table.sort, table.unpack

local create = bridge.bind("widgets", "create")
local join = bridge.bind("widgets", "join")
local values_of = bridge.bind("widgets", "values")
local enable = bridge.bind("widgets", "enable")
local area_of = bridge.bind("widgets", "area")
local can_ask = bridge.bind("widgets", "can_ask")

local M = {}

-- ── widgets ────────────────────────────────────────────────────────────────────────────────────────

local NAMES = {
  "Accordion", "AppLayout", "Audio", "BoundedFloatText", "BoundedIntText", "Box", "Button", "Checkbox",
  "ColorPicker", "ColorsInput", "Combobox", "Controller", "DatePicker", "DatetimePicker", "Dropdown", "FileUpload",
  "FloatLogSlider", "FloatProgress", "FloatRangeSlider", "FloatSlider", "FloatText", "FloatsInput", "GridBox", "HBox",
  "HTML", "HTMLMath", "Image", "IntProgress", "IntRangeSlider", "IntSlider", "IntText", "IntsInput", "Label", "Layout",
  "NaiveDatetimePicker", "Output", "Password", "Play", "RadioButtons", "Select", "SelectMultiple",
  "SelectionRangeSlider", "SelectionSlider", "Stack", "Tab", "TagsInput", "Text", "Textarea", "TimePicker",
  "ToggleButton", "ToggleButtons", "TwoByTwoLayout", "VBox", "Valid", "Video",
}

for _, name in ipairs(NAMES) do
  M[name] = function(options) return create(name, options) end
end

local meta = handles.metatable("Widget")
local methods = handles.methods("Widget")

function meta.__index(object, key)
  local method = methods[key]
  if method then return method end
  if type(key) ~= "string" then return nil end
  return methods.get(object, key)
end

function meta.__newindex(object, key, value)
  if methods[key] then raise.raise("'" .. tostring(key) .. "' is a method of every widget") end
  methods.set(object, tostring(key), value)
end

meta.__name = "Widget"

local function is_widget(value)
  return type(value) == "table" and debug.getmetatable(value) == meta
end

--- Shows a widget in the cell, as `display(widget)` does.
function methods:display()
  globals.show(self)
  return self
end

-- ── what goes into an Output widget ────────────────────────────────────────────────────────────────

-- Run `fn(...)` with its output in the area `cell`; returns the task.
local function run_in(cell, fn, ...)
  return scheduler.spawn_from({ cell = cell, origin = false }, fn, ...)
end

-- Wait until a task has ended; returns what it returned, or raises what it raised.
local function outcome_of(task)
  local waiter = { what = "what runs in a widget", cancel = function()
    scheduler.cancel(task, scheduler.cancellation("nobody waits for it any more"))
  end }
  function task.on_end(_, ok, ...) scheduler.wake(waiter, ok, ...) end
  local function passed(ok, ...)
    if not ok then error((...), 0) end
    return ...
  end
  return passed(scheduler.await(waiter))
end

--- Calls `fn(...)` with all that it prints and shows in this Output widget; returns what it returns.
function methods:capture(fn, ...)
  raise.check(1, "output:capture", "function", fn)
  return framed(outcome_of(run_in(area_of(self), fn, ...)))
end

--- Shows a value in this Output widget, below what is there.
function methods:append(value)
  outcome_of(run_in(area_of(self), globals.show, value))
end

--- Empties this Output widget.
function methods:clear()
  outcome_of(run_in(area_of(self), scheduler.post, "host", "clear", false))
end

-- ── links ──────────────────────────────────────────────────────────────────────────────────────────

local function sides(name, ...)
  local source, target, third, fourth = ...
  if is_widget(source) then return { source, target }, { third, fourth } end
  raise.check(1, "widgets." .. name, "table", source)
  raise.check(2, "widgets." .. name, "table", target)
  return source, target
end

--- Keeps two fields alike, by the kernel: `link(a, "value", b, "value")`.
--- ```lua
--- local a, b = widgets.IntSlider(), widgets.IntText()
--- widgets.link(a, "value", b, "value")
--- ```
---@param ... any
function M.link(...) join("link", sides("link", ...)) end

--- Sets the second field whenever the first changes.
--- ```lua
--- local a, b = widgets.IntSlider(), widgets.IntText()
--- widgets.dlink(a, "value", b, "value")
--- ```
---@param ... any
function M.dlink(...) join("dlink", sides("dlink", ...)) end

--- Keeps two fields alike in the page itself, even without a kernel.
--- ```lua
--- local a, b = widgets.IntSlider(), widgets.IntText()
--- widgets.jslink(a, "value", b, "value")
--- ```
---@param ... any
function M.jslink(...) join("jslink", sides("jslink", ...)) end

--- Sets the second field whenever the first changes, in the page itself.
--- ```lua
--- local a, b = widgets.IntSlider(), widgets.IntText()
--- widgets.jsdlink(a, "value", b, "value")
--- ```
---@param ... any
function M.jsdlink(...) join("jsdlink", sides("jsdlink", ...)) end

-- ── controls for plain values ──────────────────────────────────────────────────────────────────────

local function is_range(value)
  local count = rawlen(value)
  if count ~= 2 and count ~= 3 then return false end
  for index = 1, count do
    if type(rawget(value, index)) ~= "number" then return false end
  end
  return true
end

local function number_range(value)
  if value == 0 then return 0, value // 1 == value and 10 or 1 end
  if value > 0 then return -value, 3 * value end
  return 3 * value, -value
end

local function slider(low, high, step, value, label)
  local whole = math_type(low) == "integer" and math_type(high) == "integer"
    and (step == nil or math_type(step) == "integer") and (value == nil or math_type(value) == "integer")
  local options = { min = low, max = high, step = step, description = label }
  options.value = value or (whole and (low + high) // 2 or (low + high) / 2)
  if not whole and step == nil then options.step = (high - low) / 100 end
  return create(whole and "IntSlider" or "FloatSlider", options)
end

-- The control that a plain value stands for.
local function control_for(value, label)
  if is_widget(value) then return value end
  local kind = type(value)
  if kind == "boolean" then return create("Checkbox", { value = value, description = label }) end
  if kind == "string" then return create("Text", { value = value, description = label }) end
  if kind == "number" then
    local low, high = number_range(value)
    return slider(low, high, nil, value, label)
  end
  raise.check(2, "interact", "table", value)
  if is_range(value) then return slider(value[1], value[2], value[3], nil, label) end
  if next(value) == nil then raise.raise("no values to choose from for '" .. label .. "'") end
  return create("Dropdown", { options = value, description = label })
end

-- Names in the order in which the function takes them, the others sorted after them.
local function ordered(controls, parameters)
  local names, seen = {}, {}
  for _, name in ipairs(parameters) do
    if controls[name] ~= nil then
      names[#names + 1] = name
      seen[name] = true
    end
  end
  local others = {}
  for name in next, controls do
    if type(name) ~= "string" then raise.raise("controls are named: interact(fn, { x = { 0, 10 } })") end
    if not seen[name] then others[#others + 1] = name end
  end
  sort(others)
  for _, name in ipairs(others) do names[#names + 1] = name end
  return names
end

local function parameters_of(fn)
  local info = getinfo(fn, "u")
  local names = {}
  for index = 1, info.nparams do names[index] = getlocal(fn, index) end
  return names
end

-- How to call `fn` with values by name: one argument each if it names them, else all in a table.
local function caller_of(fn, parameters, controls)
  local by_name = #parameters > 0
  for _, name in ipairs(parameters) do
    if controls[name] == nil then by_name = false end
  end
  if not by_name then return fn end
  return function(values)
    local arguments = {}
    for index, name in ipairs(parameters) do arguments[index] = values[name] end
    return fn(unpack(arguments, 1, #parameters))
  end
end

local function show_all(...)
  for index = 1, select("#", ...) do
    local value = select(index, ...)
    if value ~= nil and not globals.is_display(value) then globals.show(value) end
  end
end

-- ── interact ───────────────────────────────────────────────────────────────────────────────────────

local function silent() end

--- Calls a function each time a control changes, and shows what it prints and returns below them. A call that is
--- still at work, such as one of a model, is cancelled by the next.
--- ```lua
--- interact(function(x) return x * x end, { x = { 0, 10 } })
--- ```
---@param fn function called with the values: by the names of its parameters, or all in one table
---@param controls table widgets, or plain values, by name: `{0, 10}`, `{0, 1, 0.1}`, `true`, `"text"`, `{"a", "b"}`
---@param options? { manual?: boolean|string } true, or its text: a button runs it
---@return Widget box
function M.interact(fn, controls, options)
  raise.check(1, "interact", "function", fn)
  raise.check(2, "interact", "table", controls)
  local manual = options_of.read(3, "interact", options, { manual = "boolean|string" }).manual
  local parameters = parameters_of(fn)
  local names, widgets = ordered(controls, parameters), {}
  for index, name in ipairs(names) do widgets[index] = control_for(controls[name], name) end
  local call = caller_of(fn, parameters, controls)
  local output = create("Output")
  local cell, running = area_of(output), nil

  local function start()
    local current = values_of(widgets)
    local values = {}
    for index, name in ipairs(names) do values[name] = current[index] end
    local before = running
    if before then
      before.on_end = silent
      scheduler.cancel(before, scheduler.cancellation("a newer call took its place"))
    end
    running = run_in(cell, function()
      scheduler.post("host", "clear", true)
      show_all(call(values))
    end)
    return running
  end

  local children = { unpack(widgets) }
  if manual then
    local button = create("Button", { description = type(manual) == "string" and manual or "Run" })
    button:on_click(function() start() end)
    children[#children + 1] = button
  else
    for _, widget in ipairs(widgets) do widget:observe(function() start() end, "value") end
  end
  children[#children + 1] = output
  local box = create("VBox", { children = children })
  if not manual then
    local first = start()
    local waiter = { what = "the first call of interact" }
    local report = first.on_end
    function first.on_end(task, ok, ...)
      if not ok then report(task, ok, ...) end
      scheduler.wake(waiter)
    end
    scheduler.wait(waiter)
  end
  return box
end

-- ── forms ──────────────────────────────────────────────────────────────────────────────────────────

-- A form's fields as a list of { name, control }: given so, or as a table by name.
local function fields_of(fields)
  local list = {}
  if rawlen(fields) > 0 then
    for index, field in ipairs(fields) do
      if type(field) ~= "table" or type(field[1]) ~= "string" then
        raise.raise("field " .. index .. " is a table such as { \"name\", \"Ada\" }")
      end
      list[index] = { name = field[1], control = field[2] == nil and "" or field[2], label = field[3] or field[1] }
    end
    return list
  end
  for name, control in pairs(fields) do list[#list + 1] = { name = tostring(name), control = control, label = name } end
  sort(list, function(a, b) return a.name < b.name end)
  return list
end

--- Fields and a button in the page, made by `widgets.form`.
---@class Form
local form_methods = {}
local form_meta = { __name = "Form", __index = form_methods }

form_meta.__tostring = function(form)
  local names = {}
  for index, field in ipairs(rawget(form, "fields")) do names[index] = field.name end
  return "form: " .. concat(names, ", ")
end

--- Makes a form: its `box` is the widget to show, `form:wait()` gives the values once it is sent.
--- ```lua
--- local form = widgets.form({ { "name", "Ada" }, { "age", { 0, 120 } } })
--- ```
---@param fields table a list of `{ name, control, label }`, or controls by name; a control as in `interact`
---@param options? { title?: string, submit?: string } `submit` is the text of the button
---@return Form form
function M.form(fields, options)
  raise.check(1, "widgets.form", "table", fields)
  options = options_of.read(2, "widgets.form", options, { title = "string", submit = "string" })
  local form = { fields = fields_of(fields), widgets = {}, done = { what = "an answer to a form" } }
  for index, field in ipairs(form.fields) do form.widgets[index] = control_for(field.control, field.label) end
  local button = create("Button", { description = options.submit or "OK", button_style = "primary" })
  local children = { unpack(form.widgets) }
  if options.title then table.insert(children, 1, create("Label", { value = options.title })) end
  children[#children + 1] = button
  form.button = button
  form.box = create("VBox", { children = children })
  setmetatable(form, form_meta)
  button:on_click(function() form:submit() end)
  return form
end

--- Sends the form, as its button does.
--- ```lua
--- widgets.form({ name = "Ada" }):submit()
--- ```
function form_methods:submit()
  if self.values then return end
  local current, values = values_of(self.widgets), {}
  for index, field in ipairs(self.fields) do values[field.name] = current[index] end
  self.values = values
  local all = { unpack(self.widgets) }
  all[#all + 1] = self.button
  enable(all, false)
  scheduler.wake(self.done)
end

--- Waits until the form is sent; other tasks go on meanwhile.
--- ```lua
--- local form = widgets.form({ name = "Ada" })
--- async.spawn(function() form:submit() end)
--- print(form:wait().name) --> Ada
--- ```
---@return table values by the names of the fields
function form_methods:wait()
  scheduler.wait(self.done)
  return self.values
end

--- Shows a form and waits until the person sends it; other tasks go on meanwhile.
--- ```lua
--- -- local answers = ask({ { "name", "Ada" }, { "age", { 0, 120 } } })
--- ```
---@param fields table as in `widgets.form`
---@param options? { title?: string, submit?: string }
---@return table values by the names of the fields
function M.ask(fields, options)
  raise.check(1, "ask", "table", fields)
  if not can_ask() then
    raise.raise("nobody can answer a form here; give the values in the code, or run it interactively")
  end
  local form = M.form(fields, options)
  globals.show(form.box)
  return framed(form:wait())
end

return M
