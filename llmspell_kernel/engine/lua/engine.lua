-- What the worker calls: configure, execute, event, tick, query. Everything that a cell can reach is wired here.

local host = require("host")
local codec = require("codec")
local scheduler = require("scheduler")
local sandbox = require("sandbox")
local bridge = require("bridge")
local cell = require("cell")
local compiled = require("compiled")
local coroutines = require("coroutines")
local failure = require("failure")
local snapshot = require("snapshot")
local input = require("input")
local globals = require("globals")
local help = require("help")
local limits = require("limits")
local modules = require("modules")
local program = require("program")

local M = {}

local env = sandbox.build()
local cells
local loaded = modules.loaded
local configured -- the options that the kernel process configured

-- The addresses of the main state and of the coroutine that new ones are created from (interrupt.py).
function M.addresses()
  local function address(thread) return tonumber(string.format("%p", thread)) end
  return address((coroutine.running())), address(coroutines.seed)
end

-- What the last cell used of what Lua itself counts, and what is held now.
local function used()
  local made, alive, all = coroutines.used()
  return {
    coroutines = alive,
    coroutines_made = made,
    coroutines_all = all,
    callbacks = scheduler.callbacks(),
    value_bytes = codec.largest,
  }
end

function M.configure(options)
  options = codec.decode(options)
  limits.configure(options.limits or {})
  coroutines.configure()
  configured = options
  cells = cell.new(env, { session_locals = options.session_locals })
  for name, members in next, sandbox.libraries do loaded[name] = members end
  bridge.members.display = function() return require("lib.display") end
  loaded._G = env
  for _, declaration in ipairs(options.modules) do
    local module = bridge.proxy(declaration)
    modules.offer(declaration.name, module)
    if not declaration.require_only then env[declaration.name] = module end
    for _, alias in ipairs(declaration.aliases or {}) do
      modules.offer(alias, module)
      env[alias] = module
    end
  end
  env.require = modules.require
  env.package = modules.package
  loaded.package = env.package
  for name, fn in next, globals.build(options) do env[name] = fn end
  local baseline = {}
  for name, value in next, env do baseline[name] = value end
  M.context = {
    globals = env,
    baseline = baseline,
    members = bridge.members,
    find = function(name) return cells:get(name) end,
    names = function() return cells:names() end,
    used = used,
  }
  help.attach(M.context)
end

-- Nothing is shown for nil, nor for what a call returns only so that it can be used further.
local function worth_showing(results)
  if results.n == 1 and (input.is_stream(results[1]) or globals.is_display(results[1])) then return false end
  for index = 1, results.n do
    if results[index] ~= nil then return true end
  end
  return false
end

-- The bridge objects among a cell's values: they must live until the kernel process has drawn them.
local shown_handles

-- Values to show: kept short of everything hostile by snapshot.lua, inside the limits of the turn.
local function run(fn)
  shown_handles = nil
  local results = table.pack(fn())
  local at_end = scheduler.at_end
  if at_end then results = at_end(results) end
  program.took(results)
  for index = 1, results.n do
    if codec.on_handle(results[index]) then
      shown_handles = shown_handles or {}
      shown_handles[#shown_handles + 1] = results[index]
    end
  end
  local shown = worth_showing(results) and snapshot.take_all(results) or {}
  return codec.encode(codec.array(shown))
end

-- Where the running cell was stopped: the armed hook goes on raising after the protected call has returned, so
-- the handler, in which hooks are off, is the only place that can tell.
local stopped_at

local function handler(err)
  local told = failure.handler(err)
  stopped_at = stopped_at or told
  return told
end

local function exited(code)
  if code == 0 then return "ok", codec.encode(codec.array({})) end
  return "failed", codec.encode({ ename = "Exit", message = "exit code " .. tostring(code), frames = codec.array({}) })
end

local function execute(name, code, mode)
  local fn, problem = cells:compile(code, name, mode)
  if not fn then return "failed", codec.encode(problem) end
  limits.begin_turn(host.bound(true))
  local ok, value = xpcall(run, handler, fn)
  host.bound(false)
  local code_of_exit = scheduler.end_cell()
  if code_of_exit then return exited(code_of_exit) end
  if ok then return "ok", value end
  return "failed", codec.encode(value)
end

-- Run something of the scheduler's, which resumes cells' tasks, inside the memory limit.
local function bounded(fn)
  return function(...)
    limits.begin_turn(host.bound(true))
    local deadline = fn(...)
    host.bound(false)
    return deadline
  end
end

M.event = bounded(scheduler.event)
M.calm = bounded(scheduler.calm)
M.tick = bounded(scheduler.drain)

local function concluded(deadline, status, value)
  return status, value, math.floor(collectgarbage("count") * 1024), deadline
end

-- Run a cell; returns its status, the encoded value or failure, the bytes Lua holds and the next deadline. Raises
-- when the turn must stop; the worker asks `stopped` then.
function M.execute(id, name, code, mode)
  stopped_at = nil
  failure.begin_cell()
  modules.begin_cell()
  codec.largest = 0
  scheduler.begin_cell(id)
  for _, restored in ipairs(sandbox.restore()) do
    host.write(2, id, "note: " .. restored .. " is Lua's own again; a cell's changes to it end with the cell\n")
  end
  local status, value = execute(name, code, mode)
  return concluded(M.tick(10000), status, value)
end

-- What `execute` would have returned for the cell that was stopped; runs without hooks.
function M.stopped()
  host.bound(false)
  local told = stopped_at or { ename = "Interrupted", message = "stopped", frames = codec.array({}) }
  return concluded(scheduler.after_stop(), "stopped", codec.encode(told))
end

-- A cell's answer has been sent: do what it need not wait for.
M.settle = host.pace_collector

-- The numbers of the bridge calls that tasks wait for.
function M.waiting() return table.unpack(scheduler.waiting_calls()) end

-- A copy that was woken: what it must not have in common with the engine that it was forked from.
function M.renewed(_context, token, ...)
  configured.token = token
  if ... then
    math.randomseed(...)
    cells.hits, cells.misses = 0, 0
    compiled.begin()
  end
end

-- How often a cell's parse was kept and how often it had to be parsed; the same of compiled texts.
function M.reused(_context)
  return {
    parses = { hits = cells.hits, misses = cells.misses },
    chunks = { hits = compiled.hits, misses = compiled.misses },
  }
end

-- The texts that this copy of another engine had to compile, for that one to `teach`; and what `reused` says.
function M.learnt(context)
  return { reused = M.reused(context), pieces = codec.array(compiled.learnt()) }
end

-- Compile texts now that copies of this engine may want.
function M.teach(_context, pieces)
  for _, piece in ipairs(pieces) do
    local kind, text, name = table.unpack(piece)
    if kind == "cell" then cells:compile(text, name) else compiled.load(text, name, env) end
  end
end

-- Ask a module of the engine itself; never runs user code.
function M.query(module, name, arguments)
  local ok, value = pcall(function()
    return codec.encode((require(module)[name](M.context, table.unpack(codec.decode_list(arguments)))))
  end)
  if ok then return true, value end
  return false, codec.encode(tostring(value))
end

return M
