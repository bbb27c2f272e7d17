-- `require` for cells: the modules there are, then files of the notebook's folder, read by the kernel process.

local bridge = require("bridge")
local raise = require("raise")
local sandbox = require("sandbox")

local concat, rawget, rawset, running, setmetatable, tostring =
  table.concat, rawget, rawset, coroutine.running, setmetatable, tostring
local read_module, read_source = bridge.bind("files", "lua_module"), bridge.bind("files", "lua_source")

local M = {}

--- What `require` has given to cells, which know it as `package.loaded`.
M.loaded = {}

local loaded = M.loaded
local from_file = {} -- name → true for what came from a file
local chains = setmetatable({}, { __mode = "k" }) -- coroutine → names of the modules that are being loaded in it

local function refuse_cycle(chain, name)
  for index = 1, #chain do
    if chain[index] == name then
      raise.raise("a cycle in require: " .. concat(chain, " -> ", index) .. " -> " .. name)
    end
  end
end

-- The chain gets its old end back however the loading ends.
local function entered(chain, name)
  local size = #chain + 1
  chain[size] = name
  return setmetatable({}, { __close = function()
    for index = #chain, size, -1 do chain[index] = nil end
  end })
end

local function run(name, path, source)
  local fn, message = sandbox.load(source, "=" .. path, "t")
  if not fn then raise.raise("module '" .. name .. "' cannot be loaded: " .. tostring(message)) end
  local value = fn(name, path)
  if value == nil then value = rawget(loaded, name) end
  if value == nil then value = true end
  rawset(loaded, name, value)
  from_file[name] = true
  return value
end

-- `read` gives a path and its source, or nil and why there is none.
local function load_file(name, read)
  local thread = running()
  local chain = chains[thread] or {}
  chains[thread] = chain
  refuse_cycle(chain, name)
  local path, source = read(name)
  if not path then raise.raise("module '" .. name .. "' not found: " .. tostring(source)) end
  local guard <close> = entered(chain, name) -- luacheck: ignore 211
  local value = run(name, path, source)
  return value
end

--- As cells call it.
function M.require(name)
  raise.check(1, "require", "string", name)
  local module = rawget(loaded, name)
  if module ~= nil then return module end
  return load_file(name, read_module)
end

--- The value of the file at `path`, which runs once.
function M.include(path)
  local module = rawget(loaded, path)
  if module ~= nil then return module end
  return load_file(path, read_source)
end

--- Run the file of a module again; what was loaded stays if that fails.
function M.reload(name)
  local old = rawget(loaded, name)
  if old ~= nil and not from_file[name] then
    raise.raise("module '" .. name .. "' does not come from a file: it cannot be loaded again")
  end
  rawset(loaded, name, nil)
  local restore <close> = setmetatable({}, { __close = function(_, err) -- luacheck: ignore 211
    if err ~= nil then rawset(loaded, name, old) end
  end })
  local value = (M.is_path(name) and M.include or M.require)(name)
  return value
end

--- Whether `name` is a path of a file rather than the name of a module.
function M.is_path(name)
  return string.find(name, "/", 1, true) ~= nil or string.find(name, "%.lua$") ~= nil
end

return M
