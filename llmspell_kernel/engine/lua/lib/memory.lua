-- `memory`: short notes in a collection of `rag`, so that they outlive the session and are found by their meaning.

local bridge = require("bridge")
local as_results = require("lib.search_results")
local options_of = require("lib.options")
local raise = require("raise")
local framed = raise.framed

local ipairs, next = ipairs, next
local ingest, search = bridge.bind("rag", "ingest", "memory.add"), bridge.bind("rag", "search", "memory.search")
local documents = bridge.bind("rag", "documents", "memory.list")
local forget, clear = bridge.bind("rag", "delete", "memory.forget"), bridge.bind("rag", "delete", "memory.clear")
local drop = bridge.bind("rag", "drop_collection", "memory.clear")

local M = {}

local COLLECTION = "memory"

local function with_collection(options, more)
  local asked = { collection = COLLECTION }
  for key, value in next, options or {} do asked[key] = value end
  for key, value in next, more or {} do asked[key] = value end
  return asked
end

--- Which notes.
---@class memory.Where
---@field scope? string such as a person or a project
---@field collection? string where they are kept; `memory` if left out

--- How to remember.
---@class memory.Options: memory.Where
---@field id? string names the note: the one of that name before is replaced
---@field metadata? table what is known of it, for filters
---@field model? string makes the vectors; offline if left out
---@field vectors? boolean false for a memory that is searched by keywords alone

--- Remembers a text; returns its id.
--- ```lua
--- memory.add("Ada prefers tea.", { metadata = { about = "Ada" } })
--- ```
---@param text string
---@param options? memory.Options
---@return string? id
---@return Error? err
function M.add(text, options)
  raise.check(1, "memory.add", "string", text)
  options_of.check(2, "memory.add", options, { metadata = "table" })
  local asked = with_collection(options, { chunk_size = 100000 })
  local note = { text = text, id = asked.id, metadata = asked.metadata }
  asked.id, asked.metadata = nil, nil
  local done, err = ingest(note, asked)
  if done == nil then return nil, err end
  return done.ids[1]
end

--- Finds what was remembered, the best first.
--- ```lua
--- memory.add("Ada prefers tea.")
--- print(memory.search("What does Ada drink?").results[1].text) --> Ada prefers tea.
--- ```
---@param query string
---@param options? rag.SearchOptions
---@return rag.Found? found
---@return Error? err
function M.search(query, options)
  raise.check(1, "memory.search", "string", query)
  raise.check(2, "memory.search", "table", options, true)
  local asked = with_collection(options)
  local found, err = search(query, asked)
  -- nothing was ever remembered: no mistake
  if found == nil and err.code == "not_found" and #documents({ collection = asked.collection }) == 0 then
    return as_results({ query = query, collection = asked.collection, results = {} })
  end
  if found == nil then return nil, err end
  return as_results(found)
end

--- Lists what was remembered, the newest first.
--- ```lua
--- memory.add("Ada prefers tea.", { id = "tea" })
--- print(memory.list({ limit = 1 })[1].id) --> tea
--- ```
---@param options? rag.ListOptions
---@return rag.Entry[] notes
function M.list(options)
  raise.check(1, "memory.list", "table", options, true)
  return framed(documents(with_collection(options)))
end

--- Forgets a note by its id; returns whether there was one.
--- ```lua
--- memory.forget("tea")
--- ```
---@param id string
---@param options? memory.Where
---@return boolean forgotten
function M.forget(id, options)
  raise.check(1, "memory.forget", "string", id)
  raise.check(2, "memory.forget", "table", options, true)
  local count, err = forget(id, with_collection(options))
  if count == nil then return nil, err end
  return count > 0
end

--- Forgets everything, or everything of a scope.
--- ```lua
--- memory.clear({ scope = "yesterday" })
--- ```
---@param options? memory.Where
function M.clear(options)
  raise.check(1, "memory.clear", "table", options, true)
  local asked = with_collection(options)
  if asked.scope ~= nil then
    clear({ scope = asked.scope }, { collection = asked.collection })
  else
    drop(asked.collection)
  end
end

--- Makes two tools, `remember` and `recall`, for an agent's `tools`.
--- ```lua
--- print(memory.as_tools()[1].name) --> remember
--- ```
---@param options? memory.Options
---@return table[] tools
function M.as_tools(options)
  raise.check(1, "memory.as_tools", "table", options, true)
  local function parameters(name, about)
    local properties = { [name] = { type = "string", description = about } }
    return { type = "object", properties = properties, required = { name } }
  end
  return {
    {
      name = "remember",
      description = "Remembers a fact for later conversations",
      parameters = parameters("text", "The fact, as one sentence that can be understood alone"),
      execute = function(arguments)
        local id, err = M.add(arguments.text, options)
        if id == nil then return nil, err end
        return "remembered"
      end,
    },
    {
      name = "recall",
      description = "Recalls facts that were remembered earlier",
      parameters = parameters("query", "What to recall"),
      execute = function(arguments)
        local found, err = M.search(arguments.query, options)
        if found == nil then return nil, err end
        local texts = {}
        for index, result in ipairs(found.results) do texts[index] = result.text end
        return texts
      end,
    },
  }
end

return M
