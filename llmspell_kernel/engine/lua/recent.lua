-- What was used lately, by content: a bounded store whose keys are texts, which Lua finds by their hash.
--
-- It has two halves. What is used is in the young one; when that is full it becomes the old one, and what was old and
-- not used meanwhile is gone. So nothing has to be sorted, and a look costs one or two.

local setmetatable = setmetatable

local M = {}
local Recent = {}
Recent.__index = Recent

--- A store for so many bytes, by what `put` is told, and so many entries.
function M.new(bytes, entries)
  return setmetatable({
    young = {}, old = {}, bytes = 0, entries = 0, most_bytes = bytes // 2, most_entries = entries // 2,
  }, Recent)
end

--- Keep `value`, which takes `bytes` together with its key; what is too large for the store is not kept.
function Recent:put(key, value, bytes)
  if bytes > self.most_bytes then return end
  if self.bytes + bytes > self.most_bytes or self.entries >= self.most_entries then
    self.old, self.young, self.bytes, self.entries = self.young, {}, 0, 0
  end
  self.young[key] = { value = value, bytes = bytes }
  self.bytes, self.entries = self.bytes + bytes, self.entries + 1
end

--- What is kept for `key`, or nil.
function Recent:get(key)
  local entry = self.young[key]
  if entry then return entry.value end
  entry = self.old[key]
  if not entry then return nil end
  self.old[key] = nil
  self:put(key, entry.value, entry.bytes)
  return entry.value
end

return M
