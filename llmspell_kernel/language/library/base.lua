---@meta
-- Lua 5.4's basic functions, as cells have them. Read by stdlib.py; never run.

--- The global environment: the table that holds every global variable of this notebook.
--- ```lua
--- for name in pairs(_G) do print(name) end
--- ```
---@type table
_G = {}

--- The version of Lua, `"Lua 5.4"`.
---@type string
_VERSION = ""

--- Raises an error if `v` is false or nil; otherwise returns all its arguments.
---
--- The usual way to turn the `nil, err` that many calls give into an error: `local r = assert(llm.chat("hi"))`.
--- ```lua
--- local n = assert(tonumber("42"), "not a number")
--- ```
---@param v any value to test
---@param message? any error to raise; `"assertion failed!"` if there is none
---@param ... any
---@return any ... all arguments
function assert(v, message, ...) end

--- Runs or asks the garbage collector.
---
--- `"collect"` runs a full cycle, `"count"` returns the memory in use in kilobytes, `"step"` does a part of a cycle.
--- ```lua
--- print(("%.1f kB"):format(collectgarbage("count")))
--- ```
---@param option? "collect"|"count"|"step"|"isrunning"|"incremental"|"generational" what to do; `"collect"` if left out
---@param ... integer for `"step"`: how large a step
---@return any result depends on the option
function collectgarbage(option, ...) end

--- Raises an error with `message` and does not return.
---
--- `level` says where the error is: 1 where `error` was called, 2 where the function that called `error` was called, 0
--- adds no position. The message may be any value; a table makes a structured error.
--- ```lua
--- local function half(n)
---   if n % 2 ~= 0 then error("even number expected", 2) end
---   return n // 2
--- end
--- ```
---@param message? any error to raise
---@param level? integer where the error is; 1 if left out
function error(message, level) end

--- Returns the metatable of `object`, or nil if it has none. A `__metatable` field is returned instead of the metatable.
--- ```lua
--- local mt = getmetatable(account)
--- ```
---@param object any value to look at
---@return table? metatable
function getmetatable(object) end

--- Iterates over the list part of `t`: the pairs `1, t[1]`, `2, t[2]`, … up to the first missing index.
--- ```lua
--- for i, name in ipairs({"ada", "grace"}) do print(i, name) end
--- ```
---@param t table list to go through
---@return function iterator
---@return table t
---@return integer start 0
function ipairs(t) end

--- Compiles a chunk and returns it as a function, or nil and a message if it has an error. Nothing runs yet.
---
--- A function `chunk` is called for one piece after another until it returns nil. Only text is taken: binary chunks are
--- refused here.
--- ```lua
--- local add = load("local a, b = ... return a + b")
--- print(add(2, 3)) --> 5
--- ```
---@param chunk string|function source text, or a function that gives it piece by piece
---@param chunkname? string name for messages
---@param mode? "t"|"bt" which kinds of chunk are taken
---@param env? table environment of the chunk; the notebook's globals if left out
---@return function? chunk
---@return string? message
function load(chunk, chunkname, mode, env) end

--- Returns the key after `index` in `table` and its value; nil after the last. The order is not defined.
---
--- `next(t) == nil` tells whether `t` is empty. Do not add keys while going through a table.
--- ```lua
--- if next(results) == nil then print("nothing found") end
--- ```
---@param table table table to go through
---@param index? any key to go on from; the first key if nil
---@return any key
---@return any value
function next(table, index) end

--- Iterates over all keys and values of `t`, in no defined order; uses the `__pairs` metamethod if there is one.
--- ```lua
--- for key, value in pairs(config) do print(key, value) end
--- ```
---@param t table table to go through
---@return function iterator
---@return table t
---@return nil start
function pairs(t) end

--- Calls `f` in protected mode: returns true and its results, or false and the error.
---
--- An interrupt of the cell is never caught.
--- ```lua
--- local ok, err = pcall(error, "boom")
--- print(ok, err) --> false  boom
--- ```
---@param f function function to call
---@param ... any its arguments
---@return boolean ok
---@return any ... results, or the error
function pcall(f, ...) end

--- Writes its arguments to the cell's output, as `tostring` shows them, with tabs between and a newline after.
--- ```lua
--- print("total", 3 * 4)
--- ```
---@param ... any values to show
function print(...) end

--- Whether `v1` and `v2` are the same value, without the `__eq` metamethod.
---@param v1 any
---@param v2 any
---@return boolean same
function rawequal(v1, v2) end

--- Returns `table[index]` without the `__index` metamethod.
---@param table table
---@param index any
---@return any value
function rawget(table, index) end

--- Returns the length of a table or string without the `__len` metamethod.
---@param v table|string
---@return integer length
function rawlen(v) end

--- Sets `table[index]` to `value` without the `__newindex` metamethod, and returns `table`.
---@param table table
---@param index any any value but nil and NaN
---@param value any
---@return table table
function rawset(table, index, value) end

--- Loads a module by name and returns it. Every module of this kernel is also a global of the same name. Another name
--- is that of a file: `lib.names` is `lib/names.lua` or `lib/names/init.lua` in the notebook's folder, which has to be
--- granted, or where else `package.path` leads. A file runs once; `spell.reload` runs it again.
--- ```lua
--- local json = require("json")
--- ```
---@param modname string name of the module
---@return any module
function require(modname) end

--- Returns the arguments from number `index` on; with `"#"`, how many there are. A negative index counts from the end.
--- ```lua
--- local function count(...) return select("#", ...) end
--- print(count(nil, nil)) --> 2
--- ```
---@param index integer|"#" where to begin
---@param ... any
---@return any ...
function select(index, ...) end

--- Sets the metatable of `table` (removes it if nil) and returns `table`. Raises an error if it has a `__metatable` field.
---
--- `__gc` is never called here; use a `<close>` variable instead.
--- ```lua
--- local Account = {}
--- Account.__index = Account
--- local a = setmetatable({balance = 0}, Account)
--- ```
---@param table table
---@param metatable table?
---@return table table
function setmetatable(table, metatable) end

--- Converts to a number; returns nil if that cannot be done. With `base`, reads an integer in that base.
--- ```lua
--- print(tonumber("0x10"), tonumber("ff", 16)) --> 16  255
--- ```
---@param e any value to convert
---@param base? integer from 2 to 36
---@return number? number
function tonumber(e, base) end

--- Converts to a string people can read, with the `__tostring` metamethod if there is one.
--- ```lua
--- print("n = " .. tostring(nil))
--- ```
---@param v any
---@return string text
function tostring(v) end

--- Returns the type of `v` as a string: `"nil"`, `"number"`, `"string"`, `"boolean"`, `"table"`, `"function"`, `"thread"` or
--- `"userdata"`.
--- ```lua
--- print(type({})) --> table
--- ```
---@param v any
---@return "nil"|"number"|"string"|"boolean"|"table"|"function"|"thread"|"userdata" type
function type(v) end

--- Calls `f` in protected mode like `pcall`, with a function that is given the error where it happened.
---
--- An interrupt of the cell is never caught, and the handler does not run for it.
--- ```lua
--- print(xpcall(risky, function(err) return "failed: " .. tostring(err) end, 42))
--- ```
---@param f function function to call
---@param msgh function what to make of an error
---@param ... any arguments of `f`
---@return boolean ok
---@return any ... results, or what the handler returned
function xpcall(f, msgh, ...) end

---@class Display
Display = {}

--- Replaces what this display shows.
--- ```lua
--- local h = display(0)
--- for i = 1, 3 do h:update(i) end
--- ```
---@param value any value to show instead
---@return Display handle the same
function Display:update(value) end

--- Clears the output of the cell.
---@param wait? boolean wait for the next output, so that nothing flickers
function clear_output(wait) end

--- Asks the person for a line of text, in the notebook.
--- ```lua
--- local name = input("Your name? ")
--- ```
---@param prompt? string text before the field
---@param password? boolean hide what is typed
---@return string line
function input(prompt, password) end

--- Explains a function, a module, a value or a name; without an argument it lists everything that there is.
---
--- `json.encode?` in a cell of its own does the same, `json.encode??` shows the source too, and Shift+Tab explains what
--- is at the cursor.
--- ```lua
--- help(string.rep)
--- help("llm.chat")
--- ```
---@param what? any the value itself, or a name as a string
function help(what) end
