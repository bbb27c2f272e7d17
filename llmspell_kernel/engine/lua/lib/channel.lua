-- `channel`: values from task to task, with GopherLua's names and Go's rules.

local channels = require("channels")
local scheduler = require("scheduler")
local raise = require("raise")
local framed = raise.framed

local append, leave, pass, take = channels.append, channels.leave, channels.pass, channels.take
local check, try_receive, try_send = channels.inside, channels.try_receive, channels.try_send
local wait = scheduler.wait

local M = {}

--- Values from task to task, in the order in which they were sent.
---@class Channel
local methods = channels.methods

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
  return (channels.make(size))
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
  local object, inside = channels.make(1)
  scheduler.after(seconds, function()
    if not inside.closed and inside.count == 0 then try_send(inside, true) end
  end)
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
  return framed(channels.select("channel.select", ...))
end

return M
