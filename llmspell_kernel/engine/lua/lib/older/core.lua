-- What go-llmspell's `require("core")` adds to `string`, `table` and `os`, where they have nothing of that name.

local raise = require("raise")

local getmetatable, ipairs, next, pairs, select, setmetatable, tonumber, tostring, type =
  getmetatable, ipairs, next, pairs, select, setmetatable, tonumber, tostring, type
local clock, date, time = os.clock, os.date, os.time
local floor, random = math.floor, math.random
local find, gmatch, gsub, lower, match, sub, upper =
  string.find, string.gmatch, string.gsub, string.lower, string.match, string.sub, string.upper
local concat, insert = table.concat, table.insert

local M = { string = {}, table = {}, os = {} }
local S, T, O = M.string, M.table, M.os

-- ── string ─────────────────────────────────────────────────────────────────────────────────────────

local function text(name, value) return raise.check(1, "string." .. name, "string", value) end

function S.template(template, values)
  raise.check(2, "string.template", "table", values)
  return (gsub(text("template", template), "{{([^}]+)}}", function(key)
    key = match(key, "^%s*(.-)%s*$")
    return values[key] == nil and "{{" .. key .. "}}" or tostring(values[key])
  end))
end

function S.slugify(value)
  local slug = gsub(gsub(lower(text("slugify", value)), "[^%w%-_]", "-"), "%-+", "-")
  return (gsub(gsub(slug, "^%-+", ""), "%-+$", ""))
end

function S.truncate(value, length, suffix)
  raise.check_number(2, "string.truncate", length, 0)
  suffix = suffix or "..."
  if #text("truncate", value) <= length then return value end
  local kept = length - #suffix
  return sub(value, 1, kept > 0 and kept or 0) .. suffix
end

--- The delimiter is a pattern.
function S.split(value, delimiter)
  local parts, at = {}, 1
  delimiter = delimiter or " "
  if text("split", value) == "" then return parts end
  while true do
    local from, to = find(value, delimiter, at)
    if not from or to < from then break end
    insert(parts, sub(value, at, from - 1))
    at = to + 1
  end
  insert(parts, sub(value, at))
  return parts
end

function S.trim(value) return match(text("trim", value), "^%s*(.-)%s*$") end

function S.capitalize(value) return upper(sub(text("capitalize", value), 1, 1)) .. sub(value, 2) end

function S.camelcase(value)
  local words = {}
  for word in gmatch(text("camelcase", value), "%w+") do
    word = lower(word)
    insert(words, #words == 0 and word or S.capitalize(word))
  end
  return concat(words)
end

function S.snakecase(value)
  local made = gsub(gsub(text("snakecase", value), "(%l)(%u)", "%1_%2"), "[^%w_]", "_")
  made = gsub(gsub(lower(made), "_+", "_"), "^_", "")
  return (gsub(made, "_$", ""))
end

-- ── table ──────────────────────────────────────────────────────────────────────────────────────────

local function of_table(name, value) return raise.check(1, "table." .. name, "table", value) end

function T.keys(t)
  local keys = {}
  for key in pairs(of_table("keys", t)) do insert(keys, key) end
  return keys
end

function T.values(t)
  local values = {}
  for _, value in pairs(of_table("values", t)) do insert(values, value) end
  return values
end

function T.merge(...)
  local merged = {}
  for index = 1, select("#", ...) do
    for key, value in pairs(raise.check(index, "table.merge", "table", (select(index, ...)))) do merged[key] = value end
  end
  return merged
end

local function copied(value, seen)
  if type(value) ~= "table" then return value end
  if seen[value] then return seen[value] end
  local copy = {}
  seen[value] = copy
  for key, inner in next, value do copy[copied(key, seen)] = copied(inner, seen) end
  local meta = getmetatable(value)
  return type(meta) == "table" and setmetatable(copy, meta) or copy
end

function T.deep_copy(t) return copied(of_table("deep_copy", t), {}) end

function T.is_empty(t) return next(of_table("is_empty", t)) == nil end

function T.slice(t, first, last)
  local slice = {}
  for index = first or 1, last or #of_table("slice", t) do insert(slice, t[index]) end
  return slice
end

function T.reverse(t)
  local size = #of_table("reverse", t)
  for index = 1, size // 2 do t[index], t[size - index + 1] = t[size - index + 1], t[index] end
  return t
end

function T.shuffle(t)
  for index = #of_table("shuffle", t), 2, -1 do
    local other = random(1, index)
    t[index], t[other] = t[other], t[index]
  end
  return t
end

function T.contains(t, wanted)
  for _, value in pairs(of_table("contains", t)) do
    if value == wanted then return true end
  end
  return false
end

-- ── os ─────────────────────────────────────────────────────────────────────────────────────────────

function O.now() return time() + clock() % 1 end

function O.format(seconds, format) return date(format or "%Y-%m-%d %H:%M:%S", floor(seconds)) end

function O.duration(first, last)
  local seconds = last - first
  return { seconds = seconds, minutes = seconds / 60, hours = seconds / 3600, days = seconds / 86400 }
end

function O.parse_time(value, format)
  local year, month, day = match(raise.check(1, "os.parse_time", "string", value), "(%d+)-(%d+)-(%d+)")
  if not year or format and format ~= "%Y-%m-%d" then
    raise.raise("'os.parse_time' reads dates such as 2024-01-31; tools.datetime_parse reads more")
  end
  return time({ year = tonumber(year), month = tonumber(month), day = tonumber(day) })
end

local SECONDS = { seconds = 1, minutes = 60, hours = 3600, days = 86400 }

function O.add_time(seconds, duration)
  for unit, factor in next, SECONDS do seconds = seconds + (duration[unit] or 0) * factor end
  return seconds
end

function O.humanize_duration(seconds)
  local parts = {}
  for _, unit in ipairs({ "days", "hours", "minutes", "seconds" }) do
    local count = floor(seconds / SECONDS[unit])
    seconds = seconds - count * SECONDS[unit]
    if count > 0 or unit == "seconds" and #parts == 0 then
      insert(parts, count .. " " .. (count == 1 and sub(unit, 1, -2) or unit))
    end
  end
  return concat(parts, " ")
end

--- Adds them to the libraries that cells have.
function M.extend(libraries)
  for name, members in next, { string = S, table = T, os = O } do
    local library = libraries[name]
    for key, value in next, members do
      if type(library) == "table" and library[key] == nil then library[key] = value end
    end
  end
end

return M
