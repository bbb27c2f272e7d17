-- The stack as a person sees it: the functions of cells and modules, and the built-in ones that they called.
--
-- A frame is a table { source, line, name, kind, tail, defined }; display/failure.py tells the kinds. This runs where
-- the stack is full and some 200 slots are left, so nothing here calls deep.

local readable = require("readable")

local getinfo, getmetatable = debug.getinfo, debug.getmetatable
local next, rawget, setmetatable, type = next, rawget, setmetatable, type
local string_find, string_match, string_sub = string.find, string.match, string.sub
local table_move = table.move

local M = {}

local FIRST, LAST = 10, 10 -- frames kept of a deep stack
local RAW_LEVELS = 200 -- a stack that is not deeper is looked at whole
local NAME_BYTES = 100
local NAMES_LOOKED_AT = 20000
local OWN = "^=%[llmspell" -- chunk names of the engine's own Lua
local HANDLERS = { ["=[llmspell stack]"] = true, ["=[llmspell failure]"] = true, ["=[llmspell engine]"] = true,
  ["=[llmspell guarded]"] = true }

local mains = setmetatable({}, { __mode = "k" }) -- the functions that cells were compiled to
local environment -- where functions get their names from

--- Say that `fn` is the main chunk of a cell.
function M.mark_main(fn) mains[fn] = true end

--- Say which table's functions and modules have names that a person knows.
function M.name_from(env) environment = env end

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
  if not name or info.namewhat == "metamethod" or info.namewhat == "for iterator" then return nil end
  if name == "error" or name == "assert" or string_find(name, "^__llmspell") then return nil end
  return { name = readable(name, NAME_BYTES), kind = "builtin" }
end

-- Turns a walk over raw levels, from the innermost outwards, into frames.
local function gatherer()
  local frames, functions, inside, called = {}, {}, nil, nil
  return frames, functions, function(info)
    if not is_user(info) then
      -- what the engine's own Lua calls a function is no name that a person knows
      if called and called.kind ~= "main" and info.what ~= "C" then called.kind, called.name = "function", nil end
      inside, called = info, nil
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
    called = frames[#frames]
  end
end

-- What a module is called, whichever of its names it was found under.
local function own_name(metatable, key)
  local name = rawget(metatable, "__name")
  return type(name) == "string" and string_match(name, "^module ([%w_]+)$") or key
end

-- Replace the names of functions that a global or a module's field holds: `string.rep`, `utils.parse`.
local function name_functions(frames, functions)
  local wanted, called, budget = {}, {}, NAMES_LOOKED_AT -- of a function's names that by which it was called goes first
  for position, fn in next, functions do
    if frames[position].kind ~= "main" then wanted[fn], called[fn] = "", frames[position].name end
  end
  if not environment or next(wanted) == nil then return end
  local function look(members, prefix)
    for key, value in next, members do
      budget = budget - 1
      if budget < 0 then return end
      local known = wanted[value]
      if known and type(key) == "string" and #key <= NAME_BYTES and (known == "" or called[value] == key) then
        wanted[value] = prefix .. key
      end
    end
  end
  look(environment, "")
  for key, value in next, environment do
    if type(value) == "table" and value ~= environment and type(key) == "string" and #key <= NAME_BYTES then
      look(value, key .. ".")
      local metatable = getmetatable(value)
      local members = type(metatable) == "table" and rawget(metatable, "__index")
      if type(members) == "table" then look(members, own_name(metatable, key) .. ".") end
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

--- The frames of `thread`, or of the running one from the user's innermost function, at most FIRST + LAST of them;
-- then how many were left out (nil if none), and after which one.
function M.frames(thread)
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
    until not info or not HANDLERS[info.source]
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

return M
