-- `events`: who is interested in what happens says so, and is told.

local failure = require("failure")
local traced = require("guarded").traced
local host = require("host")
local registry = require("lib.names")
local promises = require("promises")
local raise = require("raise")
local scheduler = require("scheduler")
local trace = require("trace")
local framed = raise.framed

local rawequal, setmetatable, type = rawequal, setmetatable, type
local concat, remove, sort, unpack = table.concat, table.remove, table.sort, table.unpack
local gsub, find, match = string.gsub, string.find, string.match

local M = {}

local KNOWN_MOST = 1000
local known, known_count = registry.of("event"), 0 -- the events that somebody has listened to, for completion

--- Something that happens: who listens is called.
---@class Emitter
local methods = {}

local meta = { __name = "Emitter", __metatable = false, __index = methods }
local emitters = setmetatable({}, { __mode = "k" }) -- emitter → list of listeners, in the order they were added

-- ── patterns ───────────────────────────────────────────────────────────────────────────────────────

-- `user.*` is one more part, `user.**` any rest; nil for a plain name.
local function pattern_of(event)
  if not find(event, "*", 1, true) then return nil end
  local escaped = gsub(event, "[^%w*]", "%%%0")
  escaped = gsub(escaped, "%*%*+", "\1")
  escaped = gsub(escaped, "%*", "[^.]*")
  return "^" .. gsub(escaped, "\1", ".*") .. "$"
end

local function hears(listener, event)
  if listener.pattern then return match(event, listener.pattern) ~= nil end
  return listener.event == event
end

-- ── listening ──────────────────────────────────────────────────────────────────────────────────────

local function listeners_of(emitter, name)
  return emitters[emitter] or raise.no_self(name)
end

local function add(name, emitter, event, fn, once)
  local list = listeners_of(emitter, name)
  raise.check(1, name, "string", event)
  raise.check(2, name, "function", fn)
  local pattern = pattern_of(event)
  list[#list + 1] = { event = event, pattern = pattern, fn = fn, once = once }
  if not pattern and not known[event] and known_count < KNOWN_MOST then
    known[event], known_count = true, known_count + 1
  end
  return emitter
end

--- Calls `fn(...)` whenever `event` is emitted, with what it is emitted with. In a name, `*` stands for one part
--- between dots and `**` for any rest (`user.*`, `**`); a listener for such a pattern gets the event's name first.
--- ```lua
--- local door = events.new()
--- door:on("open", function(who) print("hello " .. who) end)
--- door:on("*", function(event) print("it is " .. event) end)
--- door:emit("open", "Ada")
--- --> hello Ada
--- --> it is open
--- ```
---@param event EventName
---@param fn function
---@return Emitter emitter
function methods:on(event, fn)
  return framed(add("emitter:on", self, event, fn))
end

--- As `on`, for the next time only.
--- ```lua
--- local door = events.new()
--- door:once("open", function() print("first visitor") end)
--- print(door:emit("open"), door:emit("open"))
--- --> first visitor
--- --> true	false
--- ```
---@param event EventName
---@param fn function
---@return Emitter emitter
function methods:once(event, fn)
  return framed(add("emitter:once", self, event, fn, true))
end

--- Ends what `on` and `once` began: for one function, or for all that listen to `event`.
--- ```lua
--- local door = events.new()
--- door:on("open", print):off("open", print)
--- print(door:emit("open")) --> false
--- ```
---@param event EventName
---@param fn? function
---@return Emitter emitter
function methods:off(event, fn)
  local list = listeners_of(self, "emitter:off")
  raise.check(1, "emitter:off", "string", event)
  raise.check(2, "emitter:off", "function", fn, true)
  for index = #list, 1, -1 do
    local listener = list[index]
    if listener.event == event and (fn == nil or rawequal(listener.fn, fn)) then
      listener.gone = true
      remove(list, index)
    end
  end
  return self
end

-- An error in a listener: those who listen to `error` hear of it, else it is shown.
local function failed(emitter, event, err)
  if event ~= "error" and emitter:listener_count("error") > 0 then
    emitter:emit("error", err, event)
    return
  end
  local lines = trace.frame_lines(scheduler.describe_failure(err))
  local text = "a listener of '" .. event .. "' failed: " .. failure.text(err)
  host.write(2, scheduler.cell(), concat({ text, unpack(lines) }, "\n") .. "\n")
end

local function tell(emitter, listener, event, ...)
  local ok, err
  if listener.pattern then
    ok, err = traced(listener.fn, event, ...)
  else
    ok, err = traced(listener.fn, ...)
  end
  if not ok then failed(emitter, event, err) end
end

--- Calls who listens to `event`, in the order in which they began to; returns whether anybody did. An error in one does
--- not keep the others from being called: it goes to who listens to `error` (with the error and the event's name), or
--- is shown.
--- ```lua
--- local door = events.new()
--- print(door:emit("open")) --> false
--- ```
---@param event EventName
---@param ... any
---@return boolean heard
function methods:emit(event, ...)
  local list = listeners_of(self, "emitter:emit")
  raise.check(1, "emitter:emit", "string", event)
  local concerned = {}
  for index = 1, #list do
    if hears(list[index], event) then concerned[#concerned + 1] = list[index] end
  end
  for index = 1, #concerned do
    local listener = concerned[index]
    if not listener.gone then
      if listener.once then
        listener.gone = true
        for position = 1, #list do
          if rawequal(list[position], listener) then
            remove(list, position)
            break
          end
        end
      end
      tell(self, listener, event, ...)
    end
  end
  return #concerned > 0
end

--- Ends all listening, or all of one event's.
--- ```lua
--- local door = events.new():on("open", print):remove_all_listeners()
--- print(door:listener_count("open")) --> 0
--- ```
---@param event? string
---@return Emitter emitter
function methods:remove_all_listeners(event)
  local list = listeners_of(self, "emitter:remove_all_listeners")
  if event ~= nil then return framed(self:off(raise.check(1, "emitter:remove_all_listeners", "string", event))) end
  for index = #list, 1, -1 do
    list[index].gone = true
    list[index] = nil
  end
  return self
end

--- Counts who would be called for `event`, those for patterns too.
--- ```lua
--- print(events.new():on("open", print):on("o*", print):listener_count("open")) --> 2
--- ```
---@param event EventName
---@return integer count
function methods:listener_count(event)
  listeners_of(self, "emitter:listener_count")
  return #self:listeners(raise.check(1, "emitter:listener_count", "string", event))
end

--- Returns the functions that would be called for `event`.
--- ```lua
--- print(events.new():on("open", print):listeners("open")[1] == print) --> true
--- ```
---@param event EventName
---@return function[] listeners
function methods:listeners(event)
  local list = listeners_of(self, "emitter:listeners")
  raise.check(1, "emitter:listeners", "string", event)
  local found = {}
  for index = 1, #list do
    if hears(list[index], event) then found[#found + 1] = list[index].fn end
  end
  return found
end

--- Lists the names and patterns that somebody listens to, in order.
--- ```lua
--- print(table.concat(events.new():on("open", print):on("close", print):event_names(), " ")) --> close open
--- ```
---@return string[] names
function methods:event_names()
  local list = listeners_of(self, "emitter:event_names")
  local seen, names = {}, {}
  for index = 1, #list do
    local event = list[index].event
    if not seen[event] then
      seen[event] = true
      names[#names + 1] = event
    end
  end
  sort(names)
  return names
end

--- The same as `Emitter:listener_count`.
methods.listenerCount = methods.listener_count
--- The same as `Emitter:remove_all_listeners`.
methods.removeAllListeners = methods.remove_all_listeners
--- The same as `Emitter:event_names`.
methods.eventNames = methods.event_names

function meta.__newindex() raise.raise("an emitter is read-only") end
function meta.__tostring(emitter)
  local count = #emitters[emitter]
  return "emitter: " .. count .. (count == 1 and " listener" or " listeners")
end

-- ── the module ─────────────────────────────────────────────────────────────────────────────────────

--- Makes an emitter: an object with listeners of its own.
--- ```lua
--- local door = events.new()
--- door:on("open", print)
--- door:emit("open", "hello") --> hello
--- ```
---@return Emitter emitter
function M.new()
  local emitter = setmetatable({}, meta)
  emitters[emitter] = {}
  return emitter
end

--- The same as `events.new`.
---@return Emitter emitter
function M.create_emitter() return M.new() end

--- The emitter that everything in the notebook shares; `events.on`, `events.emit` and the like are its methods.
M.global = M.new()

--- Calls `fn` whenever `event` is emitted by `events.emit`; see `Emitter:on`.
--- ```lua
--- events.on("noon", function() print("lunch") end)
--- events.emit("noon") --> lunch
--- ```
---@param event EventName
---@param fn function
---@return Emitter emitter
function M.on(event, fn)
  return framed(add("events.on", M.global, event, fn))
end

--- As `events.on`, for the next time only.
--- ```lua
--- events.once("midnight", function() print("sleep") end)
--- events.emit("midnight") --> sleep
--- ```
---@param event EventName
---@param fn function
---@return Emitter emitter
function M.once(event, fn)
  return framed(add("events.once", M.global, event, fn, true))
end

--- Ends what `events.on` began.
--- ```lua
--- events.off("dawn")
--- ```
---@param event EventName
---@param fn? function
---@return Emitter emitter
function M.off(event, fn)
  raise.check(1, "events.off", "string", event)
  return framed(M.global:off(event, raise.check(2, "events.off", "function", fn, true)))
end

--- Calls who listens to `event` by `events.on`; returns whether anybody does.
--- ```lua
--- print(events.emit("nobody listens")) --> false
--- ```
---@param event EventName
---@param ... any
---@return boolean heard
function M.emit(event, ...)
  return framed(M.global:emit(raise.check(1, "events.emit", "string", event), ...))
end

--- Ends all listening by `events.on`, or all of one event's.
--- ```lua
--- events.remove_all_listeners("dusk")
--- ```
---@param event? string
---@return Emitter emitter
function M.remove_all_listeners(event)
  return framed(M.global:remove_all_listeners(raise.check(1, "events.remove_all_listeners", "string", event, true)))
end

--- Counts who listens to `event` by `events.on`.
--- ```lua
--- print(events.listener_count("dusk")) --> 0
--- ```
---@param event EventName
---@return integer count
function M.listener_count(event)
  return framed(M.global:listener_count(raise.check(1, "events.listener_count", "string", event)))
end

--- Returns a promise of what the next `event` is emitted with: by an emitter, or by `events.emit` if none is given.
--- ```lua
--- local arrival = events.wait_for("arrival")
--- events.emit("arrival", "Ada")
--- print(arrival:await()) --> Ada
--- ```
---@param emitter Emitter|string or at once the event
---@param event? string|number or the seconds
---@param seconds? number how long to wait at most; then the promise is rejected with a `timeout` error
---@return Promise promise
function M.wait_for(emitter, event, seconds)
  if type(emitter) == "string" then
    raise.check_number(2, "events.wait_for", event, 0, true)
    emitter, event, seconds = M.global, emitter, event
  else
    if not emitters[emitter] then raise.bad_argument(1, "events.wait_for", "Emitter or string", emitter) end
    raise.check(2, "events.wait_for", "string", event)
    raise.check_number(3, "events.wait_for", seconds, 0, true)
  end
  local object, state = promises.make_here()
  local function heard(...) promises.fulfil(state, ...) end
  emitter:once(event, heard)
  if seconds then
    local timer = scheduler.after(seconds, function()
      emitter:off(event, heard)
      promises.reject(state, promises.late(seconds))
    end)
    promises.depend(state, state, function() timer.done = true end)
  end
  return object
end

return M
