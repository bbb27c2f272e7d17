-- `storage`: values and files of a spell's own. Files are the kernel process's (bridges/storage.py); a value is a file
-- that holds it as JSON.

local bridge = require("bridge")
local codec = require("codec")
local dialect = require("dialect")
local json = require("lib.json")
local raise = require("raise")
local framed = raise.framed

local find, gsub = string.find, string.gsub
local ipairs, type = ipairs, type
local read, write, delete, list =
  bridge.bind("storage", "read"), bridge.bind("storage", "write"), bridge.bind("storage", "delete"),
  bridge.bind("storage", "list")

local M = {}

function M.write(path, content)
  local as_problem = dialect.wants_problem()
  local done, err = write(path, content)
  if as_problem then return err end
  if done == nil then return nil, err end
  return done
end

function M.delete(path)
  local as_problem = dialect.wants_problem()
  local was, err = delete(path)
  if as_problem then return err end
  if was == nil then return nil, err end
  return was
end

-- list(prefix), or list(pattern) with `*`, which stands for no `/`.
function M.list(prefix)
  if type(prefix) ~= "string" or not find(prefix, "*", 1, true) then return framed(list(prefix)) end
  local pattern = "^" .. gsub(gsub(prefix, "[^%w*]", "%%%0"), "%*", "[^/]*") .. "$"
  local found, all, err = codec.array({}), list("")
  if not all then return nil, err end
  for _, path in ipairs(all) do
    if find(path, pattern) then found[#found + 1] = path end
  end
  return found
end

--- Keeps a value (whatever JSON can hold) under a key, which is the path of a file in the storage folder. Returns true,
--- or `nil, err`.
--- ```lua
--- storage.set("settings", { theme = "dark" })
--- print(storage.get("settings").theme) --> dark
--- ```
---@param key StoragePath
---@param value any nil deletes it
---@return boolean done
function M.set(key, value)
  raise.check(1, "storage.set", "string", key)
  if value == nil then
    local was, err = M.delete(key)
    if was == nil then return nil, err end
    return true
  end
  return framed(write(key, json.encode(value)))
end

--- Returns the value that is kept under a key, `default` if there is none; `nil, err` for a file that holds no value.
--- ```lua
--- print(storage.get("never set", "nothing")) --> nothing
--- ```
---@param key StoragePath
---@param default? any
---@return any value
function M.get(key, default)
  raise.check(1, "storage.get", "string", key)
  local text, err = read(key)
  if text then return framed(json.decode(text)) end
  if err.code == "not_found" then return default end
  return nil, err
end

return M
