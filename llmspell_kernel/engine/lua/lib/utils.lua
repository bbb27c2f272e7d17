-- `utils`: small helpers that older spells use.

local async = require("lib.async")
local errorobject = require("errorobject")
local guarded = require("guarded").pcall
local raise = require("raise")
local sandbox = require("sandbox")
local tools = require("lib.tools")
local framed = raise.framed

local date, time = os.date, os.time
local concat = table.concat
local gsub, match = string.gsub, string.match
local select, type = select, type

local M = {}

-- ── files, under the grants that the tools have ────────────────────────────────────────────────────

local function call(tool, arguments)
  if not tools.get(tool) then
    return nil, errorobject.new({ code = "not_here", message = "there is no tool '" .. tool .. "' here" })
  end
  return tools.execute(tool, arguments)
end

--- Tells whether there is a file; false also where reading it is not granted.
--- ```lua
--- print(utils.file_exists("no such file")) --> false
--- ```
---@param path string
---@return boolean exists
function M.file_exists(path)
  raise.check(1, "utils.file_exists", "string", path)
  local ok, found = guarded(call, "file_exists", { path = path })
  if type(found) == "table" then found = found.exists end
  return ok and found == true
end

--- Reads a file as the tool `file_read` does; `nil, err` if it cannot.
--- ```lua
--- utils.file_write("utils.txt", "hello")
--- print(utils.file_read("utils.txt")) --> hello
--- ```
---@param path string
---@return string? text
---@return Error? err
function M.file_read(path)
  raise.check(1, "utils.file_read", "string", path)
  local text, err = call("file_read", { path = path })
  if text == nil then return nil, err end
  return type(text) == "table" and text.content or text
end

--- Writes a file as the tools `file_write` and `file_append` do; `nil, err` if it cannot.
--- ```lua
--- utils.file_write("utils.txt", "hello")
--- ```
---@param path string
---@param text string
---@param append? boolean
---@return any done
---@return Error? err
function M.file_write(path, text, append)
  raise.check(1, "utils.file_write", "string", path)
  raise.check(2, "utils.file_write", "string", text)
  return framed(call(append and "file_append" or "file_write", { path = path, content = text }))
end

--- Lists a folder as the tool `file_list` does; `nil, err` if it cannot.
--- ```lua
--- local names, err = utils.list_files("no such folder")
--- ```
---@param path string
---@return table? files
---@return Error? err
function M.list_files(path)
  raise.check(1, "utils.list_files", "string", path)
  local list, err = call("file_list", { path = path })
  if type(list) == "table" and list.files then list = list.files end
  return list, err
end

-- ── paths ──────────────────────────────────────────────────────────────────────────────────────────

--- Joins parts of a path.
--- ```lua
--- print(utils.join_path("a/", "b", "", "c.txt")) --> a/b/c.txt
--- ```
---@param ... string
---@return string path
function M.join_path(...)
  local parts = {}
  for index = 1, select("#", ...) do
    local part = raise.check(index, "utils.join_path", "string", (select(index, ...)))
    local short = gsub(part, "[/\\]+$", "")
    if short == "" and part ~= "" and #parts == 0 then short = "" elseif short == "" then short = nil end
    if short then parts[#parts + 1] = short end
  end
  return #parts == 1 and parts[1] == "" and "/" or concat(parts, "/")
end

--- Returns what comes after the last dot of a file's name, with the dot; an empty string if there is none.
--- ```lua
--- print(utils.file_extension("a.b/notes.md")) --> .md
--- ```
---@param path string
---@return string extension
function M.file_extension(path)
  raise.check(1, "utils.file_extension", "string", path)
  return match(path, "[^/\\.](%.[^/\\.]+)$") or ""
end

--- Returns the last part of a path.
--- ```lua
--- print(utils.basename("a/b/notes.md")) --> notes.md
--- ```
---@param path string
---@return string name
function M.basename(path)
  raise.check(1, "utils.basename", "string", path)
  return match(path, "([^/\\]+)[/\\]*$") or path
end

--- Returns a path without its last part.
--- ```lua
--- print(utils.dirname("a/b/notes.md"), utils.dirname("notes.md")) --> a/b	.
--- ```
---@param path string
---@return string folder
function M.dirname(path)
  raise.check(1, "utils.dirname", "string", path)
  local folder = match(path, "^(.*)[/\\]+[^/\\]+[/\\]*$")
  if folder == "" then return "/" end
  return folder or "."
end

-- ── time and the rest ──────────────────────────────────────────────────────────────────────────────

--- Waits so many seconds, while everything else goes on; `async.sleep`.
--- ```lua
--- utils.sleep(0.01)
--- ```
---@param seconds number
function M.sleep(seconds)
  raise.check_number(1, "utils.sleep", seconds, 0)
  async.sleep(seconds)
end

--- Returns the seconds since 1970; `os.time()`.
--- ```lua
--- print(utils.current_time() == os.time()) --> true
--- ```
---@return integer seconds
function M.current_time() return framed(time()) end

--- Writes a time as `os.date` does; now and `%Y-%m-%d %H:%M:%S` unless told.
--- ```lua
--- print(utils.format_time(0, "!%Y")) --> 1970
--- ```
---@param seconds? integer
---@param format? string
---@return string text
function M.format_time(seconds, format)
  seconds = raise.check_whole(1, "utils.format_time", seconds, true)
  raise.check(2, "utils.format_time", "string", format, true)
  local ok, text = guarded(date, format or "%Y-%m-%d %H:%M:%S", seconds or time())
  if not ok then raise.raise("'utils.format_time': " .. gsub(text, "^bad argument.-%((.*)%)$", "%1")) end
  return text
end

--- Returns an environment variable that is granted, else nil; `os.getenv`.
--- ```lua
--- print(utils.env("NO_SUCH_VARIABLE")) --> nil
--- ```
---@param name string
---@return string? value
function M.env(name)
  raise.check(1, "utils.env", "string", name)
  return (sandbox.libraries.os.getenv(name))
end

--- Runs nothing: there are no commands here, ever. Always returns `nil, err`.
--- ```lua
--- local _, err = utils.exec("ls")
--- print(err.code) --> not_here
--- ```
---@param command string
---@return nil
---@return Error err
function M.exec(command)
  raise.check(1, "utils.exec", "string", command)
  return nil, errorobject.new({
    code = "not_here",
    message = "commands are not run here",
    suggestion = "register a tool for what it should do, or use an MCP server",
  })
end

return M
