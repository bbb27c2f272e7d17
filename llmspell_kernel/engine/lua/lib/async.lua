-- `async`, also `core`: tasks, waiting, channels.

local promises = require("promises")
local scheduler = require("scheduler")
local channels = require("channels")
local options_of = require("lib.options")
local raise = require("raise")
local framed = raise.framed

require("lib.channel") -- what async gives has its methods
require("lib.promise")

local next, rawlen, type = next, rawlen, type
local math_min = math.min
local unpack = table.unpack

local M = {}

--- Runs `fn(...)` in a task of its own, beside everything else, and returns a promise of what it returns; `async(fn)`
--- is short for it. The task may outlive its cell: what it prints goes to the cell that started it. An error that
--- nothing waits for is shown there, with where it happened and where the task was started.
--- ```lua
--- local job = async.spawn(function(name) return "hello " .. name end, "task")
--- print(job:await()) --> hello task
--- ```
---@param fn function
---@param ... any
---@return Promise promise
function M.spawn(fn, ...)
  raise.check(1, "async.spawn", "function", fn)
  return (promises.spawn(fn, ...))
end

--- The same as `async.spawn`.
M.async = M.spawn

--- Makes a function that runs `fn` in a task of its own, each time it is called, and returns a promise.
--- ```lua
--- local double = async.wrap(function(n) return 2 * n end)
--- print(double(21):await()) --> 42
--- ```
---@param fn function
---@return function async
function M.wrap(fn)
  raise.check(1, "async.wrap", "function", fn)
  return function(...) return (promises.spawn(fn, ...)) end
end

--- Waits for a promise (or for what a function that returns one gives) and returns its values; raises what it was
--- rejected with. Tasks go on meanwhile. The promise's own `await` method returns `nil, err` instead of raising.
--- ```lua
--- print(async.await(async(function() return 1, 2 end))) --> 1	2
--- ```
---@param promise Promise|function
---@param seconds? number how long to wait at most; then a `timeout` error is raised
---@return any values
function M.await(promise, seconds)
  if type(promise) == "function" then promise = promise() end
  local state = promises.check(1, "async.await", promise)
  raise.check_number(2, "async.await", seconds, 0, true)
  return framed(promises.await(state, seconds))
end

--- Waits so many seconds, while everything else goes on.
--- ```lua
--- async.sleep(0.01)
--- ```
---@param seconds number
function M.sleep(seconds)
  raise.check_number(1, "async.sleep", seconds, 0)
  scheduler.sleep(seconds)
end

--- Lets everything else that is ready run first.
--- ```lua
--- async.yield()
--- ```
function M.yield()
  scheduler.yield()
end

--- Runs `fn(...)` in a task and waits for it, at most so many seconds; then the task is cancelled where it waits: what
--- computes and never waits has its time, unless it calls `async.yield` now and then. Returns what it returns, or
--- `nil, err`.
--- ```lua
--- print(async.timeout(1, function() return "in time" end)) --> in time
--- ```
---@param seconds number
---@param fn function
---@param ... any
---@return any values
function M.timeout(seconds, fn, ...)
  raise.check_number(1, "async.timeout", seconds, 0)
  raise.check(2, "async.timeout", "function", fn)
  local object = promises.spawn(fn, ...)
  local state = promises.state_of(object)
  local timer = scheduler.after(seconds, function() promises.cancel(state, promises.late(seconds)) end)
  promises.wait(state)
  timer.done = true
  if state.state == "rejected" then return nil, state.err end
  return unpack(state.values, 1, state.values.n)
end

-- What each of the workers does: take the next item until there is none.
local function worker_of(list, count, fn, results)
  local taken = 0
  return function()
    while taken < count do
      taken = taken + 1
      local index = taken
      results[index] = fn(list[index], index)
    end
  end
end

-- Wait until all of `workers` have ended or one has failed; returns its error.
local function join(workers)
  local _, whole = promises.make()
  local left = #workers
  for _, worker in next, workers do
    promises.depend(whole, worker, function()
      left = left - 1
      if worker.state == "rejected" then promises.reject(whole, worker.err) end
      if left == 0 then promises.fulfil(whole) end
    end)
  end
  if left > 0 then promises.wait(whole) end
  return whole.err
end

local MAP = { limit = "integer" }

--- Calls `fn(item, index)` for every item of a list, at most `options.limit` of them at once (8 unless told), and
--- returns the list of what it returned, in the order of the items. An error ends the others and is raised.
--- ```lua
--- local lengths = async.map({"a", "bb", "ccc"}, function(word) return #word end)
--- print(table.concat(lengths, " ")) --> 1 2 3
--- ```
---@param list table
---@param fn function
---@param options? { limit?: integer } `limit`: how many at once
---@return table results
function M.map(list, fn, options)
  raise.check(1, "async.map", "table", list)
  raise.check(2, "async.map", "function", fn)
  options = options_of.read(3, "async.map", options, MAP)
  local limit = options_of.at_least("async.map", options, "limit", 1) or 8
  local results, count, workers = {}, rawlen(list), {}
  local work = worker_of(list, count, fn, results)
  for index = 1, math_min(limit, count) do workers[index] = promises.state_of((promises.spawn(work))) end
  local err = join(workers)
  if err == nil then return results end
  for _, worker in next, workers do promises.cancel(worker, scheduler.cancellation("another item failed")) end
  error(err, 0)
end

--- Cancels a promise, or the task of that number (as `async.tasks()` lists them): what it waits for, and everything it
--- tries to wait for later, raises an error whose code is `cancelled`. A task that catches this a hundred times and
--- goes on is ended where it waits.
--- ```lua
--- local job = async(function() async.sleep(60) end)
--- async.cancel(job)
--- ```
---@param what Promise|integer
---@param reason? string
---@return boolean cancelled
function M.cancel(what, reason)
  local state = promises.state_of(what)
  if not state then
    if type(what) ~= "number" then raise.bad_argument(1, "async.cancel", "Promise or number", what) end
    what = raise.check_whole(1, "async.cancel", what)
  end
  raise.check(2, "async.cancel", "string", reason, true)
  local err = scheduler.cancellation(reason or "cancelled")
  if state then return framed(promises.cancel(state, err)) end
  local task = scheduler.tasks()[what]
  if not task then return false end
  if task.computes and promises.cancel(task.computes, err) then return true end
  scheduler.cancel(task, err)
  return true
end

--- Lists the tasks that have not ended: `id`, `name` (where its function begins), `cell`, `state` (`ready`, `running`
--- or `waiting`), `at` (the line where it waits), `waiting_for`, `seconds` since it was started.
--- ```lua
--- for _, task in ipairs(async.tasks()) do print(task.id, task.state, task.waiting_for) end
--- ```
---@return table tasks
function M.tasks()
  return scheduler.list()
end

--- Makes a channel with room for `size` values; `channel.make`.
--- ```lua
--- local ch = async.channel(1)
--- ch:send("hi")
--- print(ch:receive()) --> true	hi
--- ```
---@param size? integer
---@return Channel channel
function M.channel(size)
  return (channels.make(raise.check_integer(1, "async.channel", size, 0, true) or 0))
end

--- Waits for the first of several channels; `channel.select`.
--- ```lua
--- local ch = async.channel(1)
--- ch:send("hi")
--- print(async.select({"|<-", ch})) --> 1	hi	true
--- ```
---@param ... table cases
---@return integer index
---@return any value
---@return boolean ok
function M.select(...)
  return framed(channels.select("async.select", ...))
end

--- Runs the callbacks and tasks that are ready. When there are none but something is under way, waits for it, up to
--- half a second. Older spells call this in a loop; nothing needs it, since every wait lets tasks go on.
--- ```lua
--- print(async.process_callbacks()) --> 0
--- ```
---@return integer processed how many ran
function M.process_callbacks()
  local before, own = scheduler.steps(), 1
  scheduler.yield()
  for _ = 1, 10 do
    local ran = scheduler.steps() - before - own
    if ran > 0 or not scheduler.pending() then return ran end
    scheduler.sleep(0.05)
    if scheduler.current() then own = own + 1 end
  end
  return 0
end

return M
