-- `spell`: what a notebook or script says of itself: its parameters, its results, how it ends.

local errorobject = require("errorobject")
local host = require("host")
local modules = require("modules")
local options_of = require("lib.options")
local raise = require("raise")
local sandbox = require("sandbox")
local scheduler = require("scheduler")
local snapshot = require("snapshot")
local framed = raise.framed

local ipairs, next, rawequal, rawget, setmetatable, tostring, type =
  ipairs, next, rawequal, rawget, setmetatable, tostring, type
local concat, find, math_type, sort = table.concat, string.find, math.type, table.sort
local pack, running, unpack = table.pack, coroutine.running, table.unpack

local M = {}

local exit = sandbox.libraries.os.exit
local config = { name = "notebook" }
local manifest_meta = { __name = "manifest" }
local declared, outputs, libraries, cached = {}, {}, {}, {}

local function copy(fields)
  local result = {}
  for key, value in next, fields do result[key] = value end
  return result
end

-- ── parameters ─────────────────────────────────────────────────────────────────────────────────────

local TYPES = { "string", "number", "integer", "boolean", "table", "array", "object", "function" }
local PARAMETER = { type = "string", default = "any", required = "boolean", enum = "table", description = "string" }
local ABOUT = {
  name = "string", version = "string|number", description = "string", author = "string", params = "table",
  cache_ttl = "number",
}

local function check_parameter(index, name, about)
  options_of.one_of(name, options_of.read(index, name, about, PARAMETER), "type", TYPES)
end

--- What is known of a parameter.
---@class spell.Parameter
---@field type? "string"|"number"|"integer"|"boolean"|"table"|"array"|"object"|"function" what it must be
---@field default? any what it is where none is given
---@field required? boolean whether it must be given
---@field enum? any[] the values that it may have
---@field description? string what it is for

-- What was given: in the table `params`, or as a global, which is how papermill sets parameters.
local function given(name)
  local params = rawget(sandbox.env, "params")
  if type(params) == "table" and params[name] ~= nil then return params[name] end
  return rawget(sandbox.env, name)
end

local function is_a(value, kind)
  if kind == "array" or kind == "object" then kind = "table" end
  return type(value) == kind or math_type(value) == kind
end

local function fault(name, words)
  error(errorobject.new({ code = "bad_parameter", message = "the parameter '" .. name .. "' " .. words }), 0)
end

local function check(name, value, about)
  if value == nil then
    if about.required then fault(name, "is missing") end
    return
  end
  if about.type and not is_a(value, about.type) then
    local article = find(about.type, "^[aio]") and "an " or "a "
    fault(name, "must be " .. article .. about.type .. ", not a " .. raise.type_of(value))
  end
  if not about.enum then return end
  local known = {}
  for index, one in ipairs(about.enum) do
    if rawequal(one, value) then return end
    known[index] = tostring(one)
  end
  fault(name, "must be one of " .. concat(known, ", ") .. ", not " .. tostring(value))
end

--- Returns a parameter: what the table `params` or, as papermill sets them, a global of that name has; else its
--- default. The second argument tells what it must be; a parameter that is not so raises an error whose code is
--- `bad_parameter`. Without a name, all parameters that were declared, by name.
--- ```lua
--- print(spell.params("language", { type = "string", default = "Lua" })) --> Lua
--- print(spell.params().language) --> Lua
--- ```
---@param name? string
---@param about? spell.Parameter
---@return any value
function M.params(name, about)
  raise.check(1, "spell.params", "string", name, true)
  check_parameter(2, "spell.params", about)
  if name == nil then
    local all = {}
    for each in next, declared do all[each] = M.params(each) end
    return all
  end
  if about then declared[name] = about end
  about = declared[name] or {}
  local value = given(name)
  if value == nil then value = about.default end
  check(name, value, about)
  return value
end

--- Says what the spell is called and which parameters it takes, and checks them; returns what it says.
--- ```lua
--- spell.init({ name = "greeting", version = "1.0", params = { who = { type = "string", default = "Ada" } } })
--- print(spell.params("who")) --> Ada
--- ```
---@param about { name?: string, version?: string, description?: string, author?: string, params?: table }
---@return table about
function M.init(about)
  raise.check(1, "spell.init", "table", about)
  config = copy(options_of.check(1, "spell.init", about, ABOUT))
  config.name = about.name or "notebook"
  declared = {}
  for name, parameter in next, about.params or {} do
    if type(parameter) == "table" then
      check_parameter(1, "spell.init", parameter)
      declared[name] = parameter
    else
      declared[name] = { default = parameter }
    end
    M.params(name)
  end
  return config
end

--- Returns what `spell.init` said, the parameters as they are (`params`) and what is known of them (`parameters`).
--- ```lua
--- spell.init({ name = "greeting" })
--- print(spell.info().name) --> greeting
--- ```
---@return table info
function M.info()
  local info = copy(config)
  info.params = M.params()
  if next(declared) ~= nil then info.parameters = copy(declared) end
  return setmetatable(info, manifest_meta)
end

--- Returns one thing that `spell.init` said, or `default` if it did not.
--- ```lua
--- print(spell.config("timeout", 300)) --> 300
--- ```
---@param key string
---@param default? any
---@return any value
function M.config(key, default)
  raise.check(1, "spell.config", "string", key)
  if config[key] == nil then return default end
  return config[key]
end

-- ── results ────────────────────────────────────────────────────────────────────────────────────────

--- Shows a value as a result of the spell, and keeps it for `spell.outputs`, under a name if one is given. Returns it.
--- ```lua
--- spell.output(42, "answer")
--- print(spell.outputs().answer) --> 42
--- ```
---@param value any
---@param name? string
---@return any value
function M.output(value, name)
  raise.check(2, "spell.output", "string", name, true)
  outputs[name or #outputs + 1] = value
  local bundle = snapshot.mime_bundle(value)
  if bundle then
    scheduler.post("host", "display", "bundle", bundle, "", false)
  else
    scheduler.post("host", "display", "snapshot", snapshot.take(value), "", false)
  end
  return value
end

--- Returns the results so far: those without a name in their order, the others by name.
--- ```lua
--- print(type(spell.outputs())) --> table
--- ```
---@return table outputs
function M.outputs() return copy(outputs) end

--- Ends the spell: the running cell, never the kernel. A code other than 0 lets the cell fail; a message is shown.
--- ```lua
--- if spell.params("stop_here") then spell.exit(0, "nothing to do") end
--- ```
---@param code? integer|boolean|string a message alone stands for the code 1 and that
---@param message? string
function M.exit(code, message)
  if type(code) == "string" and message == nil then code, message = 1, code end
  if type(code) ~= "boolean" and code ~= nil then
    if type(code) ~= "number" then raise.bad_argument(1, "spell.exit", "number, boolean or string", code) end
    code = raise.check_whole(1, "spell.exit", code)
  end
  raise.check(2, "spell.exit", "string", message, true)
  if message then
    local well = code == nil or code == true or code == 0
    host.write(well and 1 or 2, scheduler.cell(), message .. "\n")
  end
  exit(code)
end

-- ── the rest ───────────────────────────────────────────────────────────────────────────────────────

local making = {} -- key → { thread that makes its value, waiters for it }

-- What `make()` gives, kept under the key unless it is nil. Others who ask for the key meanwhile wait for that.
local function made(key, make, keep)
  local mine = { thread = running() }
  making[key] = mine
  local _ <close> = setmetatable({}, { __close = function()
    making[key] = nil
    for index = 1, #mine do scheduler.wake(mine[index]) end
  end })
  local results = pack(make())
  if results[1] ~= nil then keep(results[1]) end
  return unpack(results, 1, results[1] == nil and results.n or 1)
end

--- Keeps a value under a key for so many seconds (300), or returns what is kept there, nil if nothing is. A function in
--- place of the value is called for it when there is none, once for all tasks that ask at a time; what raises or
--- returns nil is not kept. Kept values last as long as the session.
--- ```lua
--- spell.cache("pi", 3.14)
--- print(spell.cache("pi"), spell.cache("e", function() return 2.72 end)) --> 3.14	2.72
--- ```
---@param key any but nil; a table only finds itself again
---@param value? any
---@param seconds? number how long it is kept: 300, unless `spell.init` has set `cache_ttl`
---@return any value
function M.cache(key, value, seconds)
  if key == nil or key ~= key then raise.bad_argument(1, "spell.cache", "key", key) end
  raise.check_number(3, "spell.cache", seconds, 0, true)
  local entry, now = cached[key], host.now()
  if entry and entry.expires <= now then
    entry, cached[key] = nil, nil
  end
  if value == nil or (type(value) == "function" and entry) then return entry and entry.value end
  local function keep(kept)
    cached[key] = { value = kept, expires = host.now() + (seconds or config.cache_ttl or 300) }
    return kept
  end
  if type(value) ~= "function" then return keep(value) end
  local other = making[key]
  if not other then return framed(made(key, value, keep)) end
  if other.thread == running() then return framed(value()) end -- it asks for itself
  local waiter = { what = "spell.cache" }
  other[#other + 1] = waiter
  scheduler.wait(waiter)
  return framed(M.cache(key, value, seconds))
end

--- Gives a name to a table of functions, for `spell.include`; returns it.
--- ```lua
--- spell.library("strings", { shout = string.upper })
--- print(spell.include("strings").shout("hi")) --> HI
--- ```
---@param name string
---@param members table
---@return table members
function M.library(name, members)
  raise.check(1, "spell.library", "string", name)
  -- a module of ours is as good as a table
  if not find(raise.type_of(members), "^module ") then raise.check(2, "spell.library", "table", members) end
  libraries[name] = members
  return members
end

--- Returns a library that `spell.library` has named, what a file of the notebook's folder returns (a path with `/` or
--- `.lua`; it runs once), or a module as `require` does.
--- ```lua
--- print(spell.include("json") == json) --> true
--- ```
---@param name SpellPath
---@return any module
function M.include(name)
  raise.check(1, "spell.include", "string", name)
  if libraries[name] then return libraries[name] end
  return (modules.is_path(name) and modules.include or modules.require)(name)
end

--- Runs the file of a module again, for it was changed, and returns its new value; if it fails, the old one stays.
--- ```lua
--- if package.loaded["lib.greet"] then spell.reload("lib.greet") end
--- ```
---@param name string
---@return any module
function M.reload(name)
  raise.check(1, "spell.reload", "string", name)
  return framed(modules.reload(name))
end

--- The names of the libraries, in order.
--- ```lua
--- spell.library("strings", {})
--- print(spell.libraries()[1]) --> strings
--- ```
---@return string[] names
function M.libraries()
  local names = {}
  for name in next, libraries do names[#names + 1] = name end
  sort(names)
  return names
end

return M
