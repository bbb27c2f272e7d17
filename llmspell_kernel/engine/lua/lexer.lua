-- Tokens of Lua 5.4, in batches: the same tokens and the same mistakes as Lua's own lexer (llex.c), with positions.
--
-- A batch is four parallel arrays, which costs no table per token. Lines are not counted here: `M.line_of` finds them
-- when somebody asks, which is only after a mistake.

local string_byte, string_find, string_format = string.byte, string.find, string.format
local string_gsub, string_match, string_sub = string.gsub, string.match, string.sub
local tonumber, utf8_len = tonumber, utf8.len

local M = {}

local NEAR_BYTES = 60 -- of a token quoted in a message

local KEYWORDS = {}
for word in string.gmatch(
  "and break do else elseif end false for function goto if in local nil not or repeat return then true until while",
  "%a+"
) do
  KEYWORDS[word] = word
end

local LETTER, BLANK, SINGLE = {}, {}, {}
for byte = 0, 255 do
  local char = string.char(byte)
  LETTER[byte] = string_find(char, "^[A-Za-z_]") ~= nil
  BLANK[byte] = string_find(char, "^[ \t\r\n\v\f]") ~= nil
  SINGLE[byte] = string_match(char, "^[-+*%%^#&|(){};,%]]")
end
local DASH = string_byte("-")
SINGLE[DASH] = nil

-- ── positions ──────────────────────────────────────────────────────────────────────────────────────

--- Line and column (both from 1, the column in characters) of a byte position.
function M.line_of(source, position)
  local line, start, at = 1, 1, 1
  while true do
    local newline = string_find(source, "[\r\n]", at)
    if not newline or newline >= position then break end
    local pair = string_sub(source, newline, newline + 1)
    at = newline + ((pair == "\r\n" or pair == "\n\r") and 2 or 1)
    line, start = line + 1, at
  end
  local before = string_sub(source, start, position - 1)
  return line, (utf8_len(before) or #before) + 1
end

-- Source text as a message quotes it: whole characters, one line, bounded.
local function quoted(text)
  if #text > NEAR_BYTES then
    local cut = string_sub(text, 1, NEAR_BYTES)
    while #cut > NEAR_BYTES - 4 and not utf8_len(cut) do cut = string_sub(cut, 1, -2) end
    text = cut .. "…"
  end
  text = string_gsub(text, "[\r\n].*$", "…")
  if not utf8_len(text) then
    text = string_gsub(text, "[\x80-\xFF]", function(char) return string_format("<\\%d>", string_byte(char)) end)
  end
  return "'" .. string_gsub(text, "%c", function(char) return string_format("<\\%d>", string_byte(char)) end) .. "'"
end
M.quoted = quoted

-- ── tokens of more than one character ──────────────────────────────────────────────────────────────
-- Each reader is given the position of the first byte and returns the kind and the last byte. No kind: nothing to see
-- (a comment). `false`: a mistake, with a message, the position that it is at, the last byte of the text to quote, and
-- whether the end of the source came too early.

local function mistake(message, at, near_end, incomplete)
  return false, message, at, near_end, incomplete
end

-- The last byte of a long bracket that opens at `position`, or nil and where the text that should close it ends.
local function long_bracket(source, position)
  local equals = string_match(source, "^%[(=*)%[", position)
  local _, last = string_find(source, "]" .. equals .. "]", position + #equals + 2, true)
  return last
end

local function unfinished_long(source, position, what)
  local line = M.line_of(source, position)
  local message = "unfinished long " .. what .. " (starting at line " .. line .. ")"
  return mistake(message, #source + 1, nil, true)
end

local function comment_or_minus(source, position)
  if string_byte(source, position + 1) ~= DASH then return "-", position end
  if string_find(source, "^%[=*%[", position + 2) then
    local last = long_bracket(source, position + 2)
    if last then return nil, last end
    return unfinished_long(source, position, "comment")
  end
  local newline = string_find(source, "[\r\n]", position + 2)
  return nil, newline and newline - 1 or #source
end

local function bracket(source, position)
  local _, last = string_find(source, "^%[=*%[", position)
  if last then
    last = long_bracket(source, position)
    if last then return "string", last end
    return unfinished_long(source, position, "string")
  end
  if string_byte(source, position + 1) == 61 then
    _, last = string_find(source, "^%[=+", position)
    return mistake("invalid long string delimiter", position, last)
  end
  return "[", position
end

-- Escapes after the backslash at `position`: the last byte, or false and a mistake.
local function escape(source, position, opened)
  local char = string_sub(source, position + 1, position + 1)
  local function wrong(message, last)
    local _, full = string_find(source, "^[\xC0-\xFF][\x80-\xBF]*", last)
    return mistake(message, position, full or last, false)
  end
  if string_find(char, '^[abfnrtv\\"\']') then
    return position + 1
  elseif char == "\n" or char == "\r" then
    local pair = string_sub(source, position + 1, position + 2)
    return position + ((pair == "\r\n" or pair == "\n\r") and 2 or 1)
  elseif char == "x" then
    local _, last = string_find(source, "^%x%x", position + 2)
    if last then return last end
    _, last = string_find(source, "^%x?", position + 2)
    return wrong("hexadecimal digit expected", last + 1)
  elseif char == "z" then
    local _, last = string_find(source, "^[ \t\r\n\v\f]*", position + 2)
    return last
  elseif char == "u" then
    local digits, closed = string_match(source, "^{(%x+)()}", position + 2)
    if digits then
      digits = string_gsub(digits, "^0+", "")
      if #digits > 8 or (tonumber(digits, 16) or 0) > 0x7FFFFFFF then
        return wrong("UTF-8 value too large", closed - 1)
      end
      return closed
    end
    local _, last = string_find(source, "^{%x*", position + 2)
    if not last then return wrong("missing '{' in \\u{xxxx}", position + 2) end
    if last == position + 2 then return wrong("hexadecimal digit expected", last + 1) end
    return wrong("missing '}' in \\u{xxxx}", last + 1)
  elseif string_find(char, "^%d") then
    local digits = string_match(source, "^%d%d?%d?", position + 1)
    if tonumber(digits) > 255 then return wrong("decimal escape too large", position + #digits + 1) end
    return position + #digits
  elseif char == "" then
    return mistake("unfinished string", opened, nil, true)
  end
  return wrong("invalid escape sequence", position + 1)
end

local function short_string(source, position, pattern)
  local at = position + 1
  while true do
    local found = string_find(source, pattern, at)
    if not found then return mistake("unfinished string", position, nil, true) end
    local byte = string_byte(source, found)
    if byte == 34 or byte == 39 then return "string", found end
    if byte ~= 92 then return mistake("unfinished string", position, found - 1) end
    local last, message, where, near_end, incomplete = escape(source, found, position)
    if not last then return false, message, where, near_end, incomplete end
    at = last + 1
  end
end

local function double_quoted(source, position) return short_string(source, position, '["\\\r\n]') end
local function single_quoted(source, position) return short_string(source, position, "['\\\r\n]") end

-- As llex.c's read_numeral: take what could belong to a number, then ask Lua whether it is one.
local function number(source, position)
  local _, last = string_find(source, "^%d+", position)
  if last and not string_find(source, "^[%w_.]", last + 1) then return "number", last end
  local piece = "^[%x.]+"
  local exponent = "^[Ee][-+]?"
  _, last = string_find(source, "^0[xX]", position)
  if last then
    exponent = "^[Pp][-+]?"
  else
    last = position - 1
    piece = "^[%da-dfA-DF.]+" -- stops at an `e`
  end
  while true do
    local _, next_last = string_find(source, exponent, last + 1)
    if not next_last then _, next_last = string_find(source, piece, last + 1) end
    if not next_last then break end
    last = next_last
  end
  _, last = string_find(source, "^[%w_]*", last + 1)
  if tonumber(string_sub(source, position, last)) then return "number", last end
  return mistake("malformed number", position, last)
end

local function dot(source, position)
  local _, last = string_find(source, "^%.%.?%.?", position)
  if last > position then return last == position + 1 and ".." or "...", last end
  if string_find(source, "^%d", position + 1) then return number(source, position) end
  return ".", position
end

-- A reader for an operator of one character which some longer ones begin with.
local function operator(char, ...)
  local longer = {}
  for _, text in ipairs({ ... }) do longer[string_byte(text, 2)] = text end
  return function(source, position)
    local text = longer[string_byte(source, position + 1)]
    if text then return text, position + 1 end
    return char, position
  end
end

local READERS = {
  ["-"] = comment_or_minus,
  ["["] = bracket,
  ['"'] = double_quoted,
  ["'"] = single_quoted,
  ["."] = dot,
  ["="] = operator("=", "=="),
  ["<"] = operator("<", "<=", "<<"),
  [">"] = operator(">", ">=", ">>"),
  ["~"] = operator("~", "~="),
  ["/"] = operator("/", "//"),
  [":"] = operator(":", "::"),
}
local READER = {}
for char, reader in next, READERS do READER[string_byte(char)] = reader end
for digit = string_byte("0"), string_byte("9") do READER[digit] = number end

local function stray(source, position)
  local _, last = string_find(source, "^[\xC0-\xFF][\x80-\xBF]*", position)
  return mistake("unexpected symbol", position, last or position)
end

-- ── batches ────────────────────────────────────────────────────────────────────────────────────────

--- Read tokens from `position` into the arrays, from index `count + 1` up to `limit`.
-- Kinds are keywords and operators themselves, "name", "number", "string", "<eof>" and "mistake"; the last two end it.
-- Returns the position to go on from, the new count, and the problem that a "mistake" stands for.
function M.fill(source, position, kinds, texts, starts, ends, count, limit)
  while count < limit do
    local byte = string_byte(source, position)
    if LETTER[byte] then
      local text, after = string_match(source, "^([%w_]+)()", position)
      count = count + 1
      kinds[count] = KEYWORDS[text] or "name"
      texts[count], starts[count], ends[count] = text, position, after - 1
      position = after
    elseif BLANK[byte] then
      position = string_find(source, "[^ \t\r\n\v\f]", position + 1) or #source + 1
    elseif SINGLE[byte] then
      count = count + 1
      kinds[count], starts[count], ends[count] = SINGLE[byte], position, position
      position = position + 1
    elseif byte then
      local kind, last, at, near_end, incomplete = (READER[byte] or stray)(source, position)
      if kind then
        count = count + 1
        kinds[count], starts[count], ends[count] = kind, position, last
      elseif kind == false then
        count = count + 1
        kinds[count], starts[count], ends[count] = "mistake", position, position
        local near = near_end and quoted(string_sub(source, position, near_end)) or "<eof>"
        return position, count, { message = last, at = at, near = near, incomplete = incomplete or nil }
      end
      position = last + 1
    else
      count = count + 1
      kinds[count], starts[count], ends[count] = "<eof>", position, position
      return position, count
    end
  end
  return position, count
end

return M
