-- `observability`: what a spell counts and times. It is kept here, so that it follows undo, and told to OpenTelemetry
-- as well where that is configured (bridges/observability.py).

local codec = require("codec")
local errorobject = require("errorobject")
local host = require("host")
local instruments = require("lib.observability_instruments")
local path = require("lib.path")
local raise = require("raise")
local scheduler = require("scheduler")
local traced = require("guarded").traced
local framed = raise.framed

local error, next, setmetatable, type = error, next, setmetatable, type
local format, rep = string.format, string.rep
local pack, remove, sort, unpack = table.pack, table.remove, table.sort, table.unpack

local M = {}

local KEPT_SPANS = 1000
local tell, plain, labelled = instruments.tell, instruments.plain, instruments.labelled

-- ── metrics ────────────────────────────────────────────────────────────────────────────────────────

--- How an instrument is described.
---@class observability.Instrument
---@field description? string what is measured
---@field unit? string such as `s`, `By` or `1`

--- Makes a number that only grows.
--- ```lua
--- local calls = observability.counter("calls", { description = "questions asked" })
--- calls:add(2, { model = "small" })
--- calls:add()
--- print(calls:get({ model = "small" }), calls:get()) --> 2	3
--- ```
---@param name string
---@param options? observability.Instrument|string a string is the description
---@return Counter counter
function M.counter(name, options)
  return (instruments.make("counter", "observability.counter", name, options))
end

--- Makes a number that is now.
--- ```lua
--- local queue = observability.gauge("queue")
--- queue:set(5)
--- queue:add(-2)
--- print(queue:get()) --> 3
--- ```
---@param name string
---@param options? observability.Instrument|string a string is the description
---@return Gauge gauge
function M.gauge(name, options)
  return (instruments.make("gauge", "observability.gauge", name, options))
end

--- Makes what records many numbers, such as times.
--- ```lua
--- local seconds = observability.histogram("answer", { unit = "s" })
--- for n = 1, 4 do seconds:record(n) end
--- print(seconds:stats().mean, seconds:stats().max) --> 2.5	4
--- ```
---@param name string
---@param options? observability.Instrument|string a string is the description
---@return Histogram histogram
function M.histogram(name, options)
  return (instruments.make("histogram", "observability.histogram", name, options))
end

M.timer = M.histogram

-- ── spans ──────────────────────────────────────────────────────────────────────────────────────────

local spans, next_span = {}, 0 -- that have ended, oldest first
local stacks = setmetatable({}, { __mode = "k" }) -- task, or `main` → the spans that it is in
local main = {}

-- The innermost span of the running task, or of those that started it.
local function current()
  local task = scheduler.current()
  while task do
    local stack = stacks[task]
    if stack and #stack > 0 then return stack[#stack] end
    task = task.creator
  end
  local stack = stacks[main]
  return stack and stack[#stack]
end

local infos = setmetatable({}, { __mode = "k" }) -- span → what is known of it

--- A stretch of work: see `observability.start_span`.
---@class Span
local Span = {}

local STATUSES = { "ok", "error", "unset" }

local span_meta = { __name = "Span", __index = Span, __metatable = false }
span_meta.__newindex = function() raise.raise("a span is read-only: span:set_attribute(name, value)") end
span_meta.__tostring = function(span) return "span: " .. infos[span].name end

local function info_of(span, method)
  local info = infos[span]
  return info or raise.no_self("span:" .. method)
end

--- Begins a span, inside that of the function that is running (see `observability.with_span`). End it with
--- `span:finish()`, or declare it `<close>`.
--- ```lua
--- do
---   local span <close> = observability.start_span("load", { file = "a.csv" })
---   span:add_event("half way")
--- end
--- print(observability.spans()[1].name) --> load
--- ```
---@param name string
---@param attributes? table
---@return Span span
function M.start_span(name, attributes)
  raise.check(1, "observability.start_span", "string", name)
  attributes = plain(raise.check(2, "observability.start_span", "table", attributes, true))
  next_span = next_span + 1
  local parent = current()
  local info = {
    id = next_span, name = name, began = host.now(), attributes = attributes, events = {}, status = "unset",
    parent = parent and parent.id, depth = parent and parent.depth + 1 or 0,
  }
  local span = setmetatable({}, span_meta)
  infos[span] = info
  tell("begin", info.id, info.parent or 0, name, attributes, info.began)
  return span
end

--- Sets an attribute.
--- ```lua
--- observability.with_span("work", function(span) span:set_attribute("rows", 10) end)
--- ```
---@param name string
---@param value any a string, number or boolean; of anything else its text, nil takes it away
---@return Span span
function Span:set_attribute(name, value)
  local info = info_of(self, "set_attribute")
  raise.check(1, "span:set_attribute", "string", name)
  info.attributes[name] = plain({ value })["1"]
  return self
end

--- Notes that something happened now.
--- ```lua
--- observability.with_span("work", function(span) span:add_event("retry", { attempt = 2 }) end)
--- ```
---@param name string
---@param attributes? table
---@return Span span
function Span:add_event(name, attributes)
  local info = info_of(self, "add_event")
  raise.check(1, "span:add_event", "string", name)
  raise.check(2, "span:add_event", "table", attributes, true)
  info.events[#info.events + 1] = { name = name, at = host.now(), attributes = plain(attributes) }
  return self
end

--- Says how it went: `"ok"` or `"error"`.
--- ```lua
--- observability.with_span("work", function(span) span:set_status("ok") end)
--- ```
---@param status "ok"|"error"|"unset"
---@param description? string
---@return Span span
function Span:set_status(status, description)
  local info = info_of(self, "set_status")
  raise.check_option(1, "span:set_status", status, STATUSES)
  info.status, info.problem = status, raise.check(2, "span:set_status", "string", description, true)
  return self
end

--- Notes an error, and that it went wrong.
--- ```lua
--- observability.with_span("work", function(span) span:record_error("no answer") end)
--- ```
---@param err any
---@return Span span
function Span:record_error(err)
  info_of(self, "record_error")
  local text = errorobject.text(err)
  Span.set_status(self, "error", text)
  return Span.add_event(self, "exception", { ["exception.message"] = text })
end

--- Ends it; returns the seconds that it took.
--- ```lua
--- local span = observability.start_span("work")
--- print(span:finish() >= 0) --> true
--- ```
---@return number seconds
function Span:finish()
  local info = info_of(self, "finish")
  if not info.seconds then
    info.seconds = host.now() - info.began
    if #spans >= KEPT_SPANS then remove(spans, 1) end
    spans[#spans + 1] = info
    tell("finish", info.id, info.attributes, codec.array(info.events), info.status, info.problem or "", host.now())
  end
  return info.seconds
end

Span["end"] = Span.finish

span_meta.__close = function(span, err)
  if err ~= nil and not infos[span].seconds then Span.record_error(span, err) end
  Span.finish(span)
end

--- Calls `fn(span)` inside a span, and returns what it returns; spans that are begun in it, in its tasks too, are
--- inside it. An error is noted and raised again.
--- ```lua
--- print(observability.with_span("sum", function() return 1 + 1 end)) --> 2
--- ```
---@param name string
---@param ... function|table the function, or attributes and the function
---@return any results
function M.with_span(name, ...)
  raise.check(1, "observability.with_span", "string", name)
  local attributes, fn = ...
  if type(attributes) == "function" and fn == nil then
    attributes, fn = nil, attributes
  elseif fn == nil and type(attributes) ~= "table" then
    raise.bad_argument(2, "observability.with_span", "function or table", attributes)
  end
  raise.check(2, "observability.with_span", "table", attributes, true)
  raise.check(attributes and 3 or 2, "observability.with_span", "function", fn)
  local span = M.start_span(name, attributes)
  local owner = scheduler.current() or main
  local stack = stacks[owner] or {}
  stacks[owner] = stack
  stack[#stack + 1] = infos[span]
  local results = pack(traced(fn, span))
  stack[#stack] = nil
  if not results[1] then Span.record_error(span, results[2]) end
  Span.finish(span)
  if not results[1] then error(results[2], 0) end
  return unpack(results, 2, results.n)
end

--- Makes a function that runs `fn` inside a span each time.
--- ```lua
--- local double = observability.trace(function(n) return 2 * n end, "double")
--- print(double(21)) --> 42
--- ```
---@param fn function
---@param name? string
---@return function traced
function M.trace(fn, name)
  raise.check(1, "observability.trace", "function", fn)
  raise.check(2, "observability.trace", "string", name, true)
  return function(...)
    local arguments = pack(...)
    local function run(_span) return framed(fn(unpack(arguments, 1, arguments.n))) end
    return framed(M.with_span(name or "function", run))
  end
end

M.track = M.trace

-- ── what there is ──────────────────────────────────────────────────────────────────────────────────

--- Lists what was measured, one record for each instrument and set of attributes.
--- ```lua
--- observability.counter("seen"):add(3)
--- print(data.find(observability.measures(), function(m) return m.name == "seen" end).value) --> 3
--- ```
---@return table measures
function M.measures() return instruments.measures() end

--- Lists the spans that have ended, in the order in which they began: `{ name, depth, seconds, status, attributes,
--- events, problem }`.
--- ```lua
--- print(#observability.spans() >= 0) --> true
--- ```
---@return table spans
function M.spans()
  local rows = codec.array({})
  for index, info in next, spans do
    local events = codec.array({})
    for at, event in next, info.events do
      events[at] = { name = event.name, seconds = event.at - info.began, attributes = event.attributes }
    end
    rows[index] = {
      id = info.id, parent = info.parent, name = info.name, depth = info.depth, seconds = info.seconds,
      status = info.status, problem = info.problem, attributes = path.clone(info.attributes), events = events,
    }
  end
  sort(rows, function(a, b) return a.id < b.id end)
  return rows
end

local function shown_seconds(seconds)
  if seconds < 0.001 then return format("%.0f µs", seconds * 1e6) end
  if seconds < 1 then return format("%.1f ms", seconds * 1e3) end
  return format("%.2f s", seconds)
end

--- Shows what was measured and traced so far: a value that a cell displays as tables. Where OpenTelemetry is configured
--- (`OTEL_EXPORTER_OTLP_ENDPOINT`), the same goes there while it happens.
--- ```lua
--- observability.report()
--- ```
---@return table report
function M.report()
  local shown = codec.array({})
  for index, span in next, M.spans() do
    shown[index] = {
      span = rep("  ", span.depth) .. span.name, time = shown_seconds(span.seconds), status = span.status,
      attributes = labelled(span.attributes),
    }
  end
  return { measures = M.measures(), spans = shown }
end

--- Forgets everything that was measured and traced.
--- ```lua
--- observability.reset()
--- ```
function M.reset()
  spans = {}
  instruments.reset()
end

--- The instruments, by their names.
M.metrics = { counter = M.counter, gauge = M.gauge, histogram = M.histogram, timer = M.histogram, list = M.measures }
--- Spans, by the names of their functions.
M.tracing = { start_span = M.start_span, with_span = M.with_span, trace = M.trace, list = M.spans }

--- Checks of texts; the same as the module `guardrails`.
M.guardrails = require("lib.guardrails")

return M
