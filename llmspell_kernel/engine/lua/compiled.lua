-- Lua that was compiled once is not compiled again: its code is kept under its text.
--
-- Reading compiled code takes an eighth of the time of compiling it. It is made here and never leaves the engine: what
-- a cell gives to `load` is always text. Texts under other chunk names share their code, in which the name stands at
-- one place.

local dialect = require("dialect")
local recent = require("recent")

local dump, load, pcall = string.dump, load, pcall
local char, sub = string.char, string.sub

local M = {
  hits = 0, -- how often code that was kept was used
  misses = 0, -- and how often a text was compiled
}

local BYTES, ENTRIES = 8 << 20, 512
local NAME_AT = 33 -- in a compiled chunk: after the header, and how many upvalues there are

local LEARNT_BYTES = 256 << 10

local kept = recent.new(BYTES, ENTRIES)
local learnt, learnt_bytes -- { kind, text, chunk name } of what had to be compiled since `begin`; nil before

-- A string as compiled code holds it: its length and one more, in groups of seven bits, of which the last is marked.
local function dumped(text)
  local rest = #text + 1
  local length = char(rest & 127 | 128)
  rest = rest >> 7
  while rest > 0 do
    length = char(rest & 127) .. length
    rest = rest >> 7
  end
  return length .. text
end

local function keep(text, chunkname, fn)
  local ok, code = pcall(dump, fn)
  if not ok then return end -- of memory there is too little
  local name = dumped(chunkname)
  if sub(code, NAME_AT, NAME_AT + #name - 1) ~= name then return end -- not the Lua that this was written for
  local rest = sub(code, NAME_AT + #name)
  kept:put(text, { head = sub(code, 1, NAME_AT - 1), rest = rest }, #text + #rest)
end

--- Note a text that had to be compiled, so that the engine which this is a copy of can know it (engine.lua, `teach`).
function M.learn(kind, text, chunkname)
  if not learnt or learnt_bytes + #text > LEARNT_BYTES then return end
  learnt_bytes = learnt_bytes + #text
  learnt[#learnt + 1] = { kind, text, chunkname }
end

--- Begin to note such texts, and to count.
function M.begin()
  learnt, learnt_bytes = {}, 0
  M.hits, M.misses = 0, 0
end

--- What was noted; it is noted once.
function M.learnt()
  local pieces = learnt or {}
  learnt = learnt and {}
  return pieces
end

--- As `load(text, chunkname, "t", env)`.
function M.load(text, chunkname, env)
  dialect.note(chunkname, text)
  local code = kept:get(text)
  if code then
    M.hits = M.hits + 1
    return load(code.head .. dumped(chunkname) .. code.rest, chunkname, "b", env)
  end
  M.misses = M.misses + 1
  local fn, message = load(text, chunkname, "t", env)
  if fn then keep(text, chunkname, fn) end
  return fn, message
end

return M
