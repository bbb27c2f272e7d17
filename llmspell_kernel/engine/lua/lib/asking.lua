-- How `llm` asks: options put together, tools offered, answers made to read as their text.

local bridge = require("bridge")
local hooked = require("lib.hooked")
local host = require("host")
local raise = require("raise")
local response = require("lib.response")
local scheduler = require("scheduler")
local toolset = require("lib.toolset")

local ipairs, next, rawget, type = ipairs, next, rawget, type
local run_loop = bridge.bind("agent_runs", "run")

local M = {}

local HEARD = { "on_chunk", "on_content" }

-- What `llm.set_defaults` has set.
M.defaults = {}

--- A copy of a table of options.
function M.copy(options)
  local copy = {}
  for key, value in next, options or {} do copy[key] = value end
  return copy
end

--- Options as the kernel takes them: what hears the answer says only whether to go on.
function M.prepared(options)
  local copy = M.copy(options)
  for _, name in ipairs(HEARD) do
    if type(copy[name]) == "function" then copy[name] = response.hearing(copy[name]) end
  end
  return copy
end

--- The options that count, with what `llm.set_defaults` has set where they say nothing.
function M.completed(options)
  local copy = M.copy(M.defaults)
  for key, value in next, options or {} do copy[key] = value end
  return copy
end

local function is_list(value) return rawget(value, 1) ~= nil end

-- Whether every tool is only described; raises where some are and some are not.
local function only_described(list, caller)
  local described = 0
  for _, tool in ipairs(list) do
    if toolset.is_described_only(tool) then described = described + 1 end
  end
  if described > 0 and described < #list then
    raise.raise("'" .. caller .. "': either every tool has a function `execute`, or none")
  end
  return described > 0
end

local function written(text)
  host.write(1, scheduler.cell(), text)
end

-- Ask, let the model call tools, and give the answer that it comes to.
local function ask_with_tools(caller, question, list)
  local offered = {}
  for _, tool in ipairs(list) do offered[#offered + 1] = toolset.resolve(tool, caller) end
  local hear = question.on_chunk and response.hearing(question.on_chunk) or question.stream and written
  question.on_chunk, question.stream = nil, nil
  local result, err = run_loop(question, toolset.offer(offered), {}, hear and function(kind, piece)
    if kind == "text" then return hear(piece) end
  end, hear and true or false, hooked.of_agent())
  if result == nil then return nil, err end
  if hear == written then written("\n") end
  return {
    content = result.text,
    model = result.model,
    provider = result.provider,
    finish_reason = result.ending == "answered" and "stop" or result.ending,
    tool_calls = result.tool_calls,
    messages = result.messages,
    usage = result.usage,
  }
end

-- Ask a question whose answer may need tools, in whichever way they are given.
local function ask_of(caller, call, question, list)
  if #list == 0 then return response.of(call(M.prepared(question))) end
  if not only_described(list, caller) then return response.of(ask_with_tools(caller, question, list)) end
  question = M.prepared(question)
  question.tools = {}
  for index, tool in ipairs(list) do question.tools[index] = toolset.description(tool) end
  return response.of(call(question))
end

--- What `llm.<name>` gives, asked through `call`.
function M.ask(name, call, prompt, options)
  local caller = "llm." .. name
  if type(prompt) ~= "string" and type(prompt) ~= "table" then
    raise.bad_argument(1, caller, "string or table", prompt)
  end
  raise.check(2, caller, "table", options, true)
  local plain = type(prompt) == "table" and not is_list(prompt)
  local question = M.completed(plain and prompt or nil)
  for key, value in next, options or {} do question[key] = value end
  local list = question.tools
  if list == nil then
    if plain then return response.of(call(M.prepared(question))) end
    return response.of(call(prompt, M.prepared(question)))
  end
  if type(list) ~= "table" then raise.raise("bad option 'tools' to '" .. caller .. "' (table expected)") end
  question.tools = nil
  if not plain then question[type(prompt) == "string" and "prompt" or "messages"] = prompt end
  local answer, err = ask_of(caller, call, question, list)
  if answer ~= nil and type(prompt) == "string" then return answer.content end
  return answer, err
end

return M
