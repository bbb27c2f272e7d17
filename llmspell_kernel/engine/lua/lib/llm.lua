-- `llm` on the Lua side: answers that are tables and read as their text.

local bridge = require("bridge")
local promises = require("promises")
local raise = require("raise")

require("lib.promise") -- what the asynchronous calls give has its methods

local ipairs, next, setmetatable, tostring, type = ipairs, next, setmetatable, tostring, type
local concat, unpack = table.concat, table.unpack

local M = {}

local response = { __name = "response" }

local function text(value)
  if type(value) == "table" and getmetatable(value) == response then return value.content end
  return tostring(value)
end

response.__tostring = function(self) return self.content end
response.__concat = function(a, b) return text(a) .. text(b) end
response.__len = function(self) return #self.content end
-- string methods work on an answer as on its text
response.__index = function(_, key)
  local method = string[key]
  return method and function(self, ...) return method(text(self), ...) end
end

local function answered(value, err)
  if value == nil then return nil, err end
  if type(value) == "table" then setmetatable(value, response) end
  return value
end

for _, name in ipairs({ "chat", "complete", "generate_message", "stream" }) do
  local call = bridge.bind("llm", name)
  M[name] = function(...)
    return answered(call(...))
  end
end

-- ── several questions ──────────────────────────────────────────────────────────────────────────────

--- Asks beside everything else; `on_ok` gets the answer, `on_error` the error. Returns a promise of the answer.
--- ```lua
--- llm.chat_async("Say hello.", print)
--- ```
---@param prompt string|llm.Message[]|llm.Question
---@param on_ok? fun(answer: llm.Response)
---@param on_error? fun(err: Error)
---@return Promise promise
function M.chat_async(prompt, on_ok, on_error)
  raise.check(2, "llm.chat_async", "function", on_ok, true)
  raise.check(3, "llm.chat_async", "function", on_error, true)
  return (promises.spawn(function()
    local answer, err = M.chat(prompt)
    if answer == nil then
      if on_error then on_error(err) end
      return nil, err
    end
    if on_ok then on_ok(answer) end
    return answer
  end))
end

-- What `ask(item)` gives for each item, asked side by side, in order.
local function side_by_side(items, ask)
  local jobs = {}
  for index, item in ipairs(items) do
    jobs[index] = promises.check(1, "llm", (promises.spawn(ask, item)))
  end
  local results = {}
  for index, job in ipairs(jobs) do results[index] = promises.await(job) end
  return results
end

--- Asks every prompt, side by side; returns a list of `{ success, prompt, response, error }` in their order.
--- ```lua
--- local results = llm.batch_process({ "one", "two" })
--- ```
---@param prompts string[]
---@param options? llm.Options
---@return table results
function M.batch_process(prompts, options)
  raise.check(1, "llm.batch_process", "table", prompts)
  return side_by_side(prompts, function(prompt)
    local answer, err = M.chat(prompt, options)
    return { success = answer ~= nil, prompt = prompt, response = answer, error = err }
  end)
end

--- Asks several providers the same, side by side; returns `provider → { success, response, error }`.
--- ```lua
--- local answers = llm.compare_providers("Say hello.", { "local" })
--- ```
---@param prompt string
---@param providers (ProviderName|ModelName)[] names of providers, or `provider:model`
---@param options? llm.Options
---@return table answers
function M.compare_providers(prompt, providers, options)
  raise.check(1, "llm.compare_providers", "string", prompt)
  raise.check(2, "llm.compare_providers", "table", providers)
  local results = side_by_side(providers, function(name)
    local asked = {}
    for key, value in next, options or {} do asked[key] = value end
    asked.model = name
    local answer, err = M.chat(prompt, asked)
    return { success = answer ~= nil, response = answer, error = err }
  end)
  local answers = {}
  for index, name in ipairs(providers) do answers[name] = results[index] end
  return answers
end

--- Makes a function that asks as `llm.chat` does, of one provider after the other until one answers.
--- ```lua
--- local ask = llm.setup_fallback_chain({ "ollama", "local" })
--- ```
---@param providers (ProviderName|ModelName)[] names of providers, or `provider:model`
---@return function ask
function M.setup_fallback_chain(providers)
  raise.check(1, "llm.setup_fallback_chain", "table", providers)
  local names = { unpack(providers) }
  if #names == 0 then raise.raise("'llm.setup_fallback_chain' needs at least one provider") end
  return function(prompt, options)
    local answer, err
    for _, name in ipairs(names) do
      local asked = {}
      for key, value in next, options or {} do asked[key] = value end
      asked.model = name
      answer, err = M.chat(prompt, asked)
      if answer ~= nil then return answer end
    end
    return nil, err
  end
end

-- ── conversations ──────────────────────────────────────────────────────────────────────────────────

--- A conversation that remembers what was said.
---@class ChatSession
---@field system? string what the model is told before everything else
---@field history llm.Message[] what was said
local session = {}
local session_meta = { __name = "ChatSession", __index = session }

--- Starts a conversation that remembers what was said.
--- ```lua
--- local talk = llm.chat_session("You are brief.")
--- ```
---@param system? string
---@param options? llm.Options for every question of it
---@return ChatSession session
function M.chat_session(system, options)
  raise.check(1, "llm.chat_session", "string", system, true)
  raise.check(2, "llm.chat_session", "table", options, true)
  return setmetatable({ system = system, options = options, history = {} }, session_meta)
end

--- Says something and returns the answer, a string.
--- ```lua
--- local talk = llm.chat_session()
--- local answer = talk:send("Hello")
--- ```
---@param said string
---@return string answer
function session:send(said)
  raise.check(1, "send", "string", said)
  local messages = { unpack(self.history) }
  if self.system then table.insert(messages, 1, { role = "system", content = self.system }) end
  local turn = { role = "user", content = said }
  messages[#messages + 1] = turn
  local answer, err = M.chat(messages, self.options)
  if answer == nil then return nil, err end
  self.history[#self.history + 1] = turn
  self.history[#self.history + 1] = { role = "assistant", content = answer.content }
  return answer.content
end

--- Returns a copy of what was said: a list of `{ role, content }`.
--- ```lua
--- print(#llm.chat_session():get_history()) --> 0
--- ```
---@return llm.Message[] messages
function session:get_history()
  local copy = {}
  for index, message in ipairs(self.history) do
    copy[index] = { role = message.role, content = message.content }
  end
  return copy
end

--- Forgets what was said; the system text stays.
--- ```lua
--- llm.chat_session():clear()
--- ```
function session:clear()
  self.history = {}
end

--- Returns the conversation as a text, a paragraph for each turn.
--- ```lua
--- print(llm.chat_session("Be brief."):export()) --> system: Be brief.
--- ```
---@return string text
function session:export()
  local lines = {}
  if self.system then lines[1] = "system: " .. self.system end
  for _, message in ipairs(self.history) do lines[#lines + 1] = message.role .. ": " .. message.content end
  return concat(lines, "\n\n")
end

return M
