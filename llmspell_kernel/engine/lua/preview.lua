-- One short line of Lua-like text for any value: for error objects, the variables panel, hovers.

local debug_getinfo, debug_getmetatable = debug.getinfo, debug.getmetatable
local math_max, math_min, math_type = math.max, math.min, math.type
local string_byte, string_find, string_format = string.byte, string.find, string.format
local string_gsub, string_sub = string.gsub, string.sub
local table_concat, table_sort = table.concat, table.sort
local utf8_len = utf8.len
local next, pcall, rawget, rawlen, tostring, type = next, pcall, rawget, rawlen, tostring, type

local M = {}

local DEPTH = 3
local ENTRIES = 20 -- of one table
local LOOKED_AT = 100 -- keys of one table

local ESCAPES = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\\"] = "\\\\", ['"'] = '\\"', ["\0"] = "\\0" }

local function escape(char)
  return ESCAPES[char] or string_format("\\x%02X", string_byte(char))
end

-- The first `limit` bytes, whole characters only, of text that may be binary.
local function cut(text, limit)
  if #text <= limit then return text, false end
  for back = 0, 3 do
    local head = string_sub(text, 1, limit - back)
    if utf8_len(head) then return head, true end
  end
  return string_sub(text, 1, limit), true
end

local function quoted(text, limit)
  local head, was_cut = cut(text, math_max(8, limit))
  local pattern = '[%c"\\]'
  if not utf8_len(head) then
    pattern = '[%c"\\\x80-\xFF]'
    head = string_sub(head, 1, math_max(8, limit // 4)) -- each byte may take four
    was_cut = #head < #text
  end
  return '"' .. string_gsub(head, pattern, escape) .. (was_cut and "…" or "") .. '"'
end

local function of_metatable(value, event)
  local metatable = debug_getmetatable(value)
  return type(metatable) == "table" and rawget(metatable, event) or nil
end

local function own_text(value, limit)
  local handler = of_metatable(value, "__tostring")
  if not handler then return nil end
  local ok, text = pcall(handler, value)
  if not ok or type(text) ~= "string" then return nil end
  local head, was_cut = cut(text, limit)
  if not utf8_len(head) then return nil end
  return (string_gsub(head, "%c+", " ")) .. (was_cut and "…" or "")
end

local function number(value)
  if math_type(value) == "integer" then return tostring(value) end
  if value ~= value then return "nan" end
  return tostring(value)
end

local function function_text(f)
  local info = debug_getinfo(f, "S")
  if info.what == "C" or string_find(info.source, "=[llmspell", 1, true) == 1 then return "builtin function" end
  return "function <" .. (cut(info.short_src, 60)) .. ":" .. info.linedefined .. ">"
end

local render

local function key_text(key, limit)
  if type(key) == "string" and #key <= 60 and string_find(key, "^[%a_][%w_]*$") then return key end
  if type(key) == "string" then return "[" .. quoted(key, math_min(60, limit)) .. "]" end
  return "[" .. render(key, limit, DEPTH, {}) .. "]"
end

-- Keys outside 1..n in a readable order: a bounded number of them, and whether there are more.
local function other_keys(t, n)
  local keys, key, looked = {}, next(t), 0
  while key ~= nil and looked < LOOKED_AT do
    if math_type(key) ~= "integer" or key < 1 or key > n then keys[#keys + 1] = key end
    key, looked = next(t, key), looked + 1
  end
  table_sort(keys, function(a, b)
    local ta, tb = type(a), type(b)
    if ta ~= tb then return ta < tb end
    if ta == "number" then return a < b end
    if ta == "string" then return string_sub(a, 1, 60) < string_sub(b, 1, 60) end
    return false
  end)
  return keys, key ~= nil
end

local function table_text(t, limit, depth, above)
  if above[t] then return "{…}" end
  local name = of_metatable(t, "__name")
  local prefix = type(name) == "string" and utf8_len(name) and (cut(name, 40)) .. " " or ""
  if next(t) == nil then return prefix .. "{}" end
  if depth >= DEPTH then return prefix .. "{…}" end
  above[t] = true
  local n = math_min(rawlen(t), ENTRIES)
  local parts, used = {}, #prefix + 2
  local full = false
  local function add(text)
    parts[#parts + 1] = text
    used = used + #text + 2
    full = used > limit or #parts >= ENTRIES
  end
  for i = 1, n do
    if full then break end
    add(render(rawget(t, i), limit - used, depth + 1, above))
  end
  local keys, more = other_keys(t, rawlen(t))
  for i = 1, #keys do
    if full then break end
    local key = key_text(keys[i], limit - used)
    add(key .. " = " .. render(rawget(t, keys[i]), limit - used - #key, depth + 1, above))
  end
  above[t] = nil
  if #parts < rawlen(t) + #keys or more then parts[#parts + 1] = "…" end
  return prefix .. "{" .. table_concat(parts, ", ") .. "}"
end

render = function(value, limit, depth, above)
  local kind = type(value)
  if kind == "string" then
    return quoted(value, limit)
  elseif kind == "number" then
    return number(value)
  elseif kind == "table" then
    return own_text(value, math_max(8, limit)) or table_text(value, limit, depth, above)
  elseif kind == "function" then
    return function_text(value)
  elseif kind == "userdata" then
    return own_text(value, math_max(8, limit)) or "userdata"
  end
  return kind == "thread" and "coroutine" or tostring(value)
end

--- One line for `value`, about `limit` bytes; cut inside tables and strings, never in an escape.
function M.text(value, limit)
  local line, was_cut = cut(render(value, limit, 0, {}), limit + 20)
  return was_cut and line .. "…" or line
end

return M
