---@meta
-- The part of Lua 5.4's os library that cells have. Read by stdlib.py; never run.

--- Time and date. Running programs and touching files is not part of it here.
os = {}

--- Returns the processor time the engine has used, in seconds.
--- ```lua
--- local begun = os.clock()
--- work()
--- print(os.clock() - begun)
--- ```
---@return number seconds
function os.clock() end

--- Formats a date like C's `strftime`; `"*t"` gives a table, a leading `!` means UTC.
--- ```lua
--- print(os.date("%Y-%m-%d %H:%M"))
--- local now = os.date("*t")
--- ```
---@param format? string `"%c"` if left out
---@param time? integer seconds as from `os.time`; now if left out
---@return string|table date
function os.date(format, time) end

--- Returns `t2 - t1` in seconds.
---@param t2 integer
---@param t1 integer
---@return number seconds
function os.difftime(t2, t1) end

--- Ends the cell, never the kernel. A code other than 0 or true makes it fail.
---@param code? boolean|integer true if left out
---@param close? boolean taken and ignored
function os.exit(code, close) end

--- Returns an environment variable that this notebook was granted, else nil and why.
---@param varname string
---@return string? value
function os.getenv(varname) end

--- Removes a file, or an empty folder, in a granted folder; returns nil and a message if it cannot.
---@param filename string
---@return boolean? done
---@return string? message
function os.remove(filename) end

--- Renames a file or folder in granted folders; returns nil and a message if it cannot.
---@param oldname string
---@param newname string
---@return boolean? done
---@return string? message
function os.rename(oldname, newname) end

--- Returns the time now, or of a table with `year`, `month`, `day` (and `hour`, `min`, `sec`), in seconds since 1970.
--- ```lua
--- print(os.time({year = 2026, month = 1, day = 1, hour = 0}))
--- ```
---@param table? table date
---@return integer seconds
function os.time(table) end

--- Makes an empty file for this session alone, which needs no grant and goes with it, and returns its path.
---@return string filename
function os.tmpname() end
