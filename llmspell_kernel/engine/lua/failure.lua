-- Errors as plain data: what was raised, where, and through which functions of the user's.
--
-- A failure is a table of strings, numbers and booleans that codec.lua can send (display/failure.py reads it):
--   ename, message       stable between runs: the position that Lua puts before a message is taken out
--   source, line         where it was raised; column too for what the parser refused
--   frames               innermost first: { source, line, name, kind, tail, defined }, absent if there are none
--   omitted, omitted_after   how many frames were left out of a deep stack, and after which one
--   object, code, suggestion     of an error value that is not a string
--   near, incomplete     of syntax errors
--
-- `M.handler` also runs when the stack is full and only some 200 slots are left, and inside the hook of a stop: it
-- calls nothing deep, and user code only under a protected call.

local preview = require("preview")

local getinfo, getmetatable = debug.getinfo, debug.getmetatable
local next, pcall, rawequal, rawget, setmetatable = next, pcall, rawequal, rawget, setmetatable
local tonumber, tostring, type = tonumber, tostring, type
local string_byte, string_find, string_format, string_gsub = string.byte, string.find, string.format, string.gsub
local string_match, string_sub, string_upper = string.match, string.sub, string.upper
local table_move, utf8_len = table.move, utf8.len

local M = {}

local FIRST, LAST = 10, 10 -- frames kept of a deep stack
local RAW_LEVELS = 200 -- a stack that is not deeper is kept whole, as far as FIRST and LAST allow
local MESSAGE_BYTES = 16384
local NAME_BYTES = 100
local OBJECT_BYTES = 200
local NAMES_LOOKED_AT = 20000
local OWN = "^=%[llmspell" -- chunk names of the engine's own Lua

local mains = setmetatable({}, { __mode = "k" }) -- the functions that cells were compiled to
local made = setmetatable({}, { __mode = "k" }) -- every failure that lives
local environment -- where functions get their names from

-- The last coroutine that died and was closed: its error value and its frames (see M.inside).
local left = setmetatable({}, { __mode = "v" })
local left_frames

--- Say that `fn` is the main chunk of a cell.
function M.mark_main(fn) mains[fn] = true end

--- Say which table's functions and modules have names that a person knows.
function M.name_from(env) environment = env end

-- ── text ───────────────────────────────────────────────────────────────────────────────────────────

local function byte_code(char) return string_format("\\x%02X", string_byte(char)) end

-- Valid UTF-8 of at most `limit` bytes, and what was left out.
local function readable(text, limit)
  local rest = ""
  if #text > limit then
    local cut = string_sub(text, 1, limit)
    for _ = 1, 3 do
      if utf8_len(cut) then break end
      cut = string_sub(cut, 1, -2)
    end
    rest = "… (" .. #text - #cut .. " more bytes)"
    text = cut
  end
  if not utf8_len(text) then text = string_gsub(text, "[\x80-\xFF]", byte_code) end
  return text .. rest
end

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

-- ── frames ─────────────────────────────────────────────────────────────────────────────────────────

local function source_name(source)
  local first = string_sub(source, 1, 1)
  if first == "=" or first == "@" then return readable(string_sub(source, 2), NAME_BYTES) end
  local line = string_match(source, "^[^\r\n]*")
  if #line < #source or #line > 40 then line = string_sub(line, 1, 40) .. "..." end
  return '[string "' .. readable(line, NAME_BYTES) .. '"]'
end

local function is_user(info)
  return info.what ~= "C" and not string_find(info.source, OWN)
end

local function frame_of(info)
  local frame = {
    source = source_name(info.source),
    line = info.currentline > 0 and info.currentline or nil,
    kind = info.namewhat ~= "" and info.namewhat or "function",
    name = info.name and readable(info.name, NAME_BYTES),
    tail = info.istailcall or nil,
    defined = info.linedefined > 0 and info.linedefined or nil,
  }
  if mains[info.func] or info.what == "main" then frame.kind, frame.name, frame.defined = "main", nil, nil end
  return frame
end

-- Built-in functions stand for what happens inside them, by the name that the user called.
local function builtin_frame(info)
  local name = info.name
  if not name or info.namewhat == "metamethod" then return nil end
  if name == "error" or name == "assert" or string_find(name, "^__llmspell") then return nil end
  return { name = readable(name, NAME_BYTES), kind = "builtin" }
end

-- Turns a walk over raw levels, from the innermost outwards, into frames.
local function gatherer()
  local frames, functions, inside = {}, {}, nil
  return frames, functions, function(info)
    if not is_user(info) then
      inside = info
      return
    end
    local builtin = inside and builtin_frame(inside)
    if builtin then
      frames[#frames + 1] = builtin
      functions[#frames] = inside.func
    end
    inside = nil
    frames[#frames + 1] = frame_of(info)
    functions[#frames] = info.func
  end
end

-- Replace the names of functions that a global or a module's field holds: `string.rep`, `utils.parse`.
local function name_functions(frames, functions)
  local wanted, budget = {}, NAMES_LOOKED_AT
  for position, fn in next, functions do
    if frames[position].kind ~= "main" then wanted[fn] = "" end
  end
  if not environment or next(wanted) == nil then return end
  local function look(members, prefix)
    for key, value in next, members do
      budget = budget - 1
      if budget < 0 then return end
      if wanted[value] == "" and type(key) == "string" and #key <= NAME_BYTES then wanted[value] = prefix .. key end
    end
  end
  look(environment, "")
  for key, value in next, environment do
    if type(value) == "table" and value ~= environment and type(key) == "string" and #key <= NAME_BYTES then
      look(value, key .. ".")
      local metatable = getmetatable(value)
      local members = type(metatable) == "table" and rawget(metatable, "__index")
      if type(members) == "table" then look(members, key .. ".") end
    end
  end
  for position, fn in next, functions do
    local frame = frames[position]
    if wanted[fn] and wanted[fn] ~= "" then
      frame.name = readable(wanted[fn], 2 * NAME_BYTES)
      if frame.kind ~= "builtin" then frame.kind = "function" end
    end
  end
end

-- The frames of `thread`, or of the running one as seen by the caller of the caller, at most FIRST + LAST of them.
local function frames_of(thread)
  local function at(level, what)
    local info
    if thread then info = getinfo(thread, level, what) else info = getinfo(level + 2, what) end
    return info
  end
  local first = 0
  if not thread then -- pass over ourselves, and over the engine's handler around ours
    repeat
      first = first + 1
      local info = at(first, "S")
    until not info or not (info.source == "=[llmspell failure]" or info.source == "=[llmspell engine]")
  end
  local low, high = first, first + 1 -- of the levels: `low` is one, `high` is not
  if not at(first, "l") then return {}, nil end
  while at(high, "l") do low, high = high, high * 2 end
  while high - low > 1 do
    local middle = (low + high) // 2
    if at(middle, "l") then low = middle else high = middle end
  end
  local frames, functions, gather = gatherer()
  local deep = high - first > RAW_LEVELS
  local level = first
  while level < high and not (deep and #frames >= FIRST) do
    gather(at(level, "Slntf"))
    level = level + 1
  end
  local after, omitted = #frames, 0
  if deep then
    local resume, outer, users = level, {}, 0
    level = high - 1
    while level > resume and users < LAST do -- outermost first; each look costs the whole way there
      local info = at(level, "Slntf")
      outer[#outer + 1] = info
      if is_user(info) then users = users + 1 end
      level = level - 1
    end
    omitted = level + 1 - resume
    for position = #outer, 1, -1 do gather(outer[position]) end
  end
  name_functions(frames, functions)
  local surplus = #frames - FIRST - LAST
  if surplus > 0 then
    table_move(frames, FIRST + surplus + 1, #frames, FIRST + 1)
    for position = #frames, FIRST + LAST + 1, -1 do frames[position] = nil end
    after, omitted = FIRST, omitted + surplus
  end
  return frames, omitted > 0 and omitted or nil, after
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

-- Whether `err` is what the coroutine that died last died of; a string may have got a position in front.
local function came_from_left(err)
  local cause = left.err
  if cause == nil then return false end
  return rawequal(err, cause) or (type(err) == "string" and type(cause) == "string" and string_sub(err, -#cause) == cause)
end

--- The message handler for xpcall: the failure of `err`, with the frames of the running stack.
function M.handler(err)
  if made[err] then return err end
  local frames, omitted, after = frames_of(nil)
  if left_frames and came_from_left(err) then
    local inner = left_frames
    left.err, left_frames = nil, nil
    if not omitted then after = #inner + 1 end
    inner[#inner + 1] = { kind = "coroutine" }
    for position = 1, #frames do inner[#inner + 1] = frames[position] end
    frames, after = inner, omitted and #inner - #frames + after or nil
  end
  return describe(err, frames, omitted, after)
end

--- The failure of `err`, with the frames of the coroutine that died of it, if there was one.
function M.of(err, thread)
  if made[err] then return err end
  if not thread then return describe(err, {}) end
  return describe(err, frames_of(thread))
end

--- Remember where in `thread` `err` was raised: it is about to be closed, and `err` to be raised in the resumer.
function M.inside(thread, err)
  local frames = frames_of(thread)
  if err ~= nil and #frames > 0 then left.err, left_frames = err, frames end
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
