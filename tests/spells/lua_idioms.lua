-- How popular libraries of Lua are written, so that they load here as anywhere.
local unpack = table.unpack or unpack
local setfenv = setfenv or function(fn) return fn end
-- both 5.1's loader and what load takes since
local compile = loadstring or load
assert(compile("return x + 1", "template", "t", { x = 41 })() == 42 and unpack({ 1, 2 }, 2) == 2 and setfenv(print))
-- classes with metamethods that are inherited
local Object = {}
Object.__index = Object
function Object:extend()
  local class = {}
  for key, value in pairs(self) do
    if key:find("__") == 1 then class[key] = value end
  end
  class.__index, class.super = class, self
  return setmetatable(class, self)
end
function Object:__call(...)
  local made = setmetatable({}, self)
  if made.new then made:new(...) end
  return made
end
function Object:__tostring() return "an object" end
local Point = Object:extend()
function Point:new(x) self.x = x end
assert(Point(5).x == 5 and tostring(Point(1)) == "an object")
-- globals that must be declared
assert(getmetatable(_G) == nil)
setmetatable(_G, { __index = function(_, name) error("undeclared " .. name, 2) end })
local fine, problem = pcall(function() return not_declared end)
setmetatable(_G, nil)
assert(not fine and problem:find("undeclared not_declared", 1, true))
-- functions out of texts, values into texts
local short = "x, y -> x * y"
local lambda = compile(("return function(%s) return %s end"):format(short:match("^(.-)%->(.*)$")))()
assert(lambda(6, 7) == 42 and compile("return " .. ("%q"):format("a\n\"b\0"))() == "a\n\"b\0")
-- where they look for themselves and for what runs them
assert(package.config:sub(1, 1) == "/" and package.loaded.string == string and type(package.preload) == "table")
assert(_VERSION == "Lua 5.4" and type(arg) == "table" and select("#", ...) == 0 and io.stdout and io.stderr)
assert(os.getenv("NO_SUCH_VARIABLE") == nil and tonumber(os.getenv("NO_SUCH_VARIABLE")) == nil and os.date(nil))
assert(debug == nil and not pcall(require, "debug"))
-- generators, weak tables, closing
local next_of = coroutine.wrap(function() for n = 1, 3 do coroutine.yield(n) end end)
local weak = setmetatable({}, { __mode = "k" })
weak[{}] = true
collectgarbage()
assert(next_of() == 1 and next_of() == 2 and next(weak) == nil and collectgarbage("count") > 0)
