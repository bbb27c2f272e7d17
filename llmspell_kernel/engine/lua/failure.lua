-- Errors as plain data.

local M = {}

local mains = setmetatable({}, { __mode = "k" })

function M.mark_main(fn) mains[fn] = true end

function M.syntax(problem, chunkname)
  local message = problem.message
  if problem.near then message = message .. " near " .. problem.near end
  return {
    ename = "LuaSyntaxError", message = message, source = chunkname, line = problem.line, column = problem.column,
    near = problem.near, incomplete = problem.incomplete,
  }
end

function M.compile(message, chunkname)
  local prefix, rest = string.match(message, "^" .. string.gsub(chunkname, "%p", "%%%0") .. ":(%d+): (.*)$")
  return {
    ename = "LuaSyntaxError", message = rest or message, source = chunkname, line = tonumber(prefix),
  }
end

function M.handler(err)
  return { ename = "LuaError", message = tostring(err) }
end

return M
