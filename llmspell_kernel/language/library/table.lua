---@meta
-- Lua 5.4's table library. Read by stdlib.py; never run.

--- Lists: inserting, removing, sorting, joining.
table = {}

--- Joins the strings and numbers `list[i]` to `list[j]` with `sep` between them.
--- ```lua
--- print(table.concat({"a", "b", "c"}, ", ")) --> a, b, c
--- ```
---@param list table list of strings and numbers
---@param sep? string text between; empty if left out
---@param i? integer first index; 1 if left out
---@param j? integer last index; `#list` if left out
---@return string text
function table.concat(list, sep, i, j) end

--- Inserts `value` at position `pos` of `list` and shifts up what is there; without `pos`, at the end.
--- ```lua
--- table.insert(queue, "last")
--- table.insert(queue, 1, "first")
--- ```
---@signature table.insert(list [, pos], value)
---@param list table
---@param pos integer position; may be left out
---@param value? any value to insert
function table.insert(list, pos, value) end

--- Copies `a1[f]` to `a1[e]` to position `t` on, in `a2` if given; returns the destination.
--- ```lua
--- local copy = table.move(list, 1, #list, 1, {})
--- ```
---@param a1 table source
---@param f integer first index
---@param e integer last index
---@param t integer first index of the destination
---@param a2? table destination; `a1` if left out
---@return table destination
function table.move(a1, f, e, t, a2) end

--- Makes a table of all its arguments, with their number in field `n`.
--- ```lua
--- local args = table.pack(...)
--- for i = 1, args.n do print(args[i]) end
--- ```
---@param ... any
---@return table list
function table.pack(...) end

--- Removes and returns the value at position `pos` of `list`, and shifts down what follows; without `pos`, the last.
--- ```lua
--- local first = table.remove(queue, 1)
--- ```
---@param list table
---@param pos? integer position; `#list` if left out
---@return any value
function table.remove(list, pos) end

--- Sorts `list` in place with `<`, or with `comp(a, b)`, which tells whether `a` must come before `b`.
---
--- The sort is not stable, and `comp(a, a)` must be false.
--- ```lua
--- table.sort(people, function(a, b) return a.age < b.age end)
--- ```
---@param list table
---@param comp? function whether its first argument comes first
function table.sort(list, comp) end

--- Returns `list[i]` to `list[j]` as several values.
--- ```lua
--- print(table.unpack({1, 2, 3}))
--- ```
---@param list table
---@param i? integer first index; 1 if left out
---@param j? integer last index; `#list` if left out
---@return any ... values
function table.unpack(list, i, j) end
