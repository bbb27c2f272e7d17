-- Where a spell of go-llmspell's first generation names the one result of a call what is wrong:
-- `local err = storage.write(…)`. There the call gives nothing, or what is wrong; elsewhere true, or nil and an error.

local getinfo = debug.getinfo
local find, gmatch, lower = string.find, string.gmatch, string.lower

local M = {}

local noted = {} -- chunk name → line → true

local CALL = "(,?)%s*([%w_]+)%s*=%s*storage%s*%.%s*%l+%s*%("

--- A chunk is compiled: remember which of its lines read so.
function M.note(chunkname, text)
  noted[chunkname] = nil
  if not find(text, "storage", 1, true) then return end
  local lines, number, any = {}, 0, false
  for line in gmatch(text, "([^\n]*)\n?") do
    number = number + 1
    for comma, name in gmatch(line, CALL) do
      if comma == "" and find(lower(name), "err", 1, true) then lines[number], any = true, true end
    end
  end
  if any then noted[chunkname] = lines end
end

--- Whether the caller of the function that asks names its one result what is wrong.
function M.wants_problem()
  local info = getinfo(3, "Sl")
  local lines = info and noted[info.source]
  return lines ~= nil and lines[info.currentline] == true
end

return M
