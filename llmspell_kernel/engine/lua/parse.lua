-- A recogniser of Lua 5.4 (lparser.c without its code generator) that finds what a cell needs to know of its source:
-- where its top-level locals are declared, what its last expression is, which free names it may mention, or where
-- and why it is not Lua. Scopes, labels and limits are left to Lua's own compiler, which reads every cell afterwards.

local lexer = require("lexer")

local error, next, pcall, string_byte, string_find = error, next, pcall, string.byte, string.find
local string_sub, type = string.sub, type
local fill, line_of = lexer.fill, lexer.line_of

local M = {}

local BATCH = 512 -- tokens
local MAX_DEPTH = 200 -- Lua's own limit on nested constructs (LUAI_MAXCCALLS)

local function set(...)
  local result = {}
  for _, member in next, { ... } do result[member] = true end
  return result
end

local UNARY = set("-", "not", "#", "~")
local BINARY = set(
  "+", "-", "*", "/", "//", "%", "^", "..", "==", "~=", "<", "<=", ">", ">=", "and", "or", "&", "|", "~", "<<", ">>"
)
local LITERAL = set("number", "string", "nil", "true", "false")
local BLOCK_END = set("end", "else", "elseif", "until", "<eof>")
local BEGINS_EXPRESSION = set(
  "name", "(", "number", "string", "nil", "true", "false", "{", "function", "...", "-", "not", "#", "~"
)

-- The state of the one parse under way. No user code runs during it.
local source, position
local kinds, texts, starts, ends = {}, {}, {}, {}
local index, kind, last_end
local lexical -- the problem that the token "mistake" stands for
local depth, loops, vararg
local mentions

-- ── tokens ─────────────────────────────────────────────────────────────────────────────────────────

-- Read the next batch; the token at hand, if any is kept, becomes the first.
local function refill(keep)
  local count = 0
  if keep then
    kinds[1], texts[1], starts[1], ends[1] = kinds[index], texts[index], starts[index], ends[index]
    count = 1
  end
  position, count, lexical = fill(source, position, kinds, texts, starts, ends, count, BATCH)
  kinds[count + 1] = nil
  index = 1
  kind = kinds[1]
end

local function advance()
  last_end = ends[index]
  index = index + 1
  kind = kinds[index]
  if not kind then refill(false) end
end

local function peek()
  if not kinds[index + 1] then refill(true) end
  return kinds[index + 1]
end

local function near()
  if kind == "<eof>" then return kind end
  return lexer.quoted(string_sub(source, starts[index], ends[index]))
end

-- Where a mistake is shown: what is missing at the end is missing after the last token.
local function place()
  return kind == "<eof>" and last_end + 1 or starts[index]
end

local function fail_at(message, at, near_text, incomplete)
  error({ message = message, at = at, near = near_text, incomplete = incomplete }, 0)
end

local function fail(message)
  if kind == "mistake" then error(lexical, 0) end
  fail_at(message, place(), near(), kind == "<eof>" or nil)
end

local function shown(token)
  if token == "<eof>" then return token end
  return token == "name" and "<name>" or "'" .. token .. "'"
end

local function expect(token)
  if kind ~= token then fail(shown(token) .. " expected") end
  advance()
end

-- Expect what closes the construct that `opener` opened at `opened`.
local function close(token, opener, opened)
  if kind == token then
    advance()
    return
  end
  local message = shown(token) .. " expected"
  if kind ~= "mistake" then
    local line = line_of(source, opened)
    if line ~= line_of(source, starts[index]) then
      message = message .. " (to close " .. shown(opener) .. " at line " .. line .. ")"
    end
  end
  fail(message)
end

local function enter()
  depth = depth + 1
  if depth > MAX_DEPTH then fail("nested too deeply (more than " .. MAX_DEPTH .. " levels)") end
end

-- ── expressions ────────────────────────────────────────────────────────────────────────────────────

local block, body

-- Precedence is nothing to a recogniser: operands with operators between them.
local expression

local function expression_list()
  expression()
  while kind == "," do
    advance()
    expression()
  end
end

local function constructor()
  local opened = starts[index]
  advance()
  while kind ~= "}" and kind ~= "<eof>" do
    if kind == "[" then
      advance()
      expression()
      expect("]")
      expect("=")
    elseif kind == "name" and peek() == "=" then
      advance()
      advance()
    end
    expression()
    if kind ~= "," and kind ~= ";" then break end
    advance()
  end
  close("}", "{", opened)
end

local function arguments()
  if kind == "string" then
    advance()
  elseif kind == "{" then
    constructor()
  elseif kind == "(" then
    local opened = starts[index]
    advance()
    if kind ~= ")" and kind ~= "<eof>" then expression_list() end
    close(")", "(", opened)
  else
    fail("function arguments expected")
  end
end

-- A variable, a call or an expression in parentheses; returns which.
local function suffixed()
  local what
  if kind == "name" then
    mentions[texts[index]] = true
    advance()
    what = "variable"
  elseif kind == "(" then
    local opened = starts[index]
    advance()
    expression()
    close(")", "(", opened)
    what = "parentheses"
  else
    fail("unexpected symbol")
  end
  while true do
    if kind == "." then
      advance()
      expect("name")
      what = "variable"
    elseif kind == "(" or kind == "string" or kind == "{" then
      arguments()
      what = "call"
    elseif kind == "[" then
      advance()
      expression()
      expect("]")
      what = "variable"
    elseif kind == ":" then
      advance()
      expect("name")
      arguments()
      what = "call"
    else
      return what
    end
  end
end

-- Goes on with operators after an operand; returns whether there were any.
local function operators()
  if not BINARY[kind] then return false end
  repeat
    advance()
    while UNARY[kind] do advance() end
    if kind == "name" or kind == "(" then
      suffixed()
    elseif LITERAL[kind] then
      advance()
    else
      return expression() or true
    end
  until not BINARY[kind]
  return true
end

-- Returns "call" if the expression is nothing but a call, "variable" if nothing but a variable.
function expression()
  local what
  depth = depth + 1
  if depth > MAX_DEPTH then enter() end
  local signs = UNARY[kind]
  while UNARY[kind] do advance() end
  if kind == "name" or kind == "(" then
    what = suffixed()
  elseif LITERAL[kind] then
    advance()
  elseif kind == "{" then
    constructor()
  elseif kind == "function" then
    local opened = starts[index]
    advance()
    body(opened)
  elseif kind == "..." then
    if not vararg then fail("cannot use '...' outside a vararg function") end
    advance()
  else
    fail("unexpected symbol")
  end
  if operators() or signs then what = nil end
  depth = depth - 1
  return what
end

-- From the parameters to `end`.
function body(opened)
  expect("(")
  local outer_vararg, outer_loops = vararg, loops
  vararg, loops = false, 0
  if kind ~= ")" then
    repeat
      local more = false
      if kind == "..." then
        vararg = true
        advance()
      elseif kind == "name" then
        advance()
        more = kind == ","
        if more then advance() end
      else
        fail("<name> expected")
      end
    until not more
  end
  expect(")")
  block()
  close("end", "function", opened)
  vararg, loops = outer_vararg, outer_loops
end

-- ── statements ─────────────────────────────────────────────────────────────────────────────────────

local STATEMENT = {}

function block()
  enter()
  while not BLOCK_END[kind] do
    local statement = STATEMENT[kind]
    if statement then
      if statement() then break end
    else
      local what = suffixed()
      if kind == "=" or kind == "," then
        while kind == "," do
          if what ~= "variable" then fail("syntax error") end
          advance()
          what = suffixed()
        end
        if what ~= "variable" then fail("syntax error") end
        expect("=")
        expression_list()
      elseif what ~= "call" then
        fail("syntax error")
      end
    end
  end
  depth = depth - 1
end

local function loop_body(opener, opened)
  expect("do")
  loops = loops + 1
  block()
  loops = loops - 1
  close("end", opener, opened)
end

STATEMENT[";"] = advance

STATEMENT["if"] = function()
  local opened = starts[index]
  repeat
    advance()
    expression()
    expect("then")
    block()
  until kind ~= "elseif"
  if kind == "else" then
    advance()
    block()
  end
  close("end", "if", opened)
end

STATEMENT["while"] = function()
  local opened = starts[index]
  advance()
  expression()
  loop_body("while", opened)
end

STATEMENT["do"] = function()
  local opened = starts[index]
  advance()
  block()
  close("end", "do", opened)
end

STATEMENT["for"] = function()
  local opened = starts[index]
  advance()
  expect("name")
  if kind == "=" then
    advance()
    expression()
    expect(",")
    expression()
    if kind == "," then
      advance()
      expression()
    end
  elseif kind == "," or kind == "in" then
    while kind == "," do
      advance()
      expect("name")
    end
    expect("in")
    expression_list()
  else
    fail("'=' or 'in' expected")
  end
  loop_body("for", opened)
end

STATEMENT["repeat"] = function()
  local opened = starts[index]
  advance()
  loops = loops + 1
  block()
  loops = loops - 1
  close("until", "repeat", opened)
  expression()
end

STATEMENT["function"] = function()
  local opened = starts[index]
  advance()
  if kind ~= "name" then fail("<name> expected") end
  mentions[texts[index]] = true
  advance()
  while kind == "." do
    advance()
    expect("name")
  end
  if kind == ":" then
    advance()
    expect("name")
  end
  body(opened)
end

-- The attribute after a declared name, or nil.
local function attribute()
  if kind ~= "<" then return nil end
  advance()
  if kind ~= "name" then fail("<name> expected") end
  local name = texts[index]
  if name ~= "const" and name ~= "close" then
    fail_at("unknown attribute '" .. name .. "'", starts[index])
  end
  advance()
  expect(">")
  return name
end

-- Returns the declared names and their attributes.
local function local_names()
  local names, attributes = {}, {}
  repeat
    if kind ~= "name" then fail("<name> expected") end
    names[#names + 1] = texts[index]
    advance()
    attributes[#names] = attribute()
    local more = kind == ","
    if more then advance() end
  until not more
  if kind == "=" then
    advance()
    expression_list()
  end
  return names, attributes
end

STATEMENT["local"] = function()
  local opened = starts[index]
  advance()
  if kind ~= "function" then return false, local_names() end
  advance()
  if kind ~= "name" then fail("<name> expected") end
  local names = { texts[index] }
  advance()
  body(opened)
  return false, names, {}
end

STATEMENT["return"] = function()
  advance()
  if not BLOCK_END[kind] and kind ~= ";" then expression_list() end
  if kind == ";" then advance() end
  return true
end

STATEMENT["break"] = function()
  if loops == 0 then fail_at("break outside a loop", starts[index]) end
  advance()
end

STATEMENT["goto"] = function()
  advance()
  expect("name")
end

STATEMENT["::"] = function()
  advance()
  expect("name")
  expect("::")
end

-- ── a whole cell ───────────────────────────────────────────────────────────────────────────────────

-- Skip semicolons; returns whether there were any.
local function semicolons()
  local any = false
  while kind == ";" do
    any = true
    advance()
  end
  return any
end

-- The values that end a cell need no `return`. Here: an assignment or a call that goes on, or those values.
local function values_or_statement()
  local first, refused, refused_near = starts[index], nil, nil
  if kind ~= "name" and kind ~= "(" then refused, refused_near = first, near() end -- what Lua would refuse it for
  local message = "unexpected symbol"
  local variables, count, what = true, 0
  repeat
    if count > 0 then advance() end
    count = count + 1
    if kind ~= "name" and kind ~= "(" then
      expression()
      what = nil
    else
      what = suffixed()
      if BINARY[kind] then
        if not refused then message, refused, refused_near = "syntax error", starts[index], near() end
        operators()
        what = nil
      end
    end
    variables = variables and what == "variable"
  until kind ~= ","
  if kind == "=" and variables then
    advance()
    expression_list()
    return nil
  end
  local values = { first = first, last = last_end, call = what == "call" and count == 1 }
  local hidden = semicolons()
  if kind == "<eof>" then
    values.hidden = hidden
    return values
  elseif values.call and kind ~= "=" then
    return nil
  elseif refused and kind ~= "mistake" then
    fail_at(message, refused, refused_near)
  end
  fail(count > 1 and kind ~= "=" and "'=' expected" or "syntax error")
end

-- The `return` that ends a cell; where it returns what one call gives, that call.
local function last_return()
  advance()
  local first, what = starts[index], nil
  if kind == "name" or kind == "(" then
    what = suffixed()
    if BINARY[kind] then
      operators()
      what = nil
    end
    while kind == "," do
      advance()
      expression()
      what = nil
    end
  elseif not BLOCK_END[kind] and kind ~= ";" then
    expression_list()
  end
  local values = what == "call" and { first = first, last = last_end, call = true, returned = true } or nil
  if kind == ";" then advance() end
  return values
end

local function cell()
  local locals, values = {}, nil
  while kind ~= "<eof>" do
    local anonymous = kind == "function" and peek() == "("
    local statement = not anonymous and STATEMENT[kind]
    if kind == "return" then
      values = last_return()
      break
    elseif statement then
      local _, names, attributes = statement()
      if names then locals[#locals + 1] = { at = last_end, names = names, attributes = attributes } end
    elseif BEGINS_EXPRESSION[kind] then
      values = values_or_statement()
    else
      if BLOCK_END[kind] then break end
      fail("unexpected symbol")
    end
  end
  if kind ~= "<eof>" then fail("<eof> expected") end
  return locals, values
end

-- Where Lua begins: after a byte order mark and a first line `#!…`, whose end of line stays.
local function beginning(text)
  local first = string_find(text, "^\xEF\xBB\xBF") and 4 or 1
  if string_find(text, "^#!", first) then
    first = string_find(text, "[\r\n]", first) or #text + 1
  end
  return first
end

--- Parse the source of a cell; it may end in values that no `return` is written before.
-- Returns a table: `first` (the byte where Lua begins), `last` (where its last token ends), `locals` (a list of `at`,
-- the end of the statement, `names` and `attributes`), `values` (`first`, `last`, whether they are one `call`, whether
-- a `return` is written before them, which is told of calls alone, and whether they are `hidden` by a semicolon; nil if
-- there are none), `mentions` (a set of names).
-- Or nil and a problem: `message`, `line`, `column`, `near`, and whether it is `incomplete`.
function M.parse(text)
  source, position = text, beginning(text)
  if string_byte(text, position) == 27 then
    return nil, { message = "binary chunks are not allowed; a cell is Lua source", line = 1, column = 1 }
  end
  local first = position
  index, depth, loops, vararg, mentions = 0, 0, 0, true, {}
  last_end = first - 1
  refill(false)
  local ok, locals, values = pcall(cell)
  source = nil
  if ok then
    return { first = first, last = last_end, locals = locals, values = values, mentions = mentions }
  end
  local problem = locals
  if type(problem) ~= "table" or not problem.at then error(problem, 0) end -- a stop
  local line, column = line_of(text, problem.at)
  return nil,
    { message = problem.message, line = line, column = column, near = problem.near, incomplete = problem.incomplete }
end

return M
