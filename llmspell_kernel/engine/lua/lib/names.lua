-- The registries of tools, agents and states that spells have named, in one place so that completion can list them.

local M = {}

local kinds = {}

-- The registry of a kind: name → what is registered.
function M.of(kind)
  local registry = kinds[kind] or {}
  kinds[kind] = registry
  return registry
end

return M
