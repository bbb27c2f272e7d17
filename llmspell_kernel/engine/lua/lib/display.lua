-- The members of `display`: media by their kind, and renderers for values of one's own.

local globals = require("globals")
local options_of = require("lib.options")
local raise = require("raise")
local snapshot = require("snapshot")
local framed = raise.framed

local next, rawget, rawlen, tostring, type = next, rawget, rawlen, tostring, type
local byte, concat, find, format, gsub, insert, remove, sub =
  string.byte, table.concat, string.find, string.format, string.gsub, table.insert, table.remove, string.sub
local utf8_len = utf8.len

local M = {}

local PLAIN_BYTES = 10000

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }
local NAMED = { lt = "<", gt = ">", amp = "&", quot = '"' }

local function escaped(text)
  return (gsub(tostring(text), "[&<>\"']", ENTITIES))
end

-- HTML as a console shows it.
local function without_tags(markup)
  local text = gsub(gsub(sub(markup, 1, PLAIN_BYTES), "<[^<>]*>", ""), "&(%a+);", NAMED)
  return (gsub(text, "^%s+", ""))
end

--- Shows a value, or a table of MIME types (`{["text/html"] = "<b>hi</b>"}`), below the cell, and returns a handle to
--- change it.
--- ```lua
--- local h = display("working…")
--- h:update("done")
--- ```
---@param ... any values to show
---@return Display handle
function M.show(...) return framed(globals.display_all(...)) end

--- Shows records as a grid, with the columns that are asked for in their order.
--- ```lua
--- display.table({ { name = "Ada", born = 1815 } }, { columns = { "name", "born" } })
--- ```
---@param rows table a list of records, or a map of them
---@param options? { columns?: string[] } `columns`: their names, in order
---@return Display handle
function M.table(rows, options)
  raise.check(1, "display.table", "table", rows)
  local wanted = options_of.read(2, "display.table", options, { columns = "table" }).columns
  if not wanted then return framed(globals.display(rows)) end
  local names = {}
  for index = 1, rawlen(wanted) do
    names[index] = tostring(rawget(wanted, index))
  end
  if #names == 0 then raise.raise("'display.table' got no columns") end
  return framed(globals.display_picture(snapshot.take(rows, { columns = names })))
end

--- Shows HTML. What acts or loads in it (scripts, frames, remote images) is left out.
--- ```lua
--- display.html("<b>bold</b>")
--- ```
---@param markup string
---@return Display handle
function M.html(markup)
  raise.check(1, "display.html", "string", markup)
  return framed(globals.display({ ["text/html"] = markup, ["text/plain"] = without_tags(markup) }))
end

--- Shows Markdown.
--- ```lua
--- display.markdown("# Title")
--- ```
---@param text string
---@return Display handle
function M.markdown(text)
  raise.check(1, "display.markdown", "string", text)
  return framed(globals.display({ ["text/markdown"] = text, ["text/plain"] = text }))
end

--- Shows a formula.
--- ```lua
--- display.latex("E = mc^2")
--- ```
---@param source string with or without dollars
---@return Display handle
function M.latex(source)
  raise.check(1, "display.latex", "string", source)
  local formula = find(source, "$", 1, true) and source or "$\\displaystyle " .. source .. "$"
  return framed(globals.display({ ["text/latex"] = formula, ["text/plain"] = source }))
end

--- Shows a value as a folding tree of JSON.
--- ```lua
--- display.json({ answer = 42 })
--- ```
---@param value any
---@return Display handle
function M.json(value)
  return framed(globals.display({ ["application/json"] = value, ["text/plain"] = snapshot.text(value, PLAIN_BYTES) }))
end

--- Shows a drawing.
--- ```lua
--- display.svg('<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="10" height="10"/></svg>')
--- ```
---@param source string
---@return Display handle
function M.svg(source)
  raise.check(1, "display.svg", "string", source)
  return framed(globals.display({ ["image/svg+xml"] = source, ["text/plain"] = "<SVG image>" }))
end

-- ── media ──────────────────────────────────────────────────────────────────────────────────────────

local KINDS = {
  { "^\x89PNG", "image/png" }, { "^\xFF\xD8\xFF", "image/jpeg" }, { "^GIF8", "image/gif" },
  { "^RIFF....WEBP", "image/webp" }, { "^RIFF....WAVE", "audio/wav" }, { "^ID3", "audio/mpeg" },
  { "^\xFF[\xF2\xF3\xFB]", "audio/mpeg" }, { "^OggS", "audio/ogg" }, { "^fLaC", "audio/flac" },
  { "^....ftyp", "video/mp4" }, { "^\x1A\x45\xDF\xA3", "video/webm" },
  { "^%s*<svg", "image/svg+xml" }, { "^%s*<%?xml.-<svg", "image/svg+xml" },
}

local function kind_of(data)
  for index = 1, #KINDS do
    if find(sub(data, 1, 1000), KINDS[index][1]) then return KINDS[index][2] end
  end
end

-- The bytes of what is given as bytes or as a path in a granted folder, and their kind.
local function read(what, caller)
  raise.check(1, caller, "string", what)
  local kind = kind_of(what)
  if kind then return what, kind end
  if #what > 4096 or not utf8_len(what) then raise.raise("'" .. caller .. "' does not know this kind of data") end
  local file, problem = require("lib.files").open(what, "rb")
  if not file then raise.raise(tostring(problem)) end
  local data = file:read("a")
  file:close()
  kind = kind_of(data)
  if not kind then raise.raise("'" .. caller .. "' does not know the kind of " .. what) end
  return data, kind
end

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function digit(number) return sub(DIGITS, number + 1, number + 1) end

local function base64(data)
  local parts = {}
  for index = 1, #data, 3 do
    local a, b, c = byte(data, index, index + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    parts[#parts + 1] = digit(bits >> 18) .. digit(bits >> 12 & 63)
      .. (b and digit(bits >> 6 & 63) or "=") .. (c and digit(bits & 63) or "=")
  end
  return concat(parts)
end

local IMAGE = { width = "number|string", height = "number|string", alt = "string" }
local PLAYER = { width = "number|string", height = "number|string" }

local function attributes(options)
  local text = ""
  for _, name in next, { "width", "height", "alt" } do
    local value = options[name]
    if value ~= nil then text = text .. format(' %s="%s"', name, escaped(tostring(value))) end
  end
  return text
end

--- Shows an image: its bytes, or a path in a granted folder.
--- ```lua
--- local dot = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle cx="4" cy="4" r="4"/></svg>'
--- assert(io.open("dot.svg", "w")):write(dot):close()
--- display.image("dot.svg", { alt = "a dot" })
--- ```
---@param what string
---@param options? { width?: number, height?: number, alt?: string } in pixels; `alt` stands for it in plain text
---@return Display handle
function M.image(what, options)
  options = options and options_of.read(2, "display.image", options, IMAGE)
  local data, kind = read(what, "display.image")
  if sub(kind, 1, 6) ~= "image/" then raise.raise("'display.image' got " .. kind) end
  local alt = options and options.alt or "<" .. kind .. ", " .. #data .. " bytes>"
  local bundle = { [kind] = data, ["text/plain"] = alt }
  if options and kind ~= "image/svg+xml" then
    bundle["text/html"] = format('<img src="data:%s;base64,%s"%s>', kind, base64(data), attributes(options))
  end
  return framed(globals.display(bundle))
end

local function player(tag, what, caller, options)
  options = options_of.read(2, caller, options, PLAYER)
  local data, kind = read(what, caller)
  return globals.display({
    ["text/html"] = format('<%s controls src="data:%s;base64,%s"%s></%s>', tag, kind, base64(data),
      attributes(options), tag),
    ["text/plain"] = "<" .. kind .. ", " .. #data .. " bytes>",
  })
end

--- Shows a player for sound: its bytes, or a path in a granted folder.
--- ```lua
--- local rate, samples = 8000, {}
--- for i = 1, rate do samples[i] = string.pack("<i2", math.floor(9000 * math.sin(i * 440 * 2 * math.pi / rate))) end
--- local sound = table.concat(samples) -- a second of an A, as the samples of a WAV file
--- local head = string.pack("<c4I4c4c4I4I2I2I4I4I2I2c4I4", "RIFF", 36 + #sound, "WAVE",
---   "fmt ", 16, 1, 1, rate, rate * 2, 2, 16, "data", #sound)
--- display.audio(head .. sound)
--- ```
---@param what string
---@return Display handle
function M.audio(what) return framed(player("audio", what, "display.audio")) end

--- Shows a player for a film: its bytes, or a path in a granted folder.
--- ```lua
--- if io.open("flight.mp4") then display.video("flight.mp4", { width = 320 }) end
--- ```
---@param what string
---@param options? { width?: number, height?: number } in pixels
---@return Display handle
function M.video(what, options) return framed(player("video", what, "display.video", options)) end

--- Shows a link.
--- ```lua
--- display.link("https://www.lua.org", "Lua")
--- ```
---@param url string
---@param text? string
---@return Display handle
function M.link(url, text)
  raise.check(1, "display.link", "string", url)
  return globals.display({
    ["text/html"] = format('<a href="%s" target="_blank">%s</a>', escaped(url), escaped(text or url)),
    ["text/plain"] = text and text .. ": " .. url or url,
  })
end

--- Shows a link to a file beside the notebook.
--- ```lua
--- display.file("report.md")
--- ```
---@param path string
---@param text? string
---@return Display handle
function M.file(path, text)
  raise.check(1, "display.file", "string", path)
  local address = gsub(path, "[^%w%-._~/]", function(one) return format("%%%02X", byte(one)) end)
  local name = gsub(text or path, "[%[%]\\]", "\\%0")
  return globals.display({
    ["text/markdown"] = "[" .. name .. "](" .. address .. ")",
    ["text/plain"] = text and text .. ": " .. path or path,
  })
end

-- ── renderers ──────────────────────────────────────────────────────────────────────────────────────

--- Draws tables of one's own kind from now on, at the end of cells and by `display`. A renderer that fails is told
--- below the plain value; the last one registered comes first.
--- ```lua
--- display.register(function(v) return v.celsius ~= nil end, function(v) return "<b>" .. v.celsius .. " °C</b>" end)
--- ```
---@param predicate string|function the `__name` of the metatable, or a function that says whether to draw a table
---@param renderer? function gives HTML as a string, or a table of MIME types; nil takes the renderer away
function M.register(predicate, renderer)
  if type(predicate) ~= "string" then raise.check(1, "display.register", "function", predicate) end
  raise.check(2, "display.register", "function", renderer, true)
  local renderers = snapshot.renderers
  for index = rawlen(renderers), 1, -1 do
    if renderers[index].predicate == predicate then remove(renderers, index) end
  end
  if renderer then insert(renderers, 1, { predicate = predicate, renderer = renderer }) end
end

return M
