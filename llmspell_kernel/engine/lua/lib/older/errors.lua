-- go-llmspell's `errors`: other names.

local errors = require("lib.errors")
local raise = require("raise")
local reasons = require("lib.older.reasons")

local error, ipairs, pcall = error, ipairs, pcall
local pack, unpack = table.pack, table.unpack

local E = {}

function E.get_stack_trace() return (require("lib.rs.debug").stackTrace()) end

function E.finally(fn, at_last)
  raise.check(1, "errors.finally", "function", fn)
  raise.check(2, "errors.finally", "function", at_last)
  local results = pack(pcall(fn))
  at_last()
  if not results[1] then error(results[2], 0) end
  return unpack(results, 2, results.n)
end

function E.recover(fn, handler) return errors.try(fn, handler) end

--- Calls one after the other, each with what the one before it gave.
function E.chain(functions)
  return function(value)
    for _, fn in ipairs(functions) do value = fn(value) end
    return value
  end
end

return { members = E, lacking = reasons({}, "handlers are given to the call that may fail: errors.try(fn, handler)", {
  "set_handler", "register_handler", "set_global_handler", "categorize", "set_recovery_strategy",
}) }
