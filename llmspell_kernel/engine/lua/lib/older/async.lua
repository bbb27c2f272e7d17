-- go-llmspell's `core`: ids, times, kinds of values.

local bridge = require("bridge")
local host = require("host")
local raise = require("raise")
local reasons = require("lib.older.reasons")

local getmetatable, rawlen, next, type = getmetatable, rawlen, next, type
local date, time = os.date, os.time
local random = math.random
local concat = table.concat
local gsub, rep, sub = string.gsub, string.rep, string.sub

local C = {}

local LONGEST = 1 << 20 -- bytes of a random string
local LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

local digest, encode64, decode64 =
  bridge.bind("compat_tools", "digest"), bridge.bind("compat_tools", "encode"), bridge.bind("compat_tools", "decode")

C.crypto = {
  uuid = function() return require("lib.rs.tool_table").uuid_generator({}).uuid end,
  random_string = function(length, letters)
    local made = {}
    letters = raise.check(2, "core.crypto.random_string", "string", letters, true) or LETTERS
    length = raise.check_integer(1, "core.crypto.random_string", length, 0, true) or 16
    if length > LONGEST or letters == "" then raise.raise("'core.crypto.random_string': there is no such string") end
    for index = 1, length do
      local at = random(1, #letters)
      made[index] = sub(letters, at, at)
    end
    return concat(made)
  end,
  hash = function(text, algorithm) return digest(algorithm or "sha256", text) end,
  base64_encode = function(text) return encode64(text) end,
  base64_decode = function(text) return decode64(text) end,
  base64url_encode = function(text)
    return (gsub(gsub(encode64(text), "[+/]", { ["+"] = "-", ["/"] = "_" }), "=+$", ""))
  end,
  base64url_decode = function(text)
    local plain = gsub(text, "[-_]", { ["-"] = "+", ["_"] = "/" })
    return decode64(plain .. rep("=", -#plain % 4))
  end,
}

C.time = {
  now = function() return time() end,
  format = function(seconds, format) return date(format or "%Y-%m-%d %H:%M:%S", seconds // 1 | 0) end,
  duration = function(first, last)
    local seconds = last and last - first or first
    return { seconds = seconds, minutes = seconds / 60, hours = seconds / 3600, days = seconds / 86400 }
  end,
}

function C.is_callable(value)
  local meta = type(value) == "table" and getmetatable(value)
  return type(value) == "function" or type(meta) == "table" and meta.__call ~= nil
end

function C.is_array(value)
  if type(value) ~= "table" then return false end
  local count = 0
  for _ in next, value do count = count + 1 end
  return count == rawlen(value)
end

function C.is_object(value) return type(value) == "table" and not C.is_array(value) end

function C.throttle(fn, seconds)
  raise.check(1, "core.throttle", "function", fn)
  local last
  return function(...)
    if last and host.now() - last < seconds then return nil end
    last = host.now()
    return fn(...)
  end
end

--- The first call of several comes through, as there: it was never put off.
function C.debounce(fn)
  raise.check(1, "core.debounce", "function", fn)
  return fn
end

function C.memoize(fn)
  raise.check(1, "core.memoize", "function", fn)
  local known = {}
  return function(value)
    if value == nil then return fn(value) end
    if known[value] == nil then known[value] = fn(value) end
    return known[value]
  end
end

return { members = C, lacking = reasons({}, "use log and error", { "assert_type" }) }
