-- Calls of models, tools and agents with the hooks that concern them, at the points `llm`, `tools` and `agent`, and
-- events before and after each: `llm.started` with what is asked, `llm.ended` with `{ result, error, seconds }`.

local bridge = require("bridge")
local host = require("host")
local traced = require("guarded").traced

local error, next, rawget, require, type = error, next, rawget, require, type
local pack, unpack = table.pack, table.unpack

local M = {}

local function ended(events, point, began, ok, ...)
  local result, err = ...
  if not ok then result, err = nil, result end
  events.emit(point .. ".ended", { result = result, error = err, seconds = host.now() - began })
  if not ok then error((...), 0) end
  return ...
end

local function run(point, call, ...)
  -- loaded by the first call, not by the modules that make it
  local events, hooks = require("lib.events"), require("lib.hooks")
  if events.listener_count(point .. ".started") + events.listener_count(point .. ".ended") == 0 then
    return hooks.run(point, call, ...)
  end
  events.emit(point .. ".started", ...)
  return ended(events, point, host.now(), traced(hooks.run, point, call, ...))
end

-- What is asked as one table that hooks can change.
local function request_of(prompt, options)
  local request = {}
  local whole = type(prompt) == "table" and rawget(prompt, 1) == nil
  for key, value in next, whole and prompt or {} do request[key] = value end
  for key, value in next, options or {} do request[key] = value end
  if type(prompt) == "string" then request.prompt = prompt end
  if type(prompt) == "table" and not whole then request.messages = prompt end
  return request
end

--- `call`, which asks a model, with hooks: they get the question as one table, and the response as one. A string is
--- answered with a string all the same.
function M.model(call)
  return function(prompt, options)
    local answer, err = run("llm", call, request_of(prompt, options))
    if answer == nil then return nil, err end
    if type(prompt) == "string" then return type(answer) == "table" and answer.content or answer end
    return type(answer) == "string" and { content = answer } or answer
  end
end

-- Whether a call of a model would be noticed by anybody.
local function is_watched()
  local events, hooks = require("lib.events"), require("lib.hooks")
  return events.listener_count("llm.started") + events.listener_count("llm.ended") > 0 or #hooks.list("llm") > 0
end

local step = bridge.bind("agent_runs", "step")

--- What an agent's run asks its model through: a function for the kernel, nil where nobody hears of such calls.
function M.of_agent()
  if not is_watched() then return nil end
  return function(number, question, asked)
    return run("llm", function(changed) return step(number, question, changed) end, asked)
  end
end

--- Ask a model of which `hear` gets the pieces.
function M.stream(call, request, hear)
  local answer, err = run("llm", function(asked) return call(asked, hear) end, request_of(request))
  if type(answer) == "string" then return { content = answer } end
  return answer, err
end

--- `call(question)`, which answers with a text or a value, with hooks: they get the question as one table.
function M.plainly(call)
  return function(prompt, options, ...)
    local rest = pack(...)
    return run("llm", function(asked) return call(asked, unpack(rest, 1, rest.n)) end, request_of(prompt, options))
  end
end

--- Call the tool `name` through `call(name, arguments)`.
function M.tool(call, name, arguments)
  return run("tools", call, name, arguments)
end

--- Run an agent through `call(name, question)`.
function M.agent(call, name, question)
  return run("agent", call, name, question)
end

return M
