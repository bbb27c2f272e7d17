-- A heap of things that happen at a time. Nothing is taken out of its middle: what is `done` is skipped, and swept when
-- there is much of it.

local M = {}

local heap, count = {}, 0 -- entries { deadline, number, event }
local number = 0 -- equal deadlines come in the order they were added
local live_after_sweep = 0

local function before(a, b)
  return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
end

-- A stop may break into any of these: an entry is put down first and moved then, so that none is ever lost.

local function rise(index, entry)
  heap[index] = entry
  while index > 1 do
    local parent = index // 2
    if not before(entry, heap[parent]) then break end
    heap[index] = heap[parent]
    index = parent
  end
  heap[index] = entry
end

local function sink(index, entry)
  heap[index] = entry
  while true do
    local child = index * 2
    if child > count then break end
    if child < count and before(heap[child + 1], heap[child]) then child = child + 1 end
    if not before(heap[child], entry) then break end
    heap[index] = heap[child]
    index = child
  end
  heap[index] = entry
end

local function pop()
  local top, last, size = heap[1], heap[count], count
  count = size - 1
  if count > 0 then sink(1, last) end
  heap[size] = nil
  return top
end

--- Build the heap anew from what is not done; also after a stop has broken into a change of it.
function M.sweep()
  local entries = {}
  for _, entry in next, heap do
    if not entry[3].done then entries[#entries + 1] = entry end
  end
  table.sort(entries, before)
  heap, count, live_after_sweep = entries, #entries, #entries
end

--- Forget everything.
function M.clear() heap, count, live_after_sweep = {}, 0, 0 end

--- Let `event` happen at `deadline`, unless it is `done` by then.
function M.add(deadline, event)
  if count > 64 and count > 2 * live_after_sweep then M.sweep() end
  number = number + 1
  count = count + 1
  rise(count, { deadline, number, event })
end

--- Take out and return an event whose time has come, or nil.
function M.take(now)
  while count > 0 and (heap[1][3].done or heap[1][1] <= now) do
    local event = pop()[3]
    if not event.done then return event end
  end
end

--- The time of the next event, or nil.
function M.next()
  while count > 0 and heap[1][3].done do pop() end
  return count > 0 and heap[1][1] or nil
end

return M
