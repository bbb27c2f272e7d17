-- Tasks on the engine's one thread.
--
-- A *waiter* is a one-shot: somebody waits for it, somebody wakes it. A task that waits yields; the main chunk, and
-- code that cannot yield (a sort comparator, a metamethod), pumps: it runs the other tasks until its waiter is done. A
-- *turn* is one entry into Lua from the worker: a cell, a frame that came while idle, a timer.
--
-- Fields of a waiter: `done`; `values`, what it was woken with; `what`, what is waited for, in words; `cancel`, called
-- with the waiter when nobody waits any more. Of a timer: `fire`, called instead of waking.
--
-- A stop (interrupt.py) can break into a task anywhere, so nothing here relies on two changes happening together:
-- `after_stop` puts the queue in order again.

local coroutines = require("coroutines")
local host = require("host")
local timers = require("timers")
local trace = require("trace")

local S = {}

local raw_resume, raw_yield, raw_close = coroutine.resume, coroutine.yield, coroutine.close
local isyieldable, status = coroutine.isyieldable, coroutine.status
local pack, unpack, sort = table.pack, table.unpack, table.sort
local error, next, pcall, rawequal, select, setmetatable, type =
  error, next, pcall, rawequal, select, setmetatable, type
local huge, math_max, math_min = math.huge, math.max, math.min

local BATCH = 64 -- steps between two looks at the clock, the frames and the stop
local SLICE = 0.02 -- seconds that a turn gives to the tasks once its own work is done
local LONGEST = 3600 -- seconds to sleep at once
local PATIENCE = 100 -- times that a cancelled task may go on waiting for something before it is ended where it is
local DEEPEST = 40 -- waits inside one another, each of which takes some of C's stack

-- What a task yields to the scheduler, through user coroutines in between (sandbox.lua passes it on). A function, since
-- comparing it with a user's table cannot run the table's __eq.
S.AWAIT = function() end
-- The error that ends a turn that must stop; sandbox.lua lets no protected call swallow it.
S.STOP = setmetatable({}, { __name = "stop", __tostring = function() return "stopped" end })

local AWAIT, STOP = S.AWAIT, S.STOP
local create = coroutines.create
local NOW = { done = true } -- waiting for it is giving way
local NEVER = { done = false }
local NO_MORE = { done = false } -- what a task waits for that is to be ended

local current -- the running task; nil in the main chunk and in the scheduler itself
local main_cell = 0 -- the cell whose main chunk runs, or ran last
local main_runs = false
local exit_code -- what the running cell is to end with, as os.exit says
local depth = 0 -- pumps, and tasks that run at once, inside one another
local sheltered = false -- the scheduler runs below: a stop must not break into it
local waiting_outside -- the waiter of the outermost pump

local head, tail -- the queue of tasks to resume, linked by `next`
local tasks, next_task = {}, 0 -- every task that has not ended, by id
local steps = 0

--- The cell that what runs now belongs to.
function S.cell()
  return current and current.cell or main_cell
end

--- The running task, or nil in a main chunk and in what it calls.
function S.current()
  return current
end

--- Every task that has not ended, by id.
function S.tasks()
  return tasks
end

--- The same as a list to show; `context` is what queries bring (engine.lua).
function S.list(_context)
  return trace.list(tasks, current, host.now())
end

--- How many times a task was resumed.
function S.steps()
  return steps
end

-- ── the queue ──────────────────────────────────────────────────────────────────────────────────────

local function enqueue(task)
  if task.queued then return end
  task.queued = true
  if head then tail.next = task else head = task end
  tail = task
end

--- Wake what waits for `waiter`, with values for it; later wakes change nothing.
function S.wake(waiter, ...)
  if waiter.done then return end
  if select("#", ...) > 0 then waiter.values = pack(...) end
  waiter.done = true
  if waiter.task then enqueue(waiter.task) end
end

local function fire_timers()
  local now = timers.next() and host.now()
  local event = now and timers.take(now)
  while event do
    if event.fire then
      event.done = true
      event.fire(event)
    else
      S.wake(event)
    end
    event = timers.take(now)
  end
end

--- Whether something is under way that may make a task ready.
function S.pending()
  return head ~= nil or timers.next() ~= nil or S.outside()
end

--- Call `fire` in so many seconds, inside the scheduler: it must be the engine's own. Returns the timer, whose `done`
--- can be set to call it off.
function S.after(seconds, fire)
  local timer = { fire = fire }
  timers.add(host.now() + seconds, timer)
  return timer
end

-- ── tasks ──────────────────────────────────────────────────────────────────────────────────────────

-- What becomes of a task that nobody takes an interest in.
local function on_end(task, ok, err)
  if not ok then S.on_failure(task, err) end
end

-- A function that calls what can be called.
local function calling(body)
  return function(...) return body(...) end
end

local function new_task(body, ...)
  if type(body) ~= "function" then body = calling(body) end
  next_task = next_task + 1
  local task = {
    id = next_task,
    cell = S.cell(),
    body = body,
    thread = create(body),
    arguments = pack(...),
    origin = trace.origin(current),
    began = host.now(),
    on_end = on_end,
    waiter = false, -- what it waits for, or waited for last; false if it has not begun, or gave way by coroutine.yield
    cancelled = false, -- the error to end with
    refused = 0, -- how often it tried to wait since
    pumps = false, -- what it waits for where it cannot yield
    queued = false,
    next = false,
  }
  tasks[next_task] = task
  return task
end

--- Start a task that runs `body(...)` when its turn comes. Its `on_end(task, ok, …)` may be replaced: the engine's own,
--- it gets what the body returned or raised, and still finds the stack of what was raised in `task.thread`.
function S.spawn(body, ...)
  local task = new_task(body, ...)
  enqueue(task)
  return task
end

--- As `spawn`, on behalf of `from`: an earlier moment's `cell` and `origin`.
function S.spawn_from(from, body, ...)
  local task = new_task(body, ...)
  task.cell, task.origin = from.cell, from.origin
  enqueue(task)
  return task
end

local function settle(task, ok, ...)
  tasks[task.id] = nil
  if ok then
    task.on_end(task, ok, ...)
    return
  end
  local err = ...
  if rawequal(err, STOP) or host.stopping() then err = task.cancelled or S.stopped(task) end
  task.on_end(task, false, err)
  raw_close(task.thread)
end

local function kill(task)
  raw_close(task.thread)
  settle(task, false, task.cancelled)
end

-- What a task gave when it was resumed: it waits, gives way, has returned or has raised.
local function after_resume(task, ok, ...)
  current = nil
  local what, waiter = ...
  if ok and what == AWAIT then
    if waiter.done then enqueue(task) end
    if waiter == NO_MORE then
      S.give_up_on(task)
      kill(task)
    end
  elseif status(task.thread) == "dead" then
    settle(task, ok, ...)
  else
    task.waiter = false
    enqueue(task) -- a plain coroutine.yield is "let the others run"
  end
end

local function resume(task)
  local arguments = task.arguments
  current = task
  if arguments then
    task.arguments = nil
    return after_resume(task, raw_resume(task.thread, unpack(arguments, 1, arguments.n)))
  end
  return after_resume(task, raw_resume(task.thread))
end

-- Run tasks until none is ready, `waiter` is done or it is time to look around; returns whether to look.
local function run_batch(waiter)
  for _ = 1, BATCH do
    local task = head
    if not task then return false end
    head = task.next
    task.next, task.queued = false, false
    steps = steps + 1
    if task.waiter then
      current = task
      after_resume(task, raw_resume(task.thread))
    elseif not task.cancelled then
      resume(task)
    elseif tasks[task.id] then
      kill(task) -- it has not begun, or gave way without waiting for anything
    end
    if waiter.done or exit_code then return false end
  end
  return true
end

--- As `spawn`, but the task runs at once, until it first waits; `prepare(task)` is called before.
function S.run_now(prepare, body, ...)
  local task = new_task(body, ...)
  prepare(task)
  if depth >= DEEPEST then
    enqueue(task)
    return task
  end
  local outer = current
  depth = depth + 1
  resume(task)
  depth = depth - 1
  current = outer
  if exit_code then error(STOP, 0) end
  return task
end

local function withdraw(waiter)
  local cancel = waiter.cancel
  waiter.cancel = nil
  if cancel then cancel(waiter) end
end

--- Ask `task` to end: what it waits for, and everything that it tries to wait for later, raises `err`.
function S.cancel(task, err)
  if not tasks[task.id] or task.cancelled then return end
  task.cancelled = err
  local pumped = task.pumps
  if pumped and not pumped.done then
    pumped.done = true -- ends the pump, which is on the stack above us
    pumped.given_up = true
    withdraw(pumped)
    return
  end
  local waiter = task.waiter
  if not waiter then return end -- it runs or is about to
  if not waiter.done then
    withdraw(waiter)
    enqueue(task)
  end
end

-- ── waiting ────────────────────────────────────────────────────────────────────────────────────────

local function stop_if_asked()
  if host.stopping() then error(STOP, 0) end
end

-- Nothing can run: sleep until a timer or a frame.
local function idle(waiter)
  S.end_turn()
  local deadline = timers.next()
  if not deadline and not S.outside() then error(trace.deadlock(waiter, tasks), 0) end
  S.dispatch(host.receive(math_min(LONGEST, deadline and math_max(0, deadline - host.now()) or LONGEST)))
end

local function pump_until(waiter)
  while true do
    run_batch(waiter)
    if exit_code then error(STOP, 0) end
    if waiter.done then return end
    stop_if_asked()
    fire_timers()
    if S.look then S.look(main_cell) end
    if not waiter.done then
      if head then S.dispatch(host.receive(0)) else idle(waiter) end
    end
  end
end

-- Raise in a cancelled task, which tries to wait. One that catches that for ever would hold up everything else.
local function refuse(task)
  task.refused = task.refused + 1
  if task.refused > PATIENCE and isyieldable() then
    task.waiter = NO_MORE
    raw_yield(AWAIT, NO_MORE)
  end
  error(task.cancelled, 0)
end

local function abandon(waiter)
  if waiter.done then return end
  waiter.done = true
  pcall(withdraw, waiter)
end

local function pump(waiter)
  if depth >= DEEPEST then error("too many waits inside one another: wait in tasks, not in sort or metamethods", 0) end
  local outer, outermost = current, not sheltered
  if waiter.task then waiter.task = nil end
  current = nil
  depth = depth + 1
  if outermost then
    sheltered, waiting_outside = true, waiter
    host.shelter(true)
  end
  local ok, err = pcall(pump_until, waiter)
  if not ok then abandon(waiter) end
  current = outer
  depth = depth - 1
  if outermost then
    sheltered, waiting_outside = false, nil
    host.shelter(false)
  end
  if not ok then error(err, 0) end
end

--- Wait until `waiter` is woken.
function S.wait(waiter)
  if waiter.done then return end
  local task = current
  if not task then
    pump(waiter)
  elseif task.cancelled then -- it goes on all the same
    abandon(waiter)
    refuse(task)
  elseif not isyieldable() then
    task.pumps = waiter
    pump(waiter)
    task.pumps = false
    if waiter.given_up then refuse(task) end
  else
    waiter.task = task
    task.waiter = waiter
    raw_yield(AWAIT, waiter)
  end
  if not waiter.done then -- this task was cancelled
    abandon(waiter)
    refuse(task)
  end
end

--- Wait until `waiter` is woken; returns what it was woken with.
function S.await(waiter)
  S.wait(waiter)
  local values = waiter.values
  if values then return unpack(values, 1, values.n) end
end

--- Raise if the running task has been cancelled.
function S.check()
  if current and current.cancelled then refuse(current) end
end

--- Let every other task that is ready run first.
function S.yield()
  local task = current
  if task and isyieldable() then
    if not task.cancelled then
      task.waiter = NOW
      raw_yield(AWAIT, NOW)
      if not task.cancelled then return end
    end
    refuse(task)
  else
    local round = { what = "its turn" }
    S.spawn(S.wake, round)
    S.wait(round)
  end
end

function S.sleep(seconds)
  S.check()
  local waiter = { what = "sleep" }
  if seconds < huge then timers.add(host.now() + seconds, waiter) end
  S.wait(waiter)
end

-- ── turns ──────────────────────────────────────────────────────────────────────────────────────────

--- Set while there are errors that nobody has looked at (promises.lua): called between steps with the cell whose main
--- chunk is running, and at the end of a turn with nil.
S.look = nil

--- Set by promises.lua: puts in order what a stop has broken into.
S.mend_promises = nil

--- Set by what wants to have the last word in the cell that runs (lib/testing.lua): called with what its main chunk has
--- returned (packed), it returns what the cell shows, or raises.
S.at_end = nil

function S.begin_cell(cell)
  current, S.at_end = nil, nil
  main_cell, main_runs = cell, true
  coroutines.begin_cell()
end

--- End the running cell, from its main chunk or one of its tasks; a task whose cell has ended ends alone. Raises.
function S.exit(code)
  if current then current.cancelled = S.left(code) end
  if main_runs and S.cell() == main_cell then
    exit_code = code
    if current then current.cancelled = S.left(0) end -- the cell tells the code
  end
  error(STOP, 0)
end

--- The main chunk has ended; returns the code that the cell ends with if something in it has called `S.exit`.
function S.end_cell()
  local code = exit_code
  main_runs, exit_code = false, nil
  return code
end

-- When something can run next: now, at a deadline, or (nil) when a frame comes.
local function next_deadline()
  if head then return host.now() end
  local deadline = timers.next()
  return deadline and math_min(deadline, host.now() + LONGEST) -- no further than a system call can wait
end

local function run_slice()
  local finish = host.now() + SLICE
  repeat
    fire_timers()
  until not run_batch(NEVER) or host.stopping() or host.now() > finish
end

local function conclude()
  if S.look then S.look(nil) end
  S.end_turn()
end

--- Run what can run now without waiting, for a short time; returns the next deadline, or nil.
function S.drain()
  sheltered = true
  host.shelter(true)
  run_slice()
  conclude()
  sheltered = false
  host.shelter(false)
  return next_deadline()
end

-- Whatever a stop broke into: tasks that can run are in the queue, once each, in the order that they were.
local function mend()
  local order, place = {}, {}
  while head do
    order[#order + 1] = head
    place[head] = #order
    head = head.next
  end
  for _, task in next, tasks do
    if not place[task] and (not task.waiter or task.waiter.done) then order[#order + 1] = task end
    task.queued, task.next = false, false
  end
  sort(order, function(a, b)
    local first, second = place[a] or #order + a.id, place[b] or #order + b.id
    return first < second
  end)
  for _, task in next, order do
    if tasks[task.id] then enqueue(task) end
  end
  timers.sweep()
end

--- A turn was stopped, and nothing of it is running any more; returns the next deadline.
function S.after_stop()
  coroutines.after_stop()
  S.end_cell()
  current, depth, sheltered = nil, 0, false
  if waiting_outside then abandon(waiting_outside) end
  waiting_outside = nil
  for _, task in next, tasks do
    -- what was running when it was stopped may not have been seen to end
    if status(task.thread) == "dead" then settle(task, false, STOP) end
  end
  for number, child in next, S.children do
    if not child.task or not tasks[child.task.id] then S.leave_child(number) end
  end
  mend()
  if S.mend_promises then S.mend_promises() end
  conclude()
  return next_deadline()
end

--- This engine is a copy of one that had to be killed while a task ran: no task runs again.
function S.calm()
  head = nil
  timers.clear()
  local ended = {}
  for _, task in next, tasks do ended[#ended + 1] = task end
  for _, task in next, ended do
    settle(task, false, S.cancellation("ended: the engine had to be killed while tasks ran"))
  end
  return S.drain()
end

--- This process is a child that was forked in the middle of a turn: nothing that went on there goes on here.
function S.forked()
  head, tasks, current = nil, {}, nil -- `tail` counts only while there is a head
  S.look, S.at_end, waiting_outside = nil, nil, nil
  timers.clear()
  S.cut_off()
  sheltered = false
  host.shelter(false)
end

function S.event(kind, ...)
  current = nil
  S.dispatch(kind, ...)
  return S.drain()
end

require("calls")(S)

return S
