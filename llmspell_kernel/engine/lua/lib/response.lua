-- Answers that are tables and read as their text.

local getmetatable, setmetatable, tostring, type = getmetatable, setmetatable, tostring, type

local M = {}

local meta = { __name = "response" }

local function text(value)
  if type(value) == "table" and getmetatable(value) == meta then return value.content end
  return tostring(value)
end

meta.__tostring = function(self) return self.content end
meta.__concat = function(a, b) return text(a) .. text(b) end
meta.__len = function(self) return #self.content end
-- string methods work on an answer as on its text
meta.__index = function(_, key)
  local method = string[key]
  return method and function(self, ...) return method(text(self), ...) end
end

--- Lets a table with `content` read as that; anything else, and `nil, err`, is passed on.
function M.of(value, err)
  if value == nil then return nil, err end
  if type(value) == "table" then setmetatable(value, meta) end
  return value
end

--- What a spell's function that hears an answer tells the kernel: true stops it. A value other than nil is the wish
--- to stop, except what `io.write` returns.
function M.hearing(fn)
  local is_stream = require("input").is_stream
  return function(...)
    local value = fn(...)
    if value == nil or is_stream(value) then return nil end
    return true
  end
end

return M
