-- What promises are made of; lib/promise.lua and lib/async.lua are what spells see of it.
--
-- The object that a spell holds is an empty table; its state is kept here, out of the spell's reach:
--   state       pending, fulfilled or rejected
--   values, err what it came to
--   reactions   of a pending one: waiters to wake, and functions of the engine's own to call with the state
--   task        that computes it;  sources: states whose outcome it takes
--   handled     whether anybody ever wanted to know
--   from        the cell, origin and task that made it, for an error that nobody looks at

local scheduler = require("scheduler")
local errorobject = require("errorobject")
local failure = require("failure")
local raise = require("raise")
local trace = require("trace")

local P = {}

local error, next, pcall, rawequal, setmetatable, type = error, next, pcall, rawequal, setmetatable, type
local pack, unpack, remove = table.pack, table.unpack, table.remove

local meta = { __name = "Promise", __metatable = false }
local states = setmetatable({}, { __mode = "k" }) -- promise → state
local objects = setmetatable({}, { __mode = "kv" }) -- state → promise, while a spell holds it

P.methods = {}
meta.members = P.methods

--- The state of a promise, or nil for anything else.
function P.state_of(value)
  return states[value]
end

--- The state of the promise that is argument `index` of `name`; raises if it is none.
function P.check(index, name, value)
  local state = value ~= nil and states[value]
  if not state then raise.bad_argument(index, name, "Promise", value) end
  return state
end

--- A pending promise and its state.
function P.make()
  local object, state = setmetatable({}, meta), { state = "pending" }
  states[object] = state
  objects[state] = object
  return object, state
end

-- ── errors that nobody looks at ────────────────────────────────────────────────────────────────────

local lost = {}

-- Whether the one that could still look at the error is gone. `cell` is the cell whose main chunk runs, if one does.
local function forsaken(state, cell)
  if objects[state] == nil then return true end
  local task = state.from.task
  if task then return scheduler.tasks()[task.id] == nil end
  return state.from.cell ~= cell
end

local function look(cell)
  local still = {}
  for index = 1, #lost do
    local state = lost[index]
    if not state.handled then -- else it is told where it is wanted
      if forsaken(state, cell) then
        scheduler.show_failure(state.task or state.from, state.described)
      else
        still[#still + 1] = state
      end
    end
  end
  lost = still
  if #lost == 0 then scheduler.look = nil end
end

local function is_cancellation(err)
  return errorobject.is(err) and err.code == "cancelled"
end

local function here()
  local task = scheduler.current()
  return { cell = scheduler.cell(), origin = trace.origin(task), task = task }
end

--- A pending promise and its state, which knows where it was made.
function P.make_here()
  local object, state = P.make()
  state.from = here()
  return object, state
end

local function nobody_looked(state)
  if is_cancellation(state.err) then return end
  local task = state.task
  state.from = state.from or (task and { cell = task.cell, origin = task.origin, task = task.creator }) or here()
  state.described = scheduler.describe_failure(state.err)
  if not scheduler.look then lost = {} end -- a fork tells its own
  lost[#lost + 1] = state
  scheduler.look = look
end

-- Somebody wants to know what `state` comes to, or has come to: in which frames that went wrong may have to be told
-- again, in a later cell too.
local function want(state)
  state.handled = true
  local told = state.described
  if not told then return end
  failure.remember(state.err, "task", told.frames or {}, told.omitted, told.omitted_after)
  state.described = nil
end

-- ── settling ───────────────────────────────────────────────────────────────────────────────────────

local function react(state, reaction)
  if type(reaction) == "table" then scheduler.wake(reaction) else reaction(state) end
end

-- Settled promises whose reactions are still to be told: one after the other, since a chain of promises may be longer
-- than the stack is deep.
local settled, first, last = {}, 1, 0
local telling = false

local function tell()
  while first <= last do
    local state = settled[first]
    settled[first] = nil
    first = first + 1
    local reactions = state.reactions
    state.reactions = nil
    for index = 1, #reactions do react(state, reactions[index]) end
  end
end

local function tell_all()
  telling = true
  local ok, err = pcall(tell)
  telling = false
  if not ok then error(err, 0) end
end

-- A stop may have broken into the above.
scheduler.mend_promises = tell_all

local function conclude(state)
  if state.reactions then
    last = last + 1
    settled[last] = state
    if not telling then tell_all() end
  elseif state.state == "rejected" and not state.handled then
    nobody_looked(state)
  end
end

local function without_reason()
  return errorobject.new({ code = "rejected", message = "rejected without a reason" })
end

function P.fulfil(state, ...)
  if state.state ~= "pending" then return end
  state.values = pack(...)
  state.state = "fulfilled"
  conclude(state)
end

function P.reject(state, err)
  if state.state ~= "pending" then return end
  state.err = err == nil and without_reason() or err
  state.state = "rejected"
  conclude(state)
end

--- Let `reaction` know when `state` is settled, which may be at once.
function P.react(state, reaction)
  want(state)
  if state.state ~= "pending" then return react(state, reaction) end
  local reactions = state.reactions
  if not reactions then
    reactions = {}
    state.reactions = reactions
  end
  reactions[#reactions + 1] = reaction
end

-- Take the outcome of `source`.
local function follow(state, source)
  state.sources = { [source] = true }
  local function take()
    if source.state == "fulfilled" then
      P.fulfil(state, unpack(source.values, 1, source.values.n))
    else
      P.reject(state, source.err)
    end
  end
  state.sources[source] = take
  P.react(source, take)
end

--- Fulfil with values, or follow the promise that the first of them is.
function P.resolve(state, ...)
  if state.state ~= "pending" then return end
  local value = ...
  local source = value ~= nil and states[value]
  if not source then return P.fulfil(state, ...) end
  if rawequal(source, state) then return P.reject(state, "a promise cannot be resolved with itself") end
  follow(state, source)
end

--- Let `state` depend on `source`: `take(source)` is called when that is settled.
function P.depend(state, source, take)
  state.sources = state.sources or {}
  state.sources[source] = take
  P.react(source, take)
end

-- ── cancelling ─────────────────────────────────────────────────────────────────────────────────────

-- `reaction` is no longer interested in `source`; returns whether nothing is.
local function drop(source, reaction)
  local reactions = source.reactions
  if not reactions then return false end
  for index = 1, #reactions do
    if rawequal(reactions[index], reaction) then
      remove(reactions, index)
      break
    end
  end
  return #reactions == 0
end

--- Reject a pending promise and cancel what it depends on, unless something else waits for that too. Returns whether
--- there was anything to cancel.
function P.cancel(state, err)
  if state.state ~= "pending" then return false end
  local given_up = { state }
  while #given_up > 0 do
    local one = remove(given_up)
    local sources, task = one.sources, one.task
    one.sources = nil
    P.reject(one, err)
    if task then scheduler.cancel(task, err) end
    for source, reaction in next, sources or {} do
      if drop(source, reaction) and source.state == "pending" then given_up[#given_up + 1] = source end
    end
  end
  return true
end

--- `reaction` is no longer interested in `source`; when nothing is any more, what computes it is cancelled.
function P.forget(source, reaction, err)
  if drop(source, reaction) then P.cancel(source, err) end
end

-- ── waiting ────────────────────────────────────────────────────────────────────────────────────────

local function withdraw(waiter)
  P.forget(waiter.promise, waiter, scheduler.cancellation("what waited for this was cancelled"))
end

local function give_up(timer)
  local waiter = timer.waiter
  waiter.late = true
  scheduler.wake(waiter)
end

--- The error of a wait that took too long.
function P.late(seconds)
  return errorobject.new({
    code = "timeout",
    message = "no result within " .. seconds .. (seconds == 1 and " second" or " seconds"),
    retryable = true,
  })
end

--- Wait until `state` is settled, at most `seconds` if given; returns whether it was in time.
function P.wait(state, seconds)
  want(state)
  if state.state ~= "pending" then return true end
  local waiter = { what = "a promise", promise = state, cancel = withdraw }
  P.react(state, waiter)
  local timer = seconds and scheduler.after(seconds, give_up)
  if timer then timer.waiter = waiter end
  scheduler.wait(waiter)
  if timer then timer.done = true end
  if waiter.late then drop(state, waiter) end
  return not waiter.late
end

--- Wait for a promise; returns its values, or raises its error.
function P.await(state, seconds)
  if not P.wait(state, seconds) then error(P.late(seconds), 0) end
  if state.state == "rejected" then error(state.err, 0) end
  return unpack(state.values, 1, state.values.n)
end

--- Wait until every one of `list` is settled. If who waits is stopped or cancelled, so are they all, unless something
--- else waits for them.
function P.wait_for_all(list)
  local left, _, whole = 0, P.make()
  for index = 1, #list do
    local source = list[index]
    if source.state == "pending" then
      left = left + 1
      P.depend(whole, source, function()
        left = left - 1
        if left == 0 then P.fulfil(whole) end
      end)
    end
  end
  if left > 0 then P.wait(whole) end
end

-- ── computing ──────────────────────────────────────────────────────────────────────────────────────

-- A task that was to settle `state` has failed.
local function broke(task, err)
  local state = task.computes
  if state.state == "pending" then
    if err == nil then err = without_reason() end
    failure.inside(task.thread, err, "task") -- first: who learns of it may have to tell
    P.reject(state, err)
  elseif not rawequal(err, task.cancelled) and not is_cancellation(err) then
    scheduler.on_failure(task, err)
  end
end

local function computed(task, ok, ...)
  if ok then P.resolve(task.computes, ...) else broke(task, (...)) end
end

--- A promise of what `body(...)` returns, run in a task of its own.
function P.spawn(body, ...)
  local object, state = P.make()
  local task = scheduler.spawn(body, ...)
  task.computes, task.on_end, task.creator = state, computed, scheduler.current()
  state.task = task
  return object, task
end

local function failed_only(task, ok, err)
  if not ok then broke(task, err) end
end

--- A promise that `executor(resolve, reject)` settles; it runs at once, in a task of its own, until it first waits.
function P.from_executor(executor)
  local object, state = P.make()
  local creator = scheduler.current()
  scheduler.run_now(function(task)
    task.computes, task.on_end, task.creator = state, failed_only, creator
    state.task = task
  end, executor, function(...) P.resolve(state, ...) end, function(err) P.reject(state, err) end)
  return object
end

--- A promise of what `on_ok(values)` or `on_err(err)` makes of `source`'s outcome, which is passed on without one.
function P.derive(source, on_ok, on_err)
  local object, state = P.make()
  local from = here()
  state.from = from
  local function run(fn, ...)
    local task = scheduler.spawn_from(from, fn, ...)
    task.computes, task.on_end, task.creator = state, computed, from.task
    state.task = task
  end
  P.depend(state, source, function()
    if source.state == "fulfilled" then
      if on_ok then return run(on_ok, unpack(source.values, 1, source.values.n)) end
      return P.fulfil(state, unpack(source.values, 1, source.values.n))
    end
    if on_err then return run(on_err, source.err) end
    P.reject(state, source.err)
  end)
  return object
end

-- ── the object ─────────────────────────────────────────────────────────────────────────────────────

function meta.__index(object, key)
  local method = P.methods[key]
  if method then return method end
  local state = states[object]
  if key == "state" then return state.state end
  if key == "value" then return state.values and state.values[1] end
  if key == "reason" then
    want(state)
    return state.err
  end
end

function meta.__newindex()
  raise.raise("a promise is read-only")
end

function meta.__tostring(object)
  local state = states[object]
  return "promise: " .. state.state .. (state.task and " (task " .. state.task.id .. ")" or "")
end

-- older spells put the ids of callbacks, which are promises here, into texts
local function text(value) return states[value] and meta.__tostring(value) or value end

function meta.__concat(a, b)
  return text(a) .. text(b)
end

return P
