---@meta
-- Lua 5.4's coroutines, as cells have them. Read by stdlib.py; never run.

--- Coroutines: functions that stop in the middle and go on later.
coroutine = {}

--- Closes a suspended or dead coroutine and its `<close>` variables; returns true, or false and the error.
---@param co thread
---@return boolean ok
---@return any error
function coroutine.close(co) end

--- Makes a coroutine that will run `f`; `coroutine.resume` starts it.
--- ```lua
--- local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b end)
--- print(coroutine.resume(co, 1)) --> true  2
--- ```
---@param f function
---@return thread co
function coroutine.create(f) end

--- Whether the running coroutine may yield.
---@param co? thread
---@return boolean yieldable
function coroutine.isyieldable(co) end

--- Starts a coroutine or lets it go on: returns true and what it yields or returns, or false and the error.
---@param co thread
---@param ... any arguments of its function, or results of its `yield`
---@return boolean ok
---@return any ...
function coroutine.resume(co, ...) end

--- Returns the running coroutine and whether it is the main one.
---@return thread co
---@return boolean ismain
function coroutine.running() end

--- Returns the state of a coroutine: `"running"`, `"suspended"`, `"normal"` or `"dead"`.
---@param co thread
---@return "running"|"suspended"|"normal"|"dead" status
function coroutine.status(co) end

--- Makes a coroutine and returns a function that resumes it and raises its errors. Good for iterators.
--- ```lua
--- local function upto(n)
---   return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end)
--- end
--- for i in upto(3) do print(i) end
--- ```
---@param f function
---@return function resume
function coroutine.wrap(f) end

--- Stops the running coroutine; its arguments become the results of `resume`, and it returns what the next `resume` is given.
---@param ... any
---@return any ...
function coroutine.yield(...) end
