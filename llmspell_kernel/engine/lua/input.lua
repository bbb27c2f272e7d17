-- `io` as a cell has it: writing goes to the cell's output, reading asks the person in the notebook.

local host = require("host")
local scheduler = require("scheduler")

local M = {}

local write, cell_of = host.write, scheduler.cell
local find, sub = string.find, string.sub

local pending = "" -- what was typed and not yet read

-- Ask for a line; returns it without its newline, or nil where nobody can answer.
function M.ask(prompt, password)
  local ok, value = scheduler.call("host", "input", prompt or "", password or false)
  if not ok then error(value.message, 0) end
  return value[1]
end

local function more()
  local line = M.ask("")
  if line == nil then return false end
  pending = pending .. line .. "\n"
  return true
end

local readers = {}

function readers.l(keep)
  if not find(pending, "\n", 1, true) and not more() and pending == "" then return nil end
  local stop = find(pending, "\n", 1, true)
  local line = stop and sub(pending, 1, keep and stop or stop - 1) or pending
  pending = stop and sub(pending, stop + 1) or ""
  return line
end

function readers.L()
  return readers.l(true)
end

function readers.n()
  while not find(pending, "%S") do
    pending = ""
    if not more() then return nil end
  end
  local _, stop, text = find(pending, "^%s*([%w%.%+%-]+)")
  if not stop then return nil end
  pending = sub(pending, stop + 1)
  if find(pending, "^[ \t]*\n") then pending = sub(pending, (select(2, find(pending, "^[ \t]*\n"))) + 1) end
  return tonumber(text)
end

function readers.a()
  -- the notebook has no end of file: one answer is all there is
  if pending == "" then more() end
  local text = pending
  pending = ""
  return text
end

local function read_count(count)
  if pending == "" and not more() then return nil end
  local text = sub(pending, 1, count)
  pending = sub(pending, #text + 1)
  return text
end

local function read(...)
  local formats = select("#", ...) == 0 and { "l" } or { ... }
  local results = {}
  for index, format in ipairs(formats) do
    if math.type(format) == "integer" then
      results[index] = read_count(format)
    else
      local key = type(format) == "string" and string.gsub(format, "^%*", "")
      local reader = key and readers[sub(key, 1, 1)]
      if not reader then error("bad argument #" .. index .. " to 'read' (invalid format)", 3) end
      results[index] = reader()
    end
    if results[index] == nil then return table.unpack(results, 1, index) end
  end
  return table.unpack(results, 1, #formats)
end

local file_meta = { __name = "FILE*", __metatable = false }

local function stream(number, name)
  local file = setmetatable({}, file_meta)
  local methods = {}
  function methods.write(self, ...)
    for index = 1, select("#", ...) do
      local value = select(index, ...)
      local kind = type(value)
      if kind ~= "string" and kind ~= "number" then
        error("bad argument #" .. index .. " to 'write' (string expected, got " .. kind .. ")", 2)
      end
      write(number, cell_of(), tostring(value))
    end
    return self
  end
  function methods.flush(self) return self end
  function methods.setvbuf() return true end
  function methods.close() return nil, "the notebook's streams stay open" end
  function methods.seek() return nil, "the notebook's streams have no position" end
  return file, methods, name
end

local stdout, stdout_methods = stream(1)
local stderr, stderr_methods = stream(2)
local stdin = setmetatable({}, file_meta)
local stdin_methods = {
  read = function(_, ...) return read(...) end,
  lines = function(_, ...)
    local formats = { ... }
    return function() return read(table.unpack(formats)) end
  end,
  close = stdout_methods.close,
}

local names = { [stdout] = "stdout", [stderr] = "stderr", [stdin] = "stdin" }
local methods_of = { [stdout] = stdout_methods, [stderr] = stderr_methods, [stdin] = stdin_methods }

file_meta.__index = function(file, key)
  local methods = methods_of[file]
  return methods and methods[key]
end
file_meta.__newindex = function() error("a file is read-only", 2) end
file_meta.__tostring = function(file) return "file (" .. (names[file] or "?") .. ")" end

function M.is_stream(value)
  return value ~= nil and methods_of[value] ~= nil
end

-- A function of lib/files.lua, which is loaded when it is first called.
local function of_files(name)
  return function(...) return require("lib.files")[name](...) end
end

local lines_of_file, type_of_file = of_files("lines"), of_files("type")

function M.io_library()
  return {
    stdout = stdout,
    stderr = stderr,
    stdin = stdin,
    write = function(...)
      stdout_methods.write(stdout, ...)
      return stdout
    end,
    flush = function() return stdout end,
    read = read,
    lines = function(name, ...)
      if name ~= nil then return lines_of_file(name, ...) end
      return stdin_methods.lines(stdin, ...)
    end,
    type = function(value)
      if value ~= nil and methods_of[value] then return "file" end
      return type_of_file(value)
    end,
    open = of_files("open"),
    tmpfile = of_files("tmpfile"),
    close = function(file)
      if file == nil then return stdout_methods.close() end
      return file:close()
    end,
  }
end

return M
