-- What crosses the border of the engine: bridge calls that Lua makes, its functions that bridges call, and the frames
-- that carry both. Adds to the scheduler: `call`, `post`, `dispatch`, `outside` and others.

local host = require("host")
local codec = require("codec")
local coroutines = require("coroutines")
local failure = require("failure")
local errorobject = require("errorobject")
local limits = require("limits")
local raise = require("raise")
local trace = require("trace")

local error, next, pcall, select, setmetatable = error, next, pcall, select, setmetatable
local gsub, match, raw_resume, tonumber, unpack = string.gsub, string.match, coroutine.resume, tonumber, table.unpack

local NOWHERE = { generation = 1 } -- what the kernel process calls was not started by what runs just then
local MOST_TOLD = 100000 -- numbers of calls: they are told on the stack

return function(S)
  local calls, next_call = {}, 0 -- bridge call id → waiter
  local next_callback, held = 0, 0
  local callbacks = {} -- id → { fn, cell, sent }: held until it is forgotten as often as it was sent
  local callback_ids = setmetatable({}, { __mode = "k" })
  local invocations = {} -- id → task that runs what the kernel process has called

  --- Whether something outside of Lua may still wake a task.
  function S.outside()
    return next(calls) ~= nil or next(callbacks) ~= nil or next(S.children) ~= nil
  end

  --- The numbers of the bridge calls that are waited for; of very many some.
  function S.waiting_calls()
    local numbers = {}
    for number in next, calls do
      if #numbers >= MOST_TOLD then break end
      numbers[#numbers + 1] = number
    end
    return numbers
  end

  --- How many functions of Lua's the kernel process holds.
  function S.callbacks()
    return held
  end

  --- Forks that compute (lib/parallel.lua): number → { task, took }; `took(ok, value)` is called when one has ended.
  S.children = {}

  --- End a child whose result nobody wants.
  function S.leave_child(number)
    S.children[number] = nil
    host.leave(number)
  end

  local alone = false -- this process is such a child

  --- In a child: nothing outside is within reach.
  function S.cut_off()
    alone = true
    calls, callbacks, S.children = {}, {}, {}
  end

  --- Whether this process is a child.
  function S.is_child() return alone end

  --- Called after each turn and before each sleep; handles.lua tells the kernel process here what has been collected.
  function S.end_turn() end

  -- ── failures of tasks ──────────────────────────────────────────────────────────────────────────

  --- The error that cancelled work ends with.
  function S.cancellation(message)
    return errorobject.new({ code = "cancelled", message = message, retryable = false })
  end

  --- The error that a task ends with which has called os.exit.
  function S.left(code)
    if code == 0 then return S.cancellation("ended by os.exit") end
    return errorobject.new({ code = "exit", message = "exit code " .. code, retryable = false })
  end

  --- The error that a task ends with which a stop broke into; the cell that started it is told.
  function S.stopped(task)
    host.write(2, task.cell, "task " .. task.id .. " (" .. trace.name_of(task) .. ") was stopped while it ran\n")
    return S.cancellation("stopped by an interrupt")
  end

  --- A task is ended that went on although it was cancelled; the cell that started it is told.
  function S.give_up_on(task)
    host.write(2, task.cell, "task " .. task.id .. " (" .. trace.name_of(task)
      .. ") was ended where it waits: it was cancelled, and caught that again and again\n")
  end

  --- An error as plain data, with the stack of `thread`. Looking at it may run the user's code, which therefore gets a
  --- coroutine, where a stop can reach it.
  function S.describe_failure(err, thread)
    local described
    raw_resume(coroutines.create_uncounted(function() described = failure.of(err, thread) end))
    return described or { ename = "LuaError", message = "an error that cannot be shown" }
  end

  --- Show a failure that nobody looked at in the cell that `task` belongs to: a task, or what stands for one with
  --- `cell` and `origin`.
  function S.show_failure(task, described)
    host.write(2, task.cell, trace.report(task, described))
  end

  function S.on_failure(task, err)
    S.show_failure(task, S.describe_failure(err, task.thread))
  end

  -- ── functions of Lua's that the kernel process holds ───────────────────────────────────────────

  local function forget(id)
    local entry = callbacks[id]
    if not entry then return end
    entry.sent = entry.sent - 1
    if entry.sent == 0 then
      held = held - 1
      callbacks[id] = nil
      callback_ids[entry.fn] = nil
    end
  end

  local registered -- ids in the value that is being encoded

  function codec.on_function(fn)
    local id = callback_ids[fn]
    if not id then
      if held >= limits.most.callbacks then error(limits.text("callbacks"), 0) end
      held = held + 1
      next_callback = next_callback + 1
      id = next_callback
      callbacks[id] = { fn = fn, cell = S.cell(), sent = 0 }
      callback_ids[fn] = id
    end
    callbacks[id].sent = callbacks[id].sent + 1
    if registered then registered[#registered + 1] = id end
    return id
  end

  -- Encode values to send; of what cannot be sent nothing is held.
  local function encode_values(...)
    registered = {}
    local ok, encoded = pcall(codec.encode_many, ...)
    local ids = registered
    registered = nil
    if not ok then
      for index = 1, #ids do forget(ids[index]) end
    end
    return ok, encoded
  end

  function codec.to_function(id)
    return callbacks[id] and callbacks[id].fn
  end

  -- ── frames ─────────────────────────────────────────────────────────────────────────────────────

  local on_frame = {}

  function on_frame.answer(call, ok, value)
    local waiter = calls[call]
    if not waiter then return end
    calls[call] = nil
    local read, decoded = pcall(ok and codec.decode_list or codec.decode, value)
    if read then
      S.wake(waiter, ok, decoded)
    else
      S.wake(waiter, false, { raise = true, message = "the answer cannot be read: " .. decoded })
    end
  end

  -- What a call from the kernel process came to; `invocation` 0 wants no answer.
  local function answer(invocation, task, ok, ...)
    if ok and invocation == 0 then return end
    local encoded, value
    if ok then
      encoded, value = encode_values(...)
      if encoded then return host.send("returned", invocation, true, value) end
    end
    local problem = "what was called back gives what cannot be sent: result %1"
    if value then value = gsub(value, "^argument (%d+)", problem) end
    local described = S.describe_failure(value or (...), not value and task.thread or nil)
    if invocation == 0 then return S.show_failure(task, described) end
    host.send("returned", invocation, false, codec.encode(described))
  end

  function on_frame.invoke(invocation, id, arguments, cell)
    local entry = callbacks[id]
    local read, values = pcall(codec.decode_list, arguments)
    local task = S.spawn(function(...)
      if not read then raise.raise(values) end
      if not entry then raise.raise("this callback is no longer held") end
      return raise.framed(entry.fn(...))
    end, unpack(values, 1, read and values.n or 0))
    task.origin = NOWHERE
    if cell and cell ~= 0 then task.cell = cell elseif entry then task.cell = entry.cell end
    if invocation ~= 0 then invocations[invocation] = task end
    task.on_end = function(_, ...)
      invocations[invocation] = nil
      if not task.withdrawn then answer(invocation, task, ...) end
    end
  end

  function on_frame.withdraw(invocation)
    local task = invocations[invocation]
    if not task then return end
    task.withdrawn = true
    S.cancel(task, S.cancellation("nobody waits for this any more"))
  end

  function on_frame.forget(...)
    for index = 1, select("#", ...) do forget((select(index, ...))) end
  end

  function on_frame.child(number, ok, value)
    local child = S.children[number]
    S.children[number] = nil
    if child then child.took(ok, value) end
  end

  function S.dispatch(kind, ...)
    local handler = on_frame[kind]
    if handler then handler(...) end
  end

  -- ── calls ──────────────────────────────────────────────────────────────────────────────────────

  local function withdraw(waiter)
    calls[waiter.call] = nil
    host.send("cancel", waiter.call)
  end

  -- Raise for what cannot be sent, which the codec names so: `argument 2.items[3]: a coroutine cannot cross`.
  local function refuse(module, name, problem)
    local index, where, words = match(problem, "^argument (%d+)%.?([^:]*): (.*)$")
    if not index then raise.raise(problem) end
    if where ~= "" then words = where .. ": " .. words end
    if raise.types[module] then
      raise.refuse(index - 1, module .. ":" .. name, words)
    elseif raise.members[module] then
      raise.refuse(tonumber(index), module .. "." .. name, words)
    end
    raise.raise("what was given cannot be sent: " .. words) -- to a bridge that spells know nothing of
  end

  local function encoded(module, name, ...)
    if alone then
      local known = raise.members[module] or raise.types[module]
      raise.raise((known and "'" .. module .. "." .. name .. "'" or "this")
        .. " cannot be called inside parallel.map, which computes in processes of its own; async.map makes many calls "
        .. "at once")
    end
    local ok, arguments = encode_values(...)
    if not ok then refuse(module, name, arguments) end
    return arguments
  end

  --- Call a bridge; returns ok and the list of its results, or its error map. `shown` is what messages call it, nil for
  --- its own name.
  function S.call_as(shown, module, name, ...)
    S.check()
    local arguments = encoded(module, name, ...)
    next_call = next_call + 1
    -- of a bridge that spells know nothing of, it is told by the function that called it
    local what = shown or (raise.members[module] and module .. "." .. name) or "an answer"
    local waiter = { call = next_call, what = what, cancel = withdraw }
    calls[next_call] = waiter
    if shown then
      host.send("call", next_call, S.cell(), module, name, arguments, shown)
    else
      host.send("call", next_call, S.cell(), module, name, arguments)
    end
    return S.await(waiter)
  end

  --- The same by its own name.
  function S.call(module, name, ...) return S.call_as(nil, module, name, ...) end

  --- Tell a bridge something that has no answer, such as a display.
  function S.post(module, name, ...)
    host.send("call", 0, S.cell(), module, name, encoded(module, name, ...))
  end
end
