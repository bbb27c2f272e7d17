-- The first Lua that runs: takes the host's functions, hides every trace of Python,
-- and gives the engine's own modules a `require` of their own.
--
-- The real _G belongs to the engine. Cells never see it: sandbox.lua builds their environment.
-- A rule for every module here: call library functions by name (`string.sub(s, 1, 2)`), never as
-- string methods (`s:sub(1, 2)`), for the string metatable belongs to the user.

local source_of, send, receive, shelter, write, stopping, now, bound, stop, cores, fork, leave, finalizer = ...

_G.python = nil
package.loaded.python = nil

-- While memory is small, the collector looks at young objects alone: ours, which live for ever, and those of earlier
-- cells stay untouched, in the pages that a checkpoint shares too. A collection of everything cannot be stopped in the
-- middle then, so a large memory is gone through step by step, whenever there may be as much garbage as is alive.
local SMALL, LARGE = 24 * 1024, 48 * 1024 -- kilobytes
local generational = true
collectgarbage("generational", 20, 100)

-- To change over is to go through everything, so it is done between two cells, before the next copy is forked.
local function pace_collector()
  local held = collectgarbage("count")
  if held < SMALL and not generational then
    generational = true
    collectgarbage("generational", 20, 100)
  elseif held > LARGE and generational then
    generational = false
    collectgarbage("incremental", 200)
  end
end

local loaded = {}
local internal_require

-- Lua closures around the host's callables: cells may hold these, never the userdata inside.
loaded.host = {
  send = function(kind, ...) send(kind, ...) end,
  receive = function(timeout) return receive(timeout) end,
  shelter = function(on) shelter(on) end,
  write = function(stream, cell, text) write(stream, cell, text) end,
  stopping = function() return stopping() end,
  now = function() return now() end,
  stop = function(reason) stop(reason) end, -- stop the running turn, as an interrupt would: the limit of that name
  cores = function() return cores() end,
  fork = function() return fork() end, -- the number of the child, 0 in the child, -1 if there is none
  leave = function(child) leave(child) end, -- end a child, or (0) this process, which is one
  -- Whether a cell's code runs from here on, which the memory limit is for; returns the bytes there are.
  bound = function(cell) return bound(cell) end,
  pace_collector = pace_collector,
}

-- The name of the metamethod that finalizes (finalizers.py); "__gc" where cells must be kept from it.
loaded.finalizer = finalizer

internal_require = function(name)
  local module = loaded[name]
  if module == nil then
    local source = source_of(name)
    if source == nil then
      error("the engine has no Lua module '" .. tostring(name) .. "'", 2)
    end
    module = assert(load(source, "=[llmspell " .. name .. "]", "t"))(name)
    if module == nil then module = true end
    loaded[name] = module
  end
  return module
end

_G.require = internal_require

return function(module, name, ...)
  return internal_require(module)[name](...)
end
