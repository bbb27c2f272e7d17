-- Text that may be binary or endless, as valid UTF-8 of bounded size.

local string_byte, string_format, string_gsub, string_sub = string.byte, string.format, string.gsub, string.sub
local utf8_len = utf8.len

local function byte_code(char) return string_format("\\x%02X", string_byte(char)) end

--- At most about `limit` bytes of `text`, bytes that are no UTF-8 as escapes, and how much was left out.
return function(text, limit)
  local rest = ""
  if #text > limit then
    local cut = string_sub(text, 1, limit)
    for _ = 1, 3 do
      if utf8_len(cut) then break end
      cut = string_sub(cut, 1, -2)
    end
    rest = "… (" .. #text - #cut .. " more bytes)"
    text = cut
  end
  if not utf8_len(text) then text = string_gsub(text, "[\x80-\xFF]", byte_code) end
  return text .. rest
end
