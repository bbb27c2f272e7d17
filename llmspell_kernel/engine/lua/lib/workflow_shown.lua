-- A workflow as a picture that follows its runs: the steps, their states and times, in place.

local host = require("host")
local promises = require("promises")
local scheduler = require("scheduler")
local globals = require("globals")

local ipairs, setmetatable = ipairs, setmetatable
local gsub, insert = string.gsub, table.insert

local M = {}

local INTERVAL = 0.1 -- seconds between two updates
local picture_meta = { __name = "workflow" }
local STATES = { started = "running", retrying = "running" }

local steps_of

-- A step as the picture has it; `seen` holds what is known of it by its path.
local function step_of(step, path, seen)
  local known = seen[path] or {}
  local inner = step.workflow
  return {
    name = step.name,
    type = inner and inner.type or step.type,
    status = known.status or "pending",
    seconds = known.seconds,
    error = known.error,
    attempts = known.attempts,
    steps = inner and steps_of(inner, path .. "/", seen) or nil,
  }
end

function steps_of(workflow, prefix, seen)
  local steps = {}
  for _, step in ipairs(workflow.steps) do insert(steps, step_of(step, prefix .. step.name, seen)) end
  local branches = {}
  for index, branch in ipairs(workflow.branches) do
    local inside = {}
    for at, step in ipairs(branch.steps) do
      inside[at] = step_of(step, prefix .. branch.name .. "/" .. step.name, seen)
    end
    branches[index] = { name = branch.name, steps = inside }
  end
  if #branches > 0 then insert(steps, { name = "one of", type = "choice", steps = branches }) end
  return steps
end

local function picture_of(workflow, view)
  return setmetatable({
    name = workflow.name,
    type = workflow.type,
    status = view.status,
    seconds = view.seconds,
    steps = steps_of(workflow, "", view.seen),
  }, picture_meta)
end

-- Take note of what a run tells. In a loop each round's steps take the place of those of the round before.
local function follow(view, event)
  if event.status == "workflow_started" then
    view.seen, view.status, view.seconds = {}, "running", nil
  elseif event.step == nil then
    view.status, view.seconds = gsub(event.status, "^workflow_", ""), event.seconds
  else
    local path = gsub(event.path, "#%d+/", "")
    view.seen[path] = {
      status = STATES[event.status] or event.status,
      seconds = event.seconds,
      error = event.error,
      attempts = event.attempt or (view.seen[path] or {}).attempts,
    }
  end
end

--- Show `workflow`, and keep what is shown as its runs are.
function M.show(workflow)
  local view = { status = "not run yet", seen = {}, drawn = host.now() }
  local handle = globals.display(picture_of(workflow, view))
  local function draw()
    view.drawn, view.due = host.now(), nil
    handle:update(picture_of(workflow, view))
  end
  local function later(seconds)
    view.due = promises.state_of((promises.spawn(function()
      scheduler.sleep(seconds)
      draw()
    end)))
  end
  workflow.shown = function(event)
    follow(view, event)
    local wait = INTERVAL - (host.now() - view.drawn)
    if view.due and (wait <= 0 or event.step == nil) then
      promises.cancel(view.due, scheduler.cancellation("drawn at once"))
      view.due = nil
    end
    if wait <= 0 or event.step == nil then draw() elseif not view.due then later(wait) end
  end
end

return M
