-- Names of Lua 5.1 that older spells use, and that Lua 5.4 has not. They are globals and members of the standard
-- libraries too; `compat` is where they are described.

local raise = require("raise")

local ipairs, math_fmod, next, rawlen, setmetatable, tonumber, type =
  ipairs, math.fmod, next, rawlen, setmetatable, tonumber, type
local gmatch, string_pack, string_unpack, unpack = string.gmatch, string.pack, string.unpack, table.unpack
local abs, exp, log, math_type = math.abs, math.exp, math.log, math.type

local M = {}

local MOST_VALUES = 999000 -- that a call returns

-- Where cells find them besides here.
local PLACES = {
  table = { "getn", "maxn", "foreach", "foreachi", "unpack" },
  string = { "gfind" },
  math = { "pow", "mod", "log10", "sinh", "cosh", "tanh", "ldexp", "frexp" },
}

--- Old: write `table.unpack(list)`. Returns the values of a list.
--- ```lua
--- print(unpack({ 1, 2, 3 })) --> 1	2	3
--- ```
---@param list table
---@param first? integer
---@param last? integer
---@return any values
function M.unpack(list, first, last)
  raise.check(1, "unpack", "table", list)
  first = raise.check_whole(2, "unpack", first, true) or 1
  last = raise.check_whole(3, "unpack", last, true) or #list
  local more = last - first
  if last >= first and (more < 0 or more >= MOST_VALUES) then raise.raise("too many results to unpack") end
  return unpack(list, first, last)
end

--- Old: write `load(text)`. Compiles Lua; returns a function, or nil and what is wrong.
--- ```lua
--- print(loadstring("return 1 + 1")()) --> 2
--- ```
---@param text string
---@param name? string
---@param mode? string as of `load`: some call `(loadstring or load)(text, name, "t", env)`
---@param env? table
---@return function? chunk
---@return string? err
function M.loadstring(text, name, mode, env)
  raise.check(1, "loadstring", "string", text)
  raise.check(2, "loadstring", "string", name, true)
  raise.check(3, "loadstring", "string", mode, true)
  raise.check(4, "loadstring", "table", env, true)
  local load = require("sandbox").load
  if env == nil then return load(text, name, mode) end
  return load(text, name, mode, env)
end

--- Old: write `#list`. Returns the length of a list.
--- ```lua
--- print(table.getn({ 1, 2, 3 })) --> 3
--- ```
---@param list table
---@return integer length
function M.getn(list)
  raise.check(1, "table.getn", "table", list)
  return rawlen(list)
end

--- Old. Returns the largest number that is a key of the table, 0 if there is none.
--- ```lua
--- print(table.maxn({ 1, 2, [10] = 3 })) --> 10
--- ```
---@param t table
---@return number largest
function M.maxn(t)
  raise.check(1, "table.maxn", "table", t)
  local most = 0
  for key in next, t do
    if type(key) == "number" and key > most then most = key end
  end
  return most
end

--- Old: write `for key, value in pairs(t) do`. Calls `fn(key, value)` for each field, until it returns something.
--- ```lua
--- table.foreach({ x = 1 }, print) --> x	1
--- ```
---@param t table
---@param fn function
---@return any value
function M.foreach(t, fn)
  raise.check(1, "table.foreach", "table", t)
  raise.check(2, "table.foreach", "function", fn)
  for key, value in next, t do
    local result = fn(key, value)
    if result ~= nil then return result end
  end
end

--- Old: write `for index, value in ipairs(list) do`. Calls `fn(index, value)` for each item, until it returns
--- something.
--- ```lua
--- table.foreachi({ "a" }, print) --> 1	a
--- ```
---@param list table
---@param fn function
---@return any value
function M.foreachi(list, fn)
  raise.check(1, "table.foreachi", "table", list)
  raise.check(2, "table.foreachi", "function", fn)
  for index, value in ipairs(list) do
    local result = fn(index, value)
    if result ~= nil then return result end
  end
end

--- Old: write `string.gmatch`. Iterates over what matches a pattern.
--- ```lua
--- for word in string.gfind("a b", "%a") do print(word) end
--- --> a
--- --> b
--- ```
---@param text string
---@param pattern string
---@return function iterator
function M.gfind(text, pattern)
  raise.check(1, "string.gfind", "string", text)
  raise.check(2, "string.gfind", "string", pattern)
  return gmatch(text, pattern)
end

-- A number, or a text that stands for one, as the functions of Lua's own library take it.
local function number(index, name, value)
  return raise.check(index, name, "number", type(value) == "string" and tonumber(value) or value)
end

--- Old: write `x ^ y`.
--- ```lua
--- print(math.pow(2, 10)) --> 1024.0
--- ```
---@param x number
---@param y number
---@return number power
function M.pow(x, y)
  x = number(1, "math.pow", x)
  y = number(2, "math.pow", y)
  return x ^ y
end

--- Old: write `math.fmod(x, y)`, or `x % y`, which has the sign of `y`.
--- ```lua
--- print(math.mod(7, 4)) --> 3
--- ```
---@param x number
---@param y number
---@return number rest
function M.mod(x, y)
  x = number(1, "math.mod", x)
  y = number(2, "math.mod", y)
  if y == 0 and math_type(x) == "integer" and math_type(y) == "integer" then raise.refuse(2, "math.mod", "zero") end
  return math_fmod(x, y)
end

--- Old: write `math.log(x, 10)`.
--- ```lua
--- print(math.log10(1000)) --> 3.0
--- ```
---@param x number
---@return number log
function M.log10(x)
  x = number(1, "math.log10", x)
  return log(x, 10)
end

--- Old. The hyperbolic sine.
--- ```lua
--- print(math.sinh(0)) --> 0.0
--- ```
---@param x number
---@return number sinh
function M.sinh(x)
  x = number(1, "math.sinh", x)
  return (exp(x) - exp(-x)) / 2
end

--- Old. The hyperbolic cosine.
--- ```lua
--- print(math.cosh(0)) --> 1.0
--- ```
---@param x number
---@return number cosh
function M.cosh(x)
  x = number(1, "math.cosh", x)
  return (exp(x) + exp(-x)) / 2
end

--- Old. The hyperbolic tangent.
--- ```lua
--- print(math.tanh(0)) --> 0.0
--- ```
---@param x number
---@return number tanh
function M.tanh(x)
  x = number(1, "math.tanh", x)
  local double = exp(-2 * (x < 0 and -x or x))
  local result = (1 - double) / (1 + double)
  return x < 0 and -result or result
end

--- Old: write `x * 2 ^ n`.
--- ```lua
--- print(math.ldexp(3, 2)) --> 12.0
--- ```
---@param x number
---@param n integer
---@return number value
function M.ldexp(x, n)
  x = number(1, "math.ldexp", x)
  n = raise.check_whole(2, "math.ldexp", number(2, "math.ldexp", n))
  return x * 2.0 ^ n
end

--- Old. Takes a number apart: `x` is `fraction * 2 ^ exponent`, and the fraction at least a half and less than one.
--- ```lua
--- print(math.frexp(8)) --> 0.5	4
--- ```
---@param x number
---@return number fraction
---@return integer exponent
function M.frexp(x)
  x = number(1, "math.frexp", x) + 0.0
  if x == 0 or x - x ~= 0 then return x, 0 end
  local exponent = 0
  if abs(x) < 2.0 ^ -1022 then x, exponent = x * 2.0 ^ 64, -64 end -- fewer bits than others have
  local power = (string_unpack("<I8", string_pack("<d", x)) >> 52 & 0x7ff) - 1022
  return x / 2.0 ^ (power - 1) / 2, exponent + power
end

-- Add the old names to a library that cells see, where it has none of its own.
local function add(name, members)
  for _, old in ipairs(PLACES[name]) do
    if members[old] == nil then members[old] = M[old] end
  end
  return members
end

return setmetatable(M, { __call = function(_, name, members) return add(name, members) end })
