-- Calls functions with every kind of wrong value and writes down what came of it, one line of JSON for each call.
-- test_misuse.py makes the descriptions that `try_all` takes, and judges.

local pack, unpack = table.pack, table.unpack

local LONG = 60 -- seconds: a call that takes so long waits for nothing
local HUGE = ("long "):rep(40000)

local function hostile()
  local function refuse(what) return function() error("hostile " .. what) end end
  return setmetatable({}, {
    __index = refuse("index"), __newindex = refuse("newindex"), __tostring = refuse("tostring"),
    __pairs = refuse("pairs"), __eq = refuse("eq"), __concat = refuse("concat"), __lt = refuse("lt"),
    __len = function() return 1 << 53 end, __name = 7,
  })
end

local function closed_channel()
  local ch = channel.make(1)
  ch:close()
  return ch
end

-- Each wrong value is made anew for each call.
local VALUES = {
  { "nil", function() return nil end },
  { "true", function() return true end },
  { "-1", function() return -1 end },
  { "0", function() return 0 end },
  { "1e308", function() return 1e308 end },
  { "nan", function() return 0 / 0 end },
  { "inf", function() return math.huge end },
  { "maxinteger", function() return math.maxinteger end },
  { '""', function() return "" end },
  { '"x"', function() return "x" end },
  { "huge string", function() return HUGE end },
  { "bytes", function() return "\255\0" end },
  { "{}", function() return {} end },
  { "hostile", hostile },
  { "function", function() return function() end end },
  { "coroutine", function() return coroutine.create(function() end) end },
  { "promise", function() return promise.resolve(1) end },
  { "channel", closed_channel },
}

local lines

local function note(case, index, label, how, what)
  local text = tostring(what):sub(1, 5000)
  if not utf8.len(text) then text = text:gsub("[\128-\255]", "?") end
  lines[#lines + 1] = "\1" .. json.encode({ case.name, index, label, how, text })
end

-- The types of what was returned.
local function kinds_of(results)
  local kinds = {}
  for index = 2, results.n do kinds[index - 1] = math.type(results[index]) or type(results[index]) end
  return table.concat(kinds, " ")
end

-- What came of `call`: "returned", "raised" a string, "raised object" with a code, or "late".
local function outcome_of(limit, call)
  local ok, raised, what, second, kinds = async.timeout(limit, function()
    local results = pack(pcall(call))
    if results[1] then return true, false, results[2], results[3], kinds_of(results) end
    return true, true, results[2]
  end)
  if not ok then return "late", raised end
  if raised then return errors.is_error(what) and "raised object" or "raised", what end
  if what == nil and second ~= nil then return "failed", second end
  return "returned", kinds
end

local function attempt(case, index, label, fn, arguments)
  note(case, index, label, outcome_of(case.limit or LONG, function()
    local results = pack(fn(unpack(arguments, 1, arguments.n))) -- no tail call: the line stays the user's
    return unpack(results, 1, results.n)
  end))
end

local function right_arguments(case)
  local arguments = { n = #case.parameters }
  for index, make in ipairs(case.parameters) do arguments[index] = make() end
  return arguments
end

local function try_selves(case)
  local selves = { { "no self", n = 0 } }
  for _, value in ipairs(VALUES) do selves[#selves + 1] = { value[1], value[2], n = 1 } end
  for _, one in ipairs(selves) do attempt(case, 0, one[1], case.bare, { one[2] and one[2](), n = one.n }) end
end

function try_all(cases)
  lines = {}
  for _, case in ipairs(cases) do
    local right = right_arguments(case)
    attempt(case, -1, "right", case.call, right)
    for index = 1, right.n do
      local few = right_arguments(case)
      few.n = index - 1
      attempt(case, index, "none", case.call, few)
      for _, value in ipairs(VALUES) do
        local arguments = right_arguments(case)
        arguments[index] = value[2]()
        attempt(case, index, value[1], case.call, arguments)
      end
    end
    if case.bare then try_selves(case) end
  end
  print("\n" .. table.concat(lines, "\n"))
end
