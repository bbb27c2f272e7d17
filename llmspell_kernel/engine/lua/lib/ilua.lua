-- `ilua`: the names that notebooks for xeus-lua use, over `display` and `widgets`, as far as core widgets go.

local bridge = require("bridge")
local globals = require("globals")
local handles = require("handles")
local raise = require("raise")
local display = require("lib.display")
local widgets = require("lib.widgets")

local ipairs, next, pairs, select, setmetatable, tostring, type =
  ipairs, next, pairs, select, setmetatable, tostring, type
local insert, match = table.insert, string.match

local join = bridge.bind("widgets", "join")

local M = { display = {}, widgets = {} }

-- ── displays ───────────────────────────────────────────────────────────────────────────────────────

--- Shows values, each as it shows itself.
---@param ... any
function M.display.display(...)
  for index = 1, select("#", ...) do
    local value = select(index, ...)
    if value ~= nil then globals.show(value) end -- a link is nothing to see
  end
end

--- Shows plain text.
---@param text string
function M.display.plain_text(text) globals.display({ ["text/plain"] = text }) end

M.display.html = display.html
M.display.latex = display.latex
M.display.json = display.json

-- ── widgets ────────────────────────────────────────────────────────────────────────────────────────

local NAMES = {
  slider = "FloatSlider", button = "Button", audio = "Audio", checkbox = "Checkbox", color_picker = "ColorPicker",
  controller = "Controller", dropdown = "Dropdown", html = "HTML", image = "Image", label = "Label",
  numeral = "FloatText", password = "Password", play = "Play", progress = "FloatProgress",
  radiobuttons = "RadioButtons",
  selectionslider = "SelectionSlider", textarea = "Textarea", text = "Text", togglebutton = "ToggleButton",
  togglebuttons = "ToggleButtons", video = "Video", valid = "Valid", output = "Output", vbox = "VBox", hbox = "HBox",
  tab = "Tab", accordion = "Accordion",
}

local RENAMED = { _options_labels = "options", _titles = "titles" }
local titled = setmetatable({}, { __mode = "k" }) -- containers and their titles, which go when a child is missing

-- xwidgets calls some fields by other names.
local function taken(options)
  local copy = {}
  for key, value in next, options or {} do
    key = RENAMED[key] or key
    copy[key] = value
  end
  return copy
end

for name, class in pairs(NAMES) do
  M.widgets[name] = function(options)
    if type(options) ~= "table" then return widgets[class](options) end
    local made = widgets[class](taken(options))
    titled[made] = options._titles
    return made
  end
end

--- Keeps two fields alike.
function M.widgets.link(first, name, second, other)
  join("jslink", { first, name }, { second, other })
end

--- Sets the second field whenever the first changes.
function M.widgets.directional_link(first, name, second, other)
  join("jsdlink", { first, name }, { second, other })
end

local methods = handles.methods("Widget")

-- The field that a person changes, and whether it is a place in a list, which xwidgets counts from 1.
local PLACED = {
  Accordion = "selected_index", Dropdown = "index", RadioButtons = "index", SelectionSlider = "index",
  Tab = "selected_index", ToggleButtons = "index",
}

local function field_of(widget)
  local place = PLACED[match(tostring(widget), "%a+$")]
  return place or "value", place ~= nil
end

--- Calls a function with the new value each time a person changes it; where one of several is chosen, with its place.
function methods:register_observer(fn)
  raise.check(1, "register_observer", "function", fn)
  local name, is_place = field_of(self)
  return self:observe(function(change)
    local new = change.new
    if is_place and type(new) == "number" then new = new + 1 end
    fn(new)
  end, name)
end

--- Calls a function with all that it prints in this Output widget.
function methods:captured(fn)
  return self:capture(fn)
end

--- Gives the child at a place of a Tab or an Accordion its title.
function methods:set_title(place, title)
  local titles = self.titles
  for index = 1, place do titles[index] = titles[index] or "" end
  titles[place] = title
  self.titles = titles
end

--- Adds widgets to a container.
function methods:add(...)
  local children = self.children
  for _, child in ipairs({ ... }) do insert(children, child) end
  self.children = children
  if titled[self] then self.titles = titled[self] end
end

return M
