-- Cells: one chunk each, whose last values are shown and whose top-level locals live on.
--
-- After each top-level `local` a call is added on the same line: `KEEP(1, function() return n end);`. The closure
-- holds the variable itself (its upvalue), so a cell that ends early has kept what it declared. A later cell that
-- mentions `n` is compiled inside `local n return function(...) … end` and its upvalue is joined to the kept one: the
-- same variable, at the speed of any upvalue. KEEP is a name that does not occur in the cell.
--
-- What ends with its cell: locals inside blocks, `<close>` variables (closed there), and a `local _ENV`. Constants live
-- on as constants, by value. A cell can mention any number of session locals; those beyond 253, which Lua has no
-- upvalues for, are reached through a stand-in for _ENV, at the speed of a metamethod.
--
-- Values are what the cell's last expressions, or its last call, give; a semicolon after them hides them. An explicit
-- `return` at the end always shows what it returns; it is no tail call, so that errors in what it calls have its place.

local compiled = require("compiled")
local parse = require("parse").parse
local failure = require("failure")
local recent = require("recent")
local stack = require("stack")

local getupvalue, setupvalue, upvaluejoin = debug.getupvalue, debug.setupvalue, debug.upvaluejoin
local error, next, select, setmetatable = error, next, select, setmetatable
local string_find, string_gsub, string_rep, string_sub = string.find, string.gsub, string.rep, string.sub
local table_concat, table_sort, table_unpack = table.concat, table.sort, table.unpack

local M = {}
local Cells = {}
Cells.__index = Cells

local VALUES, HIDDEN = 0, -1 -- what the hidden function does instead of keeping
local KEPT_AT_ONCE = 8 -- closures in one call: each needs a register beside up to 200 locals
local DECLARED_AT_ONCE = 180 -- session locals that one function around the cell declares; Lua allows 200
local BOUND = 253 -- session locals that a cell can mention as upvalues: 255, less _ENV and KEEP
local PARSES, PARSED_BYTES = 64, 4 << 20 -- that are kept

--- Cells over the environment `env`. `options.session_locals = false`: locals end with their cell, as in a file.
function M.new(env, options)
  stack.name_from(env)
  return setmetatable({
    env = env,
    keep_locals = not (options and options.session_locals == false),
    variables = {}, -- name → { keeper = closure over it } or { const = true, value = … }
    parses = recent.new(PARSED_BYTES, PARSES), -- source → what the parser found
    hits = 0,
    misses = 0,
  }, Cells)
end

-- ── parses, remembered ─────────────────────────────────────────────────────────────────────────────

local function parsed(cells, source)
  local result = cells.parses:get(source)
  if result then
    cells.hits = cells.hits + 1
    return result
  end
  cells.misses = cells.misses + 1
  local problem
  result, problem = parse(source)
  if not result then return nil, problem end
  cells.parses:put(source, result, #source)
  compiled.learn("cell", source, "")
  return result
end

-- ── the rewritten source ───────────────────────────────────────────────────────────────────────────

local function hidden_name(source)
  local name, number = "__llmspell_keep", 0
  while string_find(source, name, 1, true) do
    number = number + 1
    name = "__llmspell_keep" .. number
  end
  return name
end

-- The names that a declaration leaves to later cells: the last of equal ones, neither `<close>` nor `_ENV`.
local function lasting(declaration)
  local result, seen = {}, {}
  for index = #declaration.names, 1, -1 do
    local name, attribute = declaration.names[index], declaration.attributes[index]
    if not seen[name] and name ~= "_ENV" and attribute ~= "close" then
      result[#result + 1] = { name = name, const = attribute == "const" }
    end
    seen[name] = true
  end
  return result
end

-- Calls that keep the variables of one declaration; fills `statements`, which tells KEEP what it is given.
local function keeping(declaration, keep, statements)
  local calls = {}
  local variables = lasting(declaration)
  for first = 1, #variables, KEPT_AT_ONCE do
    local group, arguments = {}, {}
    for index = first, #variables < first + KEPT_AT_ONCE and #variables or first + KEPT_AT_ONCE - 1 do
      local variable = variables[index]
      group[#group + 1] = variable
      arguments[#arguments + 1] = variable.const and variable.name or "function() return " .. variable.name .. " end"
    end
    statements[#statements + 1] = group
    calls[#calls + 1] = " " .. keep .. "(" .. #statements .. ", " .. table_concat(arguments, ", ") .. ");"
  end
  return table_concat(calls)
end

-- The cell's own text with what is added to it, from its first byte to its last token, and what comes after that.
local function rewritten(source, result, keep, keep_locals, statements)
  local pieces, at = {}, result.first
  local function insert(position, text) -- after `position`
    pieces[#pieces + 1] = string_sub(source, at, position)
    pieces[#pieces + 1] = text
    at = position + 1
  end
  if keep_locals then
    for _, declaration in next, result.locals do insert(declaration.at, keeping(declaration, keep, statements)) end
  end
  local values = result.values
  if values and not (values.hidden and values.call) then
    -- a call alone goes through KEEP so that it is no tail call: the cell stays in tracebacks
    local through = values.hidden or values.call
    local opening = " " .. keep .. "(" .. (values.hidden and HIDDEN or VALUES) .. ", "
    if not values.returned then opening = " return" .. opening end
    insert(values.first - 1, through and opening or " return ")
    if through then insert(values.last, ")") end
  end
  local rest = string_sub(source, at, result.last)
  -- after a `return` Lua takes one semicolon at most; beyond the values are only semicolons and comments
  if values and values.hidden and not values.call then rest = string_gsub(rest, ";", " ") end
  pieces[#pieces + 1] = rest
  return table_concat(pieces), string_sub(source, result.last + 1)
end

-- ── session locals ─────────────────────────────────────────────────────────────────────────────────

local function value_of(variable)
  if variable.const then return variable.value end
  local _, value = getupvalue(variable.keeper, 1)
  return value
end

-- The session locals that a cell may mean: a sorted list, and a set of those beyond what Lua can bind.
local function mentioned(cells, mentions)
  local names, rest = {}, nil
  for name in next, cells.variables do
    if mentions[name] then names[#names + 1] = name end
  end
  table_sort(names)
  for index = #names, BOUND + 1, -1 do
    rest = rest or {}
    rest[names[index]] = cells.variables[names[index]]
    names[index] = nil
  end
  return names, rest
end

-- Where a cell mentions more session locals than Lua has upvalues for, the rest are reached as globals would be.
local function environment_with(env, rest)
  return setmetatable({}, {
    __index = function(_, key)
      local variable = rest[key]
      if variable then return value_of(variable) end
      return env[key]
    end,
    __newindex = function(_, key, value)
      local variable = rest[key]
      if not variable then
        env[key] = value
      elseif variable.const then
        error("attempt to assign to const variable '" .. key .. "'", 2)
      else
        setupvalue(variable.keeper, 1, value)
      end
    end,
  })
end

-- The functions around a cell that declare session locals: their text, and for each the values it is called with.
local function surroundings(cells, names, keep)
  local text, calls = {}, {}
  local first = 1
  repeat
    local last = first + DECLARED_AT_ONCE - 1
    local variables, constants, values = {}, {}, {}
    if first == 1 then constants[1], values[1] = keep, false end -- KEEP itself is filled in by the caller
    for index = first, last < #names and last or #names do
      local variable = cells.variables[names[index]]
      if variable.const then
        constants[#constants + 1] = names[index] .. "<const>"
        values[#constants] = variable.value
      else
        variables[#variables + 1] = names[index]
      end
    end
    if #variables > 0 then text[#text + 1] = "local " .. table_concat(variables, ",") .. " " end
    if #constants > 0 then text[#text + 1] = "local " .. table_concat(constants, ",") .. " = ... " end
    text[#text + 1] = "return function(...) "
    values.n = #constants
    calls[#calls + 1] = values
    first = last + 1
  until first > #names
  return table_concat(text), calls
end

local function join(cells, fn, names)
  local bound = {}
  for _, name in next, names do bound[name] = cells.variables[name] end
  local index, name = 1, getupvalue(fn, 1)
  while name do
    local variable = bound[name]
    if variable and not variable.const then upvaluejoin(fn, index, variable.keeper, 1) end
    index = index + 1
    name = getupvalue(fn, index)
  end
end

local function keeper(cells, statements)
  local variables = cells.variables
  return function(what, ...)
    if what == VALUES then return ... end
    if what == HIDDEN then return end
    for index, variable in next, statements[what] do
      local kept = select(index, ...)
      variables[variable.name] = variable.const and { const = true, value = kept } or { keeper = kept }
    end
  end
end

-- ── compiling ──────────────────────────────────────────────────────────────────────────────────────

--- Compile a cell whose positions read `chunkname:line`.
-- Returns a function that runs it, with varargs as the cell's `...`, and returns the values to show (none if a final
-- semicolon hides them); or nil and a failure (failure.lua). `mode` "expression": the cell's locals are not kept.
function Cells:compile(source, chunkname, mode)
  local result, problem = parsed(self, source)
  if not result then return nil, failure.syntax(problem, chunkname) end
  local keep, statements = hidden_name(source), {}
  local names, rest = mentioned(self, result.mentions)
  local before, calls = surroundings(self, names, keep)
  local text, after = rewritten(source, result, keep, self.keep_locals and mode ~= "expression", statements)
  local code = table_concat({ before, text, string_rep(" end", #calls), after })
  local env = rest and environment_with(self.env, rest) or self.env
  local fn, message = compiled.load(code, "=" .. chunkname, env)
  if not fn then return nil, failure.compile(message, chunkname, result) end
  calls[1][1] = keeper(self, statements)
  for _, values in next, calls do fn = fn(table_unpack(values, 1, values.n)) end
  join(self, fn, names)
  stack.mark_main(fn)
  return fn
end

-- ── what is kept ───────────────────────────────────────────────────────────────────────────────────

--- Sorted names of the live session locals.
function Cells:names()
  local names = {}
  for name in next, self.variables do names[#names + 1] = name end
  table_sort(names)
  return names
end

--- Whether there is such a session local, its value, and whether it is constant.
function Cells:get(name)
  local variable = self.variables[name]
  if not variable then return false, nil, false end
  return true, value_of(variable), variable.const or false
end

--- Assign to a session local; false if there is none or it is constant.
function Cells:set(name, value)
  local variable = self.variables[name]
  if not variable or variable.const then return false end
  setupvalue(variable.keeper, 1, value)
  return true
end

--- Drop one session local, or all of them.
function Cells:forget(name)
  for known in next, self.variables do
    if name == nil or known == name then self.variables[known] = nil end
  end
end

return M
