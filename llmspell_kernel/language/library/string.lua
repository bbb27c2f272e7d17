---@meta
-- Lua 5.4's string library. Read by stdlib.py; never run.

--- Strings: searching, formatting, packing. Every function is also a method: `("x"):rep(3)`.
---
--- Positions count bytes from 1; negative ones count from the end. For characters of UTF-8 text see `utf8`.
string = {}

--- Returns the codes of the bytes `s[i]` to `s[j]`.
--- ```lua
--- print(("ABC"):byte(1, -1)) --> 65  66  67
--- ```
---@param s string
---@param i? integer first position; 1 if left out
---@param j? integer last position; `i` if left out
---@return integer ... codes
function string.byte(s, i, j) end

--- Makes a string of the bytes with the given codes.
--- ```lua
--- print(string.char(76, 117, 97)) --> Lua
--- ```
---@param ... integer codes from 0 to 255
---@return string text
function string.char(...) end

--- Finds the first match of `pattern` in `s`: returns where it begins and ends, then its captures; nil if there is none.
---
--- With `plain` true, `pattern` is plain text without magic characters.
--- ```lua
--- print(("hello world"):find("o w", 1, true)) --> 5  7
--- ```
---@param s string text to search
---@param pattern string pattern, or plain text
---@param init? integer where to begin; 1 if left out
---@param plain? boolean take `pattern` as plain text
---@return integer? start
---@return integer? stop
---@return string ... captures
function string.find(s, pattern, init, plain) end

--- Fills values into a format like C's `printf`: `%d` integer, `%s` text, `%q` a Lua literal, `%f %g %e` floats, `%x`
--- hexadecimal, `%c` a byte, `%%` a percent sign.
--- ```lua
--- print(("%-6s|%5.2f|%03d"):format("pi", math.pi, 7)) --> pi    | 3.14|007
--- ```
---@param formatstring string
---@param ... any values to fill in
---@return string text
function string.format(formatstring, ...) end

--- Iterates over all matches of `pattern` in `s`: gives the captures of each, or the whole match if it has none.
--- ```lua
--- for word in ("one two"):gmatch("%a+") do print(word) end
--- ```
---@param s string text to search
---@param pattern string
---@param init? integer where to begin; 1 if left out
---@return function iterator
function string.gmatch(s, pattern, init) end

--- Replaces matches of `pattern` in `s`; returns the new text and how many were replaced.
---
--- `repl` is text (`%1` is the first capture, `%0` the match), a table looked up by the first capture, or a function of
--- the captures; false or nil from these keeps the match.
--- ```lua
--- print(("hello world"):gsub("o", "0")) --> hell0 w0rld  2
--- print(("$name"):gsub("%$(%w+)", {name = "Ada"})) --> Ada  1
--- ```
---@param s string text to search
---@param pattern string
---@param repl string|table|function what to put instead
---@param n? integer how many at most
---@return string text
---@return integer count
function string.gsub(s, pattern, repl, n) end

--- Returns the length of `s` in bytes, like `#s`.
---@param s string
---@return integer length
function string.len(s) end

--- Returns `s` with its capital letters A to Z made small.
---@param s string
---@return string text
function string.lower(s) end

--- Returns the captures of the first match of `pattern` in `s` (the whole match if it has none), or nil.
--- ```lua
--- local year, month = ("2026-07"):match("(%d+)-(%d+)")
--- ```
---@param s string text to search
---@param pattern string
---@param init? integer where to begin; 1 if left out
---@return string? ... captures
function string.match(s, pattern, init) end

--- Packs values into a binary string as `fmt` says: `<` `>` byte order, `b h i4 l j` integers, `f d n` floats, `z s4` strings.
--- ```lua
--- local bytes = string.pack("<I2z", 513, "ok")
--- ```
---@param fmt string layout
---@param ... any values
---@return string bytes
function string.pack(fmt, ...) end

--- Returns how many bytes `string.pack` makes for `fmt`, which may hold no strings of open length.
---@param fmt string layout
---@return integer size
function string.packsize(fmt) end

--- Returns `n` copies of `s`, with `sep` between them.
--- ```lua
--- print(("ab"):rep(3, "-")) --> ab-ab-ab
--- ```
---@param s string
---@param n integer how many
---@param sep? string text between the copies
---@return string text
function string.rep(s, n, sep) end

--- Returns `s` with its bytes in reverse order.
---@param s string
---@return string text
function string.reverse(s) end

--- Returns the part of `s` from position `i` to `j`, both included.
--- ```lua
--- print(("hello"):sub(2, -2)) --> ell
--- ```
---@param s string
---@param i integer first position
---@param j? integer last position; -1, the end, if left out
---@return string text
function string.sub(s, i, j) end

--- Reads values from a binary string as `fmt` says; returns them and the position after the last.
--- ```lua
--- local n, text, after = string.unpack("<I2z", bytes)
--- ```
---@param fmt string layout, as for `string.pack`
---@param s string bytes
---@param pos? integer where to begin; 1 if left out
---@return any ... values, then the next position
function string.unpack(fmt, s, pos) end

--- Returns `s` with its small letters a to z made capital.
---@param s string
---@return string text
function string.upper(s) end
