-- `parallel`: computing on all cores. A part of the list is worked on by a fork of the engine, so functions see every
-- variable as it is; what they change there is not changed here.

local codec = require("codec")
local errorobject = require("errorobject")
local failure = require("failure")
local traced = require("guarded").traced
local host = require("host")
local options_of = require("lib.options")
local raise = require("raise")
local scheduler = require("scheduler")
local framed = raise.framed

local error, next, pcall, rawequal, rawlen, type, xpcall = error, next, pcall, rawequal, rawlen, type, xpcall
local math_ceil, math_max, math_min = math.ceil, math.max, math.min
local random, randomseed = math.random, math.randomseed
local gsub = string.gsub
local sort, unpack = table.sort, table.unpack

local M = {}

local PARTS_EACH = 4 -- parts of the list for each worker: the last to end is not much later than the others
local PART_MOST = 10000 -- items of one part

-- ── in the child ───────────────────────────────────────────────────────────────────────────────────

-- Only plain data comes back: neither a function nor a bridge object of the child's means anything here.
local function refuse_references()
  function codec.on_function() return nil end
  function codec.on_handle() return nil end
end

local function told(index, described)
  return {
    index = index,
    message = described.message,
    code = described.code,
    suggestion = described.suggestion,
    at = described.source and described.line and described.source .. ":" .. described.line or nil,
    frames = described.frames,
  }
end

local function encoded_item(index, value)
  local ok, err = pcall(codec.encode_many, value)
  if ok then return nil end
  local problem = gsub(errorobject.text(err), "cannot cross.*$", "cannot leave parallel.map")
  problem = gsub(gsub(problem, "^argument 1: ", ""), "^argument 1", "result") -- `result.items[3]: a function …`
  return told(index, { message = "the result cannot be sent back: " .. problem })
end

-- What is sent back: the list of failures (nil if there are none) and the results.
local function encoded(results, first, count, failures)
  local ok, bytes = pcall(codec.encode_many, #failures > 0 and failures or nil, unpack(results, 1, count))
  if ok then return bytes end
  for index = 1, count do
    failures[#failures + 1] = encoded_item(first + index - 1, results[index])
  end
  return codec.encode_many(failures)
end

local function handler(err)
  if rawequal(err, scheduler.STOP) then return err end
  return failure.handler(err)
end

-- Work on one part and end this process.
local function compute(job, first, last, seed)
  scheduler.forked()
  refuse_references()
  randomseed(seed, first)
  local results, failures, done = {}, {}, 0
  for index = first, last do
    local ok, value = xpcall(job.fn, handler, job.list[index], index)
    done = done + 1
    if ok then
      results[done] = value
    elseif rawequal(value, scheduler.STOP) or host.stopping() then
      failures[#failures + 1] = { index = index, message = "it was ended" }
      break
    else
      if type(value) ~= "table" then value = { message = value } end -- the lack of memory is a string
      failures[#failures + 1] = told(index, value)
      if not job.collect then break end
    end
  end
  if scheduler.look then scheduler.look(nil) end -- nobody can look any more at errors of its tasks
  host.send("returned", 0, true, encoded(results, first, done, failures))
  host.leave(0)
end

-- ── here ───────────────────────────────────────────────────────────────────────────────────────────

local said = false

local function say_that_it_is_sequential()
  if said then return end
  said = true
  local note = "note: no process could be forked here: parallel.map takes one item after the other\n"
  host.write(2, scheduler.cell(), note)
end

local function fail(job, one)
  local err = errorobject.new({
    code = one.code or "item_failed",
    message = "item " .. one.index .. ": " .. one.message,
    index = one.index,
    at = one.at,
    suggestion = one.suggestion,
  })
  failure.remember(err, nil, one.frames or {})
  job.errors[#job.errors + 1] = err
  if not job.collect then job.next = job.count + 1 end
end

-- One item after the other, in this process.
local function in_order(job, first, last)
  for index = first, last do
    local ok, value = traced(job.fn, job.list[index], index)
    if ok then
      job.results[index] = value
    else
      fail(job, told(index, failure.of(value)))
      if not job.collect then return end
    end
  end
end

local function take(job, part, ok, value)
  if not ok then
    return fail(job, { index = part.first, message = "its process ended before it was done (out of memory?)" })
  end
  local values = codec.decode_list(value)
  for _, one in next, values[1] or {} do fail(job, one) end
  for position = 2, values.n do job.results[part.first + position - 2] = values[position] end
end

local function end_all(job)
  for number in next, job.parts do
    job.parts[number] = nil
    scheduler.leave_child(number)
  end
end

-- Give the next part to a new child; returns false if no process can be forked now.
local function start_part(job)
  local first = job.next
  local last = math_min(job.count, first + job.size - 1)
  local seed = random(0)
  local number = host.fork()
  if number == 0 then compute(job, first, last, seed) end
  if number < 0 then
    if next(job.parts) ~= nil then return false end
    say_that_it_is_sequential()
    in_order(job, first, last)
  else
    local part = { first = first, last = last }
    job.parts[number] = part
    scheduler.children[number] = {
      task = job.task,
      took = function(ok, value)
        job.parts[number] = nil
        job.arrived[#job.arrived + 1] = { part, ok, value }
        scheduler.wake(job.waiter)
      end,
    }
  end
  if job.next == first then job.next = last + 1 end
  return true
end

local function work(job)
  while job.next <= job.count or next(job.parts) ~= nil or #job.arrived > 0 do
    local running = 0
    for _ in next, job.parts do running = running + 1 end
    while job.next <= job.count and running < job.workers and start_part(job) do running = running + 1 end
    if next(job.parts) ~= nil and #job.arrived == 0 then
      job.waiter = { what = "parallel.map", cancel = function() end_all(job) end }
      scheduler.wait(job.waiter)
    end
    local arrived = job.arrived
    job.arrived = {}
    for _, one in next, arrived do take(job, unpack(one, 1, 3)) end
    if #job.errors > 0 and not job.collect then return end
  end
end

local OPTIONS = { workers = "integer", chunk = "integer", errors = "string" }

local function map(name, list, fn, options)
  options = options_of.read(name == "parallel.map" and 3 or 2, name, options, OPTIONS)
  local workers = options_of.at_least(name, options, "workers", 1) or host.cores()
  local chunk = options_of.at_least(name, options, "chunk", 1)
  local errors = options_of.one_of(name, options, "errors", { "raise", "collect" })
  local count = rawlen(list)
  local share = math_max(1, math_ceil(count / (workers * PARTS_EACH)))
  local job = {
    list = list, fn = fn, count = count, workers = workers,
    size = math_min(PART_MOST, chunk or share),
    collect = errors == "collect",
    task = scheduler.current(),
    next = 1, parts = {}, arrived = {}, results = {}, errors = {},
  }
  if scheduler.is_child() or workers == 1 or count < 2 then
    in_order(job, 1, count)
  else
    local ok, err = pcall(work, job)
    end_all(job)
    if not ok then error(err, 0) end
  end
  sort(job.errors, function(a, b) return a.index < b.index end)
  if job.collect then return job.results, job.errors end
  if job.errors[1] then error(job.errors[1], 0) end
  return job.results
end

--- How to divide the work.
---@class parallel.Options
---@field workers? integer how many processes at once (as many as there are cores)
---@field chunk? integer how many items each process takes; a quarter of a worker's share unless told
---@field errors? "raise"|"collect" whether the first error ends everything and is raised, or all are returned

--- Calls `fn(item, index)` for every item of a list, on all cores, and returns the list of what it returned, in the
--- order of the items. Each part of the list is worked on in a fork of the engine: `fn` sees every variable as it is
--- now, and what it changes is not seen here. It computes only: models, files and the like are out of reach there
--- (`async.map` makes many such calls at once), and what it returns must be plain data. What it prints is shown as it
--- comes.
---
--- An error ends the others and is raised, with its `index`; with `errors = "collect"` the second result is the list of
--- errors, and their items are missing from the first.
--- ```lua
--- local limit = 1000
--- local sums = parallel.map({ 1, 2, 3 }, function(step)
---   local sum = 0
---   for n = step, limit, step do sum = sum + n end
---   return sum
--- end)
--- print(table.concat(sums, " ")) --> 500500 250500 166833
--- ```
---@param list table
---@param fn fun(item: any, index: integer): any
---@param options? parallel.Options
---@return table results
---@return table? errors
function M.map(list, fn, options)
  raise.check(1, "parallel.map", "table", list)
  raise.check(2, "parallel.map", "function", fn)
  return framed(map("parallel.map", list, fn, options))
end

local function call(fn) return framed(fn()) end

--- Calls several functions at once, each in a process of its own, and returns the list of what they returned.
--- ```lua
--- local results = parallel.run({ function() return 6 * 7 end, function() return "hi" end })
--- print(results[1], results[2]) --> 42	hi
--- ```
---@param functions function[]
---@param options? parallel.Options
---@return table results
---@return table? errors
function M.run(functions, options)
  raise.check(1, "parallel.run", "table", functions)
  raise.check(2, "parallel.run", "table", options, true)
  for index = 1, rawlen(functions) do
    if type(functions[index]) ~= "function" then
      raise.refuse(1, "parallel.run", "a list of functions expected, item " .. index .. " is a "
        .. raise.type_of(functions[index]))
    end
  end
  return framed(map("parallel.run", functions, call, options))
end

--- Returns how many processes compute at once unless told: the number of cores, 1 where the system cannot fork.
--- ```lua
--- print(parallel.cores() >= 1) --> true
--- ```
---@return integer cores
function M.cores() return host.cores() end

return M
