-- Agents with each other: delegating, working together, conversations, chains of tools.

local agents = require("lib.agent_object")
local asking = require("lib.asking")
local json = require("lib.json")
local promises = require("promises")
local options_of = require("lib.options")
local raise = require("raise")
local framed = raise.framed

require("lib.promise")

local ipairs, pcall, setmetatable, tostring, type = ipairs, pcall, setmetatable, tostring, type
local concat, insert = table.concat, table.insert

local M = {}
local need, execute -- of lib/agent.lua, which loads this file

local function text_of(answer)
  if type(answer) == "table" and not answer.text then return json.encode(answer) end
  return type(answer) == "table" and answer.text or tostring(answer)
end

local function name_of(which)
  return agents.is(which) and which.name or which
end

--- Lets one agent do a task for another, which is told the outcome if `options.callback_to_source` is set.
--- ```lua
--- agent.create("boss", {}) agent.create("helper", {})
--- local answer = agent.delegate("boss", "helper", "Say hello.")
--- ```
---@param from AgentName|Agent
---@param to AgentName|Agent
---@param task string
---@param options? { callback_to_source?: boolean } the rest is context for the task
---@return any answer
function M.delegate(from, to, task, options)
  raise.check(3, "agent.delegate", "string", task)
  raise.check(4, "agent.delegate", "table", options, true)
  local source, missing = need(from, "agent.delegate")
  if not source then return nil, missing end
  local context = asking.copy(options)
  context.callback_to_source = nil
  context["task of"] = name_of(from)
  local answer, err = execute(to, task, context)
  if answer ~= nil and options and options.callback_to_source then
    execute(from, "You had asked " .. name_of(to) .. ": " .. task .. "\nThe answer was: " .. text_of(answer))
  end
  if answer == nil then return nil, err end
  return answer
end

-- What an agent of a team is asked: the task, and what the others have found.
local function team_task(task, so_far)
  if #so_far == 0 then return task end
  return task .. "\n\nSo far:\n" .. concat(so_far, "\n")
end

local function one_after_the_other(team, task, share, results)
  local so_far, shared = {}, {}
  for _, which in ipairs(team) do
    local answer, err = execute(which, team_task(task, so_far))
    if answer == nil then return nil, err end
    local name = name_of(which)
    results[name] = answer
    if share then
      shared[name] = answer
      insert(so_far, name .. ": " .. text_of(answer))
    end
  end
  return shared
end

local function side_by_side(team, task, results)
  local jobs = {}
  for index, which in ipairs(team) do
    jobs[index] = promises.check(1, "agent.collaborate", (promises.spawn(execute, which, task)))
  end
  promises.wait_for_all(jobs)
  for index, job in ipairs(jobs) do
    local answer, err = promises.await(job)
    if answer == nil then return nil, err end
    results[name_of(team[index])] = answer
  end
  return {}
end

-- The first agent leads: the others are its tools.
local function led(team, task, results)
  local leader, missing = need(team[1], "agent.collaborate")
  if not leader then return nil, missing end
  if not agents.is(leader) then raise.raise("'agent.collaborate': the leader must be made with agent.create") end
  local conductor = leader:clone(leader.name)
  for index = 2, #team do
    local member, absent = need(team[index], "agent.collaborate")
    if not member then return nil, absent end
    conductor:add_tool(agents.is(member) and member or {
      name = name_of(team[index]),
      parameters = { prompt = { type = "string", required = true } },
      execute = function(arguments) return execute(team[index], arguments.prompt) end,
    })
  end
  local answer, err = conductor:run(task)
  if answer == nil then return nil, err end
  results[leader.name] = answer
  return {}
end

local COLLABORATE = { coordination_method = "string", method = "string", share_context = "boolean" }

--- Lets several agents work on a task: one after the other, each told what those before found (`sequential`), side by
--- side (`parallel`), or with the others as tools of the first (`leader`). Returns
--- `{ results, shared_context, coordination_method }`, results by the agents' names.
--- ```lua
--- agent.create("first", {}) agent.create("second", {})
--- local done = agent.collaborate({ "first", "second" }, "Say hello.", { coordination_method = "parallel" })
--- print(done.results.second ~= nil) --> true
--- ```
---@param team (AgentName|Agent)[]
---@param task string
---@param options? { coordination_method?: string, share_context?: boolean } the latter is true unless told
---@return table outcome
function M.collaborate(team, task, options)
  raise.check(1, "agent.collaborate", "table", team)
  if #team == 0 then raise.raise("'agent.collaborate' needs at least one agent") end
  raise.check(2, "agent.collaborate", "string", task)
  options = options_of.read(3, "agent.collaborate", options, COLLABORATE)
  local method, results = options.coordination_method or options.method or "sequential", {}
  local shared, err
  if method == "sequential" then
    shared, err = one_after_the_other(team, task, options.share_context ~= false, results)
  elseif method == "parallel" then
    shared, err = side_by_side(team, task, results)
  elseif method == "leader" then
    shared, err = led(team, task, results)
  else
    raise.raise("there is no coordination_method '" .. tostring(method) .. "'; there are: sequential, parallel, leader")
  end
  if shared == nil then return nil, err end
  return { results = results, shared_context = shared, coordination_method = method }
end

-- ── conversations ──────────────────────────────────────────────────────────────────────────────────

--- A conversation with an agent.
---@class agent.Conversation
---@field messages llm.Message[] what was said
local talk = {}
local talk_meta = { __name = "Conversation", __index = talk }

--- Says something and returns the answer, a table that reads as its text.
--- ```lua
--- local helper = agent.create({})
--- print(agent.conversation(helper):send("Hello").content ~= nil) --> true
--- ```
---@param said string
---@return table answer
function talk:send(said)
  raise.check(1, "send", "string", said)
  insert(self.messages, { role = "user", content = said })
  local answer, err = agents.answer(self.agent, self.messages, {})
  if answer == nil then
    self.messages[#self.messages] = nil
    return nil, err
  end
  insert(self.messages, { role = "assistant", content = answer.text })
  return answer
end

--- Says something beside everything else; a promise of the answer.
--- ```lua
--- local helper = agent.create({})
--- print(agent.conversation(helper):send_async("Hello"):await() ~= nil) --> true
--- ```
---@param said string
---@return Promise promise
function talk:send_async(said)
  return (promises.spawn(talk.send, self, said))
end

--- Returns a copy of what was said.
--- ```lua
--- print(#agent.conversation(agent.create({})):get_history()) --> 0
--- ```
---@return llm.Message[] messages
function talk:get_history()
  local copy = {}
  for index, message in ipairs(self.messages) do copy[index] = asking.copy(message) end
  return copy
end

--- Forgets what was said; the system text stays.
--- ```lua
--- agent.conversation(agent.create({})):clear()
--- ```
function talk:clear()
  self.messages = {}
  if self.system_prompt then self.messages[1] = { role = "system", content = self.system_prompt } end
end

--- Returns the conversation: `{ agent_id, system_prompt, messages }`.
--- ```lua
--- print(agent.conversation(agent.create("helper", {})):export().agent_id) --> helper
--- ```
---@return table conversation
function talk:export()
  return { agent_id = self.agent.name, system_prompt = self.system_prompt, messages = self:get_history() }
end

-- Several agents talk: each in turn hears what was said, in its own name's perspective.
local function among(team, topic, options)
  raise.check(2, "agent.conversation", "string", topic)
  options = options_of.read(3, "agent.conversation", options, { rounds = "integer" })
  local transcript = {}
  for _ = 1, options_of.at_least("agent.conversation", options, "rounds", 1) or 1 do
    for _, which in ipairs(team) do
      local member, missing = need(which, "agent.conversation")
      if not member then return nil, missing end
      local lines = {}
      for index, turn in ipairs(transcript) do lines[index] = turn.agent .. ": " .. turn.content end
      local answer, err = execute(which, team_task(topic, lines))
      if answer == nil then return nil, err end
      insert(transcript, { agent = name_of(which), content = text_of(answer) })
    end
  end
  return transcript
end

--- Starts a conversation with one agent, which has `send`, `get_history`, `clear` and `export`. Or lets several talk
--- about a topic for some `rounds`, and returns the transcript, a list of `{ agent, content }`.
--- ```lua
--- local helper = agent.create({})
--- local talk = agent.conversation(helper, "You are brief.")
--- print(talk:send("Hello") .. "" ~= "") --> true
--- ```
---@param who AgentName|Agent|Agent[]
---@param system? string what to tell the agent; for several the topic
---@param options? { rounds?: integer }
---@return agent.Conversation conversation
function M.conversation(who, system, options)
  if type(who) == "table" and not agents.is(who) then return framed(among(who, system, options)) end
  local found, missing = need(who, "agent.conversation")
  if not found then return nil, missing end
  if not agents.is(found) then raise.raise("'agent.conversation' needs an agent made with agent.create") end
  raise.check(2, "agent.conversation", "string", system, true)
  local made = setmetatable({ agent = found, agent_id = found.name, system_prompt = system }, talk_meta)
  made:clear()
  return made
end

-- ── chains ─────────────────────────────────────────────────────────────────────────────────────────

-- A tool, a function or an agent, called with `input`.
local function call_link(link, input)
  if type(link) == "function" then return link(input) end
  if agents.is(link) then return link:run(input) end
  if type(link) == "table" and type(link.execute) == "function" then return link.execute(input) end
  raise.raise("a link of a tool chain must be a function or have a function `execute`")
end

local CHAIN = { stop_on_error = "boolean", pass_previous_output = "boolean" }

--- Passes a value through functions, tools or agents, each given what the one before returned. Returns
--- `{ results, final_output, success }`.
--- ```lua
--- local double = function(n) return 2 * n end
--- print(agent.tool_chain({ double, double }, 10).final_output) --> 40
--- ```
---@param links table
---@param input? any
---@param options? { stop_on_error?: boolean, pass_previous_output?: boolean } both true unless told
---@return table outcome
function M.tool_chain(links, input, options)
  raise.check(1, "agent.tool_chain", "table", links)
  options = options_of.read(3, "agent.tool_chain", options, CHAIN)
  local results, current, failed = {}, input, false
  for index, link in ipairs(links) do
    local ok, value, err = pcall(call_link, link, options.pass_previous_output == false and input or current)
    if ok and not (value == nil and err ~= nil) then
      results[index], current = value, value
    else
      results[index], failed = { error = tostring(ok and err or value) }, true
      if options.stop_on_error ~= false then break end
    end
  end
  return { results = results, final_output = current, success = not failed }
end

-- ── for lib/agent.lua ──────────────────────────────────────────────────────────────────────────────

local T = {}

--- The functions here, once it is known how agents are found and run.
function T.bound(find, run)
  need, execute = find, run
  return M
end

--- A promise of what `fn(...)` gives.
function T.spawn(fn, ...)
  return (promises.spawn(fn, ...))
end

return T
