-- The first Lua that runs: takes the host's functions, hides every trace of Python,
-- and gives the engine's own modules a `require` of their own.
--
-- The real _G belongs to the engine. Cells never see it: sandbox.lua builds their environment.
-- A rule for every module here: call library functions by name (`string.sub(s, 1, 2)`), never as
-- string methods (`s:sub(1, 2)`), for the string metatable belongs to the user.

local source_of, send, receive, shelter, write, stopping, now, bound, stop, cores, fork, leave, finalizer = ...

_G.python = nil
package.loaded.python = nil

-- The engine's own objects are alive for ever. While a cell's are few, a collection for each doubling of memory would
-- go through all of ours again and again, so it waits for as much garbage as costs nobody anything.
local GARBAGE = 24 * 1024 -- kilobytes

local function pace_collector()
  local pause = 100 + 100 * GARBAGE // collectgarbage("count")
  collectgarbage("incremental", math.tointeger(math.max(200, math.min(1000, pause))))
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
  bound = function(cell)
    local bytes = bound(cell)
    if cell then pace_collector() end
    return bytes
  end,
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
