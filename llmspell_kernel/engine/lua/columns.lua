-- The order of the columns of tables that came from where columns have one; Lua's tables keep none.

local setmetatable = setmetatable

local M = {}

local known = setmetatable({}, { __mode = "k" })

--- Remember that the records of the list `t` have their fields in the order of `names`; returns `t`.
function M.mark(t, names)
  known[t] = names
  return t
end

--- The names in their order, or nil.
function M.of(t)
  return known[t]
end

return M
