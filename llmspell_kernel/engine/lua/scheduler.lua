-- Tasks, timers and bridge calls on the engine's one thread.
--
-- A *waiter* is a one-shot: somebody waits for it, somebody wakes it with results. A task that waits yields; the main
-- chunk, and code that cannot yield (a sort comparator, a metamethod), pumps: it runs the other tasks until its waiter
-- is done. A *turn* is one entry into Lua from the worker: a cell, a frame that came while idle, a timer.

local host = require("host")
local codec = require("codec")

local S = {}

local raw_create, raw_resume, raw_yield = coroutine.create, coroutine.resume, coroutine.yield
local isyieldable, status = coroutine.isyieldable, coroutine.status
local pack, unpack = table.pack, table.unpack

-- What a task yields to the scheduler, through user coroutines in between (sandbox.lua passes it on).
S.AWAIT = setmetatable({}, { __name = "await" })
-- The error that ends a turn that must stop; sandbox.lua lets no protected call swallow it.
S.STOP = setmetatable({}, { __name = "stop", __tostring = function() return "stopped" end })

local AWAIT, STOP = S.AWAIT, S.STOP

-- New coroutines are created from this one, whose count hook they inherit (interrupt.py).
local seed = raw_create(function(body)
  while true do
    body = raw_yield(raw_create(body))
  end
end)
S.seed = seed

function S.create(body)
  local _, thread = raw_resume(seed, body)
  return thread
end

local current -- the running task; nil in the main chunk
local main_cell = 0 -- the cell whose main chunk runs, or ran last

local ready, first, last = {}, 1, 0 -- queue of tasks to resume
local calls = {} -- bridge call id → waiter
local next_call = 0
local tasks = {} -- every task that has not ended
local task_count = 0
local next_task = 0
local timers = {} -- heap of { deadline, waiter }
local callbacks = {} -- id → { fn, cell }
local callback_ids = setmetatable({}, { __mode = "k" })
local next_callback = 0

function S.cell()
  return current and current.cell or main_cell
end

function S.current()
  return current
end

function S.tasks()
  return tasks
end

-- ── waiters ────────────────────────────────────────────────────────────────────────────────────────

local function enqueue(task)
  last = last + 1
  ready[last] = task
end

function S.waiter()
  return {}
end

function S.wake(waiter, ...)
  if waiter.done then return end
  waiter.done = true
  waiter.values = pack(...)
  local task = waiter.task
  if task then
    waiter.task = nil
    enqueue(task)
  end
end

-- ── timers ─────────────────────────────────────────────────────────────────────────────────────────

local function add_timer(deadline, waiter)
  local index = #timers + 1
  local entry = { deadline, waiter }
  while index > 1 do
    local parent = index // 2
    if timers[parent][1] <= deadline then break end
    timers[index] = timers[parent]
    index = parent
  end
  timers[index] = entry
end

local function pop_timer()
  local count = #timers
  local top, moved = timers[1], timers[count]
  timers[count] = nil
  count = count - 1
  if count > 0 then
    local index = 1
    while true do
      local child = index * 2
      if child > count then break end
      if child < count and timers[child + 1][1] < timers[child][1] then child = child + 1 end
      if timers[child][1] >= moved[1] then break end
      timers[index] = timers[child]
      index = child
    end
    timers[index] = moved
  end
  return top
end

local function fire_timers()
  while timers[1] and (timers[1][2].done or timers[1][1] <= host.now()) do
    S.wake(pop_timer()[2])
  end
end

function S.next_timer()
  while timers[1] and timers[1][2].done do pop_timer() end
  return timers[1] and timers[1][1]
end

-- ── tasks ──────────────────────────────────────────────────────────────────────────────────────────

-- Called with a task whose body raised and that nobody joined; engine.lua shows it.
function S.unhandled(_task, _failure) end

function S.spawn(body, ...)
  next_task = next_task + 1
  local task = {
    id = next_task,
    cell = S.cell(),
    thread = S.create(body),
    resume_with = pack(...),
    finished = S.waiter(),
  }
  tasks[task.id] = task
  task_count = task_count + 1
  enqueue(task)
  return task
end

local function settle(task, ok, ...)
  tasks[task.id] = nil
  task_count = task_count - 1
  task.ok = ok
  if ok then
    if task.on_results then task.on_results(...) end
  elseif task.on_error then
    task.on_error(...)
  elseif not host.stopping() then
    S.unhandled(task, ...)
  end
  S.wake(task.finished, ok, ...)
end

local function after_resume(task, ok, what, waiter, ...)
  if status(task.thread) == "dead" then
    settle(task, ok, what, waiter, ...)
  elseif what == AWAIT then
    if waiter.done then
      enqueue(task)
    else
      waiter.task = task
    end
    task.waiter = waiter
  else
    enqueue(task) -- a plain coroutine.yield from a task is "let the others run"
  end
end

local function run_one()
  if first > last then return false end
  local task = ready[first]
  ready[first] = nil
  first = first + 1
  if first > last then first, last = 1, 0 end
  local values = task.resume_with
  if values then
    task.resume_with = nil
  else
    values = task.waiter and task.waiter.values or { n = 0 }
    task.waiter = nil
  end
  local outer = current
  current = task
  local results = pack(raw_resume(task.thread, unpack(values, 1, values.n)))
  current = outer
  after_resume(task, unpack(results, 1, results.n))
  return true
end

-- ── frames ─────────────────────────────────────────────────────────────────────────────────────────

local on_frame = {}

function on_frame.answer(call, ok, value)
  local waiter = calls[call]
  if waiter then
    calls[call] = nil
    S.wake(waiter, ok, (ok and codec.decode_list or codec.decode)(value))
  end
end

function on_frame.invoke(invocation, id, arguments)
  local entry = callbacks[id]
  local values = codec.decode_list(arguments)
  local task = S.spawn(function(...)
    if not entry then error("this callback is no longer held", 0) end
    return entry.fn(...)
  end, unpack(values, 1, values.n))
  task.cell = entry and entry.cell or main_cell
  local function answer(ok, value)
    if invocation ~= 0 then host.send("returned", invocation, ok, value) end
  end
  task.on_error = function(failure)
    answer(false, codec.encode(S.describe_failure(failure, task.thread)))
    if invocation == 0 then S.unhandled(task, failure) end
  end
  task.on_results = function(...)
    answer(true, codec.encode_many(...))
  end
end

function on_frame.forget(...)
  for _, id in ipairs({ ... }) do
    local entry = callbacks[id]
    if entry then
      callback_ids[entry.fn] = nil
      callbacks[id] = nil
    end
  end
end

local function dispatch(kind, ...)
  local handler = on_frame[kind]
  if handler then handler(...) end
end

-- Replaced by engine.lua: turns an error value into plain data.
function S.describe_failure(err, _thread)
  return { ename = "LuaError", message = tostring(err) }
end

function S.register_callback(fn)
  local id = callback_ids[fn]
  if not id then
    next_callback = next_callback + 1
    id = next_callback
    callback_ids[fn] = id
    callbacks[id] = { fn = fn, cell = S.cell() }
  end
  return id
end
codec.on_function = S.register_callback

-- ── waiting ────────────────────────────────────────────────────────────────────────────────────────

local function stop_if_asked()
  if host.stopping() then error(STOP, 0) end
end

local function pump_until(waiter)
  while not waiter.done do
    stop_if_asked()
    fire_timers()
    if not run_one() and not waiter.done then
      local deadline = S.next_timer()
      if not deadline and not next(calls) and not next(callbacks) then
        S.deadlock(waiter)
      end
      dispatch(host.receive(deadline and math.max(0, deadline - host.now())))
    end
  end
end

function S.deadlock(_waiter)
  error("deadlock: everything waits, and nothing is under way that could go on", 0)
end

local function pump(waiter)
  local outer = current
  current = nil
  host.shelter(true)
  local ok, err = pcall(pump_until, waiter)
  current = outer
  host.shelter(false)
  if not ok then
    if waiter.call then
      calls[waiter.call] = nil
      host.send("cancel", waiter.call)
    end
    error(err, 0)
  end
end

-- Wait until `waiter` is woken; returns what it was woken with.
function S.await(waiter)
  if not waiter.done then
    if current and isyieldable() then
      return raw_yield(AWAIT, waiter)
    end
    pump(waiter)
  end
  return unpack(waiter.values, 1, waiter.values.n)
end

function S.sleep(seconds)
  local waiter = S.waiter()
  add_timer(host.now() + seconds, waiter)
  S.await(waiter)
end

-- Call a bridge; returns ok and the list of its results, or its error map.
function S.call(module, name, ...)
  next_call = next_call + 1
  local waiter = { call = next_call }
  local arguments = codec.encode_many(...)
  calls[next_call] = waiter
  host.send("call", next_call, S.cell(), module, name, arguments)
  return S.await(waiter)
end

-- Tell a bridge something that has no answer, such as a display.
function S.post(module, name, ...)
  host.send("call", 0, S.cell(), module, name, codec.encode_many(...))
end

-- ── turns ──────────────────────────────────────────────────────────────────────────────────────────

function S.begin_cell(cell)
  current = nil
  main_cell = cell
end

-- When something can run next: now, at a deadline, or (nil) when a frame comes.
local function next_deadline()
  if first <= last then return host.now() end
  return S.next_timer()
end

-- A turn was stopped, and nothing of it is running any more; returns the next deadline.
function S.after_stop()
  current = nil
  return next_deadline()
end

-- Run what can run now without waiting; returns the next deadline, or nil.
function S.drain(limit)
  host.shelter(true)
  local count = 0
  fire_timers()
  while count < (limit or math.huge) and not host.stopping() and run_one() do
    count = count + 1
  end
  host.shelter(false)
  return next_deadline()
end

function S.event(kind, ...)
  current = nil
  dispatch(kind, ...)
  return S.drain()
end

return S
