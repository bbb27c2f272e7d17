-- What the globals of rs-llmspell have in common: a thin layer over our own modules. What has no counterpart says so
-- by its name.

local bridge = require("bridge")
local raise = require("raise")
local unchecked = require("unchecked")

local concat, ipairs, next, setmetatable, sort, tostring, type =
  table.concat, ipairs, next, setmetatable, table.sort, tostring, type
local gsub, lower = string.gsub, string.lower

local R = {}

-- What has no counterpart may be called or looked into, and says so either way.
local function without(name, key, reason)
  local function say()
    raise.raise("rs-llmspell's '" .. name .. "." .. tostring(key) .. "' has no counterpart here: " .. reason)
  end
  return setmetatable({}, { __call = say, __index = say, __name = "nothing" })
end

-- Its versions spell names in two ways: `getInfo` is `get_info`.
local function spelt(key) return type(key) == "string" and lower(gsub(key, "_", "")) or key end

local function otherwise_spelt(key, members)
  local wanted = spelt(key)
  for each, value in next, members or {} do
    if spelt(each) == wanted then return value, each end
  end
end

--- The members `M` of the global `name`, completed: `more` are further functions, `lacking` maps the names that have no
--- counterpart to the reason. A name may be spelt with humps or with underscores.
function R.module(name, M, more, lacking)
  return setmetatable(M, { __index = function(_, key)
    local value = more and more[key]
    if value == nil then value = otherwise_spelt(key, more) end
    if value ~= nil then return unchecked.member(name .. "." .. tostring(key), value) end
    if value == nil then value = otherwise_spelt(key, M) end
    if value ~= nil then return value end
    local reason = otherwise_spelt(key, lacking)
    if reason then return without(name, key, reason) end
    return nil -- a spell may ask whether there is such a thing
  end })
end

--- The id of a session, of which a spell has either the id or the session.
function R.id_of(session) return type(session) == "table" and session.id or session end

--- A module of ours that this layer needs; raises if this installation does not have it.
function R.need(name, what)
  local load_members = bridge.members[name]
  if not load_members then raise.raise("'" .. what .. "' needs the module '" .. name .. "', which is not here") end
  return load_members()
end

--- Methods for a builder that may be called with a colon or with a dot: each takes the builder and one value.
function R.builder(meta_name, methods)
  return function(fields)
    local made = fields or {}
    return setmetatable(made, { __name = meta_name, __index = function(_, key)
      local method = methods[key]
      if method == nil then
        local known = {}
        for each in next, methods do known[#known + 1] = each end
        sort(known)
        raise.raise("a builder of " .. meta_name .. " has no '" .. key .. "'; there are: " .. concat(known, ", "))
      end
      return function(self, ...)
        if self == made then return method(made, ...) end
        return method(made, self, ...)
      end
    end })
  end
end

--- Reasons by name, for several names with the same.
function R.lacking(reason, names)
  local lacking = {}
  for _, name in ipairs(names) do lacking[name] = reason end
  return lacking
end

return R
