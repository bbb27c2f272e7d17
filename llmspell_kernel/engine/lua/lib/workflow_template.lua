-- Templates between the steps of a workflow: "{{step.output}}", "{{params.city}}", "{{item}}".

local json = require("lib.json")
local errorobject = require("errorobject")

local error, next, pairs, tonumber, tostring, type = error, next, pairs, tonumber, tostring, type
local concat, sort = table.concat, table.sort
local find, gmatch, gsub, match = string.find, string.gmatch, string.gsub, string.match

local T = {}

local DEPTH = 32

local function field(value, key)
  if type(value) ~= "table" then return nil end
  local found = value[key]
  if found == nil and tonumber(key) then found = value[tonumber(key)] end
  return found
end

-- What a step's report, or the table that a tool gave, calls its result.
local function result_of(value)
  if type(value) ~= "table" or value.result ~= nil or value.attempts == nil then return nil end
  local output = value.output
  if type(output) == "table" and output.result ~= nil then return output.result end
  return output
end

--- The value that `path` names, such as `step.output.title`; nil if it names none.
function T.lookup(context, path)
  path = gsub(gsub(path, "^step:([^:]+):", "%1."), "^steps?%.", "steps.") -- other ways to write it
  path = gsub(path, "%[[\"']?([^%[%]\"']+)[\"']?%]", ".%1")
  local value = context
  for key in gmatch(path, "[^%.]+") do
    value = key == "result" and result_of(value) or field(value, key)
    if value == nil then return nil end
  end
  return value
end

local function text_of(value)
  if type(value) == "table" and not value.text then return json.encode(value) end
  if type(value) == "table" then return tostring(value.text) end
  return tostring(value)
end

local function unknown(path, context)
  local names = {}
  for name in pairs(context.names()) do names[#names + 1] = name end
  sort(names)
  error(errorobject.new({
    code = "bad_template",
    message = "the template {{" .. path .. "}} names nothing; there are: " .. concat(names, ", "),
  }), 0)
end

local function filled(text, context, lenient)
  local whole = match(text, "^{{%s*([^{}]-)%s*}}$")
  if whole then
    local value = T.lookup(context, whole)
    if value == nil and not lenient then unknown(whole, context) end
    if value == nil then return text end
    return value
  end
  return (gsub(text, "{{%s*([^{}]-)%s*}}", function(path)
    local value = T.lookup(context, path)
    if value == nil and not lenient then unknown(path, context) end
    return value ~= nil and text_of(value) or nil
  end))
end

--- `value` with every template in its strings filled. A string that is one template becomes the value itself.
function T.fill(value, context, lenient, depth)
  if type(value) == "string" then
    return find(value, "{{", 1, true) and filled(value, context, lenient) or value
  end
  depth = depth or 1
  if type(value) ~= "table" or depth > DEPTH then return value end
  local copy = {}
  for key, inner in next, value do copy[key] = T.fill(inner, context, lenient, depth + 1) end
  return copy
end

return T
