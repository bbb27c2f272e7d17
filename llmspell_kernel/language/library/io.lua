---@meta
-- The part of Lua 5.4's io library that cells have. Read by stdlib.py; never run.

--- The cell's output, and asking the person in the notebook. Files are there only in granted folders.
io = {}

--- Closes a file; the notebook's own streams stay open.
---@param file? file
---@return boolean? ok
function io.close(file) end

--- Writes out what is buffered of the cell's output.
function io.flush() end

--- Iterates over the lines that the person types; with `filename`, over those of a file in a granted folder.
---@param filename? string
---@param ... string|integer formats as for `io.read`
---@return function iterator
function io.lines(filename, ...) end

--- Opens a file in a granted folder; returns nil and a message if it cannot.
--- ```lua
--- local file <close> = assert(io.open("notes.txt"))
--- print(file:read("a"))
--- ```
---@param filename string
---@param mode? "r"|"w"|"a"|"r+"|"w+"|"a+" `"r"` if left out
---@return file? file
---@return string? message
function io.open(filename, mode) end

--- Asks the person for input: `"l"` a line, `"L"` a line with its newline, `"n"` a number, `"a"` everything, or a
--- number of bytes.
--- ```lua
--- local age = io.read("n")
--- ```
---@param ... "l"|"L"|"n"|"a"|integer formats; `"l"` if left out
---@return string|number|nil ...
function io.read(...) end

--- The error output of the cell.
---@type file
io.stderr = nil

--- The input of the cell: asks the person in the notebook.
---@type file
io.stdin = nil

--- The output of the cell.
---@type file
io.stdout = nil

--- Returns `"file"`, `"closed file"`, or nil if `obj` is no file.
---@param obj any
---@return "file"|"closed file"|nil type
function io.type(obj) end

--- Opens a file for this session alone, to write and to read, which goes with it.
---@return file? file
---@return string? message
function io.tmpfile() end

--- Writes strings and numbers to the cell's output, with nothing between or after them; returns the output.
--- ```lua
--- io.write("50", "%", "\n")
--- ```
---@param ... string|number
---@return file output
function io.write(...) end

---@class file
file = {}

--- Closes the file.
---@return boolean? ok
function file:close() end

--- Writes out what is buffered.
---@return file file
function file:flush() end

--- Iterates over the lines of the file.
---@param ... string|integer formats as for `file:read`
---@return function iterator
function file:lines(...) end

--- Reads from the file: `"l"` a line, `"L"` a line with its newline, `"n"` a number, `"a"` the rest, or a number of bytes.
---@param ... "l"|"L"|"n"|"a"|integer formats; `"l"` if left out
---@return string|number|nil ...
function file:read(...) end

--- Sets and returns the position in the file, counted from its start, the current position or its end.
---@param whence? "set"|"cur"|"end" `"cur"` if left out
---@param offset? integer 0 if left out
---@return integer? position
---@return string? message
function file:seek(whence, offset) end

--- Sets how output is buffered.
---@param mode "no"|"full"|"line"
---@param size? integer
---@return boolean? ok
function file:setvbuf(mode, size) end

--- Writes strings and numbers to the file; returns the file.
--- ```lua
--- io.stderr:write("careful\n")
--- ```
---@param ... string|number
---@return file? file
---@return string? message
function file:write(...) end
