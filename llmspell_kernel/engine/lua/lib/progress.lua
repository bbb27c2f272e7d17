-- `progress`: a bar that goes along with a loop. A step costs a comparison; the clock is looked at seldom.

local host = require("host")
local raise = require("raise")
local scheduler = require("scheduler")

local running = coroutine.running
local next, rawlen, setmetatable, tostring, type = next, rawlen, setmetatable, tostring, type
local math_floor, math_huge, math_max, math_min = math.floor, math.huge, math.max, math.min

local M = {}

local INTERVAL = 0.1 -- seconds between two updates
local LOOK = 0.02 -- seconds between two looks at the clock, about

local shown = 0
local open = setmetatable({}, { __mode = "k" }) -- task → its bars that go on, the outermost first

-- The id of the display of a bar inside another: the one that its forerunner in the round before had, if any.
local function id_inside(parent, label)
  local round = parent.count()
  if parent.round ~= round then parent.round, parent.inner = round, 0 end
  parent.inner = parent.inner + 1
  local place = parent.inner .. ":" .. label
  local known = parent.places[place]
  if not known then
    shown = shown + 1
    parent.places[place] = parent.id .. "-" .. shown
  end
  return parent.places[place], known ~= nil
end

-- What a bar has to know; `total` is false where it is not known.
local function new_bar(total, label)
  label = label == nil and "" or tostring(label)
  local task = running()
  local bars = open[task] or {}
  open[task] = bars
  local bar = { total = total, label = label, done = 0, bars = bars, depth = rawlen(bars) + 1, places = {} }
  if bar.depth > 1 then
    bar.id, bar.again = id_inside(bars[bar.depth - 1], label)
  else
    shown = shown + 1
    bar.id = "progress-" .. tostring(host.now()) .. "-" .. shown
  end
  bars[bar.depth] = bar
  bar.began = host.now()
  bar.drawn, bar.looked, bar.mark, bar.stride = bar.began, bar.began, 1, 1
  return bar
end

local function draw(bar, update, finished)
  local seconds = not finished and update and host.now() - bar.began or false
  scheduler.post("host", "progress", bar.done, bar.total, bar.label, seconds, bar.id, update or false, finished)
end

-- Called when the mark is reached: draws if it is time, and says when to look again.
local function look(bar, done)
  local now = host.now()
  local passed = now - bar.looked
  bar.looked, bar.done = now, done
  if passed < LOOK / 2 then
    bar.stride = math_min(bar.stride * 2, 1000000)
  elseif passed > LOOK * 2 then
    bar.stride = math_max(1, math_floor(bar.stride * LOOK / passed))
  end
  bar.mark = done + bar.stride
  if now - bar.drawn >= INTERVAL then
    bar.drawn = now
    draw(bar, true, false)
  end
  return bar.mark
end

local function finish(bar, done)
  if bar.finished then return end
  bar.finished, bar.done = true, done
  for depth = rawlen(bar.bars), bar.depth, -1 do bar.bars[depth] = nil end -- and what was left inside it
  draw(bar, true, true)
end

-- The loop was left early.
local closing = {
  __name = "progress",
  __close = function(guard) finish(guard.bar, guard.count()) end,
  __tostring = function(guard) return "progress: " .. guard.bar.done .. " steps done" end,
}

local function counting(bar, total)
  local index, mark = 0, 1
  return function()
    if index < mark and index < total then
      index = index + 1
      return index
    end
    if index >= total then
      finish(bar, total)
      return nil
    end
    mark = look(bar, index)
    index = index + 1
    return index
  end, function() return index - 1 end
end

local function walking(bar, list, count)
  local index, mark = 0, 1
  return function()
    if index >= mark then mark = look(bar, index) end
    index = index + 1
    if index > count then
      finish(bar, count)
      return nil
    end
    return index, list[index]
  end, function() return index - 1 end
end

local function passing_on(bar, step, state, control)
  local done, mark = 0, 1
  local function pass(first, ...)
    control = first
    if first == nil then finish(bar, done) else done = done + 1 end
    return first, ...
  end
  return function()
    if done >= mark then mark = look(bar, done) end
    return pass(step(state, control))
  end, function() return done - 1 end
end

--- Goes along with a loop, and shows how far it is: `for i in progress(100)`, `for i, value in progress(list)`,
--- `for key, value in progress(pairs(t))`.
---@param what number|table|function a count, a list, or what `pairs` and other iterators give
---@param label? string
function M.each(what, label, ...)
  local iterator, bar, count
  if type(what) == "number" then
    local total = what == math_huge and what or what > 0 and math_floor(what) or 0 -- NaN is not a count
    bar = new_bar(total ~= math_huge and total, label)
    iterator, count = counting(bar, total)
  elseif type(what) == "table" then
    bar = new_bar(rawlen(what), label)
    iterator, count = walking(bar, what, rawlen(what))
  elseif type(what) == "function" then
    local total, state = false, label
    if what == next and type(state) == "table" then
      total = 0
      for _ in next, state do total = total + 1 end
    end
    bar = new_bar(total)
    iterator, count = passing_on(bar, what, state, (...))
  else
    raise.bad_argument(1, "progress", "number, table or function", what)
  end
  bar.count = count
  draw(bar, bar.again, false)
  return iterator, nil, nil, setmetatable({ bar = bar, count = count }, closing)
end

return M
