---@meta
-- Lua 5.4's mathematical functions. Read by stdlib.py; never run.

--- Numbers: rounding, roots, logarithms, angles in radians, random numbers.
math = {}

--- Returns the absolute value of `x`.
---@param x number
---@return number value
function math.abs(x) end

--- Returns the arc cosine of `x`, in radians.
---@param x number
---@return number angle
function math.acos(x) end

--- Returns the arc sine of `x`, in radians.
---@param x number
---@return number angle
function math.asin(x) end

--- Returns the angle whose tangent is `y/x`, in radians, in the right quadrant; `x` is 1 if left out.
---@param y number
---@param x? number
---@return number angle
function math.atan(y, x) end

--- Returns the smallest integer not below `x`.
--- ```lua
--- print(math.ceil(2.1)) --> 3
--- ```
---@param x number
---@return integer value
function math.ceil(x) end

--- Returns the cosine of `x` radians.
---@param x number
---@return number value
function math.cos(x) end

--- Converts radians to degrees.
---@param x number
---@return number degrees
function math.deg(x) end

--- Returns e to the power `x`.
---@param x number
---@return number value
function math.exp(x) end

--- Returns the largest integer not above `x`.
--- ```lua
--- print(math.floor(-2.5)) --> -3
--- ```
---@param x number
---@return integer value
function math.floor(x) end

--- Returns the remainder of `x / y`, with the sign of `x`. The operator `%` has the sign of `y`.
---@param x number
---@param y number
---@return number remainder
function math.fmod(x, y) end

--- Infinity: greater than any other number.
---@type number
math.huge = 0

--- Returns the logarithm of `x` to `base`, or the natural one.
--- ```lua
--- print(math.log(8, 2)) --> 3.0
--- ```
---@param x number
---@param base? number e if left out
---@return number value
function math.log(x, base) end

--- Returns the largest of its arguments.
---@param x number
---@param ... number
---@return number value
function math.max(x, ...) end

--- The largest integer.
---@type integer
math.maxinteger = 0

--- Returns the smallest of its arguments.
---@param x number
---@param ... number
---@return number value
function math.min(x, ...) end

--- The smallest integer.
---@type integer
math.mininteger = 0

--- Returns the whole part of `x` and its fraction.
--- ```lua
--- print(math.modf(3.7)) --> 3  0.7
--- ```
---@param x number
---@return number whole
---@return number fraction
function math.modf(x) end

--- The number π.
---@type number
math.pi = 0

--- Converts degrees to radians.
---@param x number
---@return number radians
function math.rad(x) end

--- Returns a random number: without arguments a float from 0 up to 1, with `n` an integer from 1 to `n`, with both an
--- integer from `m` to `n`.
--- ```lua
--- local dice = math.random(6)
--- ```
---@signature math.random([m [, n]])
---@param m? integer
---@param n? integer
---@return number value
function math.random(m, n) end

--- Sets the seed of `math.random`, so that the same numbers come again; without arguments a new random seed.
--- ```lua
--- math.randomseed(42)
--- ```
---@param x? integer
---@param y? integer
---@return integer x the seed in use
---@return integer y
function math.randomseed(x, y) end

--- Returns the sine of `x` radians.
---@param x number
---@return number value
function math.sin(x) end

--- Returns the square root of `x`.
---@param x number
---@return number value
function math.sqrt(x) end

--- Returns the tangent of `x` radians.
---@param x number
---@return number value
function math.tan(x) end

--- Converts `x` to an integer if it is one in value, else returns nil.
--- ```lua
--- print(math.tointeger(3.0)) --> 3
--- ```
---@param x any
---@return integer? value
function math.tointeger(x) end

--- Returns `"integer"`, `"float"`, or nil if `x` is no number.
---@param x any
---@return "integer"|"float"|nil type
function math.type(x) end

--- Compares integers as if they had no sign.
---@param m integer
---@param n integer
---@return boolean less
function math.ult(m, n) end
