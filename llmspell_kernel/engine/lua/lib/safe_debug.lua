-- What `require "debug"` gives libraries that want it: `traceback` and `getmetatable`. The rest of Lua's `debug` would
-- lead out of the sandbox. There is no global `debug`.

local stack = require("stack")

local concat = table.concat
local getmetatable, ipairs, setmetatable, tostring, type = getmetatable, ipairs, setmetatable, tostring, type

local M = {}

--- The functions of cells and modules that called, as a text; a message that is no string is given back.
function M.traceback(message)
  if message ~= nil and type(message) ~= "string" and type(message) ~= "number" then return message end
  local lines = { "stack traceback:" }
  for _, frame in ipairs((stack.frames())) do
    local where = frame.source and frame.source .. (frame.line and ":" .. frame.line or "") .. ": " or ""
    lines[#lines + 1] = "\t" .. where .. "in " .. tostring(frame.name or frame.kind)
  end
  local text = concat(lines, "\n")
  return message and tostring(message) .. "\n" .. text or text
end

--- As `getmetatable`, which hides what is to be hidden.
function M.getmetatable(value) return getmetatable(value) end

return setmetatable({}, { __index = M, __metatable = false, __name = "module debug" })
