-- Error objects: what `nil, err` gives, what cancelled work raises, what `errors.new` makes. Fields to read, and the
-- message wherever a string is wanted.

local debug_getmetatable, pcall, rawget, setmetatable, tostring, type =
  debug.getmetatable, pcall, rawget, setmetatable, tostring, type

local M = {}

local LATER = { add_detail = true, wrap = true, is = true } -- methods that lib/errors.lua has

local methods = setmetatable({}, {
  __index = function(methods, key)
    if not LATER[key] then return nil end
    require("lib.errors")
    return rawget(methods, key)
  end,
})
local meta = { __name = "error", __index = methods }

--- Whether `value` is an error object.
function M.is(value)
  return type(value) == "table" and debug_getmetatable(value) == meta
end

--- Make an error object of `fields`: message, and usually code, retryable, provider, suggestion, details.
function M.new(fields)
  return setmetatable(fields, meta)
end

--- Add a method that every error object has.
function M.method(name, fn)
  methods[name] = fn
end

--- The text of any error value, as short as its own `__tostring` makes it.
function M.text(err)
  if M.is(err) then
    local message = rawget(err, "message")
    return type(message) == "string" and message or tostring(message)
  end
  -- a table that a spell raises as an error of its own, unless it says itself how it reads
  if type(err) == "table" and debug_getmetatable(err) == nil then
    local told = rawget(err, "message") or rawget(err, "error") or rawget(err, "code")
    if type(told) == "string" then return told end
  end
  local ok, told = pcall(tostring, err) -- an error in telling of an error would take its place
  return ok and told or "an error that cannot be shown"
end

local text = M.text
meta.__tostring = text
meta.__concat = function(a, b) return (M.is(a) and text(a) or a) .. (M.is(b) and text(b) or b) end

return M
