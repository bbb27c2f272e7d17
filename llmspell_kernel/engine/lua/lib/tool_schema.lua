-- The parameters of a tool as spells write them, made into JSON Schema.

local next, type = next, type
local sort = table.sort

local M = {}

-- Properties where `required = true` beside the type stands for the list in the schema.
local function object_of(properties)
  local plain, required = {}, {}
  for key, property in next, properties do
    plain[key] = property
    if type(property) == "table" and type(property.required) == "boolean" then
      local copy = {}
      for name, value in next, property do
        if name ~= "required" then copy[name] = value end
      end
      plain[key] = copy
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
  return object_of(parameters)
end

return M
