-- Errors as plain data: what was raised, where, and through which functions of the user's.
--
-- A failure is a table of strings, numbers and booleans that codec.lua can send (display/failure.py reads it):
--   ename, message       stable between runs: the position that Lua puts before a message is taken out
--   source, line         where it was raised; column too for what the parser refused
--   frames               innermost first, as stack.lua makes them; absent if there are none
--   omitted, omitted_after   how many frames were left out of a deep stack, and after which one
--   object, code, suggestion     of an error value that is not a string
--   near, incomplete     of syntax errors
--   methods              those that there are, where one was called that is not
--
-- `M.handler` also runs when the stack is full and only some 200 slots are left, and inside the hook of a stop: it
-- calls nothing deep, and user code only under a protected call.

local errorobject = require("errorobject")
local preview = require("preview")
local readable = require("readable")
local receiver = require("receiver")
local frames_of = require("stack").frames

local getmetatable = debug.getmetatable
local next, pcall, rawequal, rawget, setmetatable = next, pcall, rawequal, rawget, setmetatable
local tonumber, tostring, type = tonumber, tostring, type
local string_find, string_gsub, string_match = string.find, string.gsub, string.match
local string_sub, string_upper = string.sub, string.upper

local M = {}

local MESSAGE_BYTES = 16384
local NAME_BYTES = 100
local OBJECT_BYTES = 200

local made = setmetatable({}, { __mode = "k" }) -- every failure that lives

-- Where errors were raised that were caught by something that raises them again, or elsewhere, on another stack: the
-- last TRAILS of them. Of each: the error value (weak), its frames, the border to show between them and those of the
-- stack it is raised on; nil if the frames are of that very stack, whole.
local TRAILS = 32
local trails, newest = {}, 0
local CAUSES = 10 -- of causes of an error that are looked at
local PLACES = 3 -- frames that the position in front of a message may be of: `error` has a level
local CAUGHT = 200 -- errors of one cell, caught by itself, of which the stack is kept
local left = CAUGHT

-- ── error objects ──────────────────────────────────────────────────────────────────────────────────

local function index(value, key) return value[key] end

-- A field of an error object, which may run the user's `__index`.
local function field(value, key)
  local ok, found = pcall(index, value, key)
  if ok then return found end
  return nil
end

local function own_text(value)
  local metatable = getmetatable(value)
  local handler = type(metatable) == "table" and rawget(metatable, "__tostring")
  if not handler then return nil end
  local ok, text = pcall(handler, value)
  return ok and type(text) == "string" and text or nil
end

-- A preview without the places where functions are defined, which change when a cell is run again.
local function stable(text)
  return (string_gsub(text, "function <cell %d+:%d+>", "function"))
end

local function camel_case(code)
  return (string_gsub("_" .. code, "_(%w)", string_upper))
end

-- What to call an error object.
local function name_of(value, code, message)
  local metatable = getmetatable(value)
  local name = type(metatable) == "table" and rawget(metatable, "__name")
  if type(name) == "string" and #name <= NAME_BYTES and string_find(name, "^%u[%w_]*$") then return name end
  if type(code) == "string" and message and #code <= NAME_BYTES and string_find(code, "^%l[%l%d_]*$") then
    return camel_case(code)
  end
  return "LuaError"
end

local function describe_object(failure, value)
  local code, message, suggestion = field(value, "code"), field(value, "message"), field(value, "suggestion")
  if type(message) ~= "string" then message = nil end
  failure.ename = name_of(value, code, message)
  failure.object = readable(preview.text(value, OBJECT_BYTES), 2 * OBJECT_BYTES)
  failure.message = readable(own_text(value) or message or "error object: " .. stable(failure.object), MESSAGE_BYTES)
  if type(code) == "string" or type(code) == "number" then failure.code = readable(tostring(code), NAME_BYTES) end
  if type(suggestion) == "string" then failure.suggestion = readable(suggestion, MESSAGE_BYTES) end
end

-- ── failures ───────────────────────────────────────────────────────────────────────────────────────

-- Take positions out of the front of a message: those of the frames, of cells and of the engine. Returns the message
-- and the innermost place that it told, which is where an error that was raised again comes from.
local function without_positions(message, frames)
  local source, line
  for _ = 1, 10 do
    local where, at, rest = string_match(message, "^(.-):(%d+): (.*)$")
    if not where or #where > 2 * NAME_BYTES then break end
    local known = string_find(where, "^cell %d+$") ~= nil
    for position = 1, #frames do known = known or frames[position].source == where end
    if known then
      source, line = where, tonumber(at)
    elseif not string_find(where, "^%[llmspell [%w_.]+%]$") then
      break
    end
    message = rest
  end
  return message, source, line
end

--- The text of an error without the position in front.
function M.text(err)
  return (without_positions(errorobject.text(err), {}))
end

local function locate(failure, frames)
  for position = 1, #frames do
    if frames[position].line then
      failure.source, failure.line = frames[position].source, frames[position].line
      return
    end
  end
end

local function describe(err, frames, omitted, after)
  local failure = { ename = "LuaError" }
  made[failure] = true
  if #frames > 0 then failure.frames = frames end
  if omitted then failure.omitted, failure.omitted_after = omitted, after end
  locate(failure, frames)
  local kind = type(err)
  if kind == "string" then
    local message, source, line = without_positions(err, frames)
    failure.message = readable(message, MESSAGE_BYTES)
    -- the hook that stops a cell is luaL_error itself: its message is one byte, its place one call too far out
    if source and message ~= "\3" then failure.source, failure.line = source, line end
  elseif kind == "table" or kind == "userdata" then
    describe_object(failure, err)
  elseif kind == "function" or kind == "thread" then
    failure.object = readable(preview.text(err, OBJECT_BYTES), 2 * OBJECT_BYTES)
    failure.message = "error object: " .. stable(failure.object)
  else
    failure.message = tostring(err)
  end
  return failure
end

-- Whether `err` is what was remembered as `cause`; a string may have got a position in front.
local function came_from(err, cause)
  if cause == nil then return false end
  return rawequal(err, cause)
    or (type(err) == "string" and type(cause) == "string" and string_sub(err, -#cause) == cause)
end

local function recent_trail(err)
  for back = 0, TRAILS - 1 do
    local position = (newest - 1 - back) % TRAILS + 1
    local trail = trails[position]
    if trail and came_from(err, trail.cause.err) then
      trails[position] = nil
      return trail
    end
  end
end

-- The trail of `err`, or of what it wraps, which is used once; nil if there is none.
local function trail_of(err)
  for _ = 1, CAUSES do
    local trail = recent_trail(err)
    if trail or not errorobject.is(err) then return trail end
    err = rawget(err, "cause")
  end
end

local function innermost(frames)
  for position = 1, #frames do
    if frames[position].line then return frames[position] end
  end
end

-- Whether an error that left `trail` is raised anew rather than again: by the same line of the same function.
local function is_anew(trail, frames)
  local a, b = innermost(trail.frames), innermost(frames)
  return a and b and a.source == b.source and a.line == b.line and a.defined == b.defined and a.kind == b.kind
end

-- Whether `err` tells itself that it was raised in these frames: by the position in front of its message.
local function is_from(err, frames)
  if type(err) ~= "string" then return true end
  local looked = 0
  for position = 1, #frames do
    local frame = frames[position]
    if frame.line then
      local place = frame.source .. ":" .. frame.line .. ": "
      if string_find(string_sub(err, 1, 4 * NAME_BYTES), place, 1, true) then return true end
      looked = looked + 1
      if looked == PLACES then return false end
    end
  end
  return false
end

-- Whether two stacks belong to the same run of the same outermost function; an unknown one may be any.
local function same_stack(whole, frames)
  local a, b = whole[#whole], frames[#frames]
  return b == nil or (a.source == b.source and a.line == b.line and a.kind == b.kind)
end

-- Put the frames that `err` has left behind elsewhere in front of those of the stack that it was raised on last.
local function with_trails(err, frames, omitted, after)
  local trail = trail_of(err)
  if not trail then return frames, omitted, after end
  local border = trail.border
  if (not border or border == "task") and is_anew(trail, frames) then return frames, omitted, after end
  if not border then
    if same_stack(trail.frames, frames) then return trail.frames, trail.omitted, trail.after end
    if not is_from(err, trail.frames) then return frames, omitted, after end
    border = "again"
  end
  if #frames == 0 then return trail.frames, trail.omitted, trail.after end
  local joined = {}
  for position = 1, #trail.frames do joined[position] = trail.frames[position] end
  joined[#joined + 1] = { kind = border }
  local inner = #joined
  for position = 1, #frames do joined[inner + position] = frames[position] end
  if omitted then return joined, omitted, inner + after end
  return joined, trail.omitted, trail.after
end

--- The message handler for xpcall: the failure of `err`, with the frames of the running stack.
function M.handler(err)
  if made[err] then return err end
  local failure = describe(err, with_trails(err, frames_of(nil)))
  failure.methods = receiver.methods(err)
  return failure
end

--- The failure of `err`, with the frames of the coroutine that died of it, if there was one.
function M.of(err, thread)
  if made[err] then return err end
  local failure
  if thread then
    failure = describe(err, with_trails(err, frames_of(thread)))
  else
    failure = describe(err, with_trails(err, {}))
  end
  failure.methods = receiver.methods(err, thread)
  return failure
end

--- Remember that `err` came from these frames, which are beyond `border` from where it will be raised again: a
--- `coroutine`, a `task`, a `callback` of a bridge's, or nil for frames of the same stack.
function M.remember(err, border, frames, omitted, after)
  if err == nil or #frames == 0 then return end
  frames, omitted, after = with_trails(err, frames, omitted, after)
  newest = newest % TRAILS + 1
  local cause = setmetatable({ err = err }, { __mode = "v" })
  trails[newest] = { cause = cause, border = border, frames = frames, omitted = omitted, after = after }
end

--- Remember where in `thread` `err` was raised: it is about to be closed, and `err` to be raised in another.
function M.inside(thread, err, border)
  receiver.methods(err, thread)
  M.remember(err, border or "coroutine", frames_of(thread))
end

--- A message handler for what catches errors only to raise them again: remembers where, and changes nothing.
function M.note(err)
  receiver.methods(err)
  if not made[err] then M.remember(err, nil, frames_of(nil)) end
  return err
end

-- Remember where an error was raised that a spell has caught and may raise again. Of so many of each cell, which bounds
-- what a loop pays that catches very many; and only of those that cannot be mistaken for another.
local function caught(err, border, thread)
  if left == 0 or err == nil or made[err] then return end
  left = left - 1
  receiver.methods(err, thread)
  local frames, omitted, after = frames_of(thread)
  if is_from(err, frames) then M.remember(err, border, frames, omitted, after) end
end

--- A spell's own message handler is about to be called for `err`.
function M.caught(err)
  caught(err, nil, nil)
end

--- A coroutine of a spell's has died of `err`, which the spell gets.
function M.caught_in(thread, err)
  caught(err, "coroutine", thread)
end

--- Forget where earlier errors came from: a cell begins.
function M.begin_cell()
  trails, left = {}, CAUGHT
end

-- ── syntax ─────────────────────────────────────────────────────────────────────────────────────────

--- The failure of a cell that parse.lua refused.
function M.syntax(problem, chunkname)
  local message = problem.message
  if problem.near then message = message .. " near " .. problem.near end
  local failure = {
    ename = "LuaSyntaxError",
    message = readable(message, MESSAGE_BYTES),
    source = chunkname,
    line = problem.line,
    column = problem.column,
    near = problem.near,
    incomplete = problem.incomplete,
  }
  made[failure] = true
  return failure
end

local function count_names(declarations)
  local count = 0
  for _, declaration in next, declarations do count = count + #declaration.names end
  return count
end

--- The failure of a cell that parsed but that Lua's own compiler refused: its message, and what parse.lua found.
function M.compile(message, chunkname, parsed)
  local line
  local start, rest = "", message
  if string_sub(message, 1, #chunkname + 1) == chunkname .. ":" then
    start, rest = string_match(message, "^(%d+): (.*)$", #chunkname + 2)
    if not start then start, rest = "", message end
  end
  line = tonumber(string_match(rest, "goto.* at line (%d+)") or start)
  rest = string_gsub(rest, " near '__llmspell[%w_]*'$", "")
  if string_find(rest, "C stack overflow", 1, true) then
    rest = "nested too deeply for Lua (more than about 190 levels of parentheses, operators, tables or blocks)"
  elseif string_find(rest, "^too many local variables .*line 1") and count_names(parsed.locals) > 200 then
    rest = "too many local variables (limit is 200) in one cell"
  end
  local failure = M.syntax({ message = rest, line = line }, chunkname)
  if rest == "not enough memory" then failure.ename = "LuaError" end
  return failure
end

return M
