-- `io` and `os` of granted files: file objects like Lua's own, over files that the kernel process has open.
--
-- What is read and written is buffered here. What was written reaches the file when there is much of it, when the
-- file is flushed, moved in or closed, and whenever Lua waits or a cell ends.

local bridge = require("bridge")
local errorobject = require("errorobject")
local scheduler = require("scheduler")
local raise = require("raise")
local framed = raise.framed

local find, gsub, match, sub = string.find, string.gsub, string.match, string.sub
local error, next, pcall, select, setmetatable, tonumber, tostring, type =
  error, next, pcall, select, setmetatable, tonumber, tostring, type
local math_max, math_type = math.max, math.type
local concat, pack, unpack = table.concat, table.pack, table.unpack
local utf8_len = utf8.len

local M = {}

local CHUNK, MOST = 65536, 1 << 23
local NUMERAL = 200 -- bytes of a number that is read, as in Lua itself

local call = {}
for _, name in next, { "open", "remove", "rename", "tmpname", "getenv" } do call[name] = bridge.bind("files", name) end
local on = {}
for _, name in next, { "read", "write", "seek", "close" } do on[name] = bridge.bind("OpenFile", name) end

-- file → { handle, path, ahead (read, not yet taken), behind (a list, not yet written), size }
local states = setmetatable({}, { __mode = "k" })
local dirty = {} -- states with something behind

local File = {}
local meta = { __name = "FILE*", __metatable = false, __index = File }

local function state_of(file, method)
  local state = states[file]
  if not state then raise.raise("call " .. method .. " with a colon: file:" .. method .. "(…)") end
  if not state.handle then raise.raise("attempt to use a closed file") end
  return state
end

-- ── writing ────────────────────────────────────────────────────────────────────────────────────────

local function taken(state)
  local data = concat(state.behind)
  state.behind, state.size, dirty[state] = {}, 0, nil
  return data
end

local function flush(state)
  if state.size == 0 then return true end
  return on.write(state.handle, taken(state))
end

-- What is behind goes out without waiting for the answer; a failure is shown in the cell.
local end_turn = scheduler.end_turn
function scheduler.end_turn()
  for state in next, dirty do
    scheduler.post("OpenFile", "write", state.handle, taken(state))
  end
  end_turn()
end

-- Go back to where the reader is.
local function settle(state)
  if state.ahead == "" then return true end
  local back = #state.ahead
  state.ahead = ""
  return on.seek(state.handle, "cur", -back)
end

function File.write(file, ...)
  local state = state_of(file, "write")
  local settled, err = settle(state)
  if not settled then return nil, err end
  for index = 1, select("#", ...) do
    local value = select(index, ...)
    local kind = type(value)
    if kind ~= "string" and kind ~= "number" then raise.bad_argument(index, "write", "string", value) end
    state.behind[#state.behind + 1] = tostring(value)
    state.size = state.size + #state.behind[#state.behind]
  end
  if state.size > 0 then dirty[state] = true end
  if state.size > CHUNK or state.unbuffered then
    local done, problem = flush(state)
    if not done then return nil, problem end
  end
  return file
end

function File.flush(file)
  local done, err = flush(state_of(file, "flush"))
  if not done then return nil, err end
  return file
end

function File.setvbuf(file, mode)
  state_of(file, "setvbuf").unbuffered = mode == "no"
  return true
end

-- ── reading ────────────────────────────────────────────────────────────────────────────────────────

-- Read more ahead; returns false at the end.
local function more(state)
  local piece, err = on.read(state.handle, math_max(CHUNK, #state.ahead < MOST and #state.ahead or MOST))
  if piece == nil then error(err, 0) end
  state.ahead = state.ahead .. piece
  return piece ~= ""
end

local function take(state, count)
  local text = sub(state.ahead, 1, count)
  state.ahead = sub(state.ahead, count + 1)
  return text
end

local readers = {}

function readers.l(state, keep)
  local from, stop = 1
  repeat
    stop = find(state.ahead, "\n", from, true)
    from = #state.ahead + 1
  until stop or not more(state)
  if stop then
    local line = take(state, stop)
    return keep and line or sub(line, 1, -2)
  end
  if state.ahead == "" then return nil end
  return take(state, #state.ahead)
end

function readers.L(state)
  return readers.l(state, true)
end

function readers.a(state)
  local pieces = { take(state, #state.ahead) }
  while more(state) do pieces[#pieces + 1] = take(state, #state.ahead) end
  return concat(pieces)
end

function readers.n(state)
  local start
  repeat
    start = find(state.ahead, "%S")
    if not start then state.ahead = "" end
  until start or not more(state)
  if not start then return nil end
  take(state, start - 1)
  while #state.ahead < NUMERAL and more(state) do end
  local text = match(state.ahead, "^[%+%-]?0[xX]%x*%.?%x*[pP][%+%-]?%d*")
    or match(state.ahead, "^[%+%-]?0[xX]%x*%.?%x*")
    or match(state.ahead, "^[%+%-]?%d*%.?%d*[eE][%+%-]?%d*") or match(state.ahead, "^[%+%-]?%d*%.?%d*")
  return tonumber(take(state, #sub(text, 1, NUMERAL)))
end

local function read_count(state, count)
  while #state.ahead < math_max(count, 1) do
    if not more(state) then break end
  end
  if state.ahead == "" then return nil end
  return take(state, count)
end

local function read_one(state, wanted)
  if math_type(wanted) == "integer" then return read_count(state, wanted) end
  return wanted(state)
end

local function read(state, formats)
  local flushed, err = flush(state)
  if not flushed then error(err, 0) end
  local results = {}
  for index = 1, formats.n do
    results[index] = read_one(state, formats[index])
    if results[index] == nil then return unpack(results, 1, index) end
  end
  return unpack(results, 1, formats.n)
end

-- What is to be read: counts of bytes, and functions of `readers`. The first format is argument `first` of `name`.
local function formats_of(name, first, ...)
  local formats = pack(...)
  if formats.n == 0 then return { readers.l, n = 1 } end
  for index = 1, formats.n do
    local wanted = formats[index]
    if type(wanted) == "number" then
      formats[index] = raise.check_whole(first + index - 1, name, wanted)
    else
      formats[index] = type(wanted) == "string" and readers[sub(gsub(wanted, "^%*", ""), 1, 1)]
        or raise.refuse(first + index - 1, name, "invalid format")
    end
  end
  return formats
end

local function returned(ok, ...)
  if ok then return ... end
  local err = ...
  if errorobject.is(err) and err.code ~= "cancelled" then return nil, err end -- what the world did
  error(err, 0)
end

function File.read(file, ...)
  local state, formats = state_of(file, "read"), formats_of("read", 1, ...)
  return framed(returned(pcall(read, state, formats)))
end

local function lines(file, formats, close)
  return function()
    local state = state_of(file, "lines")
    local results = pack(read(state, formats))
    if results[1] == nil and close then file:close() end
    return unpack(results, 1, results.n)
  end
end

function File.lines(file, ...)
  state_of(file, "lines")
  return framed(lines(file, formats_of("lines", 1, ...), false))
end

local WHENCE = { set = true, cur = true, ["end"] = true }

function File.seek(file, whence, offset)
  local state = state_of(file, "seek")
  whence, offset = whence or "cur", offset or 0
  if not WHENCE[whence] then raise.raise("bad argument #1 to 'seek' (invalid option '" .. tostring(whence) .. "')") end
  offset = raise.check_whole(2, "seek", offset)
  local flushed, err = flush(state)
  if not flushed then return nil, err end
  if whence == "cur" then offset = offset - #state.ahead end
  state.ahead = ""
  return on.seek(state.handle, whence, offset)
end

function File.close(file)
  local state = state_of(file, "close")
  local flushed, err = flush(state)
  local handle = state.handle
  state.handle, state.ahead = nil, ""
  local closed, problem = on.close(handle)
  if not flushed then return nil, err end
  if not closed then return nil, problem end
  return true
end

function meta.__close(file)
  if states[file].handle then File.close(file) end
end

function meta.__tostring(file)
  local state = states[file]
  return state.handle and "file (" .. state.path .. ")" or "file (closed)"
end

meta.__newindex = function() raise.raise("a file is read-only") end

-- ── io and os ──────────────────────────────────────────────────────────────────────────────────────

-- Lua's own third result: the system's number of the error.
local function numbered(value, err)
  if value ~= nil then return value end
  return nil, err, err.code == "not_found" and 2 or err.code == "permission_denied" and 13 or 5
end

local function check_path(index, name, path)
  raise.check(index, name, "string", path)
  if not utf8_len(path) then raise.refuse(index, name, "a path is text in UTF-8") end
end

local function opened(path, mode, why)
  local handle, err = call.open(path, mode, why)
  if handle == nil then return nil, err end
  local file = setmetatable({}, meta)
  -- one that only reads keeps nothing back: that it cannot write is told at once
  states[file] = { handle = handle, path = path, ahead = "", behind = {}, size = 0, unbuffered = mode == "r" }
  return file
end

function M.open(path, mode)
  check_path(1, "open", path)
  mode = gsub(raise.check(2, "open", "string", mode, true) or "r", "b$", "")
  if not find(mode, "^[rwa]%+?$") then raise.raise("bad argument #2 to 'open' (invalid mode)") end
  return framed(numbered(opened(path, mode, "io.open")))
end

function M.lines(path, ...)
  check_path(1, "lines", path)
  local formats = formats_of("lines", 2, ...)
  local file, err = opened(path, "r", "io.lines")
  if not file then raise.raise(tostring(err)) end
  return lines(file, formats, true), nil, nil, file
end

function M.tmpfile()
  local path, err = call.tmpname()
  if not path then return numbered(nil, err) end
  local file, problem = opened(path, "w+", "io.tmpfile")
  if not file then return numbered(nil, problem) end
  call.remove(path)
  return file
end

--- What `io.type` says of a value; nil for what is no file of a folder.
function M.type(value)
  local state = value ~= nil and states[value]
  return state and (state.handle and "file" or "closed file") or nil
end

function M.remove(path)
  check_path(1, "remove", path)
  return framed(numbered(call.remove(path)))
end

function M.rename(old, new)
  check_path(1, "rename", old)
  check_path(2, "rename", new)
  return framed(numbered(call.rename(old, new)))
end

function M.tmpname()
  local path, err = call.tmpname()
  if not path then error(err, 0) end
  return path
end

function M.getenv(name)
  raise.check(1, "getenv", "string", name)
  return call.getenv(name)
end

return M
