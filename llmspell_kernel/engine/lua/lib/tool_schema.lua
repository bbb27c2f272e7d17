-- The parameters of a tool as spells write them, made into JSON Schema.

local next, type = next, type
local sort = table.sort

local M = {}

local function copied(property)
  local copy = {}
  for name, value in next, property do copy[name] = value end
  return copy
end

-- Properties where `required = true` beside the type stands for the list in the schema.
local function object_of(properties)
  local plain, required = {}, {}
  for key, property in next, properties do
    plain[key] = property
    if type(property) == "table" and property.type == "table" then
      property = copied(property)
      property.type, plain[key] = nil, property -- Lua's word for a list or an object
    end
    if type(property) == "table" and type(property.required) == "boolean" then
      local copy = copied(property)
      copy.required, plain[key] = nil, copy
      if property.required then required[#required + 1] = key end
    end
  end
  sort(required)
  return { type = "object", properties = plain, required = #required > 0 and required or nil }
end

--- JSON Schema out of a schema, or of its properties alone.
function M.of(parameters)
  if parameters == nil or next(parameters) == nil then return { type = "object" } end
  if parameters.type ~= nil and type(parameters.type) ~= "table" then return parameters end
  -- go-llmspell puts them under `parameters` of a table that says more
  local inner = parameters.parameters
  if type(inner) == "table" and inner.type == nil and not inner.required then return M.of(inner) end
  return object_of(parameters)
end

return M
