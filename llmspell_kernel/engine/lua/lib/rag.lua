-- `rag` on the Lua side: results that are drawn as such, and searching as a tool for agents.

local bridge = require("bridge")
local as_results = require("lib.search_results")
local raise = require("raise")

local concat, ipairs, next, type = table.concat, ipairs, next, type
local search, search_context = bridge.bind("rag", "search"), bridge.bind("rag", "search", "rag.context")

local M = {}

-- Documented where it is declared, in the bridge.
function M.search(query, options)
  local found, err = search(query, options)
  if found == nil then return nil, err end
  return as_results(found)
end

--- How to make a text for a prompt.
---@class rag.ContextOptions: rag.SearchOptions
---@field max_chars? integer how long it may be; 4000 if left out

--- Finds what answers a question and writes it as one text for a prompt: each chunk with its source, the best first.
--- ```lua
--- rag.ingest({ "Water boils at 100 degrees." }, { collection = "facts", vectors = false })
--- print(rag.context("When does water boil?", { collection = "facts" })) --> [1] Water boils at 100 degrees.
--- ```
---@param query string
---@param options? rag.ContextOptions
---@return string? context
---@return Error? err
function M.context(query, options)
  raise.check(1, "rag.context", "string", query)
  raise.check(2, "rag.context", "table", options, true)
  local asked, most = {}, 4000
  for key, value in next, options or {} do
    if key == "max_chars" then
      most = raise.check_integer(2, "rag.context", value, 1)
    else
      asked[key] = value
    end
  end
  local found, err = search_context(query, asked)
  if found == nil then return nil, err end
  local parts, length = {}, 0
  for index, result in ipairs(found.results) do
    local source = result.metadata.source
    local part = "[" .. index .. "]" .. (type(source) == "string" and " (" .. source .. ") " or " ") .. result.text
    length = length + #part
    if length > most and index > 1 then break end
    parts[index] = part
  end
  return concat(parts, "\n\n")
end

--- How a tool searches.
---@class rag.ToolOptions: rag.ContextOptions
---@field name? string the tool's name; `search` if left out
---@field description? string what the model is told of it

--- Makes a tool that searches, for `tools.register` or an agent's `tools`.
--- ```lua
--- print(rag.as_tool({ name = "search_notes" }).name) --> search_notes
--- ```
---@param options? rag.ToolOptions
---@return table tool
function M.as_tool(options)
  raise.check(1, "rag.as_tool", "table", options, true)
  local asked, name, description = {}, "search", nil
  for key, value in next, options or {} do
    if key == "name" then
      name = value
    elseif key == "description" then
      description = value
    else
      asked[key] = value
    end
  end
  return {
    name = name,
    description = description or "Searches the person's own documents; returns the passages that fit best",
    parameters = {
      type = "object",
      properties = { query = { type = "string", description = "What to look for" } },
      required = { "query" },
    },
    execute = function(arguments)
      local context, err = M.context(arguments.query, asked)
      if context == nil then return nil, err end
      return context == "" and "nothing was found" or context
    end,
  }
end

return M
