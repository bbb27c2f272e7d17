-- go-llmspell's `events`: other names, events of one namespace, several at once.

local events = require("lib.events")
local promise = require("lib.promise")
local raise = require("raise")
local reasons = require("lib.older.reasons")

local ipairs = ipairs

local E = {}

E.publish, E.subscribe, E.unsubscribe = events.emit, events.on, events.off

function E.filter(pattern, fn) return events.on(pattern, fn) end

--- Emits and hears events under `name.`.
function E.namespace(name)
  raise.check(1, "events.namespace", "string", name)
  local own = {}
  for _, key in ipairs({ "on", "once", "off", "emit" }) do
    own[key] = function(self, event, ...)
      if self == own then return events[key](name .. "." .. event, ...) end
      return events[key](name .. "." .. self, event, ...)
    end
  end
  return own
end

--- A promise of what came with each of several events, by their names.
function E.aggregate(names, milliseconds)
  raise.check(1, "events.aggregate", "table", names)
  local jobs = {}
  local seconds = milliseconds and milliseconds / 1000
  for index, name in ipairs(names) do jobs[index] = promise.spawn(events.wait_for, events.global, name, seconds) end
  return promise.all(jobs):next(function(values)
    local by_name = {}
    for index, name in ipairs(names) do by_name[name] = values[index] end
    return by_name
  end)
end

local lacking = reasons({}, "events are told when they happen, and not kept", {
  "replay", "start_recording", "stop_recording", "get_history", "create_store", "query",
})

return { members = E, lacking = lacking }
