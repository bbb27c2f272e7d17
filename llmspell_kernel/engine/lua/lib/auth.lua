-- `auth`: references to named secrets. They are plain data; what they stand for is known in the kernel process alone.

local options_of = require("lib.options")
local raise = require("raise")

local next, setmetatable = next, setmetatable
local find = string.find

local M = {}

--- A credential: the name of a secret, and how it is used. Give it to `http` as `auth`, or as a header's value.
---@class Credential

local MARK = "$auth"
local meta = { __name = "credential", __metatable = false }
meta.__tostring = function(credential) return "credential: " .. credential[MARK] .. " " .. credential.secret end

local function reference(kind, secret, caller, fields)
  fields = fields or {}
  fields[MARK], fields.secret = kind, raise.check(1, caller, "string", secret) -- of `auth.basic` it is checked already
  return setmetatable(fields, meta)
end

--- A credential that sends a secret as `Authorization: Bearer …`. `name` is that of a `[secrets.NAME]` table in your
--- configuration, which also says to which hosts it may be sent.
--- ```lua
--- local token = auth.bearer("GITHUB")
--- print(token) --> credential: bearer GITHUB
--- ```
---@param name string
---@return Credential credential
function M.bearer(name)
  return reference("bearer", name, "auth.bearer")
end

--- A credential that sends a user's name and a secret as the password (RFC 7617).
--- ```lua
--- local login = auth.basic("ada", "ADA_PASSWORD")
--- ```
---@param user string
---@param name string of the secret
---@return Credential credential
function M.basic(user, name)
  raise.check(1, "auth.basic", "string", user)
  if find(user, ":", 1, true) then raise.refuse(1, "auth.basic", "a user's name holds no ':'") end
  raise.check(2, "auth.basic", "string", name)
  return reference("basic", name, "auth.basic", { user = user })
end

--- Where an API key is put.
---@class auth.KeyPlace
---@field header? string the header; `X-API-Key` unless it is given
---@field query? string the parameter of the URL, instead of a header

--- A credential that sends a secret as an API key, in a header or a parameter.
--- ```lua
--- local key = auth.api_key("WEATHER", { query = "appid" })
--- ```
---@param name string of the secret
---@param place? auth.KeyPlace
---@return Credential credential
function M.api_key(name, place)
  raise.check(1, "auth.api_key", "string", name)
  place = options_of.read(2, "auth.api_key", place, { header = "string", query = "string" })
  return reference("api_key", name, "auth.api_key", place)
end

local CLIENT = {
  token_url = "string", client_id = "string", secret = "string", client_secret = "string", scope = "string",
  audience = "string",
}

--- How a token is asked for.
---@class auth.Client
---@field token_url string where
---@field client_id string by whom
---@field secret string the name of the client's secret
---@field scope? string for what
---@field audience? string for whom

--- A credential that sends an OAuth 2 token, which is asked for with a client's secret (client credentials grant), kept
--- while it is good, and sent to the hosts of that secret alone.
--- ```lua
--- local token = auth.oauth2{ token_url = "https://id.example.org/token", client_id = "me", secret = "CLIENT" }
--- ```
---@param client auth.Client
---@return Credential credential
function M.oauth2(client)
  raise.check(1, "auth.oauth2", "table", client)
  local fields = options_of.read(1, "auth.oauth2", client, CLIENT)
  local secret = fields.secret or fields.client_secret
  for _, key in next, { "token_url", "client_id" } do
    if not fields[key] then raise.raise("'auth.oauth2' needs '" .. key .. "'") end
  end
  if not secret then raise.raise("'auth.oauth2' needs 'secret', the name of the client's secret") end
  fields.client_secret = nil
  return reference("oauth2", secret, "auth.oauth2", fields)
end

return M
