-- `ilua`: the names that notebooks for xeus-lua use, over `display` and `widgets`, as far as core widgets go.

local bridge = require("bridge")
local globals = require("globals")
local handles = require("handles")
local display = require("lib.display")
local widgets = require("lib.widgets")

local ipairs, next, pairs, select, type = ipairs, next, pairs, select, type
local insert = table.insert

local join = bridge.bind("widgets", "join")

local M = { display = {}, widgets = {} }

-- ── displays ───────────────────────────────────────────────────────────────────────────────────────

--- Shows values, each as it shows itself.
---@param ... any
function M.display.display(...)
  for index = 1, select("#", ...) do globals.show((select(index, ...))) end
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

-- xwidgets gives choices as labels, and the chosen one as its label or index.
local function taken(options)
  local copy = {}
  for key, value in next, options or {} do
    if key == "_options_labels" then key = "options" end
    copy[key] = value
  end
  return copy
end

for name, class in pairs(NAMES) do
  M.widgets[name] = function(options)
    return widgets[class](type(options) == "table" and taken(options) or options)
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

--- Adds widgets to a container.
function methods:add(...)
  local children = self.children
  for _, child in ipairs({ ... }) do insert(children, child) end
  self.children = children
end

return M
