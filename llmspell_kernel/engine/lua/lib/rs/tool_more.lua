-- More tools of rs-llmspell by its names: files one by one, CSV, XML, checks of data, differences, addresses.

local base = require("lib.rs.base")
local T = require("lib.rs.tool_table")

local ipairs, next, tonumber, tostring, type = ipairs, next, tonumber, tostring, type
local find, format, gmatch, match, sub = string.find, string.format, string.gmatch, string.match, string.sub
local random = math.random
local insert = table.insert
local choose, fail, needed = T.helpers.choose, T.helpers.fail, T.helpers.needed
T.helpers = nil

-- ── files, formats ─────────────────────────────────────────────────────────────────────────────────

function T.file_reader(params)
  return T.file_operations({ operation = "read", path = needed(params, "path", "file_path", "file", "input") })
end

function T.file_writer(params)
  local operation = params.operation == "append" and "append" or "write"
  local path = needed(params, "path", "file_path", "file")
  return T.file_operations({ operation = operation, path = path, input = needed(params, "content", "input", "data") })
end

function T.directory_scanner(params) return T.file_operations({ operation = "list", path = params.path }) end

local function read_as(kind, params)
  local value, err = base.need("data", "a tool").parse(needed(params, "input", "content", "data", "text"), kind)
  if value == nil then fail(tostring(err)) end
  return value
end

function T.csv_processor(params)
  local rows = read_as("csv", params)
  local columns = {}
  for name in next, rows[1] or {} do insert(columns, name) end
  table.sort(columns, function(a, b) return tostring(a) < tostring(b) end)
  return { result = rows, rows = rows, row_count = #rows, columns = columns }
end

function T.xml_parser(params) return { result = read_as("xml", params) } end

-- ── checks ─────────────────────────────────────────────────────────────────────────────────────────

local CHECKS = {
  required = function(value) return value ~= nil and value ~= "", "is missing" end,
  email = function(value)
    return match(tostring(value), "^[^@%s]+@[^@%s]+%.[^@%s]+$") ~= nil, "is no address of mail"
  end,
  url = function(value) return match(tostring(value), "^%a[%w+.-]*://%S+$") ~= nil, "is no address" end,
  length = function(value, rule)
    local size = #tostring(value)
    return size >= (rule.min or 0) and size <= (rule.max or math.huge), "has a length that is not allowed"
  end,
  range = function(value, rule)
    local number = tonumber(value)
    return number ~= nil and number >= (rule.min or -math.huge) and number <= (rule.max or math.huge), "is out of range"
  end,
  enum = function(value, rule)
    for _, allowed in ipairs(rule.values or rule.enum or {}) do
      if allowed == value then return true end
    end
    return false, "is none of those allowed"
  end,
  type = function(value, rule)
    local wanted = rule.expected or rule.value
    return type(value) == wanted, "is no " .. tostring(wanted)
  end,
}

-- Rules are `{ rules = { { type, … } } }`, for the whole or by field.
local function check(value, rules, field, problems)
  for _, rule in ipairs(rules.rules or rules) do
    local holds = CHECKS[rule.type]
    if not holds then fail("the tool 'data-validation' has no rule '" .. tostring(rule.type) .. "'") end
    local ok, problem = holds(value, rule)
    if not ok then insert(problems, { field = field, rule = rule.type, message = rule.message or problem }) end
  end
end

function T.data_validation(params)
  local value, rules, problems = needed(params, "input", "data"), params.rules or {}, {}
  if rules.rules or rules[1] then
    check(value, rules, "input", problems)
  else
    for field, of_field in next, rules do check(type(value) == "table" and value[field], of_field, field, problems) end
  end
  return { valid = #problems == 0, errors = problems, result = { valid = #problems == 0, errors = problems } }
end

-- ── the rest ───────────────────────────────────────────────────────────────────────────────────────

local function lines_of(text)
  local lines = {}
  for line in gmatch(text .. "\n", "(.-)\n") do insert(lines, line) end
  return lines
end

-- The lines that two texts have in common, at the same end, stay; what is between them changed.
function T.diff_calculator(params)
  local old = lines_of(needed(params, "old_text", "text1", "old", "input"))
  local new = lines_of(needed(params, "new_text", "text2", "new"))
  local first, last_old, last_new = 1, #old, #new
  while first <= last_old and first <= last_new and old[first] == new[first] do first = first + 1 end
  while last_old >= first and last_new >= first and old[last_old] == new[last_new] do
    last_old, last_new = last_old - 1, last_new - 1
  end
  local diff = {}
  for index = first, last_old do insert(diff, "-" .. old[index]) end
  for index = first, last_new do insert(diff, "+" .. new[index]) end
  return { result = table.concat(diff, "\n"), removed = last_old - first + 1, added = last_new - first + 1 }
end

function T.url_analyzer(params)
  local url = needed(params, "url", "input")
  local scheme, rest = match(url, "^(%a[%w+.-]*)://(.*)$")
  if not scheme then return { valid = false, url = url } end
  local authority, path = match(rest, "^([^/?#]*)([^?#]*)")
  local query = {}
  for key, value in gmatch(match(rest, "%?([^#]*)") or "", "([^&=]+)=?([^&]*)") do query[key] = value end
  local host = match(authority, "([^@]*)$")
  local port = tonumber(match(host, ":(%d+)$"))
  if port then host = sub(host, 1, find(host, ":%d+$") - 1) end
  return {
    valid = true, url = url, scheme = scheme, host = host, port = port, path = path, query = query,
    fragment = match(rest, "#(.*)$"),
  }
end

function T.data_generator(params)
  local kind, made = params.type or params.operation or "number", {}
  for index = 1, tonumber(params.count) or 1 do
    made[index] = choose("data-generator", {
      number = function() return random(params.min or 0, params.max or 100) end,
      uuid = function() return T.uuid_generator({}).uuid end,
      string = function() return format("%08x%08x", random(0, 0xffffffff), random(0, 0xffffffff)) end,
      boolean = function() return random(0, 1) == 1 end,
      user = function()
        local id = random(1, 9999)
        return { id = id, name = "User " .. id, email = "user" .. id .. "@example.com" }
      end,
    }, kind, params)
  end
  return { result = made[1], data = made, count = #made }
end

return T
