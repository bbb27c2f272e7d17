-- Functions that stand in for others in tests and remember how they were called.

local raise = require("raise")

local error, next, rawequal, setmetatable, type = error, next, rawequal, setmetatable, type
local pack, unpack, remove = table.pack, table.unpack, table.remove

local Mocks = {}

--- A function that remembers its calls: `calls` is the list of them, each a list of arguments, `count` their number.
---@class Mock
local methods = {}

local mocks = setmetatable({}, { __mode = "k" }) -- mock → { fn, calls, queue }
local meta = { __name = "Mock", __metatable = false }

--- What a mock knows, or nil for anything else.
function Mocks.of(value)
  return value ~= nil and mocks[value] or nil
end

local function known(mock, name)
  return Mocks.of(mock) or raise.no_self("mock:" .. name)
end

--- Lets the mock return these values.
--- ```lua
--- print(testing.mock():returns(1, 2)()) --> 1	2
--- ```
---@param ... any
---@return Mock mock
function methods:returns(...)
  local values = pack(...)
  known(self, "returns").fn = function() return unpack(values, 1, values.n) end
  return self
end

--- Lets the next call return these values, the one after it those of the next `returns_once`, and so on.
--- ```lua
--- local mock = testing.mock():returns("then"):returns_once("first")
--- print(mock(), mock()) --> first	then
--- ```
---@param ... any
---@return Mock mock
function methods:returns_once(...)
  local queue = known(self, "returns_once").queue
  queue[#queue + 1] = pack(...)
  return self
end

--- Lets the mock raise this error.
--- ```lua
--- print(pcall(testing.mock():raises("no room"))) --> false	no room
--- ```
---@param err any
---@return Mock mock
function methods:raises(err)
  known(self, "raises").fn = function() error(err, 0) end
  return self
end

--- Lets the mock do what `fn` does.
--- ```lua
--- print(testing.mock():does(string.upper)("hi")) --> HI
--- ```
---@param fn function
---@return Mock mock
function methods:does(fn)
  local own = known(self, "does")
  own.fn = raise.check(1, "mock:does", "function", fn)
  return self
end

--- Forgets the calls and what the mock was told to do.
--- ```lua
--- local mock = testing.mock()
--- mock(1)
--- print(mock:reset().count) --> 0
--- ```
---@return Mock mock
function methods:reset()
  local own = known(self, "reset")
  own.fn, own.calls, own.queue = nil, {}, {}
  return self
end

--- Puts back what was in the place of this mock before `testing.spy`, before the test has ended.
--- ```lua
--- local door = { open = function() return "open" end }
--- testing.spy(door, "open"):returns("locked"):restore()
--- print(door.open()) --> open
--- ```
---@return Mock mock
function methods:restore()
  known(self, "restore")
  Mocks.restore(self)
  return self
end

function meta.__call(mock, ...)
  local own = mocks[mock]
  own.calls[#own.calls + 1] = pack(...)
  local values = remove(own.queue, 1)
  if values then return unpack(values, 1, values.n) end
  if own.fn then return own.fn(...) end
end

meta.members = methods

function meta.__index(mock, key)
  if methods[key] then return methods[key] end
  if key == "calls" then return mocks[mock].calls end
  if key == "count" then return #mocks[mock].calls end
end

function meta.__newindex() raise.raise("a mock is read-only: mock:returns(…) and the like tell it what to do") end
function meta.__tostring(mock)
  local count = #mocks[mock].calls
  return "mock: called " .. (count == 1 and "once" or count .. " times")
end

--- A mock that does what `fn` does, or nothing.
function Mocks.make(fn)
  local mock = setmetatable({}, meta)
  mocks[mock] = { fn = fn, calls = {}, queue = {} }
  return mock
end

-- ── fields of tables, replaced until the test ends ─────────────────────────────────────────────────

local replaced = {} -- { table, key, value before }, in the order in which they were replaced

--- Put `value` in the place of `t[key]` until `Mocks.restore`.
function Mocks.replace(t, key, value)
  local was = t[key]
  t[key] = value
  replaced[#replaced + 1] = { t = t, key = key, was = was, value = value }
end

--- Put everything back that was replaced, or only what `value` has replaced.
function Mocks.restore(value)
  for index = #replaced, 1, -1 do
    local one = replaced[index]
    if value == nil or rawequal(value, one.value) then
      remove(replaced, index)
      one.t[one.key] = one.was
    end
  end
end

--- A mock in the place of `t[key]` that does what was there.
function Mocks.spy(t, key)
  local was = t[key]
  local callable = type(was) == "function" or next(mocks) ~= nil and mocks[was] ~= nil
  if not callable then raise.bad_argument(2, "testing.spy", "the name of a function", was) end
  local mock = Mocks.make(was)
  Mocks.replace(t, key, mock)
  return mock
end

return Mocks
