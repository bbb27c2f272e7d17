-- go-llmspell's hooks: `hooks.register_hook(id, { type, priority, handler })`, over our own. A handler gets a context
-- of the call, the same one before and after, and changes it in place.

local hooks = require("lib.hooks")
local raise = require("raise")
local reasons = require("lib.older.reasons")

local error, ipairs, next, rawequal, setmetatable, tostring, type =
  error, ipairs, next, rawequal, setmetatable, tostring, type
local sort = table.sort

local M = { members = {}, lacking = {} }
local H = M.members

H.TYPES = {
  BEFORE_GENERATE = "beforeGenerate", AFTER_GENERATE = "afterGenerate",
  BEFORE_TOOL_CALL = "beforeToolCall", AFTER_TOOL_CALL = "afterToolCall",
}
H.PRIORITY = { HIGHEST = 1000, HIGH = 100, NORMAL = 0, LOW = -100, LOWEST = -1000 }

local kept = {} -- id → { id, type, priority, enabled, handlers = { type → function }, numbers }
local contexts = setmetatable({}, { __mode = "k" }) -- the question or the arguments of a call → its context

local function last_of(messages)
  return type(messages) == "table" and messages[#messages] or nil
end

local function said(request)
  if request.prompt ~= nil then return request.prompt end
  local message = last_of(request.messages)
  return message and message.content
end

-- The question with another prompt.
local function asked(request, prompt)
  if rawequal(said(request), prompt) then return end
  if request.prompt ~= nil then
    request.prompt = prompt
    return
  end
  local messages = {}
  for index, message in ipairs(request.messages or {}) do messages[index] = message end
  local last = {}
  for key, value in next, last_of(messages) or {} do last[key] = value end
  last.role, last.content = last.role or "user", prompt
  messages[#messages > 0 and #messages or 1] = last
  request.messages = messages
end

local function context_of(call, make)
  local context = contexts[call]
  if not context then
    context = make()
    contexts[call] = context
  end
  return context
end

local RUN = {}

function RUN.beforeGenerate(handler)
  return "before", "llm", function(request)
    local context = context_of(request, function()
      return { prompt = said(request), messages = request.messages, model = request.model, metadata = {} }
    end)
    context = handler(context) or context
    contexts[request] = context
    if context.skip_generation and context.response ~= nil then
      return hooks.answer({ content = tostring(context.response) })
    end
    asked(request, context.prompt)
    return request
  end
end

function RUN.afterGenerate(handler)
  return "after", "llm", function(result, err, request)
    if request == nil then return nil end
    local context = context_of(request, function() return { prompt = said(request), metadata = {} } end)
    local answer = type(result) == "table" and result.content or result
    context.response, context.error = answer, err
    context = handler(context) or context
    contexts[request] = context
    if rawequal(context.response, answer) or result == nil then return nil end
    if type(result) ~= "table" then return context.response end
    local changed = {}
    for key, value in next, result do changed[key] = value end
    changed.content = context.response
    return changed
  end
end

function RUN.beforeToolCall(handler)
  return "before", "tools", function(name, arguments)
    local context = context_of(arguments, function() return { tool_name = name, metadata = {} } end)
    context.arguments, context.params = arguments, arguments
    context = handler(context) or context
    contexts[arguments] = context
    if type(context.arguments) == "table" then contexts[context.arguments] = context end
    return name, context.arguments
  end
end

function RUN.afterToolCall(handler)
  return "after", "tools", function(result, err, name, arguments)
    local context = context_of(arguments, function() return { tool_name = name, arguments = arguments } end)
    context.result, context.error = result, err
    context = handler(context) or context
    if not rawequal(context.result, result) then return context.result end
  end
end

local function known(id, caller)
  return kept[id] or raise.raise("'hooks." .. caller .. "': there is no hook " .. raise.shown(tostring(id)))
end

local function stop(hook)
  for _, number in ipairs(hook.numbers) do hooks.remove(number) end
  hook.numbers, hook.enabled = {}, false
end

local function start(hook)
  stop(hook)
  for kind, handler in next, hook.handlers do
    local when, point, fn = RUN[kind](handler)
    hook.numbers[#hook.numbers + 1] = hooks[when](point, fn, hook.priority)
  end
  hook.enabled = true
end

function H.register_hook(id, definition)
  raise.check(1, "hooks.register_hook", "string", id)
  raise.check(2, "hooks.register_hook", "table", definition)
  local handlers = {}
  for kind in next, RUN do handlers[kind] = definition[kind] end
  if definition.handler ~= nil then
    if not RUN[definition.type] then raise.raise("there is no type of hook '" .. tostring(definition.type) .. "'") end
    handlers[definition.type] = raise.check(2, "hooks.register_hook", "function", definition.handler)
  end
  if next(handlers) == nil then raise.raise("'hooks.register_hook' needs a handler for " .. raise.shown(id)) end
  if kept[id] then stop(kept[id]) end
  local kind = definition.type or next(handlers)
  kept[id] = { id = id, type = kind, priority = definition.priority or 0, handlers = handlers, numbers = {} }
  if definition.enabled ~= false then start(kept[id]) end
  return true
end

function H.unregister_hook(id)
  if not kept[id] then return false end
  stop(kept[id])
  kept[id] = nil
  return true
end

function H.enable_hook(id)
  start(known(id, "enable_hook"))
  return true
end

function H.disable_hook(id)
  stop(known(id, "disable_hook"))
  return true
end

local function told(hook)
  return { id = hook.id, type = hook.type, priority = hook.priority, enabled = hook.enabled or false }
end

function H.get_hook(id) return kept[id] and told(kept[id]) end

local function listed(filter)
  local found = {}
  for _, hook in next, kept do
    if filter(hook) then found[#found + 1] = told(hook) end
  end
  sort(found, function(a, b)
    if a.priority ~= b.priority then return a.priority > b.priority end
    return a.id < b.id
  end)
  return found
end

function H.list_hooks(filter)
  local wanted = type(filter) == "table" and filter.type or filter
  return listed(function(hook) return wanted == nil or hook.handlers[wanted] ~= nil end)
end

function H.get_enabled_hooks(kind)
  return listed(function(hook) return hook.enabled and (kind == nil or hook.handlers[kind] ~= nil) end)
end

function H.get_disabled_hooks(kind)
  return listed(function(hook) return not hook.enabled and (kind == nil or hook.handlers[kind] ~= nil) end)
end

function H.clear_hooks(kind)
  for _, hook in ipairs(H.list_hooks(kind)) do H.unregister_hook(hook.id) end
  return true
end

function H.is_hook_enabled(id) return known(id, "is_hook_enabled").enabled or false end

function H.get_hook_priority(id) return known(id, "get_hook_priority").priority end

function H.set_hook_priority(id, priority)
  local hook = known(id, "set_hook_priority")
  hook.priority = raise.check(2, "hooks.set_hook_priority", "number", priority)
  if hook.enabled then start(hook) end
  return true
end

function H.batch_enable(ids)
  for _, id in ipairs(ids) do H.enable_hook(id) end
  return true
end

function H.batch_disable(ids)
  for _, id in ipairs(ids) do H.disable_hook(id) end
  return true
end

function H.execute_hooks(kind, context)
  for _, hook in ipairs(H.get_enabled_hooks(kind)) do
    context = kept[hook.id].handlers[kind](context) or context
  end
  return context
end

function H.execute_hook(id, context)
  for _, handler in next, known(id, "execute_hook").handlers do context = handler(context) or context end
  return context
end

-- ── builders ───────────────────────────────────────────────────────────────────────────────────────

local NAMED = {
  before_generate = "beforeGenerate", after_generate = "afterGenerate",
  before_tool_call = "beforeToolCall", after_tool_call = "afterToolCall",
}

local builder = {}
builder.__index = builder

for name, kind in next, NAMED do
  builder[name] = function(self, fn)
    self.definition[kind] = fn
    return self
  end
end

function builder.with_priority(self, priority)
  self.definition.priority = priority
  return self
end

function builder.register(self) return H.register_hook(self.id, self.definition) end

function H.new_builder(id) return setmetatable({ id = id, definition = {} }, builder) end

H.create_hook = H.new_builder
H.builder = { new = function(_, id) return H.new_builder(id) end }

function H.create_simple_hook(id, kind, fn, priority)
  if not RUN[kind] then error("Invalid hook type: " .. tostring(kind), 0) end
  return H.register_hook(id, { type = kind, handler = fn, priority = priority })
end

reasons(M.lacking, "hooks are made with hooks.before, hooks.after and hooks.around", { "bridge" })

return M
