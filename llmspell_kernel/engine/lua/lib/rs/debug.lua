-- rs-llmspell's `Debug`: messages with levels and filters, timers, dumps, reports.

local base = require("lib.rs.base")
local host = require("host")
local json = require("lib.json")
local raise = require("raise")
local scheduler = require("scheduler")
local stack = require("stack")

local collectgarbage, ipairs, next, tostring, type =
  collectgarbage, ipairs, next, tostring, type
local time = os.time
local find, format, gsub, upper = string.find, string.format, string.gsub, string.upper
local concat, insert, remove = table.concat, table.insert, table.remove

local LEVELS = { trace = 1, debug = 2, info = 3, warn = 4, error = 5 }
local MOST = 1000 -- messages that are kept

local level, on, captured = "info", true, {}
local filters, default_on = {}, true -- the last that fits a module decides
local timers = {}

-- ── messages ───────────────────────────────────────────────────────────────────────────────────────

local function fits(filter, module)
  if filter.kind == "exact" then return module == filter.pattern end
  if filter.kind == "prefix" then return find(module, filter.pattern, 1, true) == 1 end
  local plain = gsub(gsub(filter.pattern, "[^%w*]", "%%%0"), "%*", ".*")
  return find(module, "^" .. plain .. "$") ~= nil
end

local function wanted(module)
  if module == nil then return true end
  for index = #filters, 1, -1 do
    if fits(filters[index], module) then return filters[index].on end
  end
  return default_on
end

local function say(which, message, module, data)
  local rank = LEVELS[which] or LEVELS.info
  insert(captured, { timestamp = time(), level = which, message = tostring(message), module = module, data = data })
  if #captured > MOST then remove(captured, 1) end
  if not on or rank < LEVELS[level] or not wanted(module) then return end
  local from = module and " [" .. tostring(module) .. "]" or ""
  local more = data ~= nil and " " .. (json.encode(data) or tostring(data)) or ""
  local line = format("[%s]%s %s%s\n", upper(which), from, tostring(message), more)
  host.write(rank >= LEVELS.warn and 2 or 1, scheduler.cell(), line)
end

local D = {
  log = function(which, message, module) say(which, message, module) end,
  logWithData = function(which, message, data, module) say(which, message, module, data) end,
  setLevel = function(which)
    if not LEVELS[which] then raise.raise("there is no level '" .. tostring(which) .. "'") end
    level = which
    return true
  end,
  getLevel = function() return level end,
  setEnabled = function(enabled) on = enabled and true or false end,
  isEnabled = function() return on end,
  clearCaptured = function() captured = {} end,
}
for each in next, LEVELS do D[each] = function(message, module) say(each, message, module) end end

function D.getCapturedEntries(limit)
  local entries, from = {}, #captured - (limit or #captured) + 1
  for index = from > 1 and from or 1, #captured do insert(entries, captured[index]) end
  return entries
end

-- ── filters by module ──────────────────────────────────────────────────────────────────────────────

function D.addModuleFilter(pattern, enabled) D.addAdvancedFilter(pattern, "wildcard", enabled) end

function D.addAdvancedFilter(pattern, kind, enabled)
  raise.check(1, "Debug.addAdvancedFilter", "string", pattern)
  if kind == "regex" then
    raise.raise("rs-llmspell's filters of the kind 'regex' have no counterpart here: use 'wildcard' or 'exact'")
  end
  insert(filters, { pattern = pattern, kind = kind == "hierarchical" and "prefix" or kind, on = enabled ~= false })
  return true
end

function D.removeModuleFilter(pattern)
  local before = #filters
  for index = before, 1, -1 do
    if filters[index].pattern == pattern then remove(filters, index) end
  end
  return #filters < before
end

function D.clearModuleFilters() filters = {} end

function D.setDefaultFilterEnabled(enabled) default_on = enabled and true or false end

function D.getFilterSummary()
  local rules = {}
  for index, filter in ipairs(filters) do
    rules[index] = { pattern = filter.pattern, pattern_type = filter.kind, enabled = filter.on }
  end
  return { total_rules = #filters, rules = rules, default_enabled = default_on }
end

-- ── timers, reports ────────────────────────────────────────────────────────────────────────────────

function D.timer(name)
  local began, one = host.now(), { name = name, laps = {}, events = {} }
  local methods = { name = name, id = name }
  function methods.elapsed() return one.duration or (host.now() - began) * 1000 end
  function methods.lap(_, lap)
    insert(one.laps, { name = lap, milliseconds = methods.elapsed() })
    return methods.elapsed()
  end
  function methods.stop()
    one.duration = one.duration or methods.elapsed()
    return one.duration
  end
  insert(timers, one)
  if #timers > MOST then remove(timers, 1) end
  return methods
end

function D.recordEvent(name, event, data)
  for index = #timers, 1, -1 do
    if timers[index].name == name then
      insert(timers[index].events, { name = event, data = data, timestamp = time() })
      return true
    end
  end
  return false
end

function D.memoryStats()
  local bytes = collectgarbage("count") * 1024 // 1 | 0
  return { used_bytes = bytes, allocated_bytes = bytes, resident_bytes = bytes, collections = 0 }
end

function D.memorySnapshot()
  local running = 0
  for _, one in ipairs(timers) do running = running + (one.duration and 0 or 1) end
  local stats = D.memoryStats()
  return { timestamp_secs = time(), active_trackers = running, memory = stats, used_bytes = stats.used_bytes }
end

function D.performanceReport()
  local lines = { "Timers:" }
  for _, one in ipairs(timers) do
    local took = one.duration and format("%.3f ms", one.duration) or "running"
    insert(lines, "  " .. tostring(one.name) .. ": " .. took .. (#one.laps > 0 and ", " .. #one.laps .. " laps" or ""))
  end
  return concat(lines, "\n")
end

function D.jsonReport()
  local reports = {}
  for index, one in ipairs(timers) do
    reports[index] = { name = tostring(one.name), duration_ms = one.duration, laps = one.laps, events = one.events }
  end
  return json.encode({ timers = json.array(reports), memory = D.memoryStats() })
end

-- ── values, the stack ──────────────────────────────────────────────────────────────────────────────

local function text_of(value, indent)
  if type(value) ~= "table" then return tostring(value) end
  return (json.encode(value, indent and { indent = indent } or nil)) or tostring(value)
end

local function dump(value, label, indent)
  local text = (label and tostring(label) .. " = " or "") .. text_of(value, indent)
  host.write(1, scheduler.cell(), text .. "\n")
  return text
end

function D.dump(value, label) return dump(value, label, 2) end
function D.dumpCompact(value, label) return dump(value, label) end
function D.dumpVerbose(value, label) return dump(value, label, 4) end
function D.dumpWithOptions(value, options, label)
  local compact = type(options) == "table" and options.compact_mode
  return dump(value, label, not compact and (type(options) == "table" and options.indent_size or 2) or nil)
end

-- The functions of cells and modules that called, from the innermost.
local function frames()
  local listed = {}
  for index, frame in ipairs((stack.frames())) do
    listed[index] = { source = frame.source, line = frame.line, name = frame.name or frame.kind }
  end
  return listed
end

function D.stackTrace()
  local lines = { "stack traceback:" }
  for _, frame in ipairs(frames()) do
    local where = frame.source and frame.source .. (frame.line and ":" .. frame.line or "") .. ": in " or "in "
    insert(lines, "\t" .. where .. tostring(frame.name))
  end
  return concat(lines, "\n")
end

function D.stackTraceJson() return json.encode({ frames = json.array(frames()) }) end

return base.module("Debug", {}, D, { flameGraph = "time cells with %%timeit, or pieces with Debug.timer" })
