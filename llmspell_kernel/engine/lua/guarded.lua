-- Protected calls for the engine's own modules: what a spell's function raises comes back, but a stop and an exit go on
-- up, as they do through a cell's own `pcall`.

local failure = require("failure")
local host = require("host")
local scheduler = require("scheduler")

local error, pcall, rawequal, xpcall = error, pcall, rawequal, xpcall
local STOP = scheduler.STOP
local stopping = host.stopping

local M = {}

local function after(ok, ...)
  if not ok and (rawequal((...), STOP) or stopping()) then error(STOP, 0) end
  return ok, ...
end

--- As Lua's `pcall`.
function M.pcall(fn, ...)
  return after(pcall(fn, ...))
end

local note = failure.note

--- As Lua's `xpcall`; the handler does not run for a stop. Where the error came from that it returns is not lost.
function M.xpcall(fn, handler, ...)
  return after(xpcall(fn, function(err)
    if rawequal(err, STOP) or stopping() then return STOP end
    err = handler(err)
    return (note(err))
  end, ...))
end

local function noting(err)
  if rawequal(err, STOP) or stopping() then return STOP end
  return note(err)
end

--- As `pcall`, for what raises the error again when it has seen to what must be done: where it came from is not lost.
function M.traced(fn, ...)
  return after(xpcall(fn, noting, ...))
end

return M
