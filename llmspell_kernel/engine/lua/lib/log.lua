-- `log`, also `logging`: lines about what goes on, each with a level and fields. Nothing in them changes from run to
-- run unless `log.configure{ time = true }` asks for it, so a notebook's saved outputs stay true.

local errorobject = require("errorobject")
local guarded = require("guarded").pcall
local host = require("host")
local preview = require("preview")
local options_of = require("lib.options")
local path = require("lib.path")
local raise = require("raise")
local scheduler = require("scheduler")

local date = os.date
local next, rawequal, rawget, setmetatable, tostring, type = next, rawequal, rawget, setmetatable, tostring, type
local concat, running, debug_getmetatable = table.concat, coroutine.running, debug.getmetatable
local find, format = string.find, string.format

local M = {}

local LEVELS = { "debug", "info", "warn", "error", "off" }
local RANKS = {}
for rank, level in next, LEVELS do RANKS[level] = rank end
local STREAMS = { debug = 1, info = 1, warn = 2, error = 2 } -- stdout, stderr
local VALUE_BYTES, MESSAGE_BYTES = 200, 2000

local settings = { level = "info", time = false, sink = nil }

-- ── a line ─────────────────────────────────────────────────────────────────────────────────────────

local function shown(value)
  if type(value) == "string" and value ~= "" and not find(value, '[%s%c="]') and #value <= VALUE_BYTES then
    return value
  end
  return preview.text(value, VALUE_BYTES)
end

-- A message as it is written: what has no text of its own as it is shown elsewhere.
local function text_of(message)
  local meta = type(message) == "table" and debug_getmetatable(message)
  if type(message) == "string" or meta and rawget(meta, "__tostring") ~= nil then return tostring(message) end
  return preview.text(message, MESSAGE_BYTES)
end

local function line_of(level, name, message, fields)
  local parts = {}
  if settings.time then parts[1] = date("!%Y-%m-%dT%H:%M:%SZ") end
  parts[#parts + 1] = format("%-5s", level)
  if name then parts[#parts + 1] = name .. ":" end
  parts[#parts + 1] = message
  for _, key in next, path.keys(fields) do parts[#parts + 1] = shown(key) .. "=" .. shown(fields[key]) end
  return concat(parts, " ")
end

local function merged(first, second)
  local result = {}
  for key, value in next, first do result[key] = value end
  for key, value in next, second or {} do result[key] = value end
  return result
end

local sinking = setmetatable({}, { __mode = "k" }) -- coroutines that the sink runs in: it is not told of what it logs

local function write(level, name, message, fields)
  message = text_of(message)
  local thread = running()
  if settings.sink and not sinking[thread] then
    sinking[thread] = true
    local ok, err = guarded(settings.sink, { level = level, name = name, message = message, fields = fields })
    sinking[thread] = nil
    if not ok then
      host.write(2, scheduler.cell(), "the sink of the log failed: " .. errorobject.text(err) .. "\n")
    end
  end
  host.write(STREAMS[level], scheduler.cell(), line_of(level, name, message, fields) .. "\n")
end

local function check_level(index, caller, level)
  if level == "warning" then level = "warn" end
  return raise.check_option(index, caller, level, LEVELS)
end

-- ── loggers ────────────────────────────────────────────────────────────────────────────────────────

--- A log with a name, or with fields that each of its lines has. Its functions may be called with a colon or a dot.
---@class Logger
local methods = {}

local loggers = setmetatable({}, { __mode = "k" }) -- logger → { name, fields, level }
local bound = setmetatable({}, { __mode = "k" }) -- logger → its functions, made when they are asked for

local meta = { __name = "Logger", __metatable = false }

local root

local function emit(self, level, message, fields)
  if fields ~= nil then raise.check(2, (self == loggers[root] and "log." or "logger:") .. level, "table", fields) end
  if RANKS[level] < RANKS[self.level or settings.level] then return end
  write(level, self.name, message, fields and merged(self.fields, fields) or self.fields)
end

local function make(name, fields, level)
  local logger = setmetatable({}, meta)
  loggers[logger] = { name = name, fields = fields, level = level }
  return logger
end

root = make(nil, {})

--- Writes a line of the level `debug`.
--- ```lua
--- log.create("shop"):debug("not shown")
--- ```
---@param message any
---@param fields? table
function methods:debug(message, fields) emit(loggers[self], "debug", message, fields) end

--- Writes a line of the level `info`.
--- ```lua
--- log.create("shop"):info("sold", { apples = 2 }) --> info  shop: sold apples=2
--- ```
---@param message any
---@param fields? table
function methods:info(message, fields) emit(loggers[self], "info", message, fields) end

--- Writes a line of the level `warn`.
--- ```lua
--- log.create("shop"):warn("few apples left")
--- ```
---@param message any
---@param fields? table
function methods:warn(message, fields) emit(loggers[self], "warn", message, fields) end

--- Writes a line of the level `error`.
--- ```lua
--- log.create("shop"):error("no apples left")
--- ```
---@param message any
---@param fields? table
function methods:error(message, fields) emit(loggers[self], "error", message, fields) end

--- The same as `Logger:warn`.
methods.warning = methods.warn

--- Makes a log whose lines have these fields too.
--- ```lua
--- log.create("shop"):with_fields({ till = 3 }):info("open") --> info  shop: open till=3
--- ```
---@param fields table
---@return Logger logger
function methods:with_fields(fields)
  raise.check(1, "logger:with_fields", "table", fields)
  local own = loggers[self]
  return make(own.name, merged(own.fields, fields), own.level)
end

--- The same as `Logger:with_fields`.
methods.child = methods.with_fields
--- The same as `Logger:with_fields`.
methods.with_context = methods.with_fields

--- Sets the least level that this log writes; other logs keep theirs.
--- ```lua
--- local shop = log.create("shop")
--- shop:set_level("error")
--- shop:warn("not shown")
--- ```
---@param level "debug"|"info"|"warn"|"error"|"off"
function methods:set_level(level)
  loggers[self].level = check_level(1, "logger:set_level", level)
end

--- Tells whether lines of this level are written.
--- ```lua
--- print(log.create("shop"):is_enabled("error")) --> true
--- ```
---@param level "debug"|"info"|"warn"|"error"
---@return boolean enabled
function methods:is_enabled(level)
  return RANKS[check_level(1, "logger:is_enabled", level)] >= RANKS[loggers[self].level or settings.level]
end

meta.members = methods

function meta.__index(logger, key)
  local method = methods[key]
  if not method then return nil end
  local own = bound[logger]
  if not own then
    own = {}
    bound[logger] = own
  end
  own[key] = own[key] or function(first, ...)
    if rawequal(first, logger) then return method(logger, ...) end
    return method(logger, first, ...)
  end
  return own[key]
end

function meta.__newindex() raise.raise("a logger is read-only") end
function meta.__tostring(logger) return "logger: " .. (loggers[logger].name or "without a name") end

-- ── the module ─────────────────────────────────────────────────────────────────────────────────────

--- Writes a line of the level `debug`, which is shown only after `log.set_level("debug")`.
--- ```lua
--- log.debug("looking at it", { size = 3 })
--- ```
---@param message any
---@param fields? table what is shown after the message, as `name=value`
function M.debug(message, fields) methods.debug(root, message, fields) end

--- Writes a line of the level `info`.
--- ```lua
--- log.info("saved", { file = "report.md", size = 120 }) --> info  saved file=report.md size=120
--- ```
---@param message any
---@param fields? table what is shown after the message, as `name=value`
function M.info(message, fields) methods.info(root, message, fields) end

--- Writes a line of the level `warn`, to stderr.
--- ```lua
--- log.warn("slow", { seconds = 3.5 })
--- ```
---@param message any
---@param fields? table what is shown after the message, as `name=value`
function M.warn(message, fields) methods.warn(root, message, fields) end

--- Writes a line of the level `error`, to stderr; the cell goes on.
--- ```lua
--- log.error("not saved", { reason = "no room" })
--- ```
---@param message any
---@param fields? table what is shown after the message, as `name=value`
function M.error(message, fields) methods.error(root, message, fields) end

--- The same as `log.warn`.
M.warning = M.warn

--- Writes a line of the level that is given.
--- ```lua
--- log.log("info", "hello") --> info  hello
--- ```
---@param level "debug"|"info"|"warn"|"error"
---@param message any
---@param fields? table
function M.log(level, message, fields)
  level = check_level(1, "log.log", level)
  raise.check(3, "log.log", "table", fields, true)
  if level ~= "off" then emit(loggers[root], level, message, fields) end
end

--- Makes a log whose lines have these fields.
--- ```lua
--- local request = log.with_fields({ id = 7 })
--- request.info("begun") --> info  begun id=7
--- ```
---@param fields table
---@return Logger logger
function M.with_fields(fields)
  raise.check(1, "log.with_fields", "table", fields)
  return make(nil, merged(fields))
end

--- Makes a log with a name, which its lines begin with.
--- ```lua
--- log.create("shop").info("open") --> info  shop: open
--- ```
---@param name string
---@return Logger logger
function M.create(name)
  raise.check(1, "log.create", "string", name)
  return make(name, {})
end

--- Sets the least level that is written: `debug`, `info` (at first), `warn`, `error`, `off`.
--- ```lua
--- log.set_level("info")
--- ```
---@param level "debug"|"info"|"warn"|"error"|"off"
function M.set_level(level)
  settings.level = check_level(1, "log.set_level", level)
end

--- Returns the least level that is written.
--- ```lua
--- print(log.get_level()) --> info
--- ```
---@return string level
function M.get_level() return settings.level end

--- Tells whether lines of this level are written.
--- ```lua
--- print(log.is_enabled("debug")) --> false
--- ```
---@param level "debug"|"info"|"warn"|"error"
---@return boolean enabled
function M.is_enabled(level)
  return RANKS[check_level(1, "log.is_enabled", level)] >= RANKS[settings.level]
end

local SETTINGS = { level = "string", time = "boolean", sink = "function|false" }

--- Sets how lines are written: `level`; `time`, whether they begin with the time; `sink`, a function that also gets
--- each line as a table `{ level, name, message, fields }` (false for none); it is not told of lines that it writes.
--- ```lua
--- log.configure({ time = false })
--- ```
---@param options { level?: string, time?: boolean, sink?: function|false }
function M.configure(options)
  raise.check(1, "log.configure", "table", options)
  options = options_of.read(1, "log.configure", options, SETTINGS)
  if options.level ~= nil then settings.level = check_level(1, "log.configure", options.level) end
  if options.time ~= nil then settings.time = options.time end
  if options.sink ~= nil then settings.sink = options.sink or nil end
end

--- Goes along with a loop and shows how far it is, as `progress` does.
--- ```lua
--- for i in log.progress(3, "three steps") do assert(i <= 3) end
--- ```
---@param what number|table|function
---@param label? any what is written before it; after an iterator its state, as `pairs` gives it
---@param ... any
---@return function iterator for a `for` loop, as the rest is
---@return nil state
---@return nil control
---@return any closing
function M.progress(what, label, ...)
  local kind = type(what)
  if kind ~= "number" and kind ~= "function" and (kind ~= "table" or raise.is_object(what)) then
    raise.bad_argument(1, "log.progress", "number, table or function", what)
  end
  return require("lib.progress").each(what, label, ...)
end

return M
