-- `require` for cells: the modules there are, then files of the notebook's folder, read by the kernel process.

local bridge = require("bridge")
local raise = require("raise")
local sandbox = require("sandbox")
local scheduler = require("scheduler")

local concat, next, rawget, rawset, setmetatable, tostring, type =
  table.concat, next, rawget, rawset, setmetatable, tostring, type
local gmatch, gsub, sub = string.gmatch, string.gsub, string.sub
local utf8_len = utf8.len
local isyieldable, running, status = coroutine.isyieldable, coroutine.running, coroutine.status
local read_module, read_source = bridge.bind("files", "lua_module"), bridge.bind("files", "lua_source")
local read_instead = bridge.bind("files", "lua_instead")

local M = {}

--- What `require` has given to cells, which know it as `package.loaded`.
M.loaded = {}

local loaded = M.loaded
local asked_for = {} -- names of modules of ours that no file was found for in this cell
local ours = {} -- the modules that are not from files, by name: a file of the notebook's folder goes before them
local from_file = {} -- name → true for what came from a file
-- What is being loaded: name → { thread (weak), task, waiters }. A task is MAIN where there is none.
local loading = {}
local MAIN = {}
local chains = setmetatable({}, { __mode = "k" }) -- task → names of the modules that are being loaded in it
local awaited = setmetatable({}, { __mode = "k" }) -- task → name of the module that it waits for

local function task_of_now() return scheduler.current() or MAIN end

-- The loading of `name`, if it still goes on: a coroutine that was stopped or forgotten has not said that it ended.
local function loading_of(name)
  local entry = loading[name]
  if not entry then return nil end
  local thread = entry.holder.thread
  if thread ~= nil and status(thread) ~= "dead" then return entry end
  loading[name] = nil
end

local function chain_from(chain, name)
  for index = 1, #chain do
    if chain[index] == name then return concat(chain, " -> ", index) end
  end
end

-- Raise if `name`, which is required now, cannot be had before something that waits for it: it is being loaded in this
-- task, or in one that waits for a module of this one, and so on.
local function refuse_cycle(task, name)
  local path, wanted = "", name
  while wanted do
    local entry = loading_of(wanted)
    if not entry then return end
    local chain = chain_from(chains[entry.task] or {}, wanted) or wanted
    if entry.task == task then
      if status(entry.holder.thread) == "suspended" and path == "" then
        raise.raise("module '" .. name .. "' is being loaded in a coroutine that is suspended")
      end
      raise.raise("a cycle in require: " .. chain .. " -> " .. path .. wanted)
    end
    path, wanted = path .. chain .. " -> ", awaited[entry.task]
  end
end

-- Until the value is closed, however the loading ends, `name` counts as being loaded.
local function entered(task, name)
  local chain = chains[task] or {}
  chains[task] = chain
  local size = #chain + 1
  chain[size] = name
  local holder = setmetatable({ thread = (running()) }, { __mode = "v" })
  local entry = { holder = holder, task = task, waiters = {} }
  loading[name] = entry
  return setmetatable({}, { __close = function()
    for index = #chain, size, -1 do chain[index] = nil end
    if loading[name] == entry then loading[name] = nil end
    for index = 1, #entry.waiters do scheduler.wake(entry.waiters[index]) end
  end })
end

-- Wait while another task loads `name`.
local function wait_for(task, name, entry)
  local waiter = { what = "the module '" .. name .. "'" }
  entry.waiters[#entry.waiters + 1] = waiter
  awaited[task] = name
  local guard <close> = setmetatable({}, { __close = function() awaited[task] = nil end }) -- luacheck: ignore 211
  scheduler.wait(waiter)
end

--- A cell begins: what an earlier one was loading when it was stopped is not being loaded any more.
function M.begin_cell()
  asked_for = {}
  chains[MAIN], awaited[MAIN] = nil, nil
  for name, entry in next, loading do
    if entry.task == MAIN then loading[name] = nil end
  end
end

-- A file without what Lua's own loader passes over: a byte order mark, and a first line that names an interpreter.
local function bare(source)
  local text = gsub(source, "^\239\187\191", "")
  return sub(text, 1, 1) == "#" and "--" .. text or text
end

local function run(name, path, source)
  local fn, message = sandbox.load(bare(source), "=" .. path, "t")
  if not fn then raise.raise("module '" .. name .. "' cannot be loaded: " .. tostring(message)) end
  local value = fn(name, path)
  if value == nil then value = rawget(loaded, name) end
  if value == nil then value = true end
  rawset(loaded, name, value)
  from_file[name] = true
  return value
end

-- The module `name`, which `make` loads: once, whoever asks for it meanwhile.
local function load_once(name, make)
  local task = task_of_now()
  refuse_cycle(task, name)
  local entry = loading_of(name)
  if entry then
    wait_for(task, name, entry)
    local value = rawget(loaded, name)
    if value ~= nil then return value end
    return load_once(name, make) -- it could not be loaded there: why, this task shall hear too
  end
  local guard <close> = entered(task, name) -- luacheck: ignore 211
  local value = make(name)
  return value
end

-- `path` is nil where there is no file, and `source` then tells why.
local function run_file(name, path, source)
  if not path then raise.raise("module " .. raise.shown(name) .. " not found: " .. tostring(source)) end
  return run(name, path, source)
end

--- A module of ours, which a file of the same name in the notebook's folder goes before.
function M.offer(name, module)
  loaded[name], ours[name] = module, module
end

-- Modules that are here for those who require them, and nobody else is shown.
local HIDDEN = { modelinfo = "lib.older.modelinfo", structured = "lib.older.structured" }

local TEMPLATES = "./?.lua;./?/init.lua"

-- `package`, which a cell may change as in any Lua.
local package = {
  loaded = loaded, path = TEMPLATES, cpath = "", config = "/\n;\n?\n!\n-\n", preload = {}, searchers = {},
}
M.package = package

local function of_package(key, kind)
  local value = rawget(package, key)
  return type(value) == kind and value or nil
end

local function templates() return of_package("path", "string") or TEMPLATES end

--- The first file that is there of those that a path such as `package.path` allows for a name; nil, and what was tried.
function package.searchpath(name, path, separator, replacement)
  raise.check(1, "package.searchpath", "string", name)
  raise.check(2, "package.searchpath", "string", path)
  local stem, tried = gsub(name, gsub(separator or ".", "%W", "%%%0"), replacement or "/"), {}
  for template in gmatch(path, "[^;]+") do
    local file = gsub(template, "%?", (gsub(stem, "%%", "%%%%")))
    local opened = require("lib.files").open(file, "r")
    if opened then
      opened:close()
      return file
    end
    tried[#tried + 1] = "no file '" .. file .. "'"
  end
  return nil, concat(tried, "\n\t")
end

-- What a spell has said itself of how a module is to be had: `package.preload`, `package.searchers`.
local function from_spell(name)
  local loader, extra = (of_package("preload", "table") or {})[name], ":preload:"
  if loader == nil then
    local searchers = of_package("searchers", "table") or {}
    for index = 1, #searchers do
      loader, extra = searchers[index](name)
      if type(loader) == "function" then break end
      loader = nil
    end
  end
  if loader == nil then return nil end
  local value = loader(name, extra)
  if value == nil then value = rawget(loaded, name) end
  if value == nil then value = true end
  rawset(loaded, name, value)
  return value
end

local function make_required(name)
  local value = from_spell(name)
  if value ~= nil then return value end
  return run_file(name, read_module(name, templates()))
end

--- As cells call it.
function M.require(name)
  raise.check(1, "require", "string", name)
  if not utf8_len(name) then raise.refuse(1, "require", "a name is text in UTF-8") end
  if HIDDEN[name] and rawget(loaded, name) == nil then M.offer(name, require(HIDDEN[name])) end
  -- go-llmspell's `core` adds to libraries when it is required
  if name == "core" then require("lib.older.core").extend(sandbox.env) end
  local module = rawget(loaded, name)
  if module == nil then return load_once(name, make_required) end
  -- the file itself may want ours; nobody is asked twice in a cell, nor where a task cannot wait
  if module ~= ours[name] or asked_for[name] or loading_of(name) then return module end
  if scheduler.current() and not isyieldable() then return module end
  local path, source = read_instead(name, templates())
  if not path then
    asked_for[name] = true
    return module
  end
  return load_once(name, function() return run_file(name, path, source) end)
end

--- The value of the file at `path`, which runs once.
function M.include(path)
  local module = rawget(loaded, path)
  if module ~= nil then return module end
  return load_once(path, function() return run_file(path, read_source(path)) end)
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
