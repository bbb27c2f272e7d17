---@meta
-- Lua 5.4's UTF-8 support. Read by stdlib.py; never run.

--- UTF-8 text: characters instead of bytes. Positions are byte positions.
utf8 = {}

--- Makes text of the characters with the given code points.
--- ```lua
--- print(utf8.char(233, 8364)) --> é€
--- ```
---@param ... integer code points
---@return string text
function utf8.char(...) end

--- A pattern that matches one character of UTF-8 text.
--- ```lua
--- for char in text:gmatch(utf8.charpattern) do print(char) end
--- ```
---@type string
utf8.charpattern = ""

--- Iterates over the characters of `s`: gives the byte position and code point of each.
--- ```lua
--- for position, code in utf8.codes("né") do print(position, code) end
--- ```
---@param s string
---@param lax? boolean take code points above 10FFFF too
---@return function iterator
function utf8.codes(s, lax) end

--- Returns the code points of the characters between the byte positions `i` and `j`.
---@param s string
---@param i? integer 1 if left out
---@param j? integer `i` if left out
---@param lax? boolean take code points above 10FFFF too
---@return integer ... code points
function utf8.codepoint(s, i, j, lax) end

--- Returns how many characters there are between the byte positions `i` and `j`; nil and a position if it is not UTF-8.
--- ```lua
--- print(utf8.len("né")) --> 2
--- ```
---@param s string
---@param i? integer 1 if left out
---@param j? integer -1 if left out
---@param lax? boolean take code points above 10FFFF too
---@return integer? count
---@return integer? position of the first wrong byte
function utf8.len(s, i, j, lax) end

--- Returns the byte position of the `n`-th character, counted from byte position `i`.
---@param s string
---@param n integer may be negative
---@param i? integer
---@return integer? position
function utf8.offset(s, n, i) end
