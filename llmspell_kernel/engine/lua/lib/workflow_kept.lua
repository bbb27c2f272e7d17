-- Runs of workflows that outlive the session: what each step gave is in the project's file of state until the run
-- has come to its end.

local bridge = require("bridge")
local codec = require("codec")
local errorobject = require("errorobject")

local next, pcall = next, pcall
local find, gsub, sub = string.find, string.gsub, string.sub
local sort = table.sort
local read_all = bridge.bind("state_files", "all")
local commit = bridge.bind("state_files", "commit")
local names = bridge.bind("state_files", "names")

local K = {}

local PREFIX = "workflow run:"
local HEAD = "(run)" -- the entry that tells of the run itself; a step's has its path as key

--- Whether a store of the project's file is a run of a workflow.
function K.is_store(name) return find(name, PREFIX, 1, true) == 1 end

local function change(name, changes)
  if #changes == 0 then return true end
  return commit(PREFIX .. name, codec.array(changes))
end

-- What came of a change: true, or nil and an error that says what cannot be kept.
local function told(what, ok, made, err)
  if ok and made then return true end
  local why = gsub(errorobject.text(ok and err or made), "^[^\n]-:%d+: ", "")
  return nil, errorobject.new({
    code = "not_kept",
    message = what .. " cannot be kept: " .. why,
    suggestion = "give plain data, or build the workflow without persistent()",
  })
end

--- What a run of that name has done so far, as a checkpoint; nil if none is under way, nil and an error if that cannot
--- be told.
function K.load(name)
  local entries, err = read_all(PREFIX .. name)
  if entries == nil then return nil, err end
  local head, outputs = entries[HEAD], {}
  if not head then return nil end
  for path, entry in next, entries do
    if path ~= HEAD then outputs[path] = entry end
  end
  return { execution_id = head.execution_id, input = head.input, outputs = outputs }
end

--- A run begins, or goes on from a checkpoint: what is kept is this and nothing else. Returns true, or nil and an
--- error.
function K.begin(name, checkpoint)
  local entries, err = read_all(PREFIX .. name)
  if entries == nil then return nil, err end
  local changes = { { key = HEAD, value = { execution_id = checkpoint.execution_id, input = checkpoint.input } } }
  for path in next, entries do
    if path ~= HEAD and not checkpoint.outputs[path] then changes[#changes + 1] = { key = path } end
  end
  for path, entry in next, checkpoint.outputs do changes[#changes + 1] = { key = path, value = entry } end
  return told("what the workflow '" .. name .. "' was given", pcall(change, name, changes))
end

--- A step has ended. Returns true, or nil and an error: only plain data outlives a session.
function K.add(name, path, entry)
  return told("what the step '" .. path .. "' gave", pcall(change, name, { { key = path, value = entry } }))
end

--- Forget a run; returns whether there was one, or nil and an error.
function K.forget(name)
  local entries, err = read_all(PREFIX .. name)
  if entries == nil then return nil, err end
  local changes = {}
  for path in next, entries do changes[#changes + 1] = { key = path } end
  local made, problem = change(name, changes)
  if made == nil then return nil, problem end
  return #changes > 0
end

--- The names of the runs that have not come to their end, in order; or nil and an error.
function K.names()
  local stores, err = names()
  if stores == nil then return nil, err end
  local found = {}
  for _, store in next, stores do
    if K.is_store(store) then found[#found + 1] = sub(store, #PREFIX + 1) end
  end
  sort(found)
  return found
end

return K
