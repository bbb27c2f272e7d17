-- Making coroutines, and counting those that are alive.
--
-- A new coroutine inherits the hook of the one that creates it (interrupt.py), and the main chunk has none. So they are
-- created by a *maker*, a coroutine that does nothing else, and noted in a weak list. The list is swept when it has
-- doubled, so that what counting costs does not depend on how many there are. Noting costs a quarter of making one, so
-- a cell that makes very many does without where so little memory is used that the limit cannot have been reached.

local limits = require("limits")

local raw_create, raw_resume, raw_yield, status =
  coroutine.create, coroutine.resume, coroutine.yield, coroutine.status
local collectgarbage, error, pcall, setmetatable, type = collectgarbage, error, pcall, setmetatable, type
local math_huge, math_max, math_min = math.huge, math.max, math.min

local M = {}

local FEWEST = 1024 -- noted before the first sweep
local SMALLEST = 0.7 -- kilobytes: a thread and its first stack take 0.9
local COLLECTED = 512 * 1024 -- kilobytes gone through in one cell to find some dead: a cell that goes on at the limit
-- must not spend its time so, nor a large state, which a collection copies if there is a checkpoint, many seconds

-- The makers are created from this one, whose hook interrupt.py sets. It must never die: not even of a lack of memory.
local seed = raw_create(function(body)
  while true do
    local ok, thread = pcall(raw_create, body)
    body = raw_yield(ok and thread, thread)
  end
end)
M.seed = seed

local noted, count = setmetatable({}, { __mode = "v" }), 0
local sweep_at = 0 -- the first one, which needs a maker, makes room too
local noting = true
local listed = math_huge -- places in the list that are taken, while nothing is noted
local unlisted = false -- whether there may be some that were not noted
local swept, made_before = 0, 0
local collected = 0
local maker -- nil until it is needed, when the seed has its hook

-- A protected call in the maker would cost each coroutine what making it costs; a maker that died is replaced instead.
local function make(body)
  while true do body = raw_yield(raw_create(body)) end
end

local function renew_maker()
  local ok, thread, why = raw_resume(seed, make)
  if not (ok and thread) then error(ok and why or thread, 0) end -- memory, or nested too deep for C's stack
  maker = thread
end

-- The maker could not make a coroutine: of memory or of C's stack there was too little, a stop broke in, or `body` is
-- no function for `wrap`, or for `create` if that is nil.
local function failed(body, why, wrap)
  if status(maker) == "dead" then maker, sweep_at = nil, 0 end
  -- it had died already, and there was not even the memory to call this function then
  if why == "cannot resume dead coroutine" then why = "not enough memory" end
  if type(body) == "function" then error(why, 0) end
  local got = body == nil and "no value" or type(body)
  error("bad argument #1 to '" .. (wrap or "create") .. "' (function expected, got " .. got .. ")", wrap and 4 or 3)
end

-- A stop may break in at any place here: at worst a coroutine is then noted twice until the next sweep. Looking at the
-- status of each costs more than noting it; `dead`: do it nevertheless.
local function sweep(dead)
  local alive, last = 0, math_min(count, listed)
  for index = 1, last do
    local thread = noted[index]
    if thread and not (dead and status(thread) == "dead") then
      alive = alive + 1
      noted[alive] = thread
    end
  end
  for index = alive + 1, last do noted[index] = nil end
  swept = swept + count - alive
  count = alive
  if not noting then listed = alive end
end

-- Whether so little memory is used that the limit cannot have been reached, and so many are made that it is worth
-- something not to note them.
local function may_skip(made)
  return made >= FEWEST and collectgarbage("count") < limits.most.coroutines * SMALLEST
end

local function collect_and_sweep()
  local held = collectgarbage("count")
  if collected + held > COLLECTED then return end
  collected = collected + held
  collectgarbage()
  sweep(true)
end

local function make_room()
  if not maker then renew_maker() end
  local most, made = limits.most.coroutines, count
  sweep(false)
  if count < most and may_skip(made) then
    noting, listed, unlisted = false, count, true
    sweep_at = math_min(most, count + FEWEST)
    return
  end
  noting, listed = true, math_huge
  if count >= most then sweep(true) end
  if count >= most then collect_and_sweep() end
  sweep_at = math_min(most, math_max(FEWEST, 2 * count))
  if count >= most then limits.reached("coroutines") end
end

--- Create a coroutine of the engine's own, which counts for nobody.
function M.create_uncounted(body)
  if not maker then renew_maker() end
  local ok, thread = raw_resume(maker, body)
  if not ok then failed(body, thread) end
  return thread
end

--- Create a coroutine for a cell, as `coroutine.create` does; raises if there are as many as may be.
--- `wrap` is the name of what calls it, if it is not called itself.
function M.create(body, wrap)
  if count >= sweep_at then make_room() end
  local ok, thread = raw_resume(maker, body)
  if not ok then failed(body, thread, wrap) end
  count = count + 1
  if noting then noted[count] = thread end
  return thread
end

--- Have the limit, which has changed, looked at from now on.
function M.configure()
  sweep_at = 0
end

--- A turn was stopped: its hook may still be on the maker.
function M.after_stop()
  maker, sweep_at = nil, 0
end

--- A cell begins.
function M.begin_cell()
  made_before = swept + count
  collected = 0
  if not noting then sweep_at = 0 end
end

--- How many the last cell created, how many are alive, and whether these are all of them.
function M.used()
  local made = swept + count - made_before
  sweep(true)
  return made, count, not unlisted
end

return M
