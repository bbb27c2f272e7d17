-- The environment that cells see: an allow-list of Lua, with the protected calls and coroutines that a stop passes
-- through. Libraries are copies of the session's own, so that nothing a cell does to them reaches the engine.

local compiled = require("compiled")
local coroutines = require("coroutines")
local host = require("host")
local limits = require("limits")
local scheduler = require("scheduler")
local failure = require("failure")
local compat = require("lib.compat")
local dialect = require("dialect")

local M = {}

local AWAIT, STOP = scheduler.AWAIT, scheduler.STOP
local raw_pcall, raw_xpcall, raw_load = pcall, xpcall, load
local raw_resume, raw_yield, raw_close = coroutine.resume, coroutine.yield, coroutine.close
local raw_setmetatable, raw_getmetatable = setmetatable, getmetatable
local isyieldable, running, status = coroutine.isyieldable, coroutine.running, coroutine.status
local rawget, rawset, select, type, tostring, error = rawget, rawset, select, type, tostring, error
local byte = string.byte
local stopping, refused = host.stopping, limits.refused
local create = coroutines.create

local env

-- ── protected calls ────────────────────────────────────────────────────────────────────────────────

local ASKED = 8 -- failures between two questions to the host, each of which costs more than a failure itself
local failures = 0

-- Whether `err` is what a stop raises: the error of its hook ends in byte 3 (interrupt.py). A stop that became another
-- error, or that found no hook to come by, is seen a few failures later.
local function is_stop(err)
  failures = failures + 1
  if type(err) == "string" then
    if failures < ASKED and byte(err, -1) ~= 3 then return false end
  elseif rawequal(err, STOP) then
    return true
  elseif failures < ASKED then
    return false
  end
  failures = 0
  return stopping() ~= nil
end

-- A protected call, or a coroutine, has ended with an error: a stop goes on up.
local function look_at(err)
  if err == "not enough memory" then
    refused()
    failures = ASKED
  end
  if is_stop(err) then error(STOP, 0) end
end

local function after_pcall(ok, ...)
  if ok then return ok, ... end
  look_at((...))
  return ok, ...
end

-- What Lua itself would say is told here, where it names what the cell called and not what stands behind that.
local function refuse(index, name, expected, value)
  local got = value == nil and "no value" or type(value)
  error("bad argument #" .. index .. " to '" .. name .. "' (" .. expected .. " expected, got " .. got .. ")", 3)
end

local function sandbox_pcall(...)
  if (...) == nil and select("#", ...) == 0 then error("bad argument #1 to 'pcall' (value expected)", 2) end
  return after_pcall(raw_pcall(...))
end

-- The handler that was given last, and what stands for it: in a loop it is often the same. Comparing it with a function
-- cannot run the __eq of a table.
local given, standing

local function stand_for(handler)
  if type(handler) ~= "function" then
    local got = handler == nil and "no value" or type(handler)
    error("bad argument #2 to 'xpcall' (function expected, got " .. got .. ")", 3)
  end
  local function stands(err)
    if is_stop(err) then return STOP end
    failure.caught(err)
    return handler(err)
  end
  given, standing = handler, stands
  return stands
end

local function sandbox_xpcall(f, handler, ...)
  return after_pcall(raw_xpcall(f, handler == given and standing or stand_for(handler), ...))
end

-- ── coroutines ─────────────────────────────────────────────────────────────────────────────────────

local co = {
  create = create,
  isyieldable = isyieldable,
  running = running,
  status = status,
  yield = raw_yield,
}

-- What a resume gave: a stop goes on up; a bridge call made inside a task waits in the scheduler, not here.
local after_resume
function after_resume(thread, ok, ...)
  if ok then
    if (...) ~= AWAIT then return ok, ... end
    if isyieldable() then return after_resume(thread, raw_resume(thread, raw_yield(...))) end
    return after_resume(thread, raw_resume(thread, scheduler.await((select(2, ...)))))
  end
  local err = ...
  look_at(err)
  if status(thread) == "dead" then failure.caught_in(thread, err) end
  return ok, ...
end

function co.resume(thread, ...)
  if type(thread) ~= "thread" then refuse(1, "resume", "thread", thread) end
  return after_resume(thread, raw_resume(thread, ...))
end

function co.close(thread)
  if type(thread) ~= "thread" then refuse(1, "close", "thread", thread) end
  local ok, err = raw_close(thread)
  if not ok then look_at(err) end
  if ok then return ok end
  return ok, err
end

-- The same for a wrapped one, whose error goes on up.
local after_call
function after_call(thread, ok, ...)
  if ok then
    if (...) ~= AWAIT then return ... end
    if isyieldable() then return after_call(thread, raw_resume(thread, raw_yield(...))) end
    return after_call(thread, raw_resume(thread, scheduler.await((select(2, ...)))))
  end
  local err = ...
  look_at(err)
  if status(thread) == "dead" then
    failure.inside(thread, err)
    raw_close(thread)
  end
  error(err, type(err) == "string" and 2 or 0)
end

function co.wrap(body)
  local thread = create(body, "wrap")
  return function(...) return after_call(thread, raw_resume(thread, ...)) end
end

-- ── loading code ───────────────────────────────────────────────────────────────────────────────────

local WORTH_KEEPING = 256 -- bytes of text: what is shorter is compiled as fast as it is found

local function load_text(text, name, target)
  if #text < WORTH_KEEPING then
    dialect.note(name, text)
    return raw_load(text, name, "t", target)
  end
  local misses = compiled.misses
  local fn, err = compiled.load(text, name, target)
  if fn and compiled.misses > misses then compiled.learn("chunk", text, name) end
  return fn, err
end

local function sandbox_load(chunk, name, mode, ...)
  if mode ~= nil and type(mode) ~= "string" then
    error("bad argument #3 to 'load' (string expected, got " .. type(mode) .. ")", 2)
  end
  if mode == "b" then return nil, "attempt to load a binary chunk (binary chunks are not allowed here)" end
  local target = env
  if select("#", ...) > 0 then target = ... end
  if type(chunk) == "string" and (name == nil or type(name) == "string") then
    local fn, err = load_text(chunk, name or chunk, target)
    if not fn then look_at(err) end
    return fn, err
  end
  local kind = type(chunk)
  if kind ~= "string" and kind ~= "number" and kind ~= "function" then refuse(1, "load", "function", chunk) end
  if kind == "function" then
    local reader = chunk
    chunk = function()
      local piece = reader()
      return piece
    end
  end
  return (function(fn, err)
    if not fn then look_at(err) end
    return fn, err
  end)(raw_load(chunk, name or "=(load)", "t", target))
end

M.load = sandbox_load

-- Where Lua could not be told another name for finalizers, it must not see the field when it looks.
local function hiding_setmetatable(t, meta)
  local finalizer = type(meta) == "table" and rawget(meta, "__gc")
  if not finalizer then return raw_setmetatable(t, meta) end
  rawset(meta, "__gc", nil)
  local ok, result = raw_pcall(raw_setmetatable, t, meta)
  rawset(meta, "__gc", finalizer)
  if not ok then error(result, 2) end
  return result
end

local allowed_collect = {
  count = true, collect = true, step = true, isrunning = true, incremental = true, generational = true,
}
local function sandbox_collectgarbage(option, ...)
  option = option or "collect"
  if not allowed_collect[option] then
    error("collectgarbage('" .. tostring(option) .. "') is not available here; 'count', 'collect' and 'step' are", 2)
  end
  if option == "incremental" or option == "generational" then return "incremental" end
  return collectgarbage(option, ...)
end

-- ── output and input ───────────────────────────────────────────────────────────────────────────────

local write, cell_of = host.write, scheduler.cell
local concat = table.concat

local function sandbox_print(...)
  local count = select("#", ...)
  if count == 1 then
    write(1, cell_of(), tostring((...)) .. "\n")
    return
  end
  local parts = { ... }
  for index = 1, count do parts[index] = tostring(parts[index]) end
  write(1, cell_of(), concat(parts, "\t", 1, count) .. "\n")
end

local function copy(library)
  local result = {}
  for key, value in next, library do result[key] = value end
  return result
end

-- A function of lib/files.lua, which is loaded when it is first called.
local function of_files(name)
  return function(...) return require("lib.files")[name](...) end
end

local function os_library()
  return {
    time = os.time,
    date = os.date,
    clock = os.clock,
    difftime = os.difftime,
    exit = function(code, _close)
      local kind = type(code)
      if kind ~= "nil" and kind ~= "boolean" and kind ~= "number" then
        error("bad argument #1 to 'exit' (number expected, got " .. kind .. ")", 2)
      end
      scheduler.exit((code == nil or code == true) and 0 or (code == false and 1) or code)
    end,
    getenv = of_files("getenv"),
    remove = of_files("remove"),
    rename = of_files("rename"),
    tmpname = of_files("tmpname"),
  }
end

-- Names of standard libraries and, once `M.build` ran, their pristine members.
local pristine = {}

local function library(name, members)
  pristine[name] = copy(members)
  env[name] = members
end

-- A cell may replace library functions for itself; the next cell has Lua's own back. Returns the names restored.
function M.restore()
  given, standing = nil, nil -- and what they hold
  local restored = {}
  for name, members in next, pristine do
    local live = rawget(env, name)
    if M.libraries[name] == live then
      for key, value in next, members do
        if rawget(live, key) ~= value then
          live[key] = value
          restored[#restored + 1] = name .. "." .. key
        end
      end
    end
  end
  table.sort(restored)
  return restored
end

function M.build()
  env = {}
  M.env = env
  for _, name in ipairs({
    "assert", "error", "ipairs", "next", "pairs", "rawequal", "rawget", "rawlen", "rawset", "select", "tonumber",
    "tostring", "type", "_VERSION",
  }) do
    env[name] = _G[name]
  end
  env._G = env
  env.unpack, env.loadstring = compat.unpack, compat.loadstring
  env.params = {} -- what a spell is given; `ARGS` and `arg` are how some spells call it
  env.ARGS, env.arg = env.params, env.params
  env.pcall, env.xpcall = sandbox_pcall, sandbox_xpcall
  env.load, env.getmetatable = sandbox_load, raw_getmetatable
  env.setmetatable = require("finalizer") == "__gc" and hiding_setmetatable or raw_setmetatable
  env.collectgarbage, env.print = sandbox_collectgarbage, sandbox_print
  local strings = copy(string)
  strings.dump = nil
  library("string", compat("string", strings))
  library("table", compat("table", copy(table)))
  library("math", compat("math", copy(math)))
  library("utf8", copy(utf8))
  library("coroutine", copy(co))
  library("os", os_library())
  library("io", require("input").io_library())
  M.libraries = {}
  for name in next, pristine do M.libraries[name] = env[name] end
  local meta = raw_getmetatable("")
  meta.__index = strings
  meta.__metatable = false
  return env
end

return M
