-- The tools of rs-llmspell by its names, over ours. Each takes the parameters and gives a table of results, which is
-- also read as a text.

local bridge = require("bridge")
local errorobject = require("errorobject")
local json = require("lib.json")
local tools = require("lib.tools")

local error, ipairs, next, tonumber, tostring, type = error, ipairs, next, tonumber, tostring, type
local find, format, gmatch, gsub, lower, match, rep, reverse, sub, upper =
  string.find, string.format, string.gmatch, string.gsub, string.lower, string.match, string.rep, string.reverse,
  string.sub, string.upper
local random = math.random
local digest, encode64, decode64 =
  bridge.bind("compat_tools", "digest"), bridge.bind("compat_tools", "encode"), bridge.bind("compat_tools", "decode")

local T = {}

local function fail(message)
  error(errorobject.new({ code = "bad_arguments", message = message }), 0)
end

-- The result of one of our tools; raises what it returns as an error.
local function ours(name, arguments)
  local value, err = tools.execute(name, arguments)
  if value == nil and err ~= nil then error(err, 0) end
  return value
end

local function choose(tool, operations, operation, params)
  local run = operations[operation]
  if run then return run(params) end
  local known = {}
  for name in next, operations do known[#known + 1] = name end
  table.sort(known)
  local there_are = table.concat(known, ", ")
  fail("the tool '" .. tool .. "' has no operation '" .. tostring(operation) .. "'; there are: " .. there_are)
end

local function needed(params, ...)
  for _, key in ipairs({ ... }) do
    if params[key] ~= nil then return params[key] end
  end
  fail("the parameter '" .. (...) .. "' is missing")
end

-- ── numbers, texts ─────────────────────────────────────────────────────────────────────────────────

local SIGNS = { add = "+", subtract = "-", multiply = "*", divide = "/", power = "^", modulo = "%" }

function T.calculator(params)
  local expression = params.expression or params.input
  if expression == nil and SIGNS[params.operation] then
    expression = format("(%s) %s (%s)", needed(params, "a"), SIGNS[params.operation], needed(params, "b"))
  end
  if expression == nil then fail("the parameter 'expression' is missing") end
  return { result = ours("calculator", { expression = expression }), expression = expression }
end

local function split(params)
  local parts, delimiter, at = {}, params.delimiter or params.separator or ",", 1
  local text = needed(params, "input", "text")
  while true do
    local from, to = find(text, delimiter, at, true)
    parts[#parts + 1] = sub(text, at, (from or 0) - 1)
    if not from then return { result = parts } end
    at = to + 1
  end
end

local function plain(text) return (gsub(text, "%W", "%%%0")) end

local function changed(fn)
  return function(params) return { result = fn(needed(params, "input", "text"), params) } end
end

local TEXT = {
  uppercase = changed(upper),
  lowercase = changed(lower),
  reverse = changed(reverse),
  trim = changed(function(text) return match(text, "^%s*(.-)%s*$") end),
  append = changed(function(text, p) return text .. (p.suffix or p.append or p.value or "") end),
  prepend = changed(function(text, p) return (p.prefix or p.prepend or p.value or "") .. text end),
  ["repeat"] = changed(function(text, p) return rep(text, tonumber(p.count) or 1) end),
  length = changed(function(text) return utf8.len(text) or #text end),
  replace = changed(function(text, p)
    local to = gsub(p.to or p.replacement or p.replace or "", "%%", "%%%%")
    return (gsub(text, plain(p.from or p.pattern or p.find or p.search or ""), to))
  end),
  substring = changed(function(text, p) return sub(text, (p.start or 0) + 1, p["end"] or p.length) end),
  split = split,
  analyze = changed(function(text)
    local words, lines = 0, 1
    for _ in gmatch(text, "%S+") do words = words + 1 end
    for _ in gmatch(text, "\n") do lines = lines + 1 end
    return { words = words, lines = lines, characters = utf8.len(text) or #text }
  end),
}

local function counted(pattern)
  return function(text)
    local count = 0
    for _ in gmatch(text, pattern) do count = count + 1 end
    return count
  end
end

local COUNTS = {
  words = counted("%S+"), lines = counted("[^\n]*\n?."), sentences = counted("[^.!?]+[.!?]*"),
  chars = function(text) return utf8.len(text) or #text end,
}
COUNTS.characters = COUNTS.chars

function TEXT.count(params)
  local text = needed(params, "input", "text")
  return { result = (COUNTS[params.count_type or "chars"] or COUNTS.chars)(text) }
end

TEXT.upper, TEXT.to_uppercase = TEXT.uppercase, TEXT.uppercase
TEXT.lower, TEXT.to_lowercase = TEXT.lowercase, TEXT.lowercase

function T.text_manipulator(params)
  local given = {}
  for key, value in next, type(params.options) == "table" and params.options or {} do given[key] = value end
  for key, value in next, params do given[key] = value end
  return choose("text-manipulator", TEXT, given.operation, given)
end

function T.uuid_generator(params)
  local ids = {}
  for index = 1, tonumber(params.count) or 1 do
    local parts = { format("%08x", random(0, 0xffffffff)), format("%04x", random(0, 0xffff)) }
    parts[3] = format("4%03x", random(0, 0xfff))
    parts[4] = format("%x%03x", random(8, 11), random(0, 0xfff))
    parts[5] = format("%04x%08x", random(0, 0xffff), random(0, 0xffffffff))
    ids[index] = table.concat(parts, "-")
  end
  local id = params.prefix and params.prefix .. "_" .. ids[1] or ids[1]
  return { uuid = ids[1], uuids = ids, id = id, result = ids[1], version = "v4" }
end

function T.hash_calculator(params)
  local algorithm = lower(params.algorithm or "sha256")
  local hash = digest(algorithm, needed(params, "input", "data", "text"))
  if params.operation == "verify" then
    return { result = hash == lower(needed(params, "expected_hash", "hash")), hash = hash, algorithm = algorithm }
  end
  return { hash = hash, result = hash, algorithm = algorithm }
end

function T.base64_encoder(params)
  local text = needed(params, "input", "data", "text")
  return choose("base64-encoder", {
    encode = function()
      local output = encode64(text)
      return { output = output, encoded = output, result = output }
    end,
    decode = function()
      local output = decode64(text)
      return { output = output, decoded = output, result = output }
    end,
  }, params.operation or "encode", params)
end

-- ── times, JSON, templates ─────────────────────────────────────────────────────────────────────────

local TIMES = {
  now = function(p)
    local now = ours("datetime_now", { format = p.format })
    return { datetime = now, result = now }
  end,
  parse = function(p)
    local text = needed(p, "input", "datetime")
    return { timestamp = ours("datetime_parse", { text = text }), datetime = text }
  end,
  format = function(p)
    local time = needed(p, "input", "datetime", "timestamp")
    return { formatted = ours("datetime_format", { time = time, format = p.format }) }
  end,
}

function T.date_time_handler(params) return choose("date-time-handler", TIMES, params.operation or "now", params) end

local JSON = {
  parse = function(p) return { result = json.decode(needed(p, "input", "json", "text")) } end,
  stringify = function(p)
    return { result = json.encode(needed(p, "input", "data", "value"), p.pretty and { indent = 2 } or nil) }
  end,
  validate = function(p) return { valid = (json.decode(needed(p, "input", "json", "text"))) ~= nil } end,
  query = function(p)
    local given = needed(p, "input", "json", "data")
    local value = type(given) == "string" and json.decode(given) or given
    for key in gmatch(p.query or "", "[^%.%[%]]+") do
      if type(value) ~= "table" then return { result = nil } end
      local index = tonumber(key)
      value = value[key] ~= nil and value[key] or index and value[index + 1]
    end
    return { result = value }
  end,
}

function T.json_processor(params) return choose("json-processor", JSON, params.operation or "parse", params) end

function T.template_creator(params)
  local values = params.context or params.variables or params.data or {}
  local text = gsub(needed(params, "template", "input"), "{{%s*([%w_]+)%s*}}", function(name)
    return values[name] ~= nil and tostring(values[name]) or nil
  end)
  return { result = text }
end

-- ── files, the web ─────────────────────────────────────────────────────────────────────────────────

local function content(params) return needed(params, "input", "content", "data") end

local FILES = {
  read = function(p) return ours("file_read", { path = p.path }) end,
  write = function(p)
    ours("file_write", { path = p.path, content = content(p) })
    return "Wrote " .. #content(p) .. " bytes to " .. p.path
  end,
  append = function(p)
    ours("file_append", { path = p.path, content = content(p) })
    return "Appended " .. #content(p) .. " bytes to " .. p.path
  end,
  delete = function(p)
    ours("file_delete", { path = p.path })
    return "Deleted " .. p.path
  end,
  exists = function(p) return tostring(ours("file_exists", { path = p.path })) end,
  list = function(p) return { entries = ours("file_list", { path = p.path or "." }) } end,
  copy = function(p)
    local from, to = needed(p, "path", "source_path", "source"), needed(p, "target_path", "destination", "target")
    ours("file_write", { path = to, content = ours("file_read", { path = from }) })
    return "Copied " .. from .. " to " .. to
  end,
}
FILES.list_dir = FILES.list

function T.file_operations(params) return choose("file-operations", FILES, params.operation, params) end

function T.http_request(params)
  local http = require("lib.rs.base").need("http", "http-request")
  local headers, body = params.headers, params.body or params.input or params.data
  if type(body) == "table" then body = json.encode(body) end
  local request = { url = needed(params, "url"), method = params.method or "GET", headers = headers, body = body }
  local answer, err = http.request(request)
  if answer == nil then error(err, 0) end
  return { status = answer.status, status_code = answer.status, headers = answer.headers, body = answer.body }
end

T.http_requester, T.web_scraper = T.http_request, T.http_request
T.webhook_caller, T.api_tester = T.http_request, T.http_request

function T.web_search(params)
  return { results = ours("web_search", { query = needed(params, "query", "input") }) }
end

T.web_searcher, T.template_engine, T.data_transformer = T.web_search, T.template_creator, T.json_processor

-- For the rest of them.
T.helpers = { choose = choose, fail = fail, needed = needed, ours = ours }

return T
