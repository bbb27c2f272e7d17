-- Functions of ours that do not look at their arguments, such as older names: what goes wrong in them is told as their
-- caller's mistake, where the caller is, and without the names that they use inside.

local raise = require("raise")
local traced = require("guarded").traced

local error, getmetatable, next, type = error, debug.getmetatable, next, type
local gsub, match = string.gsub, string.match

local M = {}

local function returned(name, ok, ...)
  if ok then return ... end
  local err = (...)
  local text = type(err) == "string" and err or ""
  local words = match(text, "^%[llmspell [^%]]*%]:%d+: (.*)$") or match(text, "^attempt to .*$")
  if words then
    raise.raise("'" .. name .. "' cannot work with these arguments: " .. gsub(words, " %(%a+ '[^']*'%)", ""))
  end
  error(err, 0)
end

local made = setmetatable({}, { __mode = "k" }) -- what was given → what stands for it

local function wrapped(name, value)
  local kind = type(value)
  if kind == "function" then
    return function(...) return returned(name, traced(value, ...)) end
  end
  if kind ~= "table" or getmetatable(value) then return value end
  local copy = {}
  for key, inner in next, value do
    if type(inner) ~= "function" then return value end
    copy[key] = wrapped(name .. "." .. key, inner)
  end
  return copy
end

--- What stands for the member `name` of a module, which is a function or a table of them: the same one each time.
function M.member(name, value)
  if value == nil then return nil end
  if made[value] == nil then made[value] = wrapped(name, value) end
  return made[value]
end

return M
