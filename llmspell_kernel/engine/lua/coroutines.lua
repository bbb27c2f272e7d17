-- Making coroutines, and counting those that are alive.
--
-- New ones are created from one other, whose count hook they inherit (interrupt.py), and noted in a weak list. The list
-- is swept when it has doubled, so that what counting costs does not depend on how many there are.

local limits = require("limits")

local raw_create, raw_resume, raw_yield, status =
  coroutine.create, coroutine.resume, coroutine.yield, coroutine.status
local collectgarbage, error, pcall, setmetatable = collectgarbage, error, pcall, setmetatable
local math_max, math_min = math.max, math.min

local M = {}

local FEWEST = 1024 -- noted before the first sweep
local COLLECTIONS = 8 -- made in one cell to find some dead: a cell that goes on at the limit must not spend its time so

-- It must never die: not even of a lack of memory.
local seed = raw_create(function(body)
  while true do
    local ok, thread = pcall(raw_create, body)
    body = raw_yield(ok and thread, thread)
  end
end)
M.seed = seed

local noted, count = setmetatable({}, { __mode = "v" }), 0
local sweep_at = FEWEST
local swept, made_before = 0, 0
local collections = 0

-- A stop may break in at any place here: at worst a coroutine is then noted twice until the next sweep.
local function sweep()
  local alive = 0
  for index = 1, count do
    local thread = noted[index]
    if thread and status(thread) ~= "dead" then
      alive = alive + 1
      noted[alive] = thread
    end
  end
  for index = alive + 1, count do noted[index] = nil end
  swept = swept + count - alive
  count = alive
end

local function make_room()
  local most = limits.most.coroutines
  sweep()
  if count >= most and collections < COLLECTIONS then
    collections = collections + 1
    collectgarbage()
    sweep()
  end
  sweep_at = math_min(most, math_max(FEWEST, 2 * count))
  if count >= most then limits.reached("coroutines") end
end

--- Create a coroutine of the engine's own, which counts for nobody.
function M.create_uncounted(body)
  local ok, thread, why = raw_resume(seed, body)
  if not (ok and thread) then error(ok and why or thread, 0) end -- memory, or nested too deep for C's stack
  return thread
end

--- Create a coroutine for a cell; raises if there are as many as may be.
function M.create(body)
  if count >= sweep_at then make_room() end
  local ok, thread, why = raw_resume(seed, body)
  if not (ok and thread) then error(ok and why or thread, 0) end
  count = count + 1
  noted[count] = thread
  return thread
end

--- Have the limit, which has changed, looked at from now on.
function M.configure()
  sweep_at = math_min(limits.most.coroutines, FEWEST)
end

--- A cell begins.
function M.begin_cell()
  made_before = swept + count
  collections = 0
end

--- How many the last cell created, and how many are alive.
function M.used()
  local made = swept + count - made_before
  sweep()
  return made, count
end

return M
