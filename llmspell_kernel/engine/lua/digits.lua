-- Numbers as text that reads back as the same number.

local find, format, math_type, tonumber = string.find, string.format, math.type, tonumber

local D = {}

local DIGITS = { "%.15g", "%.16g" }

--- The shortest digits that stand for exactly this number; NaN and infinities as Lua shows them.
function D.shortest(number)
  if math_type(number) == "integer" then return format("%d", number) end
  for index = 1, #DIGITS do
    local short = format(DIGITS[index], number)
    if tonumber(short) == number then return short end
  end
  return format("%.17g", number)
end

--- The same of a finite float, which reads back as a float.
function D.of_float(number)
  local digits = D.shortest(number)
  return find(digits, "[.e]") and digits or digits .. ".0"
end

return D
