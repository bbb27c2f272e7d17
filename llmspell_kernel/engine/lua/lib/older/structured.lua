-- go-llmspell's `require("structured")`: schemas kept by name, made, compared and checked against, over `data`.

local asking = require("lib.asking")
local base = require("lib.rs.base")
local data = require("lib.data")
local json = require("lib.json")
local promises = require("promises")
local raise = require("raise")

require("lib.promise")

local error, ipairs, next, pcall, setmetatable, tostring, type =
  error, ipairs, next, pcall, setmetatable, tostring, type
local concat, insert, sort = table.concat, table.insert, table.sort

local S = {}
local kept, validators = {}, {} -- name → { latest, versions }, name → function
local counts = { validations = 0, failures = 0 }

-- ── making ─────────────────────────────────────────────────────────────────────────────────────────

function S.create_schema(schema) return raise.check(1, "structured.create_schema", "table", schema) end

function S.create_property(kind, constraints)
  local property = asking.copy(constraints)
  property.type = raise.check(1, "structured.create_property", "string", kind)
  return property
end

function S.from_json_schema(text) return data.parse_json(text) end

function S.to_json_schema(schema) return json.encode(schema) end

function S.import_from_string(content, format) return data.parse(content, format or "json") end

local builder = {}
builder.__index = builder

function builder.add_property(self, name, kind, required, constraints)
  self.schema.properties[name] = S.create_property(kind, constraints)
  if required then insert(self.schema.required, name) end
  return self
end

function builder.add_string(self, name, required, least, most, pattern)
  return self:add_property(name, "string", required, { minLength = least, maxLength = most, pattern = pattern })
end

function builder.add_number(self, name, required, least, most)
  return self:add_property(name, "number", required, { minimum = least, maximum = most })
end

function builder.add_boolean(self, name, required) return self:add_property(name, "boolean", required) end

function builder.add_array(self, name, required, items, least, most)
  return self:add_property(name, "array", required, { items = items, minItems = least, maxItems = most })
end

function builder.add_object(self, name, required, properties)
  return self:add_property(name, "object", required, { properties = properties })
end

function builder.build(self) return self.schema end

function S.builder()
  return setmetatable({ schema = { type = "object", properties = {}, required = json.array() } }, builder)
end

-- ── keeping ────────────────────────────────────────────────────────────────────────────────────────

function S.save_schema(name, schema)
  raise.check(1, "structured.save_schema", "string", name)
  raise.check(2, "structured.save_schema", "table", schema)
  kept[name] = kept[name] or { versions = {} }
  kept[name].latest = schema
  return true
end

function S.get_schema(name)
  if not kept[name] then raise.raise("there is no schema '" .. tostring(name) .. "'") end
  return kept[name].latest
end

function S.delete_schema(name)
  local was = kept[name] ~= nil
  kept[name] = nil
  return was
end

function S.save_version(name, schema, version)
  S.save_schema(name, schema)
  kept[name].versions[tostring(version)] = schema
  return true
end

function S.get_version(name, version)
  local schema = kept[name] and kept[name].versions[tostring(version)]
  if not schema then raise.raise("there is no version " .. tostring(version) .. " of '" .. tostring(name) .. "'") end
  return schema
end

function S.list_versions(name)
  local versions = {}
  for version in next, kept[name] and kept[name].versions or {} do insert(versions, version) end
  sort(versions)
  return versions
end

function S.create_and_save(name, schema)
  S.save_schema(name, schema)
  return schema
end

function S.export_repository()
  local schemas = {}
  for name, entry in next, kept do schemas[name] = entry.latest end
  return json.encode(schemas)
end

function S.import_repository(given)
  local schemas = type(given) == "string" and data.parse_json(given) or given
  for name, schema in next, schemas do S.save_schema(name, schema) end
  return true
end

-- ── comparing ──────────────────────────────────────────────────────────────────────────────────────

--- Later ones go before earlier ones; what any requires is required.
function S.merge_schemas(schemas)
  local merged, required = {}, json.array()
  for _, schema in ipairs(raise.check(1, "structured.merge_schemas", "table", schemas)) do
    merged = data.merge(merged, schema)
    for _, name in ipairs(schema.required or {}) do insert(required, name) end
  end
  merged.required = #required > 0 and data.unique(required) or nil
  return merged
end

function S.diff_schemas(old, new)
  local changes = data.diff(old, new)
  return { changes = changes, has_changes = #changes > 0 }
end

-- ── checking ───────────────────────────────────────────────────────────────────────────────────────

function S.validate_json(schema, value)
  if type(value) == "string" and schema.type ~= "string" then
    local parsed, err = data.parse_json(value)
    if parsed == nil then return { valid = false, errors = { tostring(err) } } end
    value = parsed
  end
  local result = data.validate(value, schema)
  counts.validations = counts.validations + 1
  if not result.valid then counts.failures = counts.failures + 1 end
  return result
end

S.validate_struct = S.validate_json

function S.validate(schema, value)
  return S.validate_json(type(schema) == "string" and S.get_schema(schema) or schema, value)
end

function S.validate_async(schema, value, callback)
  return (promises.spawn(function()
    local result = S.validate(schema, value)
    if callback then callback(result) end
    return result
  end))
end

function S.validate_batch(schema, values)
  local results = {}
  for index, value in ipairs(raise.check(2, "structured.validate_batch", "table", values)) do
    local result = S.validate(schema, value)
    local problem = not result.valid and concat(result.errors, "; ") or nil
    results[index] = { index = index, valid = result.valid, result = result, error = problem }
  end
  return results
end

function S.register_validator(name, fn)
  raise.check(1, "structured.register_validator", "string", name)
  validators[name] = raise.check(2, "structured.register_validator", "function", fn)
  return true
end

S.register_conditional_validator = S.register_validator

function S.validate_custom(value, name)
  local fn = validators[name]
  if not fn then raise.raise("there is no validator '" .. tostring(name) .. "'") end
  local ok, fits, problem = pcall(fn, value)
  if not ok then error(fits, 0) end
  if type(fits) == "table" then return fits end
  return { valid = fits and true or false, errors = fits and {} or { tostring(problem or name .. " does not hold") } }
end

function S.list_validators()
  local names = {}
  for name in next, validators do insert(names, name) end
  sort(names)
  return names
end

function S.get_metrics() return asking.copy(counts) end

function S.clear_cache() return true end

function S.generate_from_type(value) return require("lib.older.data").members.infer_schema(value) end

S.generate_from_tags, S.generate_with_docs = S.generate_from_type, S.generate_from_type

return base.module("structured", {}, S, base.lacking("schemas here are JSON Schema; kept ones are in memory", {
  "to_openapi", "convert_format", "init_repository", "import_from_file",
}))
