-- What channels are made of; lib/channel.lua and lib/async.lua are what spells see of it.
--
-- The object that a spell holds is an empty table; what is inside is kept here, out of the spell's reach:
--   size, buffer, first, count   a ring of values that nobody has received yet
--   senders, receivers           lists of entries { waiter, value, case }, linked by `before` and `after`
--   closed

local scheduler = require("scheduler")
local raise = require("raise")

local next, select, setmetatable, type = next, select, setmetatable, type
local wait, wake = scheduler.wait, scheduler.wake

local C = {}

C.methods = {}

local meta = { __name = "Channel", __metatable = false, __index = C.methods }
local insides = setmetatable({}, { __mode = "k" }) -- channel → its inside

function meta.__newindex()
  raise.raise("a channel is read-only")
end

function meta.__len(object)
  return insides[object].count
end

function meta.__tostring(object)
  local channel = insides[object]
  return "channel: " .. channel.count .. "/" .. channel.size .. (channel.closed and " (closed)" or "")
end

--- What is inside the channel that a method `name` was called on.
function C.inside(name, self)
  return insides[self] or raise.no_self(name)
end

-- ── queues of those who wait ───────────────────────────────────────────────────────────────────────

local function new_queue()
  local queue = {}
  queue.before, queue.after = queue, queue
  return queue
end

local function append(queue, entry)
  local last = queue.before
  entry.before, entry.after = last, queue
  last.after, queue.before = entry, entry
  return entry
end

-- Taking out what is out already changes nothing.
local function unlink(entry)
  entry.before.after, entry.after.before = entry.after, entry.before
  entry.before, entry.after = entry, entry
end

-- Take out the first entry that still waits.
local function take(queue)
  local entry = queue.after
  while entry ~= queue do
    unlink(entry)
    if not entry.waiter.done then return entry end
    entry = queue.after
  end
end

local function pass(entry, ok, value)
  local waiter = entry.waiter
  waiter.case, waiter.ok, waiter.value = entry.case, ok, value
  wake(waiter)
end

-- ── sending and receiving, when it is possible at once ─────────────────────────────────────────────

local function try_send(channel, value)
  if channel.closed then raise.raise("send on a closed channel") end
  local receiver = take(channel.receivers)
  if receiver then
    pass(receiver, true, value)
    return true
  end
  local count = channel.count
  if count == channel.size then return false end
  channel.buffer[(channel.first + count) % channel.size] = value
  channel.count = count + 1
  return true
end

-- Returns whether there was something to receive, then ok and the value.
local function try_receive(channel)
  local count = channel.count
  if count > 0 then
    local first, size = channel.first, channel.size
    local value = channel.buffer[first]
    channel.buffer[first] = nil
    channel.first, channel.count = (first + 1) % size, count - 1
    local sender = take(channel.senders)
    if sender then
      channel.buffer[(first + count) % size] = sender.value
      channel.count = count
      pass(sender, true)
    end
    return true, true, value
  end
  local sender = take(channel.senders)
  if sender then
    pass(sender, true)
    return true, true, sender.value
  end
  return channel.closed, false, nil
end

local function leave(waiter)
  for index = 1, #waiter do unlink(waiter[index]) end
end

C.append, C.leave, C.pass, C.take, C.try_receive, C.try_send = append, leave, pass, take, try_receive, try_send

--- An open channel, and what is inside.
function C.make(size)
  local object = setmetatable({}, meta)
  local inside = {
    size = size, buffer = {}, first = 0, count = 0, senders = new_queue(), receivers = new_queue(), closed = false,
  }
  insides[object] = inside
  return object, inside
end

-- ── select ─────────────────────────────────────────────────────────────────────────────────────────

-- A generator of its own: the spell's sequence from math.random stays what its seed makes it.
local random = 1

local function pick(most)
  random = (random * 1103515245 + 12345) & 0x7fffffff
  return (random >> 8) % most + 1
end

local FORMS = '{"|<-", channel[, handler]}, {"<-|", channel, value[, handler]} or {"default"[, handler]} expected, got '

local function bad_case(name, index, got)
  raise.refuse(index, name, FORMS .. got)
end

-- Takes a case apart: its direction, channel, value and handler.
local function read_case(name, index, given)
  if type(given) ~= "table" or raise.is_object(given) then bad_case(name, index, raise.type_of(given)) end
  local direction, channel = given[1], given[2]
  local case = { index = index, direction = direction }
  if direction == "default" then
    case.handler = channel
  elseif direction == "|<-" then
    case.channel, case.handler = insides[channel or false], given[3]
  elseif direction == "<-|" then
    case.channel, case.value, case.handler = insides[channel or false], given[3], given[4]
  else
    bad_case(name, index, "one that begins with "
      .. (type(direction) == "string" and raise.shown(direction) or raise.type_of(direction)))
  end
  if direction ~= "default" and not case.channel then
    bad_case(name, index, "one whose channel is " .. raise.type_of(channel))
  end
  if case.handler ~= nil and not raise.is_callable(case.handler) then
    bad_case(name, index, "one whose handler is " .. raise.type_of(case.handler))
  end
  return case
end

local function try(case)
  if case.direction == "|<-" then return try_receive(case.channel) end
  if try_send(case.channel, case.value) then return true, false, nil end
  return false
end

-- The first case that is possible, beginning with a random one.
local function try_all(cases)
  local count = #cases
  if count == 0 then return end
  local start = pick(count)
  for offset = 0, count - 1 do
    local case = cases[(start + offset - 1) % count + 1]
    local possible, ok, value = try(case)
    if possible then return case, ok, value end
  end
end

local WANTED = { ["|<-"] = "a message", ["<-|"] = "a receiver" }

local function wait_for_any(cases)
  local what = #cases == 1 and WANTED[cases[1].direction] or "one of " .. #cases .. " channels"
  local waiter = { what = what, cancel = leave }
  for index, case in next, cases do
    local queue = case.direction == "|<-" and case.channel.receivers or case.channel.senders
    waiter[index] = append(queue, { waiter = waiter, value = case.value, case = case })
  end
  wait(waiter)
  leave(waiter)
  local case = waiter.case
  if case.direction == "|<-" then return case, waiter.ok, waiter.value end
  if not waiter.ok then raise.raise("send on a closed channel") end
  return case, false, nil
end

--- What `channel.select` does, by the name that it was called by.
function C.select(name, ...)
  local given = { ... }
  local count = select("#", ...)
  local first = count == 1 and type(given[1]) == "table" and given[1][1]
  if type(first) == "table" and not raise.is_object(first) then
    given = given[1]
    count = #given
  end
  if count == 0 then bad_case(name, 1, "none") end
  local cases, default = {}, nil
  for index = 1, count do
    local case = read_case(name, index, given[index])
    if case.direction == "default" then default = case else cases[#cases + 1] = case end
  end
  local case, ok, value = try_all(cases)
  if not case then
    if default then case, ok = default, false else case, ok, value = wait_for_any(cases) end
  end
  if case.handler then
    if case.direction == "|<-" then
      case.handler(ok, value)
    elseif case.direction == "<-|" then
      case.handler(case.value)
    else
      case.handler()
    end
  end
  return case.index, value, ok
end

return C
