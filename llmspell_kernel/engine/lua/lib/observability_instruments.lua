-- The instruments of `observability`: what is counted, set and recorded, and the objects that do it.

local bridge = require("bridge")
local codec = require("codec")
local host = require("host")
local options_of = require("lib.options")
local path = require("lib.path")
local preview = require("preview")
local raise = require("raise")
local scheduler = require("scheduler")
local traced = require("guarded").traced

local error, next, rawequal, setmetatable, tostring, type =
  error, next, rawequal, setmetatable, tostring, type
local floor, max, min = math.floor, math.max, math.min
local concat, pack, sort, unpack = table.concat, table.pack, table.sort, table.unpack

local Instruments = {}

local KEPT_VALUES = 1000 -- of a histogram, for its percentiles
local ATTRIBUTES = 64
local VALUE_BYTES = 200 -- of an attribute that is a table or the like

-- ── to OpenTelemetry ───────────────────────────────────────────────────────────────────────────────

local configured = bridge.bind("telemetry", "configured")
local exporting -- nil until it is known

--- Tell OpenTelemetry something, where it is configured.
function Instruments.tell(name, ...)
  if exporting == nil then exporting = configured() end
  if exporting then scheduler.post("telemetry", name, ...) end
end

--- Attributes as OpenTelemetry takes them: names and plain values.
function Instruments.plain(attributes)
  local result = {}
  if type(attributes) ~= "table" then return result end
  for index, key in next, path.keys(attributes) do
    if index > ATTRIBUTES then break end
    local value = attributes[key]
    local kind = type(value)
    if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then value = preview.text(value, VALUE_BYTES) end
    result[tostring(key)] = value
  end
  return result
end

--- Attributes as one text.
function Instruments.labelled(attributes)
  local parts = {}
  for _, key in next, path.keys(attributes) do parts[#parts + 1] = key .. "=" .. tostring(attributes[key]) end
  return concat(parts, ", ")
end

local tell, plain, labelled = Instruments.tell, Instruments.plain, Instruments.labelled

-- ── what is measured ───────────────────────────────────────────────────────────────────────────────

local known = {} -- name → { kind, unit, description, points }

local function instrument(kind, caller, name, options)
  raise.check(1, caller, "string", name)
  if name == "" then raise.refuse(1, caller, "the name is empty") end
  if type(options) == "string" then options = { description = options } end
  if type(options) ~= "table" and options ~= nil then raise.bad_argument(2, caller, "string or table", options) end
  options = options_of.read(2, caller, options, { unit = "string", description = "string" })
  local found = known[name]
  if found and found.kind ~= kind then
    raise.refuse(1, caller, raise.shown(name) .. " is a " .. found.kind .. " already")
  end
  if not found then
    found = { kind = kind, unit = options.unit, description = options.description, points = {} }
    known[name] = found
  end
  return found
end

local function point_of(found, attributes)
  attributes = plain(attributes)
  local label = labelled(attributes)
  local point = found.points[label]
  if not point then
    point = { attributes = attributes, label = label, count = 0, sum = 0, values = {} }
    found.points[label] = point
  end
  return point
end

local function record(name, found, value, attributes)
  local point = point_of(found, attributes)
  point.count, point.sum, point.last = point.count + 1, point.sum + value, value
  point.min, point.max = min(point.min or value, value), max(point.max or value, value)
  if found.kind == "histogram" then point.values[(point.count - 1) % KEPT_VALUES + 1] = value end
  tell("measure", found.kind, name, value, point.attributes, found.unit or "", found.description or "")
end

local function summary(point)
  local values = {}
  for index = 1, #point.values do values[index] = point.values[index] end
  sort(values)
  local function at(share) return values[max(1, floor(share * #values + 0.5))] end
  return {
    count = point.count, sum = point.sum, min = point.min, max = point.max,
    mean = point.count > 0 and point.sum / point.count or nil, p50 = at(0.5), p95 = at(0.95),
  }
end

--- What was measured, one record for each instrument and set of attributes.
function Instruments.measures()
  local rows = codec.array({})
  for _, name in next, path.keys(known) do
    local found = known[name]
    for _, label in next, path.keys(found.points) do
      local point = found.points[label]
      local row = { name = name, kind = found.kind, attributes = label, unit = found.unit or "", count = point.count }
      if found.kind == "histogram" then
        for key, value in next, summary(point) do row[key] = value end
      else
        row.value = found.kind == "counter" and point.sum or point.last
      end
      rows[#rows + 1] = row
    end
  end
  return rows
end

--- Forget what was measured.
function Instruments.reset()
  for _, found in next, known do found.points = {} end
end

-- ── the objects ────────────────────────────────────────────────────────────────────────────────────

local infos = setmetatable({}, { __mode = "k" }) -- object → { name, found, began }

-- An object whose methods may be called with a colon or with a dot, as older spells do.
local function object_of(kind, methods, info)
  local object, bound = { name = info.name }, {}
  for method, fn in next, methods do
    bound[method] = function(first, ...)
      if rawequal(first, object) then return fn(object, ...) end
      return fn(object, first, ...)
    end
  end
  infos[object] = info
  return setmetatable(object, {
    __name = kind,
    __metatable = false,
    __index = bound,
    __tostring = function() return kind .. ": " .. info.name end,
  })
end

-- Attributes that were given as argument `index` of a method.
local function labels(index, method, attributes) return raise.check(index, method, "table", attributes, true) end

-- A number that was given to a method; one that is not finite would stay in every sum.
local function finite(method, value, optional)
  raise.check(1, method, "number", value, optional)
  if value and value - value ~= 0 then
    raise.refuse(1, method, "a finite number expected, got " .. (value ~= value and "NaN" or tostring(value)))
  end
  return value
end

--- A number that only grows: see `observability.counter`.
---@class Counter
local Counter = {}

--- Adds to it; returns what was added.
--- ```lua
--- print(observability.counter("apples"):add(3)) --> 3
--- ```
---@param value? number 1 unless given; not negative
---@param attributes? table
---@return number value
function Counter:add(value, attributes)
  local info = infos[self]
  value = raise.check_number(1, "counter:add", finite("counter:add", value, true), 0, true) or 1
  record(info.name, info.found, value, labels(2, "counter:add", attributes))
  return value
end

--- The same as `Counter:add`.
Counter.increment = Counter.add

--- Returns the sum so far: of these attributes, or of all.
--- ```lua
--- local pears = observability.counter("pears")
--- pears:add(2, { ripe = true })
--- print(pears:get(), pears:get({ ripe = false })) --> 2	0
--- ```
---@param attributes? table
---@return number sum
function Counter:get(attributes)
  local found = infos[self].found
  if labels(1, "counter:get", attributes) then return point_of(found, attributes).sum end
  local sum = 0
  for _, point in next, found.points do sum = sum + point.sum end
  return sum
end

--- Begins again at 0.
--- ```lua
--- observability.counter("plums"):reset()
--- ```
function Counter:reset() infos[self].found.points = {} end

--- A number that is now: see `observability.gauge`.
---@class Gauge
local Gauge = {}

--- Says what it is now; returns that.
--- ```lua
--- print(observability.gauge("guests"):set(5)) --> 5
--- ```
---@param value number
---@param attributes? table
---@return number value
function Gauge:set(value, attributes)
  local info = infos[self]
  finite("gauge:set", value)
  record(info.name, info.found, value, labels(2, "gauge:set", attributes))
  return value
end

--- Returns what it is, nil if nobody has said so.
--- ```lua
--- print(observability.gauge("never set"):get()) --> nil
--- ```
---@param attributes? table
---@return number? value
function Gauge:get(attributes)
  return point_of(infos[self].found, labels(1, "gauge:get", attributes)).last
end

local function changed(method, self, sign, value, attributes)
  value = finite(method, value, true) or 1
  local last = point_of(infos[self].found, labels(2, method, attributes)).last or 0
  return Gauge.set(self, last + sign * value, attributes)
end

--- Adds to it; returns what it is then.
--- ```lua
--- local room = observability.gauge("in the room")
--- room:set(1)
--- print(room:add(2)) --> 3
--- ```
---@param value? number 1 unless given
---@param attributes? table
---@return number value
function Gauge:add(value, attributes) return (changed("gauge:add", self, 1, value, attributes)) end

--- The same as `Gauge:add`.
Gauge.increase = Gauge.add

--- Takes from it; returns what it is then.
--- ```lua
--- print(observability.gauge("chairs left"):decrease()) --> -1
--- ```
---@param value? number 1 unless given
---@param attributes? table
---@return number value
function Gauge:decrease(value, attributes) return (changed("gauge:decrease", self, -1, value, attributes)) end

--- Many numbers, such as times: see `observability.histogram`.
---@class Histogram
local Histogram = {}

--- Notes a number; returns it.
--- ```lua
--- print(observability.histogram("bytes"):record(512)) --> 512
--- ```
---@param value number
---@param attributes? table
---@return number value
function Histogram:record(value, attributes)
  local info = infos[self]
  finite("histogram:record", value)
  record(info.name, info.found, value, labels(2, "histogram:record", attributes))
  return value
end

--- Returns what the numbers come to: `{ count, sum, min, max, mean, p50, p95 }`.
--- ```lua
--- print(observability.histogram("no numbers"):stats().count) --> 0
--- ```
---@param attributes? table
---@return table stats
function Histogram:stats(attributes)
  return summary(point_of(infos[self].found, labels(1, "histogram:stats", attributes)))
end

--- The same as `Histogram:stats`.
Histogram.get_stats = Histogram.stats

--- Calls `fn(...)`, notes the seconds that it took, and returns what it returns.
--- ```lua
--- print(observability.histogram("sums"):time(math.max, 3, 7)) --> 7
--- ```
---@param fn function
---@param ... any
---@return any results
function Histogram:time(fn, ...)
  raise.check(1, "histogram:time", "function", fn)
  local began = host.now()
  local results = pack(traced(fn, ...))
  Histogram.record(self, host.now() - began)
  if not results[1] then error(results[2], 0) end
  return unpack(results, 2, results.n)
end

--- A stopwatch: see `Histogram:start`.
---@class Timer
local Timer = {}

--- Notes the seconds since it was started; returns them.
--- ```lua
--- print(observability.histogram("walks"):start():stop() >= 0) --> true
--- ```
---@param attributes? table
---@return number seconds
function Timer:stop(attributes)
  local info = infos[self]
  labels(1, "timer:stop", attributes)
  return Histogram.record(info.histogram, host.now() - info.began, attributes)
end

--- Starts a stopwatch, whose `stop` notes the seconds.
--- ```lua
--- local watch = observability.histogram("runs"):start()
--- watch:stop()
--- ```
---@return Timer timer
function Histogram:start()
  return object_of("timer", Timer, { name = infos[self].name, histogram = self, began = host.now() })
end

local METHODS = { counter = Counter, gauge = Gauge, histogram = Histogram }

--- The instrument of a kind and a name, which is made if there is none; `caller` is the function that was called.
function Instruments.make(kind, caller, name, options)
  return object_of(kind, METHODS[kind], { name = name, found = instrument(kind, caller, name, options) })
end

return Instruments
