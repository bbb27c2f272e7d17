-- The limits that Lua itself watches: how many coroutines are alive, how many of its functions bridges hold, how large
-- a value may be that crosses, and how often memory may be refused. Time, output, instructions and depth are watched
-- from outside (interrupt.py and the kernel process).

local codec = require("codec")
local errorobject = require("errorobject")
local host = require("host")

local collectgarbage, error = collectgarbage, error
local huge = math.huge

local M = {
  most = { coroutines = huge, callbacks = huge, value_bytes = huge },
}

-- A refusal costs a full collection, which takes as long as much is held. So many collections of a full memory is a
-- cell given that goes on in spite of them.
local REFUSALS = 3

local told = {} -- limit → { most, message, suggestion }
local memory, refusals = 0, 0

--- Take the limits of the session (session/launching.py).
function M.configure(limits)
  told = limits
  for name, limit in next, limits do M.most[name] = limit.most end
  codec.user_limit = M.most.value_bytes
  function codec.too_large() return M.text("value_bytes") end
end

--- What is said where the limit `name` is reached, in one line.
function M.text(name)
  local limit = told[name]
  if not limit then return name .. " limit reached" end
  return limit.message .. "; " .. limit.suggestion
end

--- Raise the error that says that the limit `name` is reached.
function M.reached(name)
  local limit = told[name] or { message = M.text(name) }
  error(errorobject.new({ code = name .. "_limit", message = limit.message, suggestion = limit.suggestion }), 0)
end

--- A turn begins, which may use `bytes` of memory (0: as much as it likes).
function M.begin_turn(bytes)
  memory, refusals = bytes or 0, 0
end

--- A protected call has ended because memory was refused: after a few times with a full memory the turn is stopped,
--- for it goes on, and each of its steps would take a collection. One large wish in a small memory costs nothing.
function M.refused()
  if memory <= 0 then return end
  refusals = refusals + collectgarbage("count") * 1024 / memory
  if refusals > REFUSALS then host.stop("memory") end
end

--- What the last cell used of them; `context` is what queries bring (engine.lua).
function M.used(context) return context.used() end

return M
