-- `guardrails`: simple checks of a text, such as a prompt or a model's answer.

local codec = require("codec")
local errorobject = require("errorobject")
local keys_of = require("lib.path").keys
local raise = require("raise")
local framed = raise.framed

local next, pcall, setmetatable, tostring, type = next, pcall, setmetatable, tostring, type
local byte, find, gsub, lower, match, sub =
  string.byte, string.find, string.gsub, string.lower, string.match, string.sub
local concat, sort = table.concat, table.sort
local utf8_len = utf8.len

local M = {}

local LONGEST_PART = 64 -- bytes of an e-mail address before and after its @
local PREFIXES = { "sk-", "ghp_", "gho_", "github_pat_", "xoxb-", "xoxp-", "AKIA", "AIza", "glpat-", "hf_" }
local SHORTEST_KEY = 16

-- ── what is personal or secret ─────────────────────────────────────────────────────────────────────

local function emails(text, add)
  local at = find(text, "@", 1, true)
  while at do
    local from = at
    while from > 1 and at - from < LONGEST_PART and find(sub(text, from - 1, from - 1), "[%w%.%+_%-]") do
      from = from - 1
    end
    local domain = match(sub(text, at + 1, at + LONGEST_PART), "^[%w%-]+%.[%w%.%-]*%w")
    if from < at and domain then add("email", from, at + #domain) end
    at = find(text, "@", at + 1, true)
  end
end

-- Luhn's check, which numbers of cards pass.
local function is_card(digits)
  local sum, double = 0, false
  for index = #digits, 1, -1 do
    local digit = byte(digits, index) - 48
    if double then digit = digit > 4 and digit * 2 - 9 or digit * 2 end
    sum, double = sum + digit, not double
  end
  return sum % 10 == 0
end

local function cards(text, add)
  local from = 1
  while true do
    local start, stop = find(text, "%d[%d %-]*%d", from)
    if not start then return end
    local digits = gsub(sub(text, start, stop), "%D", "")
    if #digits >= 13 and #digits <= 19 and is_card(digits) then add("card", start, stop) end
    from = stop + 1
  end
end

local function keys(text, add)
  for _, prefix in next, PREFIXES do
    local start = find(text, prefix, 1, true)
    while start do
      local _, stop = find(text, "^[%w_%-]+", start + #prefix)
      if stop and stop - start >= SHORTEST_KEY then add("key", start, stop) end
      start = find(text, prefix, (stop or start) + 1, true)
    end
  end
end

local function personal(text)
  local found = {}
  local function add(kind, from, to) found[#found + 1] = { kind = kind, from = from, to = to } end
  emails(text, add)
  cards(text, add)
  keys(text, add)
  sort(found, function(a, b) return a.from < b.from end)
  return found
end

-- ── guards ─────────────────────────────────────────────────────────────────────────────────────────

--- What a text must keep to.
---@class guardrails.Rules
---@field max_length? integer most characters
---@field min_length? integer least characters
---@field banned? string[] words that must not be in it, in small or large letters
---@field required? string[] words that must be in it
---@field personal? boolean whether e-mail addresses, card numbers and API keys are refused
---@field check? fun(text: string): boolean, string? a check of your own: false, and why

--- A guard over texts: see `guardrails.create`.
---@class Guard
local Guard = {}

local rules_of = setmetatable({}, { __mode = "k" })
local meta = { __name = "Guard", __index = Guard, __metatable = false }
meta.__newindex = function() raise.raise("a guard is read-only") end

local KNOWN = { max_length = "number", min_length = "number", banned = "table", required = "table",
  personal = "boolean", check = "function" }

local function need(guard, method)
  return rules_of[guard] or raise.no_self("guard:" .. method)
end

local function violations_of(rules, text)
  local found = codec.array({})
  local function add(rule, message, position)
    found[#found + 1] = { rule = rule, message = message, position = position }
  end
  local length, small = utf8_len(text) or #text, lower(text)
  if rules.max_length and length > rules.max_length then
    add("max_length", length .. " characters, at most " .. rules.max_length .. " are allowed")
  end
  if rules.min_length and length < rules.min_length then
    add("min_length", length .. " characters, at least " .. rules.min_length .. " are needed")
  end
  for _, word in next, rules.banned or {} do
    local at = find(small, lower(word), 1, true)
    if at then add("banned", "'" .. word .. "' is not allowed", at) end
  end
  for _, word in next, rules.required or {} do
    if not find(small, lower(word), 1, true) then add("required", "'" .. word .. "' is missing") end
  end
  for _, one in next, rules.personal and personal(text) or {} do
    add("personal", "there is what looks like a" .. (one.kind == "email" and "n e-mail address" or " " .. one.kind),
      one.from)
  end
  if rules.check then
    local ran, fine, why = pcall(rules.check, text)
    if not ran then add("check", "the check failed: " .. errorobject.text(fine))
    elseif not fine then add("check", why and tostring(why) or "the check refused it") end
  end
  return found
end

--- Checks a text: `{ ok, violations = { { rule, message, position } } }`.
--- ```lua
--- local result = guardrails.create{ personal = true }:check("write to ada@example.org")
--- print(result.ok, result.violations[1].rule) --> false	personal
--- ```
---@param text string
---@return table result
function Guard:check(text)
  local rules = need(self, "check")
  local found = violations_of(rules, raise.check(1, "guard:check", "string", text))
  return { ok = #found == 0, violations = found }
end

--- Replaces what is personal, and banned words, by `[…]`.
--- ```lua
--- print(guardrails.create{}:redact("write to ada@example.org")) --> write to [email]
--- ```
---@param text string
---@return string text
function Guard:redact(text)
  local rules = need(self, "redact")
  raise.check(1, "guard:redact", "string", text)
  local parts, from = {}, 1
  for _, one in next, personal(text) do
    if one.from >= from then
      parts[#parts + 1] = sub(text, from, one.from - 1) .. "[" .. one.kind .. "]"
      from = one.to + 1
    end
  end
  text = concat(parts) .. sub(text, from)
  for _, word in next, rules.banned or {} do
    local at = word ~= "" and find(lower(text), lower(word), 1, true)
    while at do
      text = sub(text, 1, at - 1) .. "[…]" .. sub(text, at + #word)
      at = find(lower(text), lower(word), at + 5, true)
    end
  end
  return text
end

--- Makes a function that checks the text that `fn` is given, and the text that it returns; what is refused gives
--- `nil, err`.
--- ```lua
--- local shout = guardrails.create{ max_length = 5 }:wrap(string.upper)
--- print(shout("hello"), (shout("too long"))) --> HELLO	nil
--- ```
---@param fn function
---@return function guarded
function Guard:wrap(fn)
  local rules = need(self, "wrap")
  raise.check(1, "guard:wrap", "function", fn)
  local function refused(text, whose)
    local found = type(text) == "string" and violations_of(rules, text) or {}
    if #found == 0 then return nil end
    return errorobject.new({
      code = "guardrail", message = whose .. " was refused: " .. found[1].message, retryable = false,
      details = { violations = found },
    })
  end
  return function(text, ...)
    local err = refused(text, "the question")
    if err then return nil, err end
    local answer, problem = fn(text, ...)
    err = refused(answer, "the answer")
    if err then return nil, err end
    return answer, problem
  end
end

local function guard_of(rules)
  for key, value in next, rules do
    if not KNOWN[key] then
      raise.raise("guardrails have no rule '" .. tostring(key) .. "': there are " .. concat(keys_of(KNOWN), ", "))
    end
    if type(value) ~= KNOWN[key] then
      raise.raise("bad rule '" .. key .. "' (" .. KNOWN[key] .. " expected, got " .. type(value) .. ")")
    end
    if KNOWN[key] == "number" and (value < 0 or value ~= value) then
      raise.raise("bad rule '" .. key .. "' (0 or more expected, got " .. value .. ")")
    end
    for _, word in next, KNOWN[key] == "table" and value or {} do
      if type(word) ~= "string" then
        raise.raise("bad rule '" .. key .. "' (a list of strings expected, one is a " .. raise.type_of(word) .. ")")
      end
    end
  end
  local guard = setmetatable({}, meta)
  rules_of[guard] = rules
  return guard
end

--- Makes a guard of rules.
--- ```lua
--- local guard = guardrails.create{ max_length = 20, banned = { "password" } }
--- print(guard:check("tell me the Password").ok) --> false
--- ```
---@param rules guardrails.Rules
---@return Guard guard
function M.create(rules)
  return framed(guard_of(raise.check(1, "guardrails.create", "table", rules)))
end

--- Checks a text against rules, once: `{ ok, violations = { { rule, message, position } } }`.
--- ```lua
--- print(guardrails.check("", { min_length = 1 }).violations[1].message) --> 0 characters, at least 1 are needed
--- ```
---@param text string
---@param rules guardrails.Rules
---@return table result
function M.check(text, rules)
  raise.check(1, "guardrails.check", "string", text)
  return framed(Guard.check(guard_of(raise.check(2, "guardrails.check", "table", rules)), text))
end

return M
