-- `http`: requests, made by the kernel process (bridges/http.py) to hosts that are granted.

local bridge = require("bridge")
local json = require("lib.json")
local options_of = require("lib.options")
local raise = require("raise")
local framed = raise.framed

local getmetatable, next, rawget, rawset, setmetatable, tostring, type =
  getmetatable, next, rawget, rawset, setmetatable, tostring, type
local byte, find, format, gsub, lower, sub, upper =
  string.byte, string.find, string.format, string.gsub, string.lower, string.sub, string.upper
local concat, sort = table.concat, table.sort

local math_type = math.type

local M = {}

local send = bridge.bind("http_requests", "send")

--- What is asked for.
---@class http.Request
---@field url string with `http://` or `https://`
---@field method? "GET"|"POST"|"PUT"|"PATCH"|"DELETE"|"HEAD" `GET` unless it is given; `POST` where something is sent
---@field headers? table by name; a value may be a credential of `auth`
---@field query? table parameters that are added to the URL
---@field body? string|table what is sent; a table goes as JSON
---@field json? any what is sent as JSON, instead of a body
---@field form? table what is sent as the fields of a form, instead of a body
---@field auth? Credential who asks
---@field timeout? number seconds for all of it

--- An answer, whatever its status.
---@class http.Response
---@field status integer
---@field ok boolean whether the status is 200 to 299
---@field headers table<string, string> by name, in whatever case; of several with one name, the values with commas
---@field body string the bytes that came, unpacked, in the character set that `content-type` tells
---@field url string where it came from, after redirects
---@field reason string what the status means
local Response = {}

local meta = { __name = "http.Response" }

-- An answer reads as its body, as go-llmspell's first generation had it.
local function body_of(value)
  if type(value) == "table" and getmetatable(value) == meta then return rawget(value, "body") end
  return tostring(value)
end

local SHOWN = 2000 -- bytes of a body

-- A cell shows what came, and how it begins.
function meta.__mime(self)
  local body, kind = self.body, self.headers["content-type"]
  local head = self.status .. (self.reason ~= "" and " " .. self.reason or "") .. (kind and ", " .. kind or "")
  local lines = { head .. ", " .. #body .. " bytes" }
  if body ~= "" and utf8.len(body) then
    local last = #body > SHOWN and utf8.offset(body, 0, SHOWN) - 1 or #body
    lines[2] = sub(body, 1, last) .. (last < #body and "..." or "")
  end
  return { ["text/plain"] = concat(lines, "\n") }
end

meta.__tostring = body_of
meta.__concat = function(a, b) return body_of(a) .. body_of(b) end
meta.__len = function(self) return #body_of(self) end
meta.members = Response
meta.__index = function(_, key)
  local own = Response[key]
  if own ~= nil then return own end
  local method = string[key]
  return method and function(self, ...) return method(body_of(self), ...) end
end

--- Reads the body as JSON: the value, or `nil, err`.
--- ```lua
--- local value, err = http.response{ body = '{"n": 1}' }:json()
--- print(value.n) --> 1
--- ```
---@return any value
function Response:json()
  if type(self) ~= "table" or getmetatable(self) ~= meta then raise.no_self("response:json") end
  return framed(json.decode(rawget(self, "body")))
end

local FIELDS = {
  status = "integer", ok = "boolean", headers = "table", body = "string", url = "string", reason = "string",
}

-- The names are kept in lower case, and found in any.
local headers_meta = {
  __index = function(headers, name) return type(name) == "string" and rawget(headers, lower(name)) or nil end,
}

local function headers_of(given)
  local headers = {}
  for name, value in next, given do headers[type(name) == "string" and lower(name) or name] = value end
  return setmetatable(headers, headers_meta)
end

local function response_of(fields)
  local status = fields.status or 200
  return setmetatable({
    status = status,
    ok = status >= 200 and status < 300,
    headers = headers_of(fields.headers or {}),
    body = fields.body or "",
    url = fields.url or "",
    reason = fields.reason or "",
  }, meta)
end

--- Makes a response without a request, for tests and for mocks.
--- ```lua
--- print(http.response{ status = 404 }.ok) --> false
--- ```
---@param fields table
---@return http.Response response
function M.response(fields)
  raise.check(1, "http.response", "table", fields)
  return response_of(options_of.read(1, "http.response", fields, FIELDS))
end

local function escaped(text)
  return (gsub(text, "[^%w%-%._~]", function(c) return format("%%%02X", byte(c)) end))
end

local PLAIN = { string = true, number = true, boolean = true }

local function encoded(caller, parameters)
  local parts = {}
  for key, value in next, parameters do
    local values = type(value) == "table" and not raise.is_object(value) and value or { value }
    for at, one in next, values do
      if not PLAIN[type(one)] or math_type(at) ~= "integer" then
        raise.raise("'" .. caller .. "': the parameter " .. raise.shown(tostring(key))
          .. " is neither a plain value nor a list of such")
      end
    end
    for index = 1, #values do
      parts[#parts + 1] = escaped(tostring(key)) .. "=" .. escaped(tostring(values[index]))
    end
  end
  sort(parts)
  return concat(parts, "&")
end

--- Writes parameters for a URL, or the fields of a form: `a=1&b=x%20y`.
--- ```lua
--- print(http.encode{ q = "lua & jupyter", n = 1 }) --> n=1&q=lua%20%26%20jupyter
--- ```
---@param parameters table
---@return string text
function M.encode(parameters)
  return framed(encoded("http.encode", raise.check(1, "http.encode", "table", parameters)))
end

local function with_query(caller, url, query)
  local text = encoded(caller, query)
  if text == "" then return url end
  local whole, fragment = url, ""
  local hash = find(url, "#", 1, true)
  if hash then whole, fragment = string.sub(url, 1, hash - 1), string.sub(url, hash) end
  return whole .. (find(whole, "?", 1, true) and "&" or "?") .. text .. fragment
end

local function has_header(headers, name)
  for key in next, headers do
    if type(key) == "string" and lower(key) == name then return true end
  end
  return false
end

local KNOWN = {
  url = "string", method = "string", headers = "table", query = "table", body = "any", json = "any",
  form = "table", auth = "any", timeout = "number",
}

local BODIES = { "body", "json", "form" }

local function check_one_body(caller, options)
  local first
  for _, key in next, BODIES do
    if options[key] ~= nil and first then
      raise.raise("'" .. caller .. "' sends '" .. first .. "' or '" .. key .. "', not both")
    end
    first = options[key] ~= nil and key or first
  end
end

-- The request as the kernel process takes it.
local function prepared(caller, options)
  options = options_of.read(1, caller, options, KNOWN)
  check_one_body(caller, options)
  local headers, body, kind = {}, options.body, nil
  for key, value in next, options.headers or {} do rawset(headers, key, value) end
  if options.json ~= nil then
    body, kind = json.encode(options.json), "application/json"
  elseif options.form ~= nil then
    body, kind = encoded(caller, options.form), "application/x-www-form-urlencoded"
  elseif type(body) == "table" then
    body, kind = json.encode(body), "application/json"
  elseif type(body) == "number" then
    body = tostring(body)
  end
  if kind and not has_header(headers, "content-type") then headers["Content-Type"] = kind end
  local url = options.url
  if type(url) ~= "string" then raise.raise("'" .. caller .. "' needs a 'url'") end
  return {
    url = options.query and with_query(caller, url, options.query) or url,
    method = options.method or (body ~= nil and "POST" or "GET"),
    headers = headers,
    body = body,
    auth = options.auth,
    timeout = options.timeout,
  }
end

local function request(caller, options)
  local answer, err = send(caller, prepared(caller, options))
  if answer == nil then return nil, err end
  return response_of(answer)
end

--- Makes a request: `{ url, method, headers, query, body or json or form, auth, timeout }`. Returns the response
--- whatever its status, or `nil, err` if there is none. The host must be granted; redirects are followed if theirs are
--- too.
--- ```lua
--- local ok, err = pcall(http.request, { url = "http://192.0.2.1/" })
--- print(ok, err.code) --> false	missing_grant
--- ```
---@param options http.Request|string
---@return http.Response response
function M.request(options)
  if type(options) == "string" then options = { url = options } end
  if type(options) ~= "table" then raise.bad_argument(1, "http.request", "string or table", options) end
  return framed(request("http.request", raise.check(1, "http.request", "table", options)))
end

local NO_HEADERS = { "auth", "body", "form", "headers", "json", "method", "query", "timeout" }

-- Check the headers that are given to `caller`: who puts an option of a request there meant something else.
local function check_headers(index, caller, headers)
  raise.check(index, caller, "table", headers, true)
  for position = 1, headers and #NO_HEADERS or 0 do
    local name = NO_HEADERS[position]
    if headers[name] ~= nil then
      raise.refuse(index, caller, "headers expected; '" .. name .. "' is an option of http.request")
    end
  end
end

local function method_of(name, with_body)
  local caller = "http." .. name
  if with_body then
    return function(url, body, headers)
      raise.check(1, caller, "string", url)
      local kind = type(body)
      if kind ~= "nil" and kind ~= "string" and kind ~= "number" and (kind ~= "table" or raise.is_object(body)) then
        raise.bad_argument(2, caller, "string or table", body)
      end
      check_headers(3, caller, headers)
      if kind == "nil" then body = "" end
      return framed(request(caller, { url = url, method = upper(name), body = body, headers = headers }))
    end
  end
  return function(url, headers)
    raise.check(1, caller, "string", url)
    check_headers(2, caller, headers)
    return framed(request(caller, { url = url, method = upper(name), headers = headers }))
  end
end

--- Gets what is at a URL. Returns the response whatever its status, or `nil, err` if there is none. `http.request`
--- takes more: a query, a time, a credential.
--- ```lua
--- local ok, err = pcall(http.get, "http://192.0.2.1/", { Accept = "text/plain" })
--- print(ok, err.code) --> false	missing_grant
--- ```
---@param url string
---@param headers? table
---@return http.Response response
M.get = method_of("get")

--- Asks for the headers of what is at a URL. Returns the response whatever its status, or `nil, err` if there is
--- none.
--- ```lua
--- local ok, err = pcall(http.head, "http://192.0.2.1/")
--- print(ok, err.code) --> false	missing_grant
--- ```
---@param url string
---@param headers? table
---@return http.Response response
M.head = method_of("head")

--- Deletes what is at a URL. Returns the response whatever its status, or `nil, err` if there is
--- none.
--- ```lua
--- local ok, err = pcall(http.delete, "http://192.0.2.1/")
--- print(ok, err.code) --> false	missing_grant
--- ```
---@param url string
---@param headers? table
---@return http.Response response
M.delete = method_of("delete")

--- Posts to a URL. A body that is a table goes as JSON. Returns the response whatever its status, or
--- `nil, err` if there is none.
--- ```lua
--- local ok, err = pcall(http.post, "http://192.0.2.1/", { n = 1 }, { Accept = "application/json" })
--- print(ok, err.code) --> false	missing_grant
--- ```
---@param url string
---@param body? string|table
---@param headers? table
---@return http.Response response
M.post = method_of("post", true)

--- Puts something at a URL. A body that is a table goes as JSON. Returns the response whatever its status, or
--- `nil, err` if there is none.
--- ```lua
--- local ok, err = pcall(http.put, "http://192.0.2.1/")
--- print(ok, err.code) --> false	missing_grant
--- ```
---@param url string
---@param body? string|table
---@param headers? table
---@return http.Response response
M.put = method_of("put", true)

--- Changes what is at a URL. A body that is a table goes as JSON. Returns the response whatever its status, or
--- `nil, err` if there is none.
--- ```lua
--- local ok, err = pcall(http.patch, "http://192.0.2.1/")
--- print(ok, err.code) --> false	missing_grant
--- ```
---@param url string
---@param body? string|table
---@param headers? table
---@return http.Response response
M.patch = method_of("patch", true)

return M
