-- `errors`: error objects, catching them, trying again, circuit breakers.

local errorobject = require("errorobject")
local guarded, guarded_x, traced = require("guarded").pcall, require("guarded").xpcall, require("guarded").traced
local host = require("host")
local promises = require("promises")
local options_of = require("lib.options")
local raise = require("raise")
local scheduler = require("scheduler")
local framed = raise.framed

local error, next, rawget, setmetatable, tostring, type = error, next, rawget, setmetatable, tostring, type
local pack, unpack, concat = table.pack, table.unpack, table.concat
local getinfo, random = debug.getinfo, math.random
local math_ceil, math_min = math.ceil, math.min
local match, sub = string.match, string.sub

local M = {}

local DEEPEST = 100 -- causes of causes
local LEVELS = 12 -- of the stack, looked at for the position that a message begins with

-- ── making ─────────────────────────────────────────────────────────────────────────────────────────

-- The error object that stands for any value that was raised.
local function object_of(value)
  if errorobject.is(value) then return value end
  local text = type(value) == "string" and value or errorobject.text(value)
  local source, rest = match(text, "^(cell %d+:%d+): (.*)$")
  local original = type(value) ~= "string" and value or nil
  return errorobject.new({ code = "error", message = rest or text, at = source, value = original })
end

-- A message handler: the error object, without the position that Lua has put before the message.
local function handler(value)
  if type(value) ~= "string" then return object_of(value) end
  for level = 2, LEVELS do
    local info = getinfo(level, "Sl")
    if not info then break end
    local place = info.short_src .. ":" .. info.currentline
    if sub(value, 1, #place + 2) == place .. ": " then
      return errorobject.new({ code = "error", message = sub(value, #place + 3), at = place })
    end
  end
  return object_of(value)
end

local function copy(fields)
  local result = {}
  for key, value in next, fields do result[key] = value end
  return result
end

local FIELDS = {
  retryable = "boolean", suggestion = "string", provider = "string", details = "table", cause = "any", code = "any",
  message = "any", at = "string", errors = "table",
}

--- Makes an error object: `err.code`, `err.message`, and what `fields` adds (`retryable`, `suggestion`, `details`).
--- Raise it with `error(err)`, or return it after nil. With one argument that is the message, or a table of all fields.
--- ```lua
--- local err = errors.new("no_such_user", "there is no user 7", { retryable = false })
--- print(err.code, err) --> no_such_user	there is no user 7
--- ```
---@param code string|table
---@param message? string
---@param fields? { retryable?: boolean, suggestion?: string, provider?: string, details?: table }
---@return Error err
function M.new(code, message, fields)
  if type(code) == "table" and not raise.is_object(code) then
    local made = copy(options_of.check(1, "errors.new", code, FIELDS))
    made.message = made.message or "an error without a message"
    made.code = made.code or "error"
    return errorobject.new(made)
  end
  if type(code) ~= "string" then raise.bad_argument(1, "errors.new", "string or table", code) end
  raise.check(2, "errors.new", "string", message, true)
  local made = copy(options_of.check(3, "errors.new", fields, FIELDS))
  made.code, made.message = message and code or "error", message or code
  return errorobject.new(made)
end

--- Makes an error object the way that older spells do, the message first.
--- ```lua
--- print(errors.create("it broke", "broken").code) --> broken
--- ```
---@param message string
---@param code? string
---@param details? table
---@return Error err
function M.create(message, code, details)
  raise.check(1, "errors.create", "string", message)
  raise.check(2, "errors.create", "string", code, true)
  raise.check(3, "errors.create", "table", details, true)
  return M.new(code or "error", message, { details = details })
end

--- Joins several errors in one, whose message names them all and whose `errors` holds them.
--- ```lua
--- print(errors.aggregate({ "no disk", errors.new("full", "no room") }).message) --> 2 errors: no disk; no room
--- ```
---@param list table
---@return Error err
function M.aggregate(list)
  raise.check(1, "errors.aggregate", "table", list)
  local all, texts = {}, {}
  for index = 1, #list do
    all[index] = object_of(list[index])
    texts[index] = errorobject.text(all[index])
  end
  local count = #all == 1 and "1 error: " or #all .. " errors: "
  return errorobject.new({ code = "several", message = count .. concat(texts, "; "), errors = all })
end

-- ── what an error is ───────────────────────────────────────────────────────────────────────────────

--- Tells whether a value is an error object, as `errors.new` makes and `nil, err` gives.
--- ```lua
--- print(errors.is_error(errors.new("oops")), errors.is_error("oops")) --> true	false
--- ```
---@param value any
---@return boolean is
function M.is_error(value)
  return errorobject.is(value)
end

local function has_code(err, code)
  for _ = 1, DEEPEST do
    if not errorobject.is(err) then return false end
    if rawget(err, "code") == code then return true end
    err = rawget(err, "cause")
  end
  return false
end

--- Tells whether an error, or one that it wraps, has this code.
--- ```lua
--- local err = errors.new("timeout", "too slow"):wrap("the page did not come")
--- print(errors.is_type(err, "timeout"), errors.is_type(err, "other")) --> true	false
--- ```
---@param err any
---@param code string
---@return boolean is
function M.is_type(err, code)
  return has_code(err, raise.check(2, "errors.is_type", "string", code))
end

--- Tells whether trying again may help: an error object says so by `retryable`; of anything else nobody knows.
--- ```lua
--- print(errors.is_retryable(errors.new("busy", "try later", { retryable = true }))) --> true
--- ```
---@param err any
---@return boolean retryable
function M.is_retryable(err)
  return errorobject.is(err) and rawget(err, "retryable") == true
end

-- Argument `index` of `name` is what to add to `err`, the next one the code.
local function wrapped(name, index, err, context, code)
  local added = context
  if type(context) == "string" then
    added = { message = context }
  elseif type(context) ~= "table" or raise.is_object(context) then
    raise.bad_argument(index, name, "string or table", context)
  end
  raise.check(index + 1, name, "string", code, true)
  if err == nil then raise.bad_argument(1, name, "error", err) end
  local cause = object_of(err)
  local details
  for key, value in next, added do
    if key ~= "message" and key ~= "code" and key ~= "suggestion" then
      details = details or {}
      details[key] = value
    end
  end
  local text = errorobject.text(cause)
  return errorobject.new({
    code = code or added.code or cause.code,
    message = added.message and tostring(added.message) .. ": " .. text or text,
    suggestion = added.suggestion or cause.suggestion,
    provider = cause.provider,
    retryable = cause.retryable,
    details = details,
    cause = cause,
  })
end

--- An error, as `nil, err` and `errors.catch` give it; `tostring(err)` is its message.
---@class Error
---@field code string what went wrong, in one word for programs: `timeout`, `missing_grant`
---@field message string what went wrong, for people
---@field retryable? boolean whether trying again may help; nil if nobody knows
---@field suggestion? string what to do next
---@field provider? string the service that failed
---@field details? table more, by name
---@field cause? Error the error that this one was made of
---@field at? string where it was raised: `cell 3:1`
local methods = {}

--- Adds a detail under a name to `err.details`; returns the error.
--- ```lua
--- print(errors.new("full", "no room"):add_detail("free", 0).details.free) --> 0
--- ```
---@param name string
---@param value any
---@return Error err
function methods:add_detail(name, value)
  if not errorobject.is(self) then raise.no_self("err:add_detail") end
  raise.check(1, "err:add_detail", "string", name)
  if type(self.details) ~= "table" then self.details = {} end
  self.details[name] = value
  return self
end

--- Makes an error that says more and keeps this one as its `cause`; the code, unless another is given, stays.
--- ```lua
--- local err = errors.new("refused", "no answer"):wrap("the weather is unknown")
--- print(err) --> the weather is unknown: no answer
--- print(err.code, err.cause.message) --> refused	no answer
--- ```
---@param message string|table
---@param code? string
---@return Error err
function methods:wrap(message, code)
  if not errorobject.is(self) then raise.no_self("err:wrap") end
  return (wrapped("err:wrap", 1, self, message, code))
end

--- Tells whether this error, or one that it wraps, has this code; `errors.is_type`.
--- ```lua
--- print(errors.new("full", "no room"):is("full")) --> true
--- ```
---@param code string
---@return boolean is
function methods:is(code)
  if not errorobject.is(self) then raise.no_self("err:is") end
  return has_code(self, raise.check(1, "err:is", "string", code))
end

for name, method in next, methods do errorobject.method(name, method) end

--- Makes an error that says more about any error and keeps that as its `cause`. What to add is a message, or a table:
--- its `message`, `code`, `suggestion`, and anything else as details.
--- ```lua
--- local _, err = errors.catch(error, "no answer", 0)
--- print(errors.wrap(err, "the weather is unknown")) --> the weather is unknown: no answer
--- ```
---@param err any but nil
---@param context string|table
---@param code? string
---@return Error err
function M.wrap(err, context, code)
  return (wrapped("errors.wrap", 2, err, context, code))
end

-- ── catching ───────────────────────────────────────────────────────────────────────────────────────

local function caught(ok, ...)
  if ok then return ... end
  return nil, (...)
end

--- Calls `fn(...)`; returns what it returns, or `nil, err` with an error object for whatever it raised.
--- ```lua
--- local value, err = errors.catch(function() error("no") end)
--- print(value, err.message) --> nil	no
--- ```
---@param fn function
---@param ... any
---@return any values
function M.catch(fn, ...)
  raise.check(1, "errors.catch", "function", fn)
  return framed(caught(guarded_x(fn, handler, ...)))
end

--- Calls `fn`; if it raises, returns what `on_error(err)` returns, or raises again where there is none. `at_last` runs
--- in any case.
--- ```lua
--- print(errors.try(function() error("no") end, function(err) return "caught " .. err.message end)) --> caught no
--- ```
---@param fn function
---@param on_error? fun(err: Error): any
---@param at_last? function
---@return any values
function M.try(fn, on_error, at_last)
  raise.check(1, "errors.try", "function", fn)
  raise.check(2, "errors.try", "function", on_error, true)
  raise.check(3, "errors.try", "function", at_last, true)
  local results
  if on_error then
    results = pack(guarded_x(fn, handler))
    if not results[1] then results = pack(traced(on_error, results[2])) end
  else
    results = pack(traced(fn))
  end
  if at_last then at_last() end
  if not results[1] then error(results[2], 0) end
  return unpack(results, 2, results.n)
end

--- Makes a function that calls `fn`, and `instead` with the same arguments if that raises or returns `nil, err`.
--- ```lua
--- local number = errors.fallback(function(s) return tonumber(s) or error("no number") end, function() return 0 end)
--- print(number("7"), number("x")) --> 7	0
--- ```
---@param fn function
---@param instead function
---@return function either
function M.fallback(fn, instead)
  raise.check(1, "errors.fallback", "function", fn)
  raise.check(2, "errors.fallback", "function", instead)
  return function(...)
    local results = pack(guarded(fn, ...))
    if not results[1] or (results[2] == nil and results[3] ~= nil) then return framed(instead(...)) end
    return unpack(results, 2, results.n)
  end
end

-- ── trying again ───────────────────────────────────────────────────────────────────────────────────

-- The second line is how go-llmspell called them.
local RETRY = {
  times = "integer", backoff = "number|function", factor = "number", max = "number", jitter = "number", on = "function",
  max_attempts = "integer", initial_delay = "number", max_delay = "number", strategy = "string",
}

local function milliseconds(value) return value and value / 1000 end

-- How long to wait after each attempt, as a function of its number.
local function waits(options)
  local backoff = options.backoff
  if type(backoff) == "function" then
    return function(attempt)
      local seconds = backoff(attempt)
      if type(seconds) ~= "number" or seconds ~= seconds then
        local gave = seconds ~= seconds and "NaN" or seconds == nil and "nil" or "a " .. raise.type_of(seconds)
        raise.raise("the function 'backoff' of 'errors.retry' gave " .. gave .. ", and seconds are expected")
      end
      return seconds
    end
  end
  local function number(key, least) return options_of.at_least("errors.retry", options, key, least) end
  local first = number("backoff", 0) or milliseconds(number("initial_delay", 0)) or 0.5
  local most = number("max", 0) or milliseconds(number("max_delay", 0)) or 30
  local factor, jitter = number("factor", 1) or 2, number("jitter", 0) or 0
  local linear = options_of.one_of("errors.retry", options, "strategy", { "exponential", "linear" }) == "linear"
  return function(attempt)
    local seconds = linear and first * attempt or first * factor ^ (attempt - 1)
    return math_min(most, seconds) * (1 + jitter * random())
  end
end

-- Whether an error that is known to stay should be raised at once.
local function is_final(err)
  return errorobject.is(err) and (rawget(err, "retryable") == false or rawget(err, "code") == "cancelled")
end

--- How to try again.
---@class errors.Retry
---@field times? integer how many attempts at most (3)
---@field backoff? number|function seconds before the second attempt (0.5), or a function of the attempt that tells them
---@field factor? number by which each wait is longer than the one before (2)
---@field max? number the longest wait in seconds (30)
---@field jitter? number up to which part each wait is lengthened at random (0)
---@field on? fun(err: any, attempt: integer, seconds: number): boolean? called before each wait; false gives up

--- Calls `fn(attempt)` until it neither raises nor returns `nil, err`, at most `times` times (3), and waits in between,
--- while other tasks go on. A promise that `fn` returns is waited for. Gives up at once on an error that says it will
--- stay (`retryable = false`). What the last attempt raised is raised, what it returned is returned.
--- ```lua
--- print(errors.retry(function(attempt)
---   if attempt < 3 then error("not yet") end
---   return "attempt " .. attempt
--- end, { times = 5, backoff = 0.001 })) --> attempt 3
--- ```
---@param fn fun(attempt: integer): any
---@param options? errors.Retry
---@return any values
function M.retry(fn, options)
  raise.check(1, "errors.retry", "function", fn)
  options = options_of.read(2, "errors.retry", options, RETRY)
  local on = options.on
  local times = options_of.at_least("errors.retry", options, options.times and "times" or "max_attempts", 1) or 3
  local wait = waits(options)
  for attempt = 1, times do
    local results = pack(traced(fn, attempt))
    local state = results[1] and promises.state_of(results[2])
    if state then results = pack(traced(promises.await, state)) end
    local raised = not results[1]
    local err = results[raised and 2 or 3]
    if not raised and (results[2] ~= nil or err == nil) then return unpack(results, 2, results.n) end
    local seconds = attempt < times and not is_final(err) and wait(attempt)
    if seconds and on and on(err, attempt, seconds) == false then seconds = nil end
    if not seconds then
      if raised then error(err, 0) end
      return unpack(results, 2, results.n)
    end
    scheduler.sleep(seconds)
  end
end

-- ── circuit breakers ───────────────────────────────────────────────────────────────────────────────

local BREAKER = { threshold = "integer", reset = "number", failure_threshold = "integer", reset_timeout = "number" }

--- A function that is not called while it keeps failing; `state` is `closed` (all is well), `open` or `half_open`,
--- `failures` how often it has failed in a row. Call it as the function itself.
---@class Breaker
local breaker_methods = {}

local breakers = setmetatable({}, { __mode = "k" }) -- breaker → what it knows
local breaker_meta = { __name = "Breaker", __metatable = false }

local function state_of(self)
  if not self.opened then return "closed" end
  return host.now() - self.opened >= self.reset and "half_open" or "open"
end

local function open_error(self)
  local left = self.reset - (host.now() - self.opened)
  local times = self.failures == 1 and "the last time" or self.failures .. " times in a row"
  local again = left > 0 and "it is tried again in " .. math_ceil(left) .. " s" or "another call is trying it right now"
  return errorobject.new({
    code = "circuit_open",
    message = "not called: it has failed " .. times,
    retryable = true,
    suggestion = again,
    cause = self.last,
  })
end

local function finished(self, ok, ...)
  self.trying = false
  local first, second = ...
  if not ok or (first == nil and second ~= nil) then
    self.failures = self.failures + 1
    self.last = object_of(not ok and first or second)
    if self.failures >= self.threshold then self.opened = host.now() end
    if not ok then error(first, 0) end
  else
    self.failures, self.opened, self.last = 0, nil, nil
  end
  return ...
end

function breaker_meta.__call(breaker, ...)
  local self = breakers[breaker]
  local state = state_of(self)
  if state == "open" or (state == "half_open" and self.trying) then return nil, open_error(self) end
  self.trying = true
  return finished(self, traced(self.fn, ...))
end

breaker_meta.members = breaker_methods

function breaker_meta.__index(breaker, key)
  if breaker_methods[key] then return breaker_methods[key] end
  local self = breakers[breaker]
  if key == "state" then return state_of(self) end
  if key == "failures" then return self.failures end
end

function breaker_meta.__newindex() raise.raise("a circuit breaker is read-only") end
function breaker_meta.__tostring(breaker) return "circuit breaker: " .. state_of(breakers[breaker]) end

--- Closes the breaker, as if the function had never failed.
--- ```lua
--- local ask = errors.circuit_breaker(function() return 1 end)
--- ask:reset()
--- ```
function breaker_methods:reset()
  local known = breakers[self] or raise.no_self("breaker:reset")
  known.failures, known.opened, known.last, known.trying = 0, nil, nil, false
end

--- Makes a function that calls `fn`, unless it has failed `threshold` times in a row (5): then it returns `nil, err` at
--- once (`circuit_open`) for `reset` seconds (30), after which one call is let through to see. Failing is raising, or
--- returning `nil, err`.
--- ```lua
--- local ask = errors.circuit_breaker(function() return nil, errors.new("down", "no answer") end, { threshold = 1 })
--- ask()
--- local _, err = ask()
--- print(ask.state, err.code, err.cause.code) --> open	circuit_open	down
--- ```
---@param fn function
---@param options? { threshold?: integer, reset?: number }
---@return Breaker breaker
function M.circuit_breaker(fn, options)
  raise.check(1, "errors.circuit_breaker", "function", fn)
  options = options_of.read(2, "errors.circuit_breaker", options, BREAKER)
  local function number(key, least) return options_of.at_least("errors.circuit_breaker", options, key, least) end
  local threshold = number("threshold", 1) or number("failure_threshold", 1) or 5
  local reset = number("reset", 0) or milliseconds(number("reset_timeout", 0)) or 30
  local breaker = setmetatable({}, breaker_meta)
  breakers[breaker] = { fn = fn, threshold = threshold, reset = reset, failures = 0 }
  return breaker
end

--- What was raised or returned as an error, as an error object: strings become one whose code is `error`, and the
--- position that Lua puts before a message becomes its `at`.
--- ```lua
--- print(errors.from("it broke").message) --> it broke
--- ```
---@param value any but nil
---@return Error err
function M.from(value)
  if value == nil then raise.bad_argument(1, "errors.from", "error", value) end
  return object_of(value)
end

return M
