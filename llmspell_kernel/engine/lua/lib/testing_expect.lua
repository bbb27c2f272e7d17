-- What a test expects of a value.

local of_float = require("digits").of_float
local errorobject = require("errorobject")
local guarded = require("guarded").pcall
local keys_of = require("lib.path").keys
local mocks = require("lib.testing_mock")
local preview = require("preview")
local raise = require("raise")

local next, rawequal, rawget, rawlen, setmetatable, tostring, type =
  next, rawequal, rawget, rawlen, setmetatable, tostring, type
local math_abs, math_min, math_type = math.abs, math.min, math.type
local pack, concat = table.pack, table.concat
local find, gsub, match, sub = string.find, string.gsub, string.match, string.sub

local Expectations = {}

local BYTES = 300 -- of a value in a message
local DEEPEST = 100
local DIFFERENCES = 5 -- that a message tells

-- ── equality ───────────────────────────────────────────────────────────────────────────────────────

-- A value in a message: a number with all its digits, for two that differ look the same with fewer.
local function shown(value)
  if math_type(value) ~= "float" or value - value ~= 0 then return preview.text(value, BYTES) end
  return of_float(value)
end

local function equals(a, b) return a == b end

local function same(a, b)
  if rawequal(a, b) or (a ~= a and b ~= b) then return true end
  local ok, equal = guarded(equals, a, b)
  return ok and equal
end

local function step(path, key)
  if type(key) == "string" and match(key, "^[%a_][%w_]*$") then return path .. "." .. key end
  return path .. "[" .. shown(key) .. "]"
end

local function equal(a, b, seen, depth)
  if same(a, b) then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  if depth > DEEPEST or seen[a] == b then return true end
  seen[a] = b
  for key, value in next, a do
    if not equal(value, rawget(b, key), seen, depth + 1) then return false end
  end
  for key in next, b do
    if rawget(a, key) == nil then return false end
  end
  return true
end

--- Whether two values are equal as `to_equal` means it.
function Expectations.equal(a, b) return equal(a, b, {}, 0) end

-- The first byte at which two texts differ.
local function first_different(a, b)
  local low, high = 1, math_min(#a, #b) + 1
  while low < high do
    local middle = (low + high) // 2
    if sub(a, low, middle) == sub(b, low, middle) then low = middle + 1 else high = middle end
  end
  return low
end

local function line_at(text, position)
  return match(text, "^[^\n]*", match(sub(text, 1, position - 1), ".*\n()") or 1)
end

-- Where two texts differ that are too long for a message to show it, or have several lines; nil of others.
local function text_difference(a, b)
  if #a <= BYTES and #b <= BYTES and not find(a, "\n", 1, true) then return nil end
  local position = first_different(a, b)
  local line, other = line_at(a, position), line_at(b, position)
  if #line < BYTES and #other < BYTES then
    local _, breaks = gsub(sub(a, 1, position - 1), "\n", "")
    return "line " .. breaks + 1 .. " is " .. shown(line) .. " instead of " .. shown(other)
  end
  return "from byte " .. position .. " on it is " .. shown(sub(a, position)) .. " instead of "
    .. shown(sub(b, position))
end

-- Add to `found` where `a`, the actual value, differs from `b`; in the order of the keys, which is the same each time.
local function differences(a, b, path, found, seen, depth)
  if #found > DIFFERENCES or same(a, b) then return end
  if type(a) == "table" and type(b) == "table" then
    if depth > DEEPEST or seen[a] == b then return end
    seen[a] = b
    local all = {}
    for key in next, a do all[key] = true end
    for key in next, b do all[key] = true end
    for _, key in next, keys_of(all) do
      differences(rawget(a, key), rawget(b, key), step(path, key), found, seen, depth + 1)
    end
  elseif path == "" or a == nil or b == nil then
    local texts = type(a) == "string" and type(b) == "string"
    found[#found + 1] = path ~= "" and path .. (a == nil and " is missing" or " should not be there")
      or texts and text_difference(a, b) or nil
  else
    found[#found + 1] = path .. " is " .. shown(a) .. " instead of " .. shown(b)
  end
end

-- What a message says of where two values differ.
local function told_differences(a, b)
  local found = {}
  differences(a, b, "", found, {}, 0)
  if #found > DIFFERENCES then found[#found] = "…" end
  return #found > 0 and ": " .. concat(found, ", ") or ""
end

-- ── the object ─────────────────────────────────────────────────────────────────────────────────────

--- What is expected of a value; `never` before it expects the opposite: `expect(x).never:to_equal(3)`.
---@class Expectation
local methods = {}

local expectations = setmetatable({}, { __mode = "k" }) -- expectation → { value, negative }
local meta = { __name = "Expectation", __metatable = false }

local function make(value, negative)
  local expectation = setmetatable({}, meta)
  expectations[expectation] = { value = value, negative = negative }
  return expectation
end

function meta.__index(expectation, key)
  if methods[key] then return methods[key] end
  local own = expectations[expectation]
  if key == "never" or key == "not_" or key == "to_not" then return make(own.value, not own.negative) end
  raise.raise("there is no expectation '" .. tostring(key) .. "'; expect(v).to_ and Tab list them")
end

function meta.__newindex() raise.raise("an expectation is read-only") end
-- `expect(v):never():to_be(3)`: what `never` gives may be called too
function meta.__call(expectation) return expectation end

local function value_of(self, name)
  local own = expectations[self] or raise.no_self("expect(value):" .. name)
  return own.value, own
end

-- Raise unless `ok` is as expected; `what` is told of the value.
local function verify(self, ok, what, more)
  local own = expectations[self]
  local value = own.value
  if ok then
    if not own.negative then return self end
  elseif own.negative then
    return self
  end
  local message = "expected " .. shown(value) .. (own.negative and " not " or " ") .. what
  if more and not own.negative then message = message .. more end
  raise.raise(message)
end

--- Expects a value that is equal; tables are if their fields are, however deep.
--- ```lua
--- testing.expect({ 1, { x = 2 } }):to_equal({ 1, { x = 2 } })
--- ```
---@param other any
---@return Expectation expectation
function methods:to_equal(other)
  local value = value_of(self, "to_equal")
  local equals_it = Expectations.equal(value, other)
  return verify(self, equals_it, "to equal " .. shown(other), not equals_it and told_differences(value, other))
end

--- Expects this very value: of tables and functions the same one.
--- ```lua
--- testing.expect("a"):to_be("a")
--- ```
---@param other any
---@return Expectation expectation
function methods:to_be(other)
  local value = value_of(self, "to_be")
  return verify(self, rawequal(value, other) or type(other) ~= "table" and value == other, "to be " .. shown(other))
end

--- Expects nil.
--- ```lua
--- testing.expect(nil):to_be_nil()
--- ```
---@return Expectation expectation
function methods:to_be_nil() return verify(self, value_of(self, "to_be_nil") == nil, "to be nil") end

--- Expects true itself.
--- ```lua
--- testing.expect(1 < 2):to_be_true()
--- ```
---@return Expectation expectation
function methods:to_be_true() return verify(self, value_of(self, "to_be_true") == true, "to be true") end

--- Expects false itself.
--- ```lua
--- testing.expect(1 > 2):to_be_false()
--- ```
---@return Expectation expectation
function methods:to_be_false() return verify(self, value_of(self, "to_be_false") == false, "to be false") end

--- Expects anything but nil and false.
--- ```lua
--- testing.expect(0):to_be_truthy()
--- ```
---@return Expectation expectation
function methods:to_be_truthy()
  return verify(self, value_of(self, "to_be_truthy") and true or false, "to be truthy")
end

--- Expects nil or false.
--- ```lua
--- testing.expect(nil):to_be_falsy()
--- ```
---@return Expectation expectation
function methods:to_be_falsy() return verify(self, not value_of(self, "to_be_falsy"), "to be nil or false") end

--- Expects a type: one of Lua's, `integer`, `float`, or the name of a type such as `Promise`.
--- ```lua
--- testing.expect(3):to_be_a("integer")
--- ```
---@param kind string
---@return Expectation expectation
function methods:to_be_a(kind)
  local value = value_of(self, "to_be_a")
  raise.check(1, "expect:to_be_a", "string", kind)
  local is = type(value) == kind or math_type(value) == kind or raise.type_of(value) == kind
  return verify(self, is, "to be a " .. (#kind > BYTES and shown(kind) or kind))
end

local function contains(value, part)
  if type(value) == "string" then return type(part) == "string" and find(value, part, 1, true) ~= nil end
  if type(value) ~= "table" then return false end
  for _, item in next, value do
    if Expectations.equal(item, part) then return true end
  end
  return false
end

--- Expects a string that has `part` in it, or a table that has an equal value in it.
--- ```lua
--- testing.expect({ "a", "b" }):to_contain("b")
--- ```
---@param part any
---@return Expectation expectation
function methods:to_contain(part)
  return verify(self, contains(value_of(self, "to_contain"), part), "to contain " .. shown(part))
end

--- Expects a table with this key, and with this value there if one is given.
--- ```lua
--- testing.expect({ x = 1 }):to_have_key("x", 1)
--- ```
---@param key any
---@param value? any
---@return Expectation expectation
function methods:to_have_key(key, value)
  local held = value_of(self, "to_have_key")
  local has = type(held) == "table" and held[key] ~= nil and (value == nil or Expectations.equal(held[key], value))
  return verify(self, has, "to have the key " .. shown(key) .. (value ~= nil and " = " .. shown(value) or ""))
end

--- Expects a string or list of this length.
--- ```lua
--- testing.expect("abc"):to_have_length(3)
--- ```
---@param length integer
---@return Expectation expectation
function methods:to_have_length(length)
  local value = value_of(self, "to_have_length")
  length = raise.check_whole(1, "expect:to_have_length", length)
  local long = type(value) == "string" and #value or type(value) == "table" and rawlen(value)
  return verify(self, long == length, "to have the length " .. length, long and ", not " .. long or "")
end

--- Expects a string or table with nothing in it.
--- ```lua
--- testing.expect({}):to_be_empty()
--- ```
---@return Expectation expectation
function methods:to_be_empty()
  local value = value_of(self, "to_be_empty")
  return verify(self, value == "" or (type(value) == "table" and next(value) == nil), "to be empty")
end

--- Expects a string that matches a Lua pattern.
--- ```lua
--- testing.expect("cell 12"):to_match("^cell %d+$")
--- ```
---@param pattern string
---@return Expectation expectation
function methods:to_match(pattern)
  local value = value_of(self, "to_match")
  raise.check(1, "expect:to_match", "string", pattern)
  local readable, found = guarded(find, "", pattern)
  if not readable then raise.refuse(1, "expect:to_match", found) end
  return verify(self, type(value) == "string" and find(value, pattern) ~= nil, "to match " .. shown(pattern))
end

--- Expects a number that is at most `tolerance` (1e-6) away.
--- ```lua
--- testing.expect(0.1 + 0.2):to_be_near(0.3)
--- ```
---@param number number
---@param tolerance? number
---@return Expectation expectation
function methods:to_be_near(number, tolerance)
  local value = value_of(self, "to_be_near")
  raise.check(1, "expect:to_be_near", "number", number)
  tolerance = raise.check_number(2, "expect:to_be_near", tolerance, 0, true) or 1e-6
  local near = type(value) == "number" and math_abs(value - number) <= tolerance
  return verify(self, near, "to be near " .. number .. " (at most " .. tolerance .. " away)")
end

local function compared(self, name, other, compare, what)
  local ok, result = guarded(compare, value_of(self, name), other)
  return verify(self, ok and result, what .. shown(other))
end

--- Expects more than `other`.
--- ```lua
--- testing.expect(3):to_be_greater_than(2)
--- ```
---@param other any
---@return Expectation expectation
function methods:to_be_greater_than(other)
  return compared(self, "to_be_greater_than", other, function(a, b) return a > b end, "to be greater than ")
end

--- Expects less than `other`.
--- ```lua
--- testing.expect(2):to_be_less_than(3)
--- ```
---@param other any
---@return Expectation expectation
function methods:to_be_less_than(other)
  return compared(self, "to_be_less_than", other, function(a, b) return a < b end, "to be less than ")
end

--- Expects a function that raises; with `what`, an error whose message matches that pattern or contains it, or an error
--- object whose code it is.
--- ```lua
--- testing.expect(function() error("no room") end):to_raise("no room")
--- ```
---@param what? string
---@return Expectation expectation
function methods:to_raise(what)
  local fn, own = value_of(self, "to_raise")
  raise.check(1, "expect:to_raise", "string", what, true)
  if type(fn) ~= "function" then raise.raise("expected a function, got " .. shown(fn)) end
  local ok, err = guarded(fn)
  if ok then
    if own.negative then return self end
    raise.raise("expected an error, and none was raised")
  end
  local text = errorobject.text(err)
  local code = errorobject.is(err) and rawget(err, "code")
  local fits = what == nil or code == what or find(text, what, 1, true) ~= nil
  if not fits then
    local readable, found = guarded(match, text, what)
    fits = readable and found ~= nil
  end
  if fits ~= own.negative then return self end
  local wanted = (own.negative and "no error" or "an error") .. (what and " like " .. shown(what) or "")
  raise.raise("expected " .. wanted .. ", got " .. shown(text))
end

local function mock_of(self, name)
  local value = value_of(self, name)
  return mocks.of(value) or raise.raise("expected a mock (testing.mock), got " .. shown(value))
end

--- Expects a mock that was called, so many times if a number is given.
--- ```lua
--- local mock = testing.mock()
--- mock()
--- testing.expect(mock):to_have_been_called(1)
--- ```
---@param times? integer
---@return Expectation expectation
function methods:to_have_been_called(times)
  local count = #mock_of(self, "to_have_been_called").calls
  times = raise.check_whole(1, "expect:to_have_been_called", times, true)
  if times == nil then return verify(self, count > 0, "to have been called") end
  return verify(self, count == times, "to have been called " .. times .. " times", ", not " .. count)
end

--- Expects a mock that was once called with these arguments.
--- ```lua
--- local mock = testing.mock()
--- mock(1, "a")
--- testing.expect(mock):to_have_been_called_with(1, "a")
--- ```
---@param ... any
---@return Expectation expectation
function methods:to_have_been_called_with(...)
  local wanted, texts = pack(...), {}
  for index = 1, wanted.n do texts[index] = shown(wanted[index]) end
  local met = false
  local calls = mock_of(self, "to_have_been_called_with").calls
  for _, call in next, calls do met = met or Expectations.equal(call, wanted) end
  return verify(self, met, "to have been called with (" .. concat(texts, ", ") .. ")")
end

--- The same as `Expectation:to_be_a`.
methods.to_be_type = methods.to_be_a

--- The same as `Expectation:to_raise`.
methods.to_throw = methods.to_raise

--- The same as `Expectation:to_be_near`.
methods.to_be_close_to = methods.to_be_near

--- The same as `Expectation:to_contain`.
methods.to_include = methods.to_contain

--- An expectation of `value`.
function Expectations.expect(value) return make(value, false) end

return Expectations
