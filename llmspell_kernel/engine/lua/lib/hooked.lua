-- Calls of models, tools and agents with the hooks that concern them: the points `llm`, `tools` and `agent`.

local next, rawget, require, type = next, rawget, require, type

local M = {}

local function run(...)
  return require("lib.hooks").run(...) -- loaded by the first call, not by the modules that make it
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

--- Ask a model of which `hear` gets the pieces.
function M.stream(call, request, hear)
  local answer, err = run("llm", function(asked) return call(asked, hear) end, request_of(request))
  if type(answer) == "string" then return { content = answer } end
  return answer, err
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
