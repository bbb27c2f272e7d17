-- Where tasks are and come from: the positions in the user's code that listings and messages name.

local raise = require("raise")
local stack = require("stack")

local getinfo, running = debug.getinfo, coroutine.running
local concat, format, sort = table.concat, string.format, table.sort
local find, match, sub = string.find, string.match, string.sub
local next, setmetatable = next, setmetatable

local M = {}

local ORIGIN_FRAMES = 6 -- of the stack that a task was started from
local ORIGINS = 3 -- creators of creators
local LEVELS = 60 -- looked at for one position
local LISTED = 10 -- tasks that a message names

local function place(source, line)
  if find(source, "^[=@]") then
    source = sub(source, 2, 60)
  else
    source = '[string "' .. sub(match(source, "^[^\r\n]*"), 1, 40) .. '"]'
  end
  return line and line > 0 and source .. ":" .. line or source
end

-- What `debug.getinfo` says of a function's source is dear, and asked for every task that is started.
local sources = setmetatable({}, { __mode = "k" }) -- function → its source, false for the engine's own
local ENTRY = "=[llmspell engine]" -- below it there is nothing of the user's

local function source_of(fn)
  local source = getinfo(fn, "S").source
  if source ~= ENTRY and raise.is_own(source) then source = false end
  sources[fn] = source
  return source
end

-- The positions in the user's functions of `thread` (or of what runs now, from `level` on), innermost first.
local function positions(thread, level, most)
  local found = {}
  for depth = level, level + LEVELS do
    local info
    if thread then info = getinfo(thread, depth, "lf") else info = getinfo(depth, "lf") end
    if not info then break end
    local line = info.currentline
    if line > 0 then -- no C function
      local fn = info.func
      local source = sources[fn]
      if source == nil then source = source_of(fn) end
      if source == ENTRY then break end
      if source then
        found[#found + 1] = { source, line }
        if #found == most then break end
      end
    end
  end
  return found
end

--- Where a task that is made now is started from; `creator` is the task that starts it, if one does.
function M.origin(creator)
  local origin = positions(nil, 3, ORIGIN_FRAMES)
  local parent = creator and creator.origin
  if parent and parent.generation < ORIGINS then origin.parent = parent end
  origin.generation = origin.parent and parent.generation + 1 or 1
  return origin
end

--- The innermost position in the user's code of a thread, such as `cell 2:5`, or nil.
function M.where(thread)
  local found = positions(thread, 0, 1)[1]
  return found and place(found[1], found[2])
end

--- Lines that tell where a task was started from, and its creators from.
function M.origin_lines(origin)
  local lines = {}
  while origin do
    for index = 1, #origin do
      lines[#lines + 1] = (index == 1 and "  started at " or "    ") .. place(origin[index][1], origin[index][2])
    end
    origin = origin.parent
  end
  return lines
end

--- What a task was made of: where its function begins; of a function that is not the user's, where it was started.
function M.name_of(task)
  local info = getinfo(task.body, "S")
  if info.what ~= "C" and not raise.is_own(info.source) then return place(info.source, info.linedefined) end
  local first = task.origin[1]
  return first and place(first[1], first[2]) or "a built-in function"
end

local function waiting_line(who, thread, waiter)
  local where = M.where(thread)
  return format("  %s waits%s%s", who, where and " at " .. where or "",
    waiter and waiter.what and " for " .. waiter.what or "")
end

--- Tasks in the order in which they were started.
function M.in_order(tasks)
  local order = {}
  for _, task in next, tasks do order[#order + 1] = task end
  sort(order, function(a, b) return a.id < b.id end)
  return order
end

--- The message for a wait that can never end, made where it happens.
function M.deadlock(waiter, tasks)
  local lines = { "deadlock: nothing is under way that could end this wait" }
  lines[2] = waiting_line("this code", (running()), waiter)
  local order = M.in_order(tasks)
  for _, task in next, order do
    if task.waiter then
      if #lines > LISTED then
        lines[#lines + 1] = "  …"
        break
      end
      lines[#lines + 1] = waiting_line("task " .. task.id, task.thread, task.waiter)
    end
  end
  return concat(lines, "\n")
end

-- What a task waits for: of a call, which function of ours makes it, where that is known.
local function awaited_by(task)
  local waiter = task.waiter
  if not waiter or waiter.done then return nil end
  local frame = waiter.call and stack.frames(task.thread)[1]
  return frame and frame.kind == "builtin" and frame.name or waiter.what
end

--- Tasks as plain data; see `async.tasks`.
function M.list(tasks, current, now)
  local list = {}
  for _, task in next, M.in_order(tasks) do
    local waiter = task.waiter
    list[#list + 1] = {
      id = task.id,
      name = M.name_of(task),
      cell = task.cell,
      seconds = now - task.began,
      state = task == current and "running" or (waiter and not waiter.done and "waiting" or "ready"),
      at = M.where(task.thread),
      waiting_for = awaited_by(task),
    }
  end
  return list
end

local BORDERS = {
  callback = "  (called back by)", coroutine = "  (in a coroutine)", task = "  (in a task, awaited by)",
  again = "  (raised again by)",
}

local function called(frame)
  if frame.kind == "main" then return "main chunk" end
  if frame.name then return "function '" .. frame.name .. "'" end
  return frame.defined and "the function of line " .. frame.defined or "a function"
end

--- Lines that tell where the failure that failure.lua made was raised, innermost first.
function M.frame_lines(failure)
  local lines, inner = {}, ""
  for position, frame in next, failure.frames or {} do
    if failure.omitted and position == failure.omitted_after + 1 then
      lines[#lines + 1] = format("  … %d more calls …", failure.omitted)
    end
    if frame.kind == "builtin" then
      inner = ", calling '" .. frame.name .. "'"
    elseif BORDERS[frame.kind] then
      lines[#lines + 1] = BORDERS[frame.kind]
      inner = ""
    else
      local at = frame.line and frame.source .. ":" .. frame.line or frame.source
      lines[#lines + 1] = format("  %s in %s%s", at, called(frame), inner)
      inner = ""
    end
  end
  return lines
end

--- What to show of an error in a task that nobody looked at; `failure` is what failure.lua made of it.
function M.report(task, failure)
  local where = task.id and "task " .. task.id or "a promise"
  local lines = { format("%s in %s, which nothing has waited for yet: %s", failure.ename, where, failure.message) }
  for _, line in next, M.frame_lines(failure) do lines[#lines + 1] = line end
  for _, line in next, M.origin_lines(task.origin) do lines[#lines + 1] = line end
  if failure.suggestion then lines[#lines + 1] = failure.suggestion end
  return concat(lines, "\n") .. "\n"
end

return M
