-- `hooks`: functions that run before, after and around calls, which they may change, end or repeat.
--
-- `M.run` is what the engine's own modules make such a call with.

local errorobject = require("errorobject")
local host = require("host")
local raise = require("raise")
local scheduler = require("scheduler")
local traced = require("guarded").traced
local framed = raise.framed

local error, next, rawequal, setmetatable, type = error, next, rawequal, setmetatable, type
local pack, unpack, remove, sort = table.pack, table.unpack, table.remove, table.sort
local gsub, match = string.gsub, string.match

local M = {}

local MOST_REPEATS = 20
local KINDS = { "before", "around", "after" }

local entries = { before = {}, around = {}, after = {} } -- each sorted: the highest priority first
local count, next_id = 0, 0

-- ── points ─────────────────────────────────────────────────────────────────────────────────────────

-- A Lua pattern for a point with stars in it; nil for one without.
local function pattern_of(point)
  if not match(point, "%*") then return nil end
  return "^" .. gsub(gsub(point, "[^%w*]", "%%%0"), "%*+", ".*") .. "$"
end

local function concerns(entry, point)
  if entry.pattern then return match(point, entry.pattern) ~= nil end
  return entry.point == point
end

-- ── the registry ───────────────────────────────────────────────────────────────────────────────────

local function add(kind, point, fn, priority)
  raise.check(1, "hooks." .. kind, "string", point)
  raise.check(2, "hooks." .. kind, "function", fn)
  raise.check(3, "hooks." .. kind, "number", priority, true)
  if priority ~= priority then raise.refuse(3, "hooks." .. kind, "NaN is no priority") end
  next_id = next_id + 1
  count = count + 1
  local list = entries[kind]
  list[#list + 1] = {
    id = next_id,
    kind = kind,
    point = point,
    pattern = pattern_of(point),
    fn = fn,
    priority = priority or 0,
  }
  sort(list, function(a, b)
    if a.priority ~= b.priority then return a.priority > b.priority end
    return a.id < b.id
  end)
  return next_id
end

--- Calls `fn(...)` before each call at `point`, with its arguments. What it returns, unless that is nothing, takes
--- their place; `hooks.answer(...)` and `hooks.cancel(reason)` end the call before it is made; an error is the call's.
--- A point is a name such as `llm` or `tools`; `*` in it stands for anything. Returns a number for `hooks.remove`.
--- ```lua
--- hooks.before("greet", function(name) return string.upper(name) end)
--- print(hooks.run("greet", function(name) return "hello " .. name end, "ada")) --> hello ADA
--- ```
---@param point string
---@param fn function
---@param priority? number hooks with a higher one run first (0)
---@return integer id
function M.before(point, fn, priority)
  return framed(add("before", point, fn, priority))
end

--- Calls `fn(result, err, ...)` after each call at `point`: with its result, or nil and the error it returned, and its
--- arguments. What it returns, unless that is nothing, takes the result's place; `hooks.again(...)` repeats the call,
--- with other arguments if any are given, up to 20 times.
--- ```lua
--- hooks.after("count", function(n) if n < 3 then return hooks.again(n) end end)
--- print(hooks.run("count", function(n) return n + 1 end, 0)) --> 3
--- ```
---@param point string
---@param fn function
---@param priority? number hooks with a higher one run first (0)
---@return integer id
function M.after(point, fn, priority)
  return framed(add("after", point, fn, priority))
end

--- Calls `fn(call, ...)` in place of each call at `point`: `call(...)` makes it, and what `fn` returns is its result.
--- ```lua
--- hooks.around("shout", function(call, text) return call(text) .. "!" end)
--- print(hooks.run("shout", string.upper, "hi")) --> HI!
--- ```
---@param point string
---@param fn fun(call: function, ...: any): any
---@param priority? number those with a higher one are further out (0)
---@return integer id
function M.around(point, fn, priority)
  return framed(add("around", point, fn, priority))
end

-- Take out what `is_meant(entry)` accepts; returns how many.
local function take_out(is_meant)
  local removed = 0
  for _, list in next, entries do
    for index = #list, 1, -1 do
      if is_meant(list[index]) then
        list[index].gone = true
        remove(list, index)
        removed = removed + 1
      end
    end
  end
  count = count - removed
  return removed
end

--- Takes a hook away, by its number or its function; returns whether there was one. Older spells give the point, the
--- kind and the number.
--- ```lua
--- local id = hooks.before("nothing", print)
--- print(hooks.remove(id), hooks.remove(id)) --> true	false
--- ```
---@param which integer|function|string
---@param kind? string
---@param id? integer
---@return boolean removed
function M.remove(which, kind, id)
  if raise.is_callable(which) then
    return take_out(function(entry) return rawequal(entry.fn, which) end) > 0
  end
  if type(which) == "string" then
    raise.check_option(2, "hooks.remove", kind, KINDS)
    which = raise.check_whole(3, "hooks.remove", id)
  elseif type(which) ~= "number" then
    raise.bad_argument(1, "hooks.remove", "number or function", which)
  end
  raise.check_whole(1, "hooks.remove", which)
  return take_out(function(entry) return entry.id == which end) > 0
end

--- Takes all hooks away, or those of a point, or those of a kind (`before`, `after`, `around`) of a point; returns how
--- many there were.
--- ```lua
--- hooks.before("nothing.much", print)
--- print(hooks.clear("nothing.much")) --> 1
--- ```
---@param point? string
---@param kind? "before"|"after"|"around"
---@return integer removed
function M.clear(point, kind)
  raise.check(1, "hooks.clear", "string", point, true)
  raise.check_option(2, "hooks.clear", kind, KINDS, true)
  return take_out(function(entry)
    return (point == nil or entry.point == point) and (kind == nil or entry.kind == kind)
  end)
end

--- Lists the hooks, or those that concern a point, in the order in which they run: `id`, `point`, `kind`, `priority`.
--- ```lua
--- hooks.after("listed.*", print, 5)
--- print(hooks.list("listed.point")[1].priority) --> 5
--- ```
---@param point? string
---@return table hooks
function M.list(point)
  raise.check(1, "hooks.list", "string", point, true)
  local found = {}
  for _, kind in next, KINDS do
    for _, entry in next, entries[kind] do
      if point == nil or concerns(entry, point) then
        found[#found + 1] = { id = entry.id, point = entry.point, kind = kind, priority = entry.priority }
      end
    end
  end
  return found
end

-- ── what hooks return to end or repeat a call ──────────────────────────────────────────────────────

local verdicts = setmetatable({}, { __mode = "k" }) -- the value → { what, n, … }
local verdict_meta = { __name = "hooks.verdict", __metatable = false }
local function verdict(what, ...)
  local value = setmetatable({}, verdict_meta)
  verdicts[value] = { what = what, values = pack(...) }
  return value
end

--- What a before hook returns to answer in the call's place: the call is not made and returns these values.
--- ```lua
--- hooks.before("answered", function() return hooks.answer("no need to ask") end)
--- print(hooks.run("answered", error)) --> no need to ask
--- ```
---@param ... any
---@return any verdict
function M.answer(...)
  return verdict("answer", ...)
end

--- What a hook returns to cancel the call: it returns nil and an error whose code is `cancelled_by_hook`.
--- ```lua
--- hooks.before("refused", function() return hooks.cancel("not today") end)
--- print(hooks.run("refused", print)) --> nil	not today
--- ```
---@param reason? string
---@return any verdict
function M.cancel(reason)
  raise.check(1, "hooks.cancel", "string", reason, true)
  local err = { code = "cancelled_by_hook", message = reason or "a hook cancelled this call", retryable = false }
  return verdict("answer", nil, errorobject.new(err))
end

--- What an after hook returns to have the call made again, with other arguments if any are given.
--- ```lua
--- hooks.after("doubled", function(n) if n < 100 then return hooks.again(n) end end)
--- print(hooks.run("doubled", function(n) return 2 * n end, 30)) --> 120
--- ```
---@param ... any
---@return any verdict
function M.again(...)
  return verdict("again", ...)
end

-- ── running ────────────────────────────────────────────────────────────────────────────────────────

-- Hooks that run now do not see the calls that they make themselves: task, or cell of a main chunk → set of entries.
local busy = {}

local function place() return scheduler.current() or scheduler.cell() end

local function ended(at, entry, ok, ...)
  busy[at][entry] = nil
  if next(busy[at]) == nil then busy[at] = nil end
  if not ok then error((...), 0) end
  return ...
end

local function call_hook(entry, ...)
  local at = place()
  busy[at] = busy[at] or {}
  busy[at][entry] = true
  return ended(at, entry, traced(entry.fn, ...))
end

local function returned(at, entry, ...)
  if entry then
    busy[at] = busy[at] or {}
    busy[at][entry] = true
  end
  return ...
end

-- Run something of the call's own while `entry`, which is around it, is not running itself.
local function step_out(entry, fn, ...)
  local at = place()
  local running = busy[at] and busy[at][entry]
  if not running then return fn(...) end
  busy[at][entry] = nil
  if next(busy[at]) == nil then busy[at] = nil end
  return returned(at, entry, fn(...))
end

local function of_kind(kind, point)
  local found = {}
  local running = busy[place()]
  for _, entry in next, entries[kind] do
    if concerns(entry, point) and not (running and running[entry]) then found[#found + 1] = entry end
  end
  return found
end

-- The call with everything that is around it.
local function surrounded(call, around)
  for index = #around, 1, -1 do
    local entry, inner = around[index], call
    call = function(...)
      return call_hook(entry, function(...) return step_out(entry, inner, ...) end, ...)
    end
  end
  return call
end

local function run_before(list, arguments)
  for _, entry in next, list do
    local results = pack(call_hook(entry, unpack(arguments, 1, arguments.n)))
    local told = results[1] ~= nil and verdicts[results[1]]
    if told then
      if told.what == "answer" then return arguments, told.values end
      if told.values.n > 0 then arguments = told.values end
    elseif results[1] ~= nil then
      for index = results.n + 1, arguments.n do results[index] = arguments[index] end
      results.n = results.n > arguments.n and results.n or arguments.n
      arguments = results
    end
  end
  return arguments
end

-- Returns the results, and the arguments to call again with if a hook asked for that.
local function run_after(list, results, arguments)
  for _, entry in next, list do
    local given = pack(call_hook(entry, results[1], results[2], unpack(arguments, 1, arguments.n)))
    local told = given[1] ~= nil and verdicts[given[1]]
    if told and told.what == "again" then return results, told.values.n > 0 and told.values or arguments end
    if told then
      results = told.values
    elseif given[1] ~= nil then
      results = given
    end
  end
  return results
end

local function hooked(point, call, ...)
  local arguments, answer = run_before(of_kind("before", point), pack(...))
  if answer then return unpack(answer, 1, answer.n) end
  call = surrounded(call, of_kind("around", point))
  local results
  for _ = 0, MOST_REPEATS do
    results = pack(call(unpack(arguments, 1, arguments.n)))
    local again
    results, again = run_after(of_kind("after", point), results, arguments)
    if not again then return unpack(results, 1, results.n) end
    if host.stopping() then error(scheduler.STOP, 0) end
    arguments = again
  end
  raise.raise("the hooks of '" .. point .. "' asked for the same call more than " .. MOST_REPEATS .. " times again")
end

--- Makes a call at `point`: `call(...)`, with the hooks that concern the point. Spells use it for points of their own.
--- A hook is not run for the calls that it makes itself.
--- ```lua
--- print(hooks.run("no hooks here", math.max, 3, 7)) --> 7
--- ```
---@param point string
---@param call function
---@param ... any
---@return any results
function M.run(point, call, ...)
  if type(point) ~= "string" or type(call) ~= "function" then -- else there is nothing to tell
    raise.check(1, "hooks.run", "string", point)
    raise.check(2, "hooks.run", "function", call)
  end
  if count == 0 then return framed(call(...)) end
  return framed(hooked(point, call, ...))
end

M.execute = M.run

return M
