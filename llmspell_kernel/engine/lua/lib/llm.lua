-- `llm` on the Lua side: answers that read as their text, tools of models, several questions, conversations.

local asking = require("lib.asking")
local bridge = require("bridge")
local hooked = require("lib.hooked")
local host = require("host")
local promises = require("promises")
local raise = require("raise")
local response = require("lib.response")
local framed = raise.framed

require("lib.promise") -- what the asynchronous calls give has its methods

local ipairs, next, setmetatable, tostring, type = ipairs, next, setmetatable, tostring, type
local concat, insert, unpack = table.concat, table.insert, table.unpack
local ask, completed, copy_of, prepared = asking.ask, asking.completed, asking.copy, asking.prepared

local M = {}

-- ── one question ───────────────────────────────────────────────────────────────────────────────────

for _, name in ipairs({ "chat", "generate", "generate_message", "quick_prompt" }) do
  local call = hooked.model(bridge.bind("llm", "chat", "llm." .. name))
  M[name] = function(prompt, options) return ask(name, call, prompt, options) end
end

local complete = hooked.model(bridge.bind("llm", "complete"))

function M.complete(prompt, options)
  if type(options) == "number" then options = { max_tokens = options } end
  return framed(ask("complete", complete, prompt, options))
end

local usage = bridge.bind("llm", "usage")
local usage_meta = { __name = "usage" }

function M.usage() return setmetatable(usage(), usage_meta) end

local stream = bridge.bind("llm", "stream")

function M.stream(options, on_content)
  if type(options) == "string" then options = { prompt = options } end
  raise.check(1, "llm.stream", "table", options)
  if type(on_content) == "function" then on_content = response.hearing(on_content) end
  return framed(response.of(hooked.stream(stream, prepared(completed(options)), on_content)))
end

local call_stream_chat = bridge.bind("llm", "stream_chat")

-- Hooks may change the question or answer in its place, with a text or a table.
local stream_chat = function(prompt, hear, options)
  local answer, err = hooked.plainly(call_stream_chat)(prompt, options, hear)
  if answer == nil then return nil, err end
  return type(answer) == "table" and answer.content or answer
end

local structured = hooked.plainly(bridge.bind("llm", "structured"))

function M.structured(prompt, options)
  if type(prompt) ~= "string" then raise.check(1, "llm.structured", "table", prompt) end
  raise.check(2, "llm.structured", "table", options, true)
  return framed(structured(prompt, options))
end

function M.stream_chat(prompt, on_content, options)
  if type(prompt) ~= "table" then raise.check(1, "llm.stream_chat", "string", prompt) end
  if on_content == nil then return framed(stream_chat(prompt, nil, completed(options))) end
  raise.check(2, "llm.stream_chat", "function", on_content)
  local answer, err = stream_chat(prompt, response.hearing(on_content), completed(options))
  -- with a function it gives what went wrong, if anything did: older spells say `local err = llm.stream_chat(…)`
  if answer == nil then return err end
end

--- Asks beside everything else and hears the answer piece by piece; a function that returns false stops it. Returns a
--- promise of the answer's text.
--- ```lua
--- local whole = llm.streaming_response("Count to three.", function(piece) io.write(piece) end):await()
--- ```
---@param prompt string|llm.Message[]|llm.Question
---@param on_content fun(text: string): any
---@param options? llm.Options
---@return Promise promise
function M.streaming_response(prompt, on_content, options)
  raise.check(2, "llm.streaming_response", "function", on_content)
  return (promises.spawn(function()
    return stream_chat(prompt, function(piece)
      if on_content(piece) == false then return true end
    end, completed(options))
  end))
end

--- Sets options for every later question of this session that does not give its own.
--- ```lua
--- llm.set_defaults({ temperature = 0.2 })
--- print(llm.get_defaults().temperature) --> 0.2
--- llm.reset_defaults()
--- ```
---@param options llm.Options
function M.set_defaults(options)
  raise.check(1, "llm.set_defaults", "table", options)
  for key, value in next, options do asking.defaults[key] = value end
end

--- Returns what `llm.set_defaults` has set.
--- ```lua
--- print(llm.get_defaults().temperature) --> nil
--- ```
---@return llm.Options options
function M.get_defaults()
  return copy_of(asking.defaults)
end

--- Forgets what `llm.set_defaults` has set.
--- ```lua
--- llm.reset_defaults()
--- ```
function M.reset_defaults()
  asking.defaults = {}
end

-- ── several questions ──────────────────────────────────────────────────────────────────────────────

-- A promise of what `fn(...)` gives, told to `on_ok` or `on_error` as well.
local function beside(on_ok, on_error, fn, ...)
  return (promises.spawn(function(...)
    local answer, err = fn(...)
    if answer == nil then
      if on_error then on_error(err) end
      return nil, err
    end
    if on_ok then on_ok(answer) end
    return answer
  end, ...))
end

--- Asks beside everything else; `on_ok` gets the answer, `on_error` the error. Returns a promise of the answer.
--- ```lua
--- llm.chat_async("Say hello.", print)
--- ```
---@param prompt string|llm.Message[]|llm.Question
---@param options? llm.Options may be left out
---@param on_ok? fun(answer: llm.Response)
---@param on_error? fun(err: Error)
---@return Promise promise
function M.chat_async(prompt, options, on_ok, on_error)
  if type(options) ~= "table" then options, on_ok, on_error = nil, options, on_ok end
  raise.check(2, "llm.chat_async", "function", on_ok, true)
  raise.check(3, "llm.chat_async", "function", on_error, true)
  return framed(beside(on_ok, on_error, M.chat, prompt, options))
end

--- Asks for a completion beside everything else, as `llm.chat_async` does for an answer.
--- ```lua
--- llm.complete_async("Once upon a time", 20, print)
--- ```
---@param prompt string|llm.Question
---@param max_tokens? integer may be left out
---@param on_ok? fun(answer: llm.Response)
---@param on_error? fun(err: Error)
---@return Promise promise
function M.complete_async(prompt, max_tokens, on_ok, on_error)
  if type(max_tokens) == "function" then max_tokens, on_ok, on_error = nil, max_tokens, on_ok end
  raise.check(3, "llm.complete_async", "function", on_ok, true)
  raise.check(4, "llm.complete_async", "function", on_error, true)
  return framed(beside(on_ok, on_error, M.complete, prompt, max_tokens))
end

--- Asks with a string beside everything else; the same as `llm.chat_async` without functions.
--- ```lua
--- print(llm.quick_prompt_async("A word for rain."):await())
--- ```
---@param prompt string
---@param options? llm.Options
---@return Promise promise
function M.quick_prompt_async(prompt, options)
  return framed(beside(nil, nil, M.quick_prompt, prompt, options))
end

-- What `ask(item)` gives for each item, asked side by side, in order.
local function side_by_side(items, fn)
  local jobs = {}
  for index, item in ipairs(items) do
    jobs[index] = promises.check(1, "llm", (promises.spawn(fn, item)))
  end
  promises.wait_for_all(jobs)
  local results = {}
  for index, job in ipairs(jobs) do results[index] = promises.await(job) end
  return results
end

-- One of several answers: a table with `success`, which reads as its text.
local function told(fields, answer, err)
  fields.success, fields.response, fields.error = answer ~= nil, answer, err
  fields.content = answer ~= nil and tostring(answer) or err and tostring(err) or ""
  return response.of(fields)
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
  return framed(side_by_side(prompts, function(prompt) return told({ prompt = prompt }, M.chat(prompt, options)) end))
end

--- Asks every prompt beside everything else; a promise of what `llm.batch_process` gives.
--- ```lua
--- local results = llm.batch_process_async({ "one", "two" }):await()
--- ```
---@param prompts string[]
---@param options? llm.Options
---@return Promise promise
function M.batch_process_async(prompts, options)
  raise.check(1, "llm.batch_process_async", "table", prompts)
  return (promises.spawn(M.batch_process, prompts, options))
end

--- Asks several providers the same, side by side; returns a list of `{ provider, success, response, error, duration }`
--- in their order, where an answer is also found by its provider's name.
--- ```lua
--- local answers = llm.compare_providers("Say hello.", { "local" })
--- print(answers[1].provider == "local", answers["local"] == answers[1]) --> true	true
--- ```
---@param prompt string
---@param providers (ProviderName|ModelName)[] names of providers, or `provider:model`
---@param options? llm.Options
---@return table answers
function M.compare_providers(prompt, providers, options)
  raise.check(1, "llm.compare_providers", "string", prompt)
  raise.check(2, "llm.compare_providers", "table", providers)
  local results = side_by_side(providers, function(name)
    local asked, began = copy_of(options), host.now()
    asked.model = name
    local answer = told({ provider = name }, M.chat(prompt, asked))
    answer.duration = host.now() - began
    return answer
  end)
  local named = {}
  for index, name in ipairs(providers) do named[name] = results[index] end
  return setmetatable(results, { __index = named })
end

-- ── one provider after the other ───────────────────────────────────────────────────────────────────

local chained = {}

local function ask_in_turn(names, prompt, options)
  local answer, err
  for _, name in ipairs(names) do
    local asked = copy_of(options)
    asked.model = name
    answer, err = M.chat(prompt, asked)
    if answer ~= nil then return answer end
  end
  return nil, err
end

--- Makes a function that asks as `llm.chat` does, of one provider after the other until one answers;
--- `llm.generate_with_fallback` asks so as well from then on.
--- ```lua
--- local ask = llm.setup_fallback_chain({ "ollama", "local" })
--- ```
---@param providers (ProviderName|ModelName)[] names of providers, or `provider:model`
---@return function ask
function M.setup_fallback_chain(providers)
  raise.check(1, "llm.setup_fallback_chain", "table", providers)
  local names = { unpack(providers) }
  if #names == 0 then raise.raise("'llm.setup_fallback_chain' needs at least one provider") end
  chained = names
  return function(prompt, options) return ask_in_turn(names, prompt, options) end
end

--- Returns the names that `llm.setup_fallback_chain` was given last.
--- ```lua
--- llm.setup_fallback_chain({ "ollama", "local" })
--- print(llm.get_fallback_chain()[1]) --> ollama
--- ```
---@return table names
function M.get_fallback_chain()
  return { unpack(chained) }
end

--- Asks one provider after the other, as the last `llm.setup_fallback_chain` says.
--- ```lua
--- llm.setup_fallback_chain({ "local" })
--- local answer = llm.generate_with_fallback("Say hello.")
--- ```
---@param prompt string|llm.Message[]|llm.Question
---@param options? llm.Options
---@return any answer
function M.generate_with_fallback(prompt, options)
  if #chained == 0 then raise.raise("there is no fallback chain: call llm.setup_fallback_chain first") end
  return framed(ask_in_turn(chained, prompt, options))
end

--- Tells which provider and model answer. The same as `llm.get_provider`.
---@return string provider
---@return string model
M.get_current_provider = bridge.bind("llm", "get_provider")

local set_provider = bridge.bind("llm", "set_provider")

-- go-llmspell's first generation has nothing or what is wrong from both; here that comes second too.
local function or_problem(_, err) return err, err end

function M.set_provider(name, model) return framed(or_problem(set_provider(name, model))) end

local set_model = bridge.bind("llm", "set_model")

function M.set_model(name) return framed(or_problem(set_model(name))) end

--- Lets a provider answer from now on, as `llm.set_provider` does, and returns true.
--- ```lua
--- print(llm.use_provider("local")) --> true
--- ```
---@param name ProviderName
---@param config? { model?: ModelName }
---@return boolean ok
function M.use_provider(name, config)
  raise.check(2, "llm.use_provider", "table", config, true)
  local _, err = set_provider(name, config and config.model)
  if err then return nil, err end
  return true
end

-- ── models by what they can do ─────────────────────────────────────────────────────────────────────

local find_model, models = bridge.bind("llm", "find_model"), bridge.bind("llm", "models")

-- Every model on offer that meets what is required, as far as it is known of it.
local function models_with(required)
  local names, found = required.providers or { required.provider }, {}
  if #names == 0 then names = { false } end
  for _, name in ipairs(names) do
    local offered, err = models(name or nil)
    if offered == nil then return nil, err end
    for _, model in ipairs(offered) do
      local wide = required.min_context_length or 0
      local fits = (model.context_tokens == nil or model.context_tokens >= wide)
        and (required.kind or "chat") == (model.kind or "chat")
      if fits then insert(found, { provider = model.provider, model = model, info = model }) end
    end
  end
  return found
end

function M.find_model(name, provider)
  if type(name) == "table" then return framed(models_with(name)) end
  return framed(find_model(name, provider))
end

--- Returns what is known of a model, found by its name or a part of it; the same as `llm.find_model` with a name.
--- ```lua
--- print(llm.model_info("smollm2", "local"))
--- ```
---@param name ModelName
---@param provider? ProviderName
---@return llm.Model? info
function M.model_info(name, provider)
  return framed(find_model(name, provider))
end

local cost_estimate = bridge.bind("llm", "cost_estimate")

function M.cost_estimate(prompt, options, provider)
  if type(options) ~= "string" then return framed(cost_estimate(prompt, options)) end
  local cost, err = cost_estimate(prompt, { model = options, provider = provider })
  if cost == nil and err then return nil, err end
  return { estimated_cost = cost or 0, currency = "USD", model = options, known = cost ~= nil }
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
---@param system? string|llm.Options what the model is told before everything else, or options with `system` among them
---@param options? llm.Options for every question of it
---@return ChatSession session
function M.chat_session(system, options)
  if type(system) == "table" and options == nil then
    options = copy_of(system)
    system, options.system = options.system, nil
  end
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
---@param options? llm.Options for this question
---@return string answer
function session:send(said, options)
  raise.check(1, "send", "string", said)
  raise.check(2, "send", "table", options, true)
  local messages = { unpack(self.history) }
  if self.system then insert(messages, 1, { role = "system", content = self.system }) end
  local turn = { role = "user", content = said }
  messages[#messages + 1] = turn
  local asked = copy_of(self.options)
  for key, value in next, options or {} do asked[key] = value end
  local answer, err = M.chat(messages, asked)
  if answer == nil then return nil, err end
  self.history[#self.history + 1] = turn
  self.history[#self.history + 1] = { role = "assistant", content = answer.content }
  return answer.content
end

--- Says something beside everything else; a promise of the answer.
--- ```lua
--- print(llm.chat_session():send_async("Hello"):await())
--- ```
---@param said string
---@param options? llm.Options
---@return Promise promise
function session:send_async(said, options)
  return framed(beside(nil, nil, session.send, self, said, options))
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

--- Returns the conversation: `{ system_prompt, messages }`, which reads as a text with a paragraph for each turn.
--- ```lua
--- print(llm.chat_session("Be brief."):export()) --> system: Be brief.
--- ```
---@return table conversation
function session:export()
  local messages, lines = self:get_history(), {}
  if self.system then insert(messages, 1, { role = "system", content = self.system }) end
  for index, message in ipairs(messages) do lines[index] = message.role .. ": " .. message.content end
  return response.of({ system_prompt = self.system, messages = messages, content = concat(lines, "\n\n") })
end

return M
