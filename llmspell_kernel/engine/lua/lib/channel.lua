-- `channel`: values from task to task, with GopherLua's names and Go's rules.
--
-- What is inside a channel, out of the spell's reach:
--   size, buffer, first, count   a ring of values that nobody has received yet
--   senders, receivers           lists of entries { waiter, value, case }, linked by `before` and `after`
--   closed

local scheduler = require("scheduler")
local raise = require("raise")

local next, select, setmetatable, type = next, select, setmetatable, type
local wait, wake = scheduler.wait, scheduler.wake

local M = {}

--- Values from task to task, in the order in which they were sent.
---@class Channel
local methods = {}
local meta = { __name = "Channel", __metatable = false, __index = methods }
local insides = setmetatable({}, { __mode = "k" })

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

local function check(name, self)
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

-- ── the module ─────────────────────────────────────────────────────────────────────────────────────

--- Makes a channel. Without room (size 0) a send waits for its receiver; with room it waits only while the channel is
--- full.
--- ```lua
--- local ch = channel.make(2)
--- ch:send("a")
--- ch:send("b")
--- print(#ch) --> 2
--- ```
---@param size? integer how many values it holds; 0 if left out
---@return Channel channel
function M.make(size)
  size = raise.check_integer(1, "channel.make", size, 0, true) or 0
  local object = setmetatable({}, meta)
  insides[object] = {
    size = size, buffer = {}, first = 0, count = 0, senders = new_queue(), receivers = new_queue(), closed = false,
  }
  return object
end

--- A channel that gets one value, `true`, in so many seconds: the time limit of a `channel.select`.
--- ```lua
--- local quiet = channel.make()
--- print((channel.select({"|<-", quiet}, {"|<-", channel.after(0.01)}))) --> 2
--- ```
---@param seconds number
---@return Channel channel
function M.after(seconds)
  raise.check_number(1, "channel.after", seconds, 0)
  local object = M.make(1)
  local channel = insides[object]
  scheduler.after(seconds, function() try_send(channel, true) end)
  return object
end

--- Sends a value, and waits until there is room or a receiver. Raises if the channel is closed, also while waiting.
--- ```lua
--- local ch = channel.make()
--- async(function() ch:send("hello") end)
--- print(ch:receive()) --> true	hello
--- ```
---@param value any
function methods:send(value)
  local channel = check("channel:send", self)
  if try_send(channel, value) then return end
  local waiter = { what = "a receiver", cancel = leave }
  waiter[1] = append(channel.senders, { waiter = waiter, value = value })
  wait(waiter)
  if not waiter.ok then raise.raise("send on a closed channel") end
end

--- Receives the next value, and waits for it: `true` and the value, or `false` once the channel is closed and empty.
--- ```lua
--- local ch = channel.make(1)
--- ch:send("last")
--- ch:close()
--- print(ch:receive()) --> true	last
--- print((ch:receive())) --> false
--- ```
---@return boolean ok
---@return any value
function methods:receive()
  local channel = check("channel:receive", self)
  local possible, ok, value = try_receive(channel)
  if possible then return ok, value end
  local waiter = { what = "a message", cancel = leave }
  waiter[1] = append(channel.receivers, { waiter = waiter })
  wait(waiter)
  return waiter.ok, waiter.value
end

--- Closes the channel: nothing can be sent any more, what it holds can still be received. Raises if it is closed.
--- ```lua
--- local ch = channel.make()
--- ch:close()
--- print(ch:receive()) --> false	nil
--- ```
function methods:close()
  local channel = check("channel:close", self)
  if channel.closed then raise.raise("close of a closed channel") end
  channel.closed = true
  local entry = take(channel.receivers)
  while entry do
    pass(entry, false)
    entry = take(channel.receivers)
  end
  entry = take(channel.senders)
  while entry do
    pass(entry, false)
    entry = take(channel.senders)
  end
end

--- Receives in a loop until the channel is closed and empty.
--- ```lua
--- local ch = channel.make(3)
--- for n = 1, 3 do ch:send(n * n) end
--- ch:close()
--- for value in ch:iter() do print(value) end
--- ```
---@return function iterator
function methods:iter()
  check("channel:iter", self)
  return function()
    local ok, value = methods.receive(self)
    if ok then return value end
  end
end

-- ── select ─────────────────────────────────────────────────────────────────────────────────────────

-- A generator of its own: the spell's sequence from math.random stays what its seed makes it.
local random = 1

local function pick(most)
  random = (random * 1103515245 + 12345) & 0x7fffffff
  return (random >> 8) % most + 1
end

local function bad_case(index)
  raise.raise(
    "bad argument #" .. index .. " to 'channel.select' "
      .. '({"|<-", channel[, handler]}, {"<-|", channel, value[, handler]} or {"default"[, handler]} expected)'
  )
end

-- Takes a case apart: its direction, channel, value and handler.
local function read_case(index, given)
  if type(given) ~= "table" then bad_case(index) end
  local direction = given[1]
  local case = { index = index, direction = direction }
  if direction == "default" then
    case.handler = given[2]
  elseif direction == "|<-" then
    case.channel, case.handler = insides[given[2] or false], given[3]
  elseif direction == "<-|" then
    case.channel, case.value, case.handler = insides[given[2] or false], given[3], given[4]
  end
  if direction ~= "default" and not case.channel then bad_case(index) end
  if case.handler ~= nil and type(case.handler) ~= "function" then bad_case(index) end
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

local function wait_for_any(cases)
  local waiter = { what = "one of " .. #cases .. " channels", cancel = leave }
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

--- Waits until one of several channels can be received from or sent to, and does that. With a default case it does not
--- wait. Of several that are possible a random one is taken. A case's handler is called, with `ok, value` for a receive
--- and with the value for a send.
--- ```lua
--- local results, quit = channel.make(1), channel.make()
--- results:send(42)
--- local index, value, ok = channel.select(
---   {"|<-", results, function(ok, value) print("got", value) end},
---   {"|<-", quit}
--- )
--- ```
---@param ... table `{"|<-", channel, handler?}`, `{"<-|", channel, value, handler?}` or `{"default", handler?}`
---@return integer index of the case that was taken
---@return any value what was received
---@return boolean ok false if the channel is closed, and for a send
function M.select(...)
  local given = { ... }
  local count = select("#", ...)
  if count == 1 and type(given[1]) == "table" and type(given[1][1]) == "table" then
    given = given[1]
    count = #given
  end
  if count == 0 then bad_case(1) end
  local cases, default = {}, nil
  for index = 1, count do
    local case = read_case(index, given[index])
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

return M
