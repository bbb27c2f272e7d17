-- go-llmspell's `data`: schemas out of values.

local data = require("lib.data")
local raise = require("raise")
local reasons = require("lib.older.reasons")

local error, ipairs, next, rawlen, tostring, type = error, ipairs, next, rawlen, tostring, type
local math_type, concat, sort, find, sub = math.type, table.concat, table.sort, string.find, string.sub

local D = {}

local function schema_of(value)
  local kind = type(value)
  if kind == "number" then return { type = math_type(value) == "integer" and "integer" or "number" } end
  if kind == "string" or kind == "boolean" then return { type = kind } end
  if kind ~= "table" then return { type = "null" } end
  if rawlen(value) > 0 then return { type = "array", items = schema_of(value[1]) } end
  local properties, required = {}, {}
  for key, inner in next, value do
    properties[key] = schema_of(inner)
    required[#required + 1] = key
  end
  sort(required, function(a, b) return tostring(a) < tostring(b) end)
  return { type = "object", properties = properties, required = required }
end

D.infer_schema = schema_of
D.from_json = data.parse_json

for _, format in ipairs({ "csv", "xml", "yaml" }) do
  D["from_" .. format] = function(text, options) return data.parse(text, format, options) end
end

function D.transform(value, fn)
  if type(fn) ~= "function" then raise.check(2, "data.transform", "function", fn) end
  return fn(value)
end

--- Reads the JSON in a text that says more than that, as models' answers do.
function D.extract_structured(text, schema)
  for _, ends in ipairs({ { "{", "}" }, { "[", "]" } }) do
    local first = find(text, ends[1], 1, true)
    local last = first and find(text, "%" .. ends[2] .. "[^%" .. ends[2] .. "]*$")
    local value = last and data.parse_json(sub(text, first, last))
    if value ~= nil then
      local checked = schema and data.validate(value, schema)
      if checked and not checked.valid then
        error("Structured data extraction failed: " .. concat(checked.errors, "; "), 0)
      end
      return value
    end
  end
  error("Structured data extraction failed: there is no JSON in the text", 0)
end

return { members = D, lacking = reasons({}, "map the values to the new shape yourself", {
  "migrate_schema", "sanitize",
}) }
