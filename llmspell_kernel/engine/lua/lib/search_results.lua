-- Results of a search: a table that is drawn as such, and reads as its texts.

local concat, ipairs, setmetatable = table.concat, ipairs, setmetatable

local meta = { __name = "search" }

function meta.__tostring(self)
  local texts = {}
  for index, result in ipairs(self.results) do texts[index] = index .. ". " .. result.text end
  return concat(texts, "\n")
end

-- Make results of `{ query, collection, results }`.
return function(found) return setmetatable(found, meta) end
