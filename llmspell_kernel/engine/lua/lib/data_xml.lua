-- XML both ways. The kernel process reads it (bridges/data_xml.py) and tells what it met one after the other, for
-- elements may stand deeper inside each other than what crosses may.

local bridge = require("bridge")
local codec = require("codec")
local shortest = require("digits").shortest
local options_of = require("lib.options")
local path = require("lib.path")
local raise = require("raise")

local concat, find, format, gsub, rep, sort =
  table.concat, string.find, string.format, string.gsub, string.rep, table.sort
local next, rawget, rawlen, tostring, type = next, rawget, rawlen, tostring, type
local utf8_codes, utf8_len = utf8.codes, utf8.len

local M = {}

local DEEPEST = 500
local INDENT_MOST = 16

-- ── reading ────────────────────────────────────────────────────────────────────────────────────────

local read = bridge.bind("data", "parse_xml")

local function close(element)
  local texts = {}
  for index = 1, #element.children do
    local child = element.children[index]
    if type(child) == "string" then texts[#texts + 1] = child end
  end
  element.text = concat(texts)
end

-- The root of what was met: `{ tag, attributes }` where an element begins, false where it ends, and texts.
local function built(events)
  local open, depth, root = {}, 0, nil
  for index = 1, #events do
    local event = events[index]
    if event == false then
      close(open[depth])
      depth = depth - 1
    else
      local child = event
      local siblings = depth > 0 and open[depth].children
      if type(event) == "table" then
        child = { tag = event[1], attributes = event[2], children = codec.array({}) }
        depth = depth + 1
        open[depth] = child
        root = root or child
      end
      if siblings then siblings[#siblings + 1] = child end
    end
  end
  return root
end

function M.parse_xml(text, options)
  local events, err = read(text, options)
  if events == nil then return nil, err end
  return built(events)
end

-- ── writing ────────────────────────────────────────────────────────────────────────────────────────

-- What may begin a name, and what else may be in it (XML 1.0, section 2.3).
local FIRST = {
  { 0x3a, 0x3a }, { 0x41, 0x5a }, { 0x5f, 0x5f }, { 0x61, 0x7a }, { 0xc0, 0xd6 }, { 0xd8, 0xf6 }, { 0xf8, 0x2ff },
  { 0x370, 0x37d }, { 0x37f, 0x1fff }, { 0x200c, 0x200d }, { 0x2070, 0x218f }, { 0x2c00, 0x2fef }, { 0x3001, 0xd7ff },
  { 0xf900, 0xfdcf }, { 0xfdf0, 0xfffd }, { 0x10000, 0xeffff },
}
local LATER = { { 0x2d, 0x2e }, { 0x30, 0x39 }, { 0xb7, 0xb7 }, { 0x300, 0x36f }, { 0x203f, 0x2040 } }

local function within(code, ranges)
  for index = 1, #ranges do
    if code >= ranges[index][1] and code <= ranges[index][2] then return true end
  end
  return false
end

local function is_name(text)
  if find(text, "^[%a_:][%w_:.-]*$") then return true end
  if text == "" or not utf8_len(text) then return false end
  for position, code in utf8_codes(text) do
    if not within(code, FIRST) and (position == 1 or not within(code, LATER)) then return false end
  end
  return true
end

local function refuse(where, problem)
  raise.refuse(1, "data.to_xml", where .. ": " .. problem)
end

local function name_at(where, value)
  if type(value) ~= "string" then refuse(where, "a name expected, got " .. raise.type_of(value)) end
  if not is_name(value) then refuse(where, raise.shown(value) .. " is no name for XML") end
  return value
end

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ["\r"] = "&#13;" } -- \r is read as a line feed
local IN_QUOTES = { ['"'] = "&quot;", ["\n"] = "&#10;", ["\t"] = "&#9;" } -- which are read as spaces
for character, escape in next, ESCAPES do IN_QUOTES[character] = escape end

local function text_at(where, value)
  local kind = type(value)
  if kind == "number" then return shortest(value) end
  if kind == "boolean" then return tostring(value) end
  if kind ~= "string" then refuse(where, "a string, number or boolean expected, got " .. raise.type_of(value)) end
  if not utf8_len(value) then refuse(where, "a string that is not UTF-8 cannot be written as XML") end
  if find(value, "[\0-\8\11\12\14-\31]") or find(value, "\239\191[\190\191]") then
    refuse(where, "a control character cannot be written as XML")
  end
  return value
end

local out, active -- what is written, and the elements that are being written

local function put(text) out[#out + 1] = text end

local function put_attributes(attributes, where)
  if attributes == nil then return end
  where = where .. ".attributes"
  if type(attributes) ~= "table" or raise.is_object(attributes) then
    refuse(where, "a table expected, got " .. raise.type_of(attributes))
  end
  local names = {}
  for name in next, attributes do names[#names + 1] = name_at(where, name) end
  sort(names)
  for index = 1, #names do
    local name = names[index]
    local value = text_at(where .. "." .. name, rawget(attributes, name))
    put(format(' %s="%s"', name, gsub(value, '[&<>\r"\n\t]', IN_QUOTES)))
  end
end

local function children_of(element, where)
  local children, text = rawget(element, "children"), rawget(element, "text")
  if children ~= nil then
    if type(children) ~= "table" or raise.is_object(children) then
      refuse(where .. ".children", "a list expected, got " .. raise.type_of(children))
    end
    if rawlen(children) > 0 and path.length(children) then return children end
    if next(children) ~= nil then refuse(where .. ".children", "a list expected: its keys are not 1..n") end
  end
  return (text == nil or text == "") and {} or { text }
end

-- How far the children of an element are indented: those of mixed content are not, for spaces would change it.
local function indent_of(children, step)
  for index = 1, step and #children or 0 do
    if type(children[index]) ~= "table" then return nil end
  end
  return step
end

local function put_element(element, where, level, step)
  if active[element] then refuse(where, "the element contains itself") end
  if level >= DEEPEST then refuse("element", format("nested more than %d deep", DEEPEST)) end
  active[element] = true
  local tag, children = name_at(where .. ".tag", rawget(element, "tag")), children_of(element, where)
  put("<" .. tag)
  put_attributes(rawget(element, "attributes"), where)
  put(#children == 0 and "/>" or ">")
  step = indent_of(children, step)
  for index = 1, #children do
    local child, place = rawget(children, index), where .. ".children[" .. index .. "]"
    if step then put("\n" .. rep(step, level + 1)) end
    if type(child) == "table" and not raise.is_object(child) then
      put_element(child, place, level + 1, step)
    else
      put((gsub(text_at(place, child), "[&<>\r]", ESCAPES)))
    end
  end
  if step and #children > 0 then put("\n" .. rep(step, level)) end
  if #children > 0 then put("</" .. tag .. ">") end
  active[element] = nil
end

--- How XML is written.
---@class data.XmlStyle
---@field indent? integer spaces of each level (16 at most); none, and all is in one line, unless it is given

--- Writes `{ tag, attributes, children }` (or `text` instead of children) as XML. Raises, naming the place, for what
--- is no element.
--- ```lua
--- print(data.to_xml{ tag = "a", attributes = { id = 1 }, children = { "text" } }) --> <a id="1">text</a>
--- ```
---@param element data.Element
---@param options? data.XmlStyle
---@return string xml
function M.to_xml(element, options)
  raise.check(1, "data.to_xml", "table", element)
  options = options_of.read(2, "data.to_xml", options, { indent = "integer" })
  local indent = options_of.at_least("data.to_xml", options, "indent", 0) or 0
  out, active = {}, {}
  put_element(element, "element", 0, indent > 0 and rep(" ", indent < INDENT_MOST and indent or INDENT_MOST) or nil)
  local text = concat(out)
  out, active = nil, nil
  return text
end

return M
