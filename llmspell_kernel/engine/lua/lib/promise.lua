-- `promise`: values that are still to come.

local promises = require("promises")
local scheduler = require("scheduler")
local errorobject = require("errorobject")
local failure = require("failure")
local raise = require("raise")
local framed = raise.framed

local next, rawlen, type = next, rawlen, type
local concat, math_type, pack, unpack = table.concat, math.type, table.pack, table.unpack
local make, state_of, fulfil, reject = promises.make_here, promises.state_of, promises.fulfil, promises.reject

local M = {}

--- A value that is still to come, or the error that came in its place.
---@class Promise
local methods = promises.methods

-- ── making ─────────────────────────────────────────────────────────────────────────────────────────

--- Makes a promise that `executor(resolve, reject)` settles. The executor starts at once, in a task of its own: where
--- it waits, for a model or for `async.sleep`, everything else goes on. An error in it rejects the promise.
--- ```lua
--- local answer = promise.new(function(resolve, reject) resolve(6 * 7) end)
--- print(answer:await()) --> 42
--- ```
---@param executor fun(resolve: function, reject: function) called with `resolve(value)` and `reject(reason)`
---@return Promise promise
function M.new(executor)
  raise.check(1, "promise.new", "function", executor)
  return framed(promises.from_executor(executor))
end

--- A promise that is fulfilled with these values, or follows the first if that is a promise.
--- ```lua
--- print(promise.resolve("now"):await()) --> now
--- ```
---@param ... any
---@return Promise promise
function M.resolve(...)
  local object, state = make()
  promises.resolve(state, ...)
  return object
end

--- A promise that is rejected with `reason`.
--- ```lua
--- print(promise.reject("no"):await()) --> nil	no
--- ```
---@param reason? any
---@return Promise promise
function M.reject(reason)
  local object, state = make()
  reject(state, reason)
  return object
end

--- Runs `fn(...)` in a task; the promise is what it returns.
--- ```lua
--- local sum = promise.spawn(function(a, b) return a + b end, 1, 2)
--- print(sum:await()) --> 3
--- ```
---@param fn function
---@param ... any
---@return Promise promise
function M.spawn(fn, ...)
  raise.check(1, "promise.spawn", "function", fn)
  return (promises.spawn(fn, ...))
end

--- Makes a function that runs `fn` in a task of its own, each time it is called, and returns a promise.
--- ```lua
--- local double = promise.async(function(n) return 2 * n end)
--- print(double(21):await()) --> 42
--- ```
---@param fn function
---@return function async
function M.async(fn)
  raise.check(1, "promise.async", "function", fn)
  return function(...) return (promises.spawn(fn, ...)) end
end

--- A promise that is fulfilled in so many seconds.
--- ```lua
--- promise.sleep(0.01):next(function() print("late") end):await() --> late
--- ```
---@param seconds number
---@return Promise promise
function M.sleep(seconds)
  raise.check_number(1, "promise.sleep", seconds, 0)
  local object, state = make()
  scheduler.after(seconds, function() fulfil(state) end)
  return object
end

-- ── several at once ────────────────────────────────────────────────────────────────────────────────

-- Calls `each(key, state)` for the promises among `list`, after `plain(key, value)` for everything else in it.
local function visit(name, list, plain, each)
  raise.check(1, name, "table", list)
  local keys, length = {}, rawlen(list)
  for index = 1, length do keys[index] = index end
  for key in next, list do -- what table.pack gives is a list
    local listed = math_type(key) == "integer" and key >= 1 and key <= length or (key == "n" and length > 0)
    if not listed then keys[#keys + 1] = key end
  end
  for _, key in next, keys do
    if not state_of(list[key]) then plain(key, list[key]) end
  end
  for _, key in next, keys do
    local state = state_of(list[key])
    if state then each(key, state) end
  end
end

--- Waits for all of a list (or a table with names): fulfilled with a table of their values, in the same places, or
--- rejected as soon as one of them is. What is not a promise is taken as it is.
--- ```lua
--- local function slow(n) return async(function() async.sleep(0.01) return n * n end) end
--- local squares = promise.all{slow(1), slow(2), slow(3)}:await()
--- print(table.concat(squares, " ")) --> 1 4 9
--- ```
---@param list table promises
---@return Promise promise
function M.all(list)
  local object, state = make()
  local results, left = {}, 0
  local function take(key)
    return function(source)
      if source.state == "rejected" then return reject(state, source.err) end
      results[key] = source.values[1]
      left = left - 1
      if left == 0 then fulfil(state, results) end
    end
  end
  left = 1
  visit("promise.all", list, function(key, value) results[key] = value end, function(key, source)
    left = left + 1
    promises.depend(state, source, take(key))
  end)
  left = left - 1
  if left == 0 then fulfil(state, results) end
  return object
end

--- Settled as the first of a list that is: fulfilled or rejected. The others go on.
--- ```lua
--- local quick = promise.resolve("quick")
--- print(promise.race{promise.sleep(1), quick}:await()) --> quick
--- ```
---@param list table promises
---@return Promise promise
function M.race(list)
  local object, state = make()
  visit("promise.race", list, function(_, value) fulfil(state, value) end, function(_, source)
    promises.depend(state, source, function()
      if source.state == "rejected" then return reject(state, source.err) end
      fulfil(state, unpack(source.values, 1, source.values.n))
    end)
  end)
  return object
end

local function none_left(reasons, last)
  local told = {}
  for _, reason in next, reasons do told[#told + 1] = failure.text(reason) end
  return errorobject.new({
    code = "all_failed",
    message = #told == 0 and "there was nothing to wait for" or "all failed: " .. concat(told, "; "),
    details = { reasons = reasons },
    cause = last,
  })
end

--- Fulfilled as the first of a list that is; rejected only when all are, with an error whose `details.reasons` has
--- their reasons.
--- ```lua
--- print(promise.any{promise.reject("down"), promise.resolve("up")}:await()) --> up
--- ```
---@param list table promises
---@return Promise promise
function M.any(list)
  local object, state = make()
  local reasons, left, last = {}, 1, nil
  local function failed(key, reason)
    if key then reasons[key], last = reason, reason end
    left = left - 1
    if left == 0 then reject(state, none_left(reasons, last)) end
  end
  visit("promise.any", list, function(_, value) fulfil(state, value) end, function(key, source)
    left = left + 1
    promises.depend(state, source, function()
      if source.state == "rejected" then return failed(key, source.err) end
      fulfil(state, unpack(source.values, 1, source.values.n))
    end)
  end)
  if state.state == "pending" then failed() end
  return object
end

--- Waits until each of a list is settled, and is never rejected: a list of `{status = "fulfilled", value = …}` and
--- `{status = "rejected", reason = …}`.
--- ```lua
--- local outcomes = promise.all_settled{promise.resolve(1), promise.reject("no")}:await()
--- print(outcomes[1].status, outcomes[2].reason) --> fulfilled	no
--- ```
---@param list table promises
---@return Promise promise
function M.all_settled(list)
  local object, state = make()
  local outcomes, left = {}, 1
  local function done()
    left = left - 1
    if left == 0 then fulfil(state, outcomes) end
  end
  local function plain(key, value) outcomes[key] = { status = "fulfilled", value = value } end
  visit("promise.all_settled", list, plain, function(key, source)
    left = left + 1
    promises.depend(state, source, function()
      if source.state == "fulfilled" then
        plain(key, source.values[1])
      else
        outcomes[key] = { status = "rejected", reason = source.err }
      end
      done()
    end)
  end)
  done()
  return object
end

M.allSettled = M.all_settled

--- Takes the outcome of `promise` if it comes within so many seconds, and is rejected with a `timeout` error otherwise.
--- What computes `promise` is then cancelled, unless something else waits for it too.
--- ```lua
--- local _, err = promise.timeout(promise.sleep(60), 0.01):await()
--- print(err.code) --> timeout
--- ```
---@param promise Promise
---@param seconds number
---@return Promise promise
function M.timeout(promise, seconds)
  local source = promises.check(1, "promise.timeout", promise)
  raise.check_number(2, "promise.timeout", seconds, 0)
  local object, state = make()
  local timer
  local function take()
    timer.done = true
    if source.state == "rejected" then return reject(state, source.err) end
    fulfil(state, unpack(source.values, 1, source.values.n))
  end
  timer = scheduler.after(seconds, function()
    local late = promises.late(seconds)
    reject(state, late)
    promises.forget(source, take, late)
  end)
  promises.depend(state, source, take)
  return object
end

--- Waits for a promise (or for what a function that returns one gives) and returns its values; raises what it was
--- rejected with. `promise:await()` returns `nil, err` instead.
--- ```lua
--- print(promise.await(promise.resolve("done"))) --> done
--- ```
---@param promise Promise|function
---@param seconds? number how long to wait at most; then a `timeout` error is raised
---@return any values
function M.await(promise, seconds)
  if type(promise) == "function" then promise = promise() end
  local state = promises.check(1, "promise.await", promise)
  raise.check_number(2, "promise.await", seconds, 0, true)
  return framed(promises.await(state, seconds))
end

--- Lets everything else that is ready run first.
--- ```lua
--- promise.yield()
--- ```
function M.yield()
  scheduler.yield()
end

--- The same functions under the name that older spells use.
M.Promise = { new = M.new, resolve = M.resolve, reject = M.reject, all = M.all, race = M.race, any = M.any }

-- ── methods ────────────────────────────────────────────────────────────────────────────────────────

local function known(name, self) return state_of(self) or raise.no_self(name) end

-- A promise of what the handlers make of this one's outcome.
local function derived(name, self, on_ok, on_err)
  local source = known(name, self)
  raise.check(1, name, "function", on_ok, true)
  return promises.derive(source, on_ok, raise.check(2, name, "function", on_err, true))
end

local function caught(name, self, on_err)
  local source = known(name, self)
  return promises.derive(source, nil, raise.check(1, name, "function", on_err))
end

local function concluded(name, self, fn)
  local source = known(name, self)
  raise.check(1, name, "function", fn)
  return promises.derive(source, function(...)
    local values = pack(...)
    fn()
    return unpack(values, 1, values.n)
  end, function(reason)
    fn()
    error(reason, 0)
  end)
end

--- Calls `on_ok(values)` when the promise is fulfilled, `on_err(reason)` when it is rejected, each in a task. What they
--- return, or raise, is what becomes of the new promise.
--- ```lua
--- local shout = promise.resolve("hi"):next(string.upper)
--- print(shout:await()) --> HI
--- ```
---@param on_ok? function
---@param on_err? function
---@return Promise promise
function methods:next(on_ok, on_err)
  return (derived("promise:next", self, on_ok, on_err))
end

--- The same as `promise:next`.
---@param on_ok? function
---@param on_err? function
---@return Promise promise
function methods:andThen(on_ok, on_err)
  return (derived("promise:andThen", self, on_ok, on_err))
end

--- Calls `on_err(reason)` when the promise is rejected; what it returns is taken instead.
--- ```lua
--- print(promise.reject("no"):catch(function(reason) return "caught " .. reason end):await()) --> caught no
--- ```
---@param on_err function
---@return Promise promise
function methods:catch(on_err)
  return (caught("promise:catch", self, on_err))
end

--- The same as `promise:catch`.
---@param on_err function
---@return Promise promise
function methods:onError(on_err)
  return (caught("promise:onError", self, on_err))
end

--- Calls `fn()` when the promise is settled, and passes its outcome on; an error in `fn` takes its place.
--- ```lua
--- promise.resolve(1):finally(function() print("over") end):await() --> over
--- ```
---@param fn function
---@return Promise promise
function methods:finally(fn)
  return (concluded("promise:finally", self, fn))
end

--- The same as `promise:finally`.
---@param fn function
---@return Promise promise
function methods:onFinally(fn)
  return (concluded("promise:onFinally", self, fn))
end

--- Waits until the promise is settled, while tasks go on. Returns its values, or `nil` and the reason it was rejected
--- with; after `seconds` without an outcome, `nil` and an error with the code `timeout`.
--- ```lua
--- local value, err = promise.sleep(60):await(0.01)
--- print(value, err.code) --> nil	timeout
--- ```
---@param seconds? number how long to wait at most
---@return any values
function methods:await(seconds)
  local state = known("promise:await", self)
  raise.check_number(1, "promise:await", seconds, 0, true)
  if not promises.wait(state, seconds) then return nil, promises.late(seconds) end
  if state.state == "rejected" then return nil, state.err end
  return unpack(state.values, 1, state.values.n)
end

--- Gives the promise up: it is rejected with an error whose code is `cancelled`, the task that computes it is ended
--- where it waits, and what it depends on too, unless something else waits for that.
--- ```lua
--- local job = async(function() async.sleep(60) end)
--- print(job:cancel(), select(2, job:await()).code) --> true	cancelled
--- ```
---@param reason? string
---@return boolean cancelled false if the promise was settled already
function methods:cancel(reason)
  local state = known("promise:cancel", self)
  raise.check(1, "promise:cancel", "string", reason, true)
  return framed(promises.cancel(state, scheduler.cancellation(reason or "cancelled")))
end

return M
