-- Numbers as text that reads back as the same number.

local format, math_type, tonumber = string.format, math.type, tonumber
local DIGITS = { "%.15g", "%.16g" }

--- The shortest digits that stand for exactly this number; NaN and infinities as Lua shows them.
return function(number)
  if math_type(number) == "integer" then return format("%d", number) end
  for index = 1, #DIGITS do
    local short = format(DIGITS[index], number)
    if tonumber(short) == number then return short end
  end
  return format("%.17g", number)
end
