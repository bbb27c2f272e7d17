-- `state`: named values under paths. What is not persistent is Lua's, so that it follows undo and recovery; what is, is
-- in a file that other notebooks may change at the same time. Both are changed in the same way: read, make the new
-- value, and put it back if nobody was faster, else begin again.

local bridge = require("bridge")
local codec = require("codec")
local errorobject = require("errorobject")
local host = require("host")
local path = require("lib.path")
local named = require("lib.names").of("state") -- for completion
local options_of = require("lib.options")
local raise = require("raise")
local scheduler = require("scheduler")
local framed = raise.framed

local error, next, pcall, rawget, rawset, setmetatable = error, next, pcall, rawget, rawset, setmetatable
local tonumber, tostring, type = tonumber, tostring, type
local find, gsub, match, random = string.find, string.gsub, string.match, math.random
local pack, unpack = table.pack, table.unpack
local getinfo, now, running = debug.getinfo, host.now, coroutine.running
local utf8_len = utf8.len

local file = {}
for _, name in next, { "read", "all", "commit", "names" } do file[name] = bridge.bind("state_files", name) end

local M = {}

local TRIES = 200
local PATIENT = 3 -- tries before it waits in between
local PAUSE = 0.002
local LONGEST_TURN = 0.5

-- ── where the values are ───────────────────────────────────────────────────────────────────────────
--
-- A keeper has `read(key)` → value, version; `all()` → entries, revision; `commit(changes, revision)` → whether they
-- were made; each `nil, err` when the world fails. What they give and take are copies.

local function in_memory(entries)
  local keeper, versions, revision = {}, {}, 1
  function keeper.read(key)
    return path.clone(rawget(entries, key)), versions[key] or 0
  end
  function keeper.all()
    return path.clone(entries), revision
  end
  function keeper.commit(changes, expected)
    if expected and expected ~= revision then return false end
    for _, change in next, changes do
      if change.version and change.version ~= (versions[change.key] or 0) then return false end
    end
    revision = revision + 1
    for _, change in next, changes do
      rawset(entries, change.key, path.clone(change.value))
      versions[change.key] = revision
    end
    return true
  end
  return keeper
end

-- Raise again what the file refused, without the call that only we know.
local function refused(problem, changes)
  local index, rest, reason
  if type(problem) == "string" then
    index, rest, reason = match(problem, "what was given cannot be sent: %[(%d+)%]%.%l+(.-): (.+)$")
  end
  if not index then error(problem, 0) end
  local key = tostring(changes[tonumber(index)].key)
  raise.raise(key .. rest .. ": " .. gsub(reason, "cannot cross$", "cannot be kept in persistent state"))
end

local function in_file(name)
  local keeper = { persistent = true, name = name }
  function keeper.read(key)
    local found, value, version = file.read(name, key)
    if found == nil then return nil, nil, value end
    if not found then value = nil elseif value == nil then value = codec.null end
    return value, version
  end
  function keeper.all() return file.all(name) end
  function keeper.commit(changes, revision)
    if #changes == 0 and not revision then return true end
    local ok, made, err = pcall(file.commit, name, codec.array(changes), revision)
    if not ok then refused(made, changes) end
    return made, err
  end
  return keeper
end

-- ── objects ────────────────────────────────────────────────────────────────────────────────────────

local infos = setmetatable({}, { __mode = "k" }) -- object → { name, keeper }

--- Values under paths, such as `user.name` or `items[1]`: see `state.create`.
---@class state.State
local State = {}

local changes_meta = { __name = "changes" }
local meta = { __name = "state", __metatable = false }
meta.__index = State
meta.__newindex = function() raise.raise("a state is changed with its methods: s:set(path, value)") end
meta.__tostring = function(object)
  local info = infos[object]
  return "state: " .. info.name .. (info.keeper.persistent and " (persistent)" or "")
end

local function object_of(name, keeper)
  local object = setmetatable({}, meta)
  infos[object] = { name = name, keeper = keeper }
  return object
end

local function keeper_of(object, method)
  local info = infos[object]
  if not info then raise.no_self(method) end
  return info.keeper
end

-- A copy of all values, or `nil, err`.
local function everything(keeper)
  local entries, err = keeper.all()
  if not entries then return nil, err end
  return entries
end

-- The functions that run transactions: what is changed → such a function. What that changes besides would make its own
-- transaction begin again, for ever. An interrupt may leave one here that has ended: whether it runs, the stack tells.
local under_way = setmetatable({}, { __mode = "k" })
local LEVELS = 1000

local function in_transaction(keeper, fn, entries, name)
  local what = keeper.name or keeper
  local function run() return pack(fn(object_of(name, in_memory(entries)))) end
  under_way[what] = run
  local results = run()
  under_way[what] = nil
  return results
end

local function changeable(keeper)
  local run = under_way[keeper.name or keeper]
  for level = 2, run and LEVELS or 0 do
    local info = getinfo(level, "f")
    if not info then break end
    if info.func == run then
      raise.raise("inside a transaction its state is changed through what the function gets: t:set(path, value)")
    end
  end
  return keeper
end

local function conflict()
  return errorobject.new({
    code = "conflict",
    message = "the state was changed by others each time before this change could be made",
    retryable = true,
  })
end

-- Those to whom others were faster take turns, so that a thousand tasks need not try a thousand times each: what is
-- changed → whose turn it is, since when, and who waits for theirs. A turn is not for long: whose it is may wait for
-- what those do that wait for it.
local turns = setmetatable({}, { __mode = "k" })

local pass_on

local function begin_turn(turn, task)
  turn.task, turn.since = task, now()
  turn.timer = scheduler.after(LONGEST_TURN, function() pass_on(turn) end)
end

function pass_on(turn)
  turn.timer.done = true
  local waiter
  repeat
    turn.first = turn.first + 1
    waiter = turn.queue[turn.first]
  until not waiter or not waiter.done
  if waiter then
    begin_turn(turn, waiter.mine)
    scheduler.wake(waiter)
  elseif turns[turn.what] == turn then
    turns[turn.what] = nil
  end
end

local turn_meta = { __close = function(mine)
  if mine.turn.task == mine then pass_on(mine.turn) end
end }

-- Wait for one's turn; it lasts until the value is closed.
local function in_turn(what)
  local turn = turns[what]
  local mine = setmetatable({ thread = running() }, turn_meta)
  if not turn or now() - turn.since > 2 * LONGEST_TURN then -- that one was stopped
    turn = { what = what, queue = {}, first = 0 }
    mine.turn, turns[what] = turn, turn
    begin_turn(turn, mine)
    return mine
  end
  if turn.task.thread == mine.thread then return nil end
  mine.turn = turn
  local waiter = { what = "its turn to change the state", mine = mine }
  turn.queue[#turn.queue + 1] = waiter
  scheduler.wait(waiter)
  return mine
end

-- Try until `attempt` returns something: it returns nil where others were faster, false and an error where the world
-- fails.
local function persist(keeper, attempt)
  local result = pack(attempt())
  if result[1] == nil then
    local turn <close> = in_turn(keeper.name or keeper) -- luacheck: ignore 211
    local try = 1
    repeat
      if try > PATIENT then scheduler.sleep(random() * PAUSE * try) end
      result, try = pack(attempt()), try + 1
    until result[1] ~= nil or try == TRIES
  end
  if result[1] then return unpack(result, 2, result.n) end
  return nil, result[1] == false and result[2] or conflict()
end

-- Change what is at `keys`: `make(value)` returns whether to change it, the new value, and what to return.
local function change(keeper, keys, make)
  local key = keys[1]
  return persist(keeper, function()
    local top, version, err = keeper.read(key)
    if err then return false, err end
    local rest = { unpack(keys, 2) }
    local wanted, value, result = make(path.get(top, rest))
    if not wanted then return true, result end
    if #rest > 0 then
      if type(top) ~= "table" then top = {} end
      path.set(top, rest, path.clone(value))
    else
      top = value
    end
    local made, problem = keeper.commit({ { key = key, value = top, version = version } })
    if made == nil then return false, problem end
    return made or nil, result
  end)
end

local function keys_of(where, method)
  local keys = path.parse(where, 1, method)
  if #keys == 0 then raise.refuse(1, method, "the path is empty") end
  return keys
end

-- Make all entries what `make(entries)` returns.
local function replace(keeper, make)
  return persist(keeper, function()
    local entries, revision = keeper.all()
    if not entries then return false, revision end
    local wanted, result = make(path.clone(entries))
    local changes = {}
    for key, value in next, wanted do
      if not path.equal(value, rawget(entries, key)) then changes[#changes + 1] = { key = key, value = value } end
    end
    for key in next, entries do
      if rawget(wanted, key) == nil then changes[#changes + 1] = { key = key } end
    end
    if #changes == 0 then return true, result end
    local made, problem = keeper.commit(changes, revision)
    if made == nil then return false, problem end
    return made or nil, result
  end)
end

local function got(method, self, where, default)
  local keeper = keeper_of(self, method)
  if where == nil or where == "" then return everything(keeper) end
  local keys = keys_of(where, method)
  local top, _, err = keeper.read(keys[1])
  if err then return nil, err end
  local value = path.get(top, { unpack(keys, 2) })
  if value == nil then return default end
  return value
end

--- Returns a copy of what is at a path, `default` if there is nothing; without a path, of everything.
--- ```lua
--- local s = state.create("demo", { defaults = { user = { name = "Ada" } } })
--- print(s:get("user.name"), s:get("user.age", "unknown")) --> Ada	unknown
--- ```
---@param where? string|number|table
---@param default? any
---@return any value
function State:get(where, default)
  return framed(got("state:get", self, where, default))
end

--- Sets what is at a path, making the tables on the way in the place of what is none. Returns true, or `nil, err`.
--- ```lua
--- local s = state.create()
--- s:set("a.b", 1)
--- print(s:get("a.b")) --> 1
--- ```
---@param where string|number|table
---@param value any nil takes it away
---@return boolean done
function State:set(where, value)
  local keeper = changeable(keeper_of(self, "state:set"))
  local keys = keys_of(where, "state:set")
  if #keys > 1 then return framed(change(keeper, keys, function() return true, value, true end)) end
  local made, err = keeper.commit({ { key = keys[1], value = value } })
  if made == nil then return nil, err end
  return true
end

--- Changes what is at a path to what `fn(old)` returns, and returns that. If another notebook changes it meanwhile,
--- `fn` is called again with the newer value. With a table alone, sets each of its keys, all at once.
--- ```lua
--- local s = state.create("demo", { defaults = { n = 1 } })
--- print(s:update("n", function(n) return n * 10 end)) --> 10
--- s:update({ n = 2, m = 3 })
--- print(s:get("n"), s:get("m")) --> 2	3
--- ```
---@param where string|number|table
---@param fn? function
---@return any value
function State:update(where, fn)
  local keeper = changeable(keeper_of(self, "state:update"))
  if fn == nil and type(where) == "table" then
    local changes = {}
    for key, value in next, where do changes[#changes + 1] = { key = key, value = value } end
    local made, err = keeper.commit(changes)
    if made == nil then return nil, err end
    return true
  end
  local keys = keys_of(where, "state:update")
  raise.check(2, "state:update", "function", fn)
  return framed(change(keeper, keys, function(old)
    local new = fn(path.clone(old))
    return true, new, new
  end))
end

--- Sets what is at a path if it is still `expected` (nil: nothing); returns whether it was.
--- ```lua
--- local s = state.create("demo", { defaults = { turn = "white" } })
--- print(s:compare_and_set("turn", "white", "black"), s:compare_and_set("turn", "white", "black")) --> true	false
--- ```
---@param where string|number|table
---@param expected any
---@param value any
---@return boolean was
function State:compare_and_set(where, expected, value)
  local keeper = changeable(keeper_of(self, "state:compare_and_set"))
  return framed(change(keeper, keys_of(where, "state:compare_and_set"), function(old)
    if not path.equal(old, expected) then return false, nil, false end
    return true, value, true
  end))
end

--- Takes away what is at a path, and returns it. In a list, what follows moves up.
--- ```lua
--- local s = state.create("demo", { defaults = { list = { "a", "b" } } })
--- print(s:delete("list[1]"), s:get("list[1]")) --> a	b
--- ```
---@param where string|number|table
---@return any value
function State:delete(where)
  local keeper = changeable(keeper_of(self, "state:delete"))
  return framed(change(keeper, keys_of(where, "state:delete"), function(old) return old ~= nil, nil, old end))
end

--- Takes everything away. Returns true, or `nil, err`.
--- ```lua
--- state.create("demo"):clear()
--- ```
---@return boolean done
function State:clear()
  return framed(replace(changeable(keeper_of(self, "state:clear")), function() return {}, true end))
end

--- Adds to the number at a path (nothing there is 0), and returns the sum.
--- ```lua
--- local s = state.create()
--- print(s:increment("count"), s:increment("count", 10)) --> 1	11
--- ```
---@param where string|number|table
---@param by? number
---@return number sum
function State:increment(where, by)
  local keeper = changeable(keeper_of(self, "state:increment"))
  local keys = keys_of(where, "state:increment")
  by = raise.check(2, "state:increment", "number", by, true) or 1
  return framed(change(keeper, keys, function(old)
    if old == nil then old = 0 end
    if type(old) ~= "number" then
      local place = raise.shown(path.text(keys))
      raise.raise("'increment' adds to a number, but at " .. place .. " is a " .. raise.type_of(old))
    end
    return true, old + by, old + by
  end))
end

--- Appends values to the list at a path (nothing there is an empty list), and returns how many it has.
--- ```lua
--- local s = state.create()
--- print(s:append("log", "one", "two")) --> 2
--- ```
---@param where string|number|table
---@param ... any
---@return integer count
function State:append(where, ...)
  local keeper = changeable(keeper_of(self, "state:append"))
  local keys, values = keys_of(where, "state:append"), pack(...)
  return framed(change(keeper, keys, function(old)
    local list = old == nil and codec.array({}) or old
    if type(list) ~= "table" or not (path.length(list) or next(list) == nil) then
      raise.raise("'append' adds to a list, but at " .. raise.shown(path.text(keys)) .. " is a "
        .. (type(list) == "table" and "table with other keys" or raise.type_of(list)))
    end
    for index = 1, values.n do list[#list + 1] = values[index] end
    return true, list, #list
  end))
end

--- Lists the keys at a path, in order; without one, those of the whole state.
--- ```lua
--- local s = state.create("demo", { defaults = { b = 1, a = 2 } })
--- print(table.concat(s:keys(), " ")) --> a b
--- ```
---@param where? string|number|table
---@return table keys
function State:keys(where)
  local value, err = got("state:keys", self, where)
  if value == nil and err then return nil, err end
  return codec.array(type(value) == "table" and path.keys(value) or {})
end

--- Runs `fn(s)` on a copy, and then makes all of its changes at once; returns what it returns. If it raises, nothing is
--- changed. If another notebook changes the state meanwhile, it is run again on the newer one.
--- ```lua
--- local s = state.create("bank", { defaults = { a = 10, b = 0 } })
--- s:transaction(function(t)
---   t:increment("a", -5)
---   t:increment("b", 5)
--- end)
--- print(s:get("a"), s:get("b")) --> 5	5
--- ```
---@param fn function
---@return any results
function State:transaction(fn)
  local keeper, name = changeable(keeper_of(self, "state:transaction")), infos[self].name
  raise.check(1, "state:transaction", "function", fn)
  local results, err = replace(keeper, function(entries)
    return entries, in_transaction(keeper, fn, entries, name)
  end)
  if not results then return nil, err end
  return unpack(results, 1, results.n)
end

--- Returns a copy of everything, for `restore` and `diff`.
--- ```lua
--- local s = state.create("demo", { defaults = { n = 1 } })
--- local before = s:snapshot()
--- s:set("n", 2)
--- s:restore(before)
--- print(s:get("n")) --> 1
--- ```
---@return table snapshot
function State:snapshot()
  return framed(everything(keeper_of(self, "state:snapshot")))
end

--- Makes everything as it was at a snapshot. Returns true, or `nil, err`.
--- ```lua
--- local s = state.create()
--- s:restore({ n = 7 })
--- print(s:get("n")) --> 7
--- ```
---@param snapshot table
---@return boolean done
function State:restore(snapshot)
  local keeper = changeable(keeper_of(self, "state:restore"))
  raise.check(1, "state:restore", "table", snapshot)
  return framed(replace(keeper, function() return path.clone(snapshot), true end))
end

--- Lists what has changed since a snapshot: `{ path, kind = "added" | "removed" | "changed", old, new }`.
--- ```lua
--- local s = state.create("demo", { defaults = { n = 1 } })
--- local before = s:snapshot()
--- s:set("n", 2)
--- print(s:diff(before)[1].path, s:diff(before)[1].kind) --> n	changed
--- ```
---@param snapshot table
---@return table differences
function State:diff(snapshot)
  local keeper = keeper_of(self, "state:diff")
  raise.check(1, "state:diff", "table", snapshot)
  local entries, err = keeper.all()
  if not entries then return nil, err end
  return setmetatable(codec.array(path.diff(snapshot, entries)), changes_meta)
end

--- Writes the state to the project's file, under its name; a persistent one is always there. Returns true, or
--- `nil, err`. What is in the file is not taken back by undo.
--- ```lua
--- local s = state.create("settings", { defaults = { theme = "dark" } })
--- s:save()
--- ```
---@return boolean done
function State:save()
  local keeper = keeper_of(self, "state:save")
  if keeper.persistent then return true end
  local entries = keeper.all()
  return framed(replace(in_file(infos[self].name), function() return entries, true end))
end

--- Reads the state from the project's file; returns whether there was anything. A persistent one is always as there.
--- ```lua
--- local s = state.create("never saved")
--- print(s:load()) --> false
--- ```
---@return boolean found
function State:load()
  local keeper = changeable(keeper_of(self, "state:load"))
  if keeper.persistent then return true end
  local entries, revision = in_file(infos[self].name).all()
  if not entries then return nil, revision end
  if revision == 0 then return false end
  return framed(replace(keeper, function() return entries, true end))
end

-- ── the module ─────────────────────────────────────────────────────────────────────────────────────

-- A name that the project's file can hold.
local function check_name(index, caller, name, optional)
  raise.check(index, caller, "string", name, optional)
  if name and not utf8_len(name) then raise.refuse(index, caller, "a name is text in UTF-8") end
end

local OPTIONS = { persistent = "boolean", defaults = "table" }

--- What a state begins with, and where it is kept.
---@class state.Options
---@field persistent? boolean kept in the project's file, under its name
---@field defaults? table what is set where there is nothing yet

--- Makes a state. `persistent = true` keeps it in the project's file under its name, where other notebooks see it and
--- undo does not reach it; else it is this session's alone. `defaults` are set where there is nothing yet.
--- ```lua
--- local s = state.create("visits", { persistent = true, defaults = { count = 0 } })
--- print(s:increment("count") > 0) --> true
--- ```
---@param name? StateName|table the name; or, alone, the values of a state without one
---@param options? state.Options
---@return state.State state
function M.create(name, options)
  if type(name) == "table" and options == nil then name, options = nil, { defaults = name } end
  if name ~= nil and type(name) ~= "string" and (type(name) ~= "table" or raise.is_object(name)) then
    raise.bad_argument(1, "state.create", "string or table", name)
  end
  check_name(1, "state.create", name, true)
  options = options_of.read(2, "state.create", options, OPTIONS)
  local defaults = options.defaults or {}
  if options.persistent and not name then raise.raise("'state.create': what is persistent needs a name") end
  local keeper = options.persistent and in_file(name) or in_memory({})
  for key, value in next, defaults do
    local made, err = keeper.commit({ { key = key, value = value, version = 0 } })
    if made == nil then return nil, err end
  end
  if name then named[name] = true end
  return object_of(name or "unnamed", keeper)
end

--- Lists the names of the states in the project's file.
--- ```lua
--- state.create("kept", { persistent = true, defaults = { n = 1 } })
--- print(data.find(state.list(), function(name) return name == "kept" end)) --> kept	1
--- ```
---@return table names
function M.list()
  local names, err = file.names()
  if not names then return nil, err end
  local own = codec.array({})
  for _, name in next, names do
    if not find(name, "^scope:") and not find(name, "^workflow run:") then own[#own + 1] = name end
  end
  return own
end

--- Takes a state out of the project's file. Returns true, or `nil, err`.
--- ```lua
--- state.remove("kept")
--- ```
---@param name StateName
---@return boolean done
function M.remove(name)
  check_name(1, "state.remove", name)
  return framed(State.clear(object_of(name, in_file(name))))
end

-- What `state.save` and its like keep under a scope's name.
local function scope_of(scope, caller)
  check_name(1, caller, scope)
  return in_file("scope:" .. scope)
end

local function scoped(scope, key, caller)
  local keeper = scope_of(scope, caller)
  if type(key) ~= "string" and type(key) ~= "number" then raise.bad_argument(2, caller, "string", key) end
  if key ~= key then raise.refuse(2, caller, "NaN is no key") end
  return keeper
end

--- Keeps a value in the project's file, under a scope (such as `"global"`) and a key; `state.save(s)` is `s:save()`.
--- ```lua
--- state.save("global", "theme", "dark")
--- print(state.load("global", "theme")) --> dark
--- ```
---@param scope? string|state.State
---@param key? string|number
---@param value? any
---@return boolean done
function M.save(scope, key, value)
  if infos[scope] then return framed(State.save(scope)) end
  if scope ~= nil and type(scope) ~= "string" then raise.bad_argument(1, "state.save", "string or State", scope) end
  if key == nil then return require("lib.older.state").members.keep(scope) end
  local made, err = scoped(scope, key, "state.save").commit({ { key = key, value = value } })
  if made == nil then return nil, err end
  return true
end

--- Returns what was kept under a scope and a key; nil if nothing was.
--- ```lua
--- print(state.load("global", "never saved")) --> nil
--- ```
---@param scope? string
---@param key? string|number
---@return any value
function M.load(scope, key)
  if key == nil then
    return require("lib.older.state").members.recall(raise.check(1, "state.load", "string", scope, true))
  end
  local value, _, err = scoped(scope, key, "state.load").read(key)
  if err then return nil, err end
  return value
end

--- Takes away what was kept under a scope and a key; returns whether there was anything.
--- ```lua
--- state.save("global", "theme", "dark")
--- print(state.delete("global", "theme"), state.delete("global", "theme")) --> true	false
--- ```
---@param scope string
---@param key? string|number
---@return boolean was
function M.delete(scope, key)
  if key == nil then
    return require("lib.older.state").members.forget(raise.check(1, "state.delete", "string", scope))
  end
  local keeper = scoped(scope, key, "state.delete")
  return framed(change(keeper, { key }, function(old) return old ~= nil, nil, old ~= nil end))
end

--- Lists the keys that are kept under a scope, in order.
--- ```lua
--- state.save("session", "b", 1)
--- state.save("session", "a", 2)
--- print(table.concat(state.list_keys("session"), " ")) --> a b
--- ```
---@param scope string
---@return table keys
function M.list_keys(scope)
  local entries, err = scope_of(scope, "state.list_keys").all()
  if not entries then return nil, err end
  return codec.array(path.keys(entries))
end

return M
