-- `testing`: groups of tests, what they expect, and stand-ins.
--
-- A cell collects its groups; when it has ended they run, and their results are what the cell shows. Where a test
-- failed the cell fails.

local errorobject = require("errorobject")
local expectations = require("lib.testing_expect")
local failure = require("failure")
local traced = require("guarded").traced
local mocks = require("lib.testing_mock")
local promises = require("promises")
local options_of = require("lib.options")
local raise = require("raise")
local scheduler = require("scheduler")
local snapshot = require("snapshot")
local trace = require("trace")

local debug_getmetatable, error, next, setmetatable, type = debug.getmetatable, error, next, setmetatable, type
local pack, unpack, concat = table.pack, table.unpack, table.concat
local getinfo, match, math_max, sub = debug.getinfo, string.match, math.max, string.sub

local M = {}

local roots = {} -- groups that are to run
local current -- the group that is being described
local collected_in -- the cell whose groups `roots` are
local running = false -- whether tests run
local SHOWN = 300 -- results in what a cell shows

-- ── describing ─────────────────────────────────────────────────────────────────────────────────────

local function new_group(name, parent, options)
  return {
    name = parent and parent.name ~= "" and parent.name .. " › " .. name or name,
    parent = parent,
    skip = options.skip or (parent and parent.skip) or false,
    only = options.only or (parent and parent.only) or false,
    members = {}, -- tests and groups in their order
    before_all = {}, after_all = {}, before_each = {}, after_each = {},
  }
end

-- Of the results of very many tests those that failed, and as many others as there is room for.
local function worth_showing(suite)
  if #suite.tests <= SHOWN then return suite end
  local failures, others, chosen = SHOWN, math_max(0, SHOWN - suite.failed), {}
  for _, test in next, suite.tests do
    local failed = test.status == "failed"
    if failed then failures = failures - 1 else others = others - 1 end
    if failed and failures >= 0 or not failed and others >= 0 then chosen[#chosen + 1] = test end
  end
  local counts = { passed = suite.passed, failed = suite.failed, skipped = suite.skipped, tests = chosen }
  return setmetatable(counts, debug_getmetatable(suite))
end

-- At the end of the cell its groups run: their results come after what it shows.
local function finish(results)
  local suite = M.run({ raise = false })
  if suite.failed > 0 then
    scheduler.post("host", "display", "snapshot", snapshot.take(worth_showing(suite)), "", false)
    error(M.failure(suite), 0)
  end
  if results.n == 1 and results[1] == nil then results.n = 0 end
  results.n = results.n + 1
  results[results.n] = suite
  return results
end

local function collect(group)
  local cell = scheduler.cell()
  if collected_in ~= cell then roots, collected_in = {}, cell end
  roots[#roots + 1] = group
  if not scheduler.current() then scheduler.at_end = finish end
end

-- Run the function that describes a group.
local function describe_by(group, fn)
  local outer = current
  current = group
  local ok, err = traced(fn)
  current = outer
  if not ok then error(err, 0) end
end

local running_meta = { __close = function(before) running = before.running end }

-- What a test describes would not be run any more.
local function check_not_running(caller)
  if running then raise.raise("'" .. caller .. "' cannot be called in a test, but in a testing.describe around it") end
end

local GROUP = { skip = "boolean", only = "boolean" }
local TEST = { skip = "boolean", only = "boolean", timeout = "number" }

--- Describes a group of tests: `fn` calls `testing.it` and the like, or `testing.describe` for groups inside. The tests
--- run when the cell has ended, and their results are shown; if one fails, the cell fails.
--- ```lua
--- testing.describe("addition", function()
---   testing.it("adds", function() testing.expect(1 + 1):to_equal(2) end)
--- end)
--- ```
---@param name string
---@param fn function
---@param options? { skip?: boolean, only?: boolean }
function M.describe(name, fn, options)
  raise.check(1, "testing.describe", "string", name)
  raise.check(2, "testing.describe", "function", fn)
  options = options_of.read(3, "testing.describe", options, GROUP)
  check_not_running("testing.describe")
  local group = new_group(name, current, options)
  describe_by(group, fn)
  if current then current.members[#current.members + 1] = group else collect(group) end
end

-- `kind`, if any, is the option that is true unless it is given otherwise.
local function add_test(caller, name, fn, options, kind)
  raise.check(1, caller, "string", name)
  raise.check(2, caller, "function", fn, kind ~= "only")
  options = options_of.read(3, caller, options, TEST)
  check_not_running(caller)
  if kind and options[kind] == nil then options[kind] = true end
  local group = current
  if not group then
    group = new_group("", nil, {})
    collect(group)
  end
  group.members[#group.members + 1] = {
    name = name,
    fn = fn,
    skip = options.skip or not fn or group.skip,
    only = options.only or group.only,
    timeout = options_of.at_least(caller, options, "timeout", 0),
  }
end

--- Describes one test: `fn` raises if it fails, as expectations do. It may wait; a promise that it returns is waited
--- for. Without `fn` it is shown as skipped. `timeout` is in seconds, and ends a test that waits.
--- ```lua
--- testing.it("upper makes letters large", function() testing.expect(string.upper("a")):to_be("A") end)
--- ```
---@param name string
---@param fn? function
---@param options? { skip?: boolean, only?: boolean, timeout?: number }
function M.it(name, fn, options)
  add_test("testing.it", name, fn, options)
end

--- The same as `testing.it`.
M.test = M.it

--- Describes a test that is not run.
--- ```lua
--- testing.skip("not yet", function() error("it would fail") end)
--- ```
---@param name string
---@param fn? function
---@param options? { timeout?: number }
function M.skip(name, fn, options)
  add_test("testing.skip", name, fn, options, "skip")
end

--- Describes a test that is run, and others of the cell are not, unless they are described so too.
--- ```lua
--- testing.only("this one", function() testing.expect(1):to_be(1) end)
--- ```
---@param name string
---@param fn function
---@param options? { timeout?: number }
function M.only(name, fn, options)
  add_test("testing.only", name, fn, options, "only")
end

local function around(kind, fn)
  raise.check(1, "testing." .. kind, "function", fn)
  if not current then raise.raise("testing." .. kind .. " belongs into the function of a testing.describe") end
  current[kind][#current[kind] + 1] = fn
end

--- Calls `fn` before each test of the group, and of groups inside.
--- ```lua
--- testing.describe("a list", function()
---   local list
---   testing.before_each(function() list = { 1 } end)
---   testing.it("has one item", function() testing.expect(list):to_have_length(1) end)
--- end)
--- ```
---@param fn function
function M.before_each(fn) around("before_each", fn) end

--- Calls `fn` after each test of the group, and of groups inside, whether it fails or not.
--- ```lua
--- testing.describe("nothing", function() testing.after_each(function() end) end)
--- ```
---@param fn function
function M.after_each(fn) around("after_each", fn) end

--- Calls `fn` before the first test of the group.
--- ```lua
--- testing.describe("nothing", function() testing.before_all(function() end) end)
--- ```
---@param fn function
function M.before_all(fn) around("before_all", fn) end

--- Calls `fn` after the last test of the group.
--- ```lua
--- testing.describe("nothing", function() testing.after_all(function() end) end)
--- ```
---@param fn function
function M.after_all(fn) around("after_all", fn) end

--- Expects something of a value: `testing.expect(v):to_equal(3)`, `testing.expect(v).never:to_be_nil()`. Raises if it
--- is not so, in a test or anywhere.
--- ```lua
--- testing.expect(1 + 1):to_equal(2)
--- testing.expect("spell").never:to_be_empty()
--- ```
---@param value any
---@return Expectation expectation
function M.expect(value) return expectations.expect(value) end

--- Makes a function that remembers how it was called, and does what `fn` does, or nothing.
--- ```lua
--- local send = testing.mock()
--- send("hi", 3)
--- print(send.count, send.calls[1][1]) --> 1	hi
--- ```
---@param fn? function
---@return Mock mock
function M.mock(fn)
  return mocks.make(raise.check(1, "testing.mock", "function", fn, true))
end

local function check_replaceable(name, t)
  local module = match(raise.type_of(t), "^module ([%w_]+)$")
  if module then
    raise.refuse(1, name, "a module cannot be changed: testing.stub(_G, '" .. module .. "', { … }) replaces it")
  end
  raise.check(1, name, "table", t)
end

--- Puts a mock in the place of the function `t[key]`, which it calls; it is put back after the test. Modules cannot be
--- changed: `testing.stub(_G, "http", { get = testing.mock() })` puts a table in the place of one.
--- ```lua
--- local door = { open = function() return "open" end }
--- local spy = testing.spy(door, "open")
--- print(door.open(), spy.count) --> open	1
--- ```
---@param t table
---@param key any
---@return Mock mock
function M.spy(t, key)
  check_replaceable("testing.spy", t)
  if key == nil or key ~= key then raise.bad_argument(2, "testing.spy", "the name of a function", key) end
  return mocks.spy(t, key)
end

--- Puts `value` in the place of `t[key]`; what was there is put back after the test. With `_G` for the table that is a
--- global, such as a module.
--- ```lua
--- local door = { locked = true }
--- testing.stub(door, "locked", false)
--- print(door.locked) --> false
--- ```
---@param t table
---@param key any
---@param value any
function M.stub(t, key, value)
  check_replaceable("testing.stub", t)
  if key == nil or key ~= key then raise.bad_argument(2, "testing.stub", "the name of a field", key) end
  mocks.replace(t, key, value)
end

-- ── running ────────────────────────────────────────────────────────────────────────────────────────

-- What is shown of an error: expectations and other strings have their position in front.
local function told(err, described)
  if type(err) == "string" then return err end
  if errorobject.is(err) then return errorobject.text(err) end
  return described.message
end

-- The calls through which `fn`, a test or what prepares it, came to its error, innermost first; nil if that was in `fn`
-- itself, whose position the message tells. Frames outside it are of no interest.
local function calls_of(described, fn)
  local frames, kept, lines = described.frames or {}, {}, 0
  local info = getinfo(fn, "S")
  for index = 1, #frames do
    local frame = frames[index]
    kept[index] = frame
    if frame.line then lines = lines + 1 end
    if frame.defined == info.linedefined and frame.source == sub(info.source, 2) then break end
  end
  if lines < 2 then return nil end
  return concat(trace.frame_lines({ frames = kept }), "\n")
end

local function awaited(ok, ...)
  if not ok then return false, (...) end
  local state = (...) ~= nil and promises.state_of((...))
  if state then return traced(promises.await, state) end
  return true
end

local function called(fn, seconds)
  if not seconds then return awaited(traced(fn)) end
  local state = promises.state_of((promises.spawn(fn)))
  if promises.wait(state, seconds) then return traced(promises.await, state) end
  local err = promises.late(seconds)
  promises.cancel(state, err)
  return false, err
end

-- Call `fn`; returns nothing, or what is told of its error.
local function attempt(fn, seconds)
  local ok, err = called(fn, seconds)
  if ok then return nil end
  local described = failure.of(err)
  return { message = err == nil and "raised nil" or told(err, described), traceback = calls_of(described, fn) }
end

-- Call every function of the list; returns what is told of the first error.
local function call_all(list)
  local fault
  for _, fn in next, list do
    local another = attempt(fn)
    fault = fault or another
  end
  return fault
end

local function before_each(group)
  local fault = group.parent and before_each(group.parent)
  return fault or call_all(group.before_each)
end

local function after_each(group)
  local fault = call_all(group.after_each)
  local outer = group.parent and after_each(group.parent)
  return fault or outer
end

local function prepared(group)
  if group.parent then
    local fault = prepared(group.parent)
    if fault then return fault end
  end
  if group.broken == nil then group.broken = call_all(group.before_all) or false end
  return group.broken
end

local function run_test(group, test)
  local fault = prepared(group)
  if fault then return fault end
  fault = before_each(group) or attempt(test.fn, test.timeout)
  local after = after_each(group)
  mocks.restore()
  return fault or after
end

local function any_only(group)
  for _, member in next, group.members do
    if member.members and any_only(member) or member.only then return true end
  end
  return false
end

local function record(suite, group, name, status, fault)
  suite[status] = suite[status] + 1
  suite.tests[#suite.tests + 1] = {
    group = group.name,
    name = name,
    status = status,
    message = fault and fault.message or nil,
    traceback = fault and fault.traceback or nil,
  }
end

local function run_group(suite, group, focused)
  local ran = false
  for _, member in next, group.members do
    if member.members then
      ran = run_group(suite, member, focused) or ran
    elseif member.skip or (focused and not member.only) then
      record(suite, group, member.name, "skipped")
    else
      ran = true
      local fault = run_test(group, member)
      record(suite, group, member.name, fault and "failed" or "passed", fault)
    end
  end
  if ran then
    local fault = call_all(group.after_all)
    if fault then record(suite, group, "(after all)", "failed", fault) end
  end
  return ran
end

local suite_meta = { __name = "tests" }

function suite_meta.__tostring(suite)
  local parts = {}
  for _, status in next, { "passed", "failed", "skipped" } do
    if suite[status] > 0 then parts[#parts + 1] = suite[status] .. " " .. status end
  end
  return #parts > 0 and concat(parts, ", ") or "no tests"
end

--- The error that stands for the failed tests of `suite`.
local function suite_error(suite)
  local total = suite.passed + suite.failed
  local words = suite.failed .. " of " .. total .. (total == 1 and " test failed" or " tests failed")
  local first
  for _, test in next, suite.tests do
    if test.status == "failed" then
      first = test
      break
    end
  end
  local where = first.group ~= "" and first.group .. ": " .. first.name or first.name
  return errorobject.new({ code = "tests_failed", message = words .. "; the first: " .. where })
end

--- Returns the error that a cell fails with for the failed tests of these results.
--- ```lua
--- local results = testing.run({ raise = false })
--- if results.failed > 0 then error(testing.failure(results)) end
--- ```
---@param results table
---@return Error err
function M.failure(results)
  if type(results) ~= "table" or debug_getmetatable(results) ~= suite_meta or results.failed == 0 then
    local expected = "results of testing.run with a test that failed"
    raise.bad_argument(1, "testing.failure", expected, results)
  end
  return suite_error(results)
end

--- Runs the tests that the cell has described so far, now instead of at its end, and returns their results: `passed`,
--- `failed`, `skipped` and the list `tests`, each `{ group, name, status, message, traceback }`. Raises if a test
--- fails, unless `raise` is false.
--- ```lua
--- testing.it("is so", function() testing.expect(true):to_be_true() end)
--- print(testing.run()) --> 1 passed
--- ```
---@param options? { raise?: boolean }
---@return table results
function M.run(options)
  options = options_of.read(1, "testing.run", options, { raise = "boolean" })
  local suite = setmetatable({ passed = 0, failed = 0, skipped = 0, tests = {} }, suite_meta)
  local groups = collected_in == scheduler.cell() and roots or {}
  roots, scheduler.at_end = {}, nil
  local focused = false
  for _, group in next, groups do focused = focused or any_only(group) end
  local _ <close> = setmetatable({ running = running }, running_meta)
  running = true
  for _, group in next, groups do run_group(suite, group, focused) end
  if suite.failed > 0 and options.raise ~= false then error(suite_error(suite), 0) end
  return suite
end

-- ── how older spells say it ────────────────────────────────────────────────────────────────────────

local function asserting(name, negative)
  return function(value, ...)
    local expectation = expectations.expect(value)
    if negative then expectation = expectation.never end
    local arguments = pack(...)
    return expectation[name](expectation, unpack(arguments, 1, arguments.n))
  end
end

--- Expectations as functions: `testing.assert.equals(value, other)`, and `not_equals`, `truthy`, `falsy`, `is_nil`,
--- `not_nil`, `contains`, `matches`, `type`, `length`, `has_key`, `error`, `no_error`.
M.assert = {
  equals = asserting("to_equal"), deep_equals = asserting("to_equal"), not_equals = asserting("to_equal", true),
  truthy = asserting("to_be_truthy"), falsy = asserting("to_be_falsy"),
  is_nil = asserting("to_be_nil"), not_nil = asserting("to_be_nil", true),
  contains = asserting("to_contain"), matches = asserting("to_match"),
  type = asserting("to_be_a"), length = asserting("to_have_length"), has_key = asserting("to_have_key"),
  empty = asserting("to_be_empty"), not_empty = asserting("to_be_empty", true),
  greater_than = asserting("to_be_greater_than"), less_than = asserting("to_be_less_than"),
  error = asserting("to_raise"), no_error = asserting("to_raise", true),
}

return M
