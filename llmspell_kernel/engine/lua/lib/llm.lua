-- `llm` on the Lua side: answers that are tables and read as their text.

local bridge = require("bridge")

local M = {}

local response = { __name = "response" }

local function text(value)
  if type(value) == "table" and getmetatable(value) == response then return value.content end
  return tostring(value)
end

response.__tostring = function(self) return self.content end
response.__concat = function(a, b) return text(a) .. text(b) end
response.__len = function(self) return #self.content end
-- string methods work on an answer as on its text
response.__index = function(_, key)
  local method = string[key]
  return method and function(self, ...) return method(text(self), ...) end
end

local function answered(value, err)
  if value == nil then return nil, err end
  if type(value) == "table" then setmetatable(value, response) end
  return value
end

for _, name in ipairs({ "chat", "complete" }) do
  local call = bridge.bind("llm", name)
  M[name] = function(...)
    return answered(call(...))
  end
end

return M
