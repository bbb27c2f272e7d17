-- `storage`: values and files of a spell's own. Files are the kernel process's (bridges/storage.py); a value is a file
-- that holds it as JSON.

local bridge = require("bridge")
local json = require("lib.json")
local raise = require("raise")

local read, write = bridge.bind("storage", "read"), bridge.bind("storage", "write")

local M = {}

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
  return write(key, json.encode(value))
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
  if text then return json.decode(text) end
  if err.code == "not_found" then return default end
  return nil, err
end

return M
