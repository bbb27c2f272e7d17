-- go-llmspell's logging: the logger that everything shares, timers.

local host = require("host")
local log = require("lib.log")
local reasons = require("lib.older.reasons")

local assert, pcall, tostring = assert, pcall, tostring

local L = {}

local shared = log.with_fields({})

function L.default() return shared end

L.get_default = L.default

local function timer(name)
  local began = host.now()
  return {
    stop = function()
      local seconds = host.now() - began
      log.info(tostring(name) .. " took " .. seconds .. " s")
      return seconds
    end,
  }
end

L.timer, L.new, L.with_context = timer, log.create, log.with_fields

function L.profile(name, fn)
  local running = timer(name)
  local value = fn()
  running.stop()
  return value
end

function L.time() return host.now() end

function L.duration(name, began)
  local seconds = host.now() - began
  log.info(tostring(name) .. " took " .. seconds .. " s")
  return seconds
end

function L.catch(fn, name)
  local ok, value = pcall(fn)
  if ok then return value end
  log.error(tostring(name or "failed") .. ": " .. tostring(value))
  return nil, value
end

function L.assert(condition, message, fields)
  if not condition then log.error(message or "assertion failed", fields) end
  return assert(condition, message)
end

local lacking = reasons({}, "log.configure{ sink = fn } gets every line", {
  "formatters", "set_formatter", "add_appender", "remove_appender",
  "search", "stats", "export", "stream", "audit", "from_adapter",
})

return { members = L, lacking = lacking }
