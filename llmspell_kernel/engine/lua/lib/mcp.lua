-- `mcp` on the Lua side: a server's tools as tables that an agent or `tools.register` takes.

local bridge = require("bridge")
local raise = require("raise")

local ipairs, find, sub = ipairs, string.find, string.sub
local call, describe = bridge.bind("mcp", "call"), bridge.bind("mcp", "describe")

local M = {}

local function tool_of(described)
  local server, name = described.server, described.name
  return {
    name = server .. "." .. name,
    description = described.description,
    parameters = described.parameters,
    execute = function(arguments) return call(server, name, arguments) end,
  }
end

--- Returns a server's tools, each `{ name, description, parameters, execute }` with the name `server.tool`, for an
--- agent's `tools`; without a server, those of all servers that are granted.
--- ```lua
--- local helper = agent.create({ tools = mcp.tools() })
--- ```
---@param server? string its name in the configuration
---@return table[]? tools
---@return Error? err
function M.tools(server)
  if server ~= nil then raise.check(1, "mcp.tools", "string", server) end
  local described, err = describe(server)
  if described == nil then return nil, err end
  local tools = {}
  for index, each in ipairs(described) do tools[index] = tool_of(each) end
  return tools
end

--- Returns the one tool of the name `server.tool`, as `mcp.tools` does; nil if there is none.
--- ```lua
--- print((mcp.tool("nothing.at_all"))) --> nil
--- ```
---@param name string
---@return table? tool
---@return Error? err
function M.tool(name)
  raise.check(1, "mcp.tool", "string", name)
  local dot = find(name, ".", 1, true)
  if not dot then return nil end
  local described, err = describe(sub(name, 1, dot - 1))
  if described == nil then return nil, err end
  for _, each in ipairs(described) do
    if each.name == sub(name, dot + 1) then return tool_of(each) end
  end
  return nil
end

return M
