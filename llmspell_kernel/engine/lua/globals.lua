-- Globals that only a notebook has: displays, clearing, asking.

local scheduler = require("scheduler")
local snapshot = require("snapshot")
local input = require("input")
local help = require("help")

local handle_meta = { __name = "display", __metatable = false }
local handle_ids = setmetatable({}, { __mode = "k" })

-- Show a value in the cell, under an id of the display by which it can be updated.
local function show(value, id, update)
  local bundle = snapshot.mime_bundle(value)
  if bundle then
    scheduler.post("host", "display", "bundle", bundle, id, update)
  else
    scheduler.post("host", "display", "snapshot", snapshot.take(value), id, update)
  end
end

local methods = {}

-- Replace what this display shows.
function methods.update(handle, value)
  local id = handle_ids[handle]
  if not id then error("call update with a colon: handle:update(value)", 2) end
  show(value, id, true)
  return handle
end

handle_meta.__index = methods
handle_meta.__newindex = function() error("a display handle is read-only; use handle:update(value)", 2) end
handle_meta.__tostring = function(handle) return "display: " .. handle_ids[handle] end

local M = {}

--- Show a value where the running task writes.
function M.show(value) show(value, "", false) end

local configured -- its token changes when a copy of the engine becomes the session
local shown = 0

local function new_handle()
  shown = shown + 1
  local handle = setmetatable({}, handle_meta)
  handle_ids[handle] = configured.token .. "-" .. shown
  return handle
end

--- As cells call it: show a value, and return the handle by which it can be updated.
function M.display(value)
  local handle = new_handle()
  show(value, handle_ids[handle], false)
  return handle
end

--- The same for a picture that snapshot.lua took.
function M.display_picture(picture)
  local handle = new_handle()
  scheduler.post("host", "display", "snapshot", picture, handle_ids[handle], false)
  return handle
end

--- The same for several values; returns the handle of the last.
function M.display_all(...)
  local handle
  for index = 1, math.max(1, select("#", ...)) do handle = M.display((select(index, ...))) end
  return handle
end

-- `display` is a function that has members.
local function display_module()
  local meta = { __name = "module display", __metatable = false }
  function meta.__call(_, ...) return M.display_all(...) end
  function meta.__index(_, key) return require("lib.display")[key] end
  function meta.__newindex() error("module 'display' is read-only; display.register adds renderers", 2) end
  function meta.__tostring() return "module: display" end
  function meta.__pairs() return next, require("lib.display"), nil end
  return setmetatable({}, meta)
end

function M.is_display(value)
  return type(value) == "table" and handle_ids[value] ~= nil
end

function M.build(options)
  local G = {}
  configured = options
  G.display = display_module()

  function G.progress(...) return require("lib.progress").each(...) end

  function G.clear_output(wait)
    scheduler.post("host", "clear", wait and true or false)
  end

  function G.input(prompt, password)
    return input.ask(prompt == nil and "" or tostring(prompt), password and true or false)
  end

  function G.interact(...) return require("lib.widgets").interact(...) end

  function G.ask(...) return require("lib.widgets").ask(...) end

  G.help = help.ask

  return G
end

return M
