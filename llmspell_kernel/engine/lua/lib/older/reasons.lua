-- Why several names have no counterpart.

local ipairs = ipairs

--- Adds to `lacking` each of `names` with the same reason.
return function(lacking, reason, names)
  for _, name in ipairs(names) do lacking[name] = reason end
  return lacking
end
