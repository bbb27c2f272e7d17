-- A bounded picture of any Lua value, as plain data that codec.lua can encode.
--
-- `take` never runs long on its own: it reads tables raw, shows the first and last entries of long
-- ones, and spends a budget of nodes, bytes and steps. Only `__tostring`, `__html`, `__markdown` and
-- `__mime` run the user's code, each in a protected call; loops in them end with the engine's stop.
--
-- Tables are expanded breadth first: outer levels get the budget first, a table met twice is shown
-- where it is shallowest, and a deep value costs no C stack.
--
-- Nodes. Booleans, numbers and short UTF-8 strings stand for themselves; everything else is
-- `{kind = …}`; see display/snapshot.py, which types them. An absent field means none or zero,
-- because an empty list cannot be told from an empty map.

local codec = require("codec")
local shapes = require("shapes")

local debug_getinfo, debug_getlocal, debug_getmetatable = debug.getinfo, debug.getlocal, debug.getmetatable
local co_status = coroutine.status
local math_min, math_max, math_type = math.min, math.max, math.type
local string_byte, string_format, string_gsub = string.byte, string.format, string.gsub
local string_match, string_sub = string.match, string.sub
local table_concat, table_move, table_sort = table.concat, table.move, table.sort
local utf8_len = utf8.len
local next, pcall, rawequal, rawget, rawlen, type = next, pcall, rawequal, rawget, rawlen, type

local M = {}

-- What one snapshot may cost. Lists hold a value per depth, the last one for all that is deeper.
M.BUDGET = {
  nodes = 2000, -- described values
  depth = 6, -- levels of tables
  bytes = 256 * 1024, -- of strings
  steps = 1000000, -- of `next`, for counting
  calls = 200, -- of metamethods
  string = { 65536, 65536, 2048, 1024 }, -- bytes shown of one string
  head = { 80, 20, 10 }, -- first items of a long array
  tail = { 20, 5, 2 }, -- its last items
  fields = { 200, 60, 30 }, -- fields of a table
  grid = true, -- look for records, matrices and vectors
  rich = true, -- ask the value itself for __html, __markdown and __mime
  columns = false, -- the columns of a grid, in their order
}

-- Data that a value gave for its own display: whole or not at all.
local WHOLE = {
  nodes = 50000, depth = 12, bytes = 4 * 1024 * 1024, steps = 1000000, calls = 0,
  string = { 4 * 1024 * 1024 }, head = { 50000 }, tail = { 0 }, fields = { 50000 },
  grid = false, rich = false,
}

-- Results of our own, which are drawn by what they hold: less of them is left out, and their lists are no grids.
local RESULT = {
  nodes = 8000, depth = 14, grid = false,
  string = { 65536, 65536, 32768, 32768, 8192 }, head = { 400, 400, 100, 40 }, tail = { 20, 20, 10 },
}
local RESULTS = {
  changes = true, manifest = true, response = true, tests = true, usage = true, workflow = true, Workflow = true,
}

local KEY_BYTES = 200
local NAME_BYTES = 100
local PROBLEM_BYTES = 500
local RICH_BYTES = 1024 * 1024
local SORTED = 20000 -- keys of one table that take part in sorting
local COUNTED = 80000 -- further keys, which are only counted
local WALKED = 20000 -- longer arrays are not walked
local PARAMETERS = 20

local function at_depth(list, depth)
  return list[depth + 1] or list[#list]
end

-- Strings ------------------------------------------------------------------------------------------------

-- The first `limit` bytes of text, not ending inside a character.
local function head_of(text, limit)
  if #text <= limit then return text end
  local head = string_sub(text, 1, limit)
  if utf8_len(head) then return head end
  for back = 1, 3 do
    local shorter = string_sub(head, 1, limit - back)
    if utf8_len(shorter) then return shorter end
  end
  return head
end

local function describe_string(job, text, limit)
  limit = math_max(32, math_min(limit, job.bytes))
  local head = head_of(text, limit)
  job.bytes = job.bytes - #head
  if utf8_len(head) then
    if #head == #text then return text end
    return { kind = "string", text = head, length = #text }
  end
  return { kind = "string", data = head, length = #text }
end

local function byte_code(char) return string_format("\\x%02X", string_byte(char)) end

-- A short text of ours (a name, an error) that the user's code may have made.
local function plain_text(value, limit)
  if type(value) == "string" then
    local head = head_of(value, limit)
    return utf8_len(head) and head or (string_gsub(head, "[\x80-\xFF]", byte_code))
  end
  return nil
end

-- Metamethods --------------------------------------------------------------------------------------------

local function metamethod(value, event)
  local metatable = debug_getmetatable(value)
  if type(metatable) ~= "table" then return nil end
  return rawget(metatable, event)
end

local function type_name(value)
  return plain_text(metamethod(value, "__name"), NAME_BYTES)
end

local function note_problem(node, event, problem)
  local problems = node.problems or {}
  problems[#problems + 1] = event .. ": " .. problem
  node.problems = problems
end

-- Calls a metamethod of `value`, which must give a result of the type `wanted`; notes what went wrong.
local function ask(job, node, value, event, wanted)
  local handler = metamethod(value, event)
  if handler == nil or handler == false or job.calls <= 0 then return nil end
  job.calls = job.calls - 1
  local ok, result = pcall(handler, value)
  if not ok then
    note_problem(node, event, plain_text(result, PROBLEM_BYTES) or "(error object is a " .. type(result) .. " value)")
  elseif type(result) ~= wanted then
    note_problem(node, event, "gave a " .. type(result) .. ", not a " .. wanted)
  else
    return result
  end
  return nil
end

local function ask_text(job, node, value, depth)
  local text = ask(job, node, value, "__tostring", "string")
  if text then
    node.text = describe_string(job, text, at_depth(job.budget.string, depth))
  end
end

local function ask_markup(job, node, value, event, field)
  local markup = ask(job, node, value, event, "string")
  if markup == nil then return end
  if #markup > RICH_BYTES then
    note_problem(node, event, "gave " .. #markup .. " bytes; the limit is " .. RICH_BYTES)
  elseif not utf8_len(markup) then
    note_problem(node, event, "gave text that is not UTF-8")
  else
    node[field] = markup
  end
end

local function ask_rich(job, node, value)
  ask_markup(job, node, value, "__html", "html")
  ask_markup(job, node, value, "__markdown", "markdown")
  local bundle = ask(job, node, value, "__mime", "table")
  if bundle ~= nil then node.mime = M.take(bundle, WHOLE) end
end

-- Values -------------------------------------------------------------------------------------------------

local function parameters_of(info, f)
  local names = {}
  for i = 1, math_min(info.nparams, PARAMETERS) do
    names[i] = debug_getlocal(f, i) or "?"
  end
  if info.nparams > PARAMETERS then names[#names + 1] = "…" end
  if info.isvararg then names[#names + 1] = "..." end
  return table_concat(names, ", ")
end

local function describe_function(f)
  local info = debug_getinfo(f, "Su")
  if info.what == "C" or string_match(info.source, "^=%[llmspell") then
    return { kind = "function", builtin = true }
  end
  return {
    kind = "function",
    parameters = parameters_of(info, f),
    source = plain_text(info.short_src, NAME_BYTES),
    line = info.linedefined,
  }
end

local function describe_userdata(job, value, depth)
  local node = { kind = "userdata", name = type_name(value) }
  ask_text(job, node, value, depth)
  return node
end

local describe

local function describe_handle(value, kind, id)
  local node = { kind = "handle", type = kind, id = id }
  local handler = metamethod(value, "__tostring")
  if handler then
    local ok, text = pcall(handler, value)
    node.text = ok and plain_text(text, NAME_BYTES) or nil
  end
  return node
end

-- What `display.register` added: a predicate (a function, or the metatable's __name) and a renderer each.
M.renderers = {}

local function note_failure(node, what, err)
  note_problem(node, what, plain_text(err, PROBLEM_BYTES) or plain_text(tostring(err), PROBLEM_BYTES))
end

local function ask_renderers(job, node, value)
  local guarded = require("guarded").pcall
  for index = 1, #M.renderers do
    local entry = M.renderers[index]
    local predicate = entry.predicate
    local ok, fits = true, node.name == predicate
    if type(predicate) == "function" then ok, fits = guarded(predicate, value) end
    if not ok then note_failure(node, "predicate", fits) end
    if ok and fits then
      job.calls = job.calls - 1
      local done, drawn = guarded(entry.renderer, value)
      if not done then
        note_failure(node, "renderer", drawn)
      elseif type(drawn) == "string" then
        node.html = utf8_len(drawn) and #drawn <= RICH_BYTES and drawn or nil
      elseif type(drawn) == "table" then
        node.mime = M.take(drawn, WHOLE)
      end
      return
    end
  end
end

-- A table gets a node at once and its contents later, when its turn in the queue comes.
local function describe_table(job, t, depth)
  local id = job.ids[t]
  if id then return { kind = "reference", id = id } end
  if rawequal(t, codec.null) then return { kind = "nil", null = true } end
  if debug_getmetatable(t) then
    local handle_kind, handle_id = codec.on_handle(t)
    if handle_kind then return describe_handle(t, handle_kind, handle_id) end
  end
  local node = { kind = "table", name = type_name(t), sequence = codec.is_array(t) or nil }
  if depth >= job.budget.depth or job.nodes <= 0 then
    node.length = rawlen(t)
    node.cut = next(t) ~= nil
    return node
  end
  id = job.last_id + 1
  job.last_id, job.ids[t], node.id = id, id, id
  local last = job.queue_end + 1
  job.queue_end, job.queue[last] = last, { t, node, depth }
  return node
end

describe = function(job, value, depth)
  job.nodes = job.nodes - 1
  local kind = type(value)
  if kind == "string" then
    return describe_string(job, value, at_depth(job.budget.string, depth))
  elseif kind == "number" or kind == "boolean" then
    return value
  elseif kind == "nil" then
    return { kind = "nil" }
  elseif kind == "table" then
    return describe_table(job, value, depth)
  elseif kind == "function" then
    return describe_function(value)
  elseif kind == "thread" then
    return { kind = "thread", status = co_status(value) }
  end
  return describe_userdata(job, value, depth)
end

-- Array items --------------------------------------------------------------------------------------------

-- How many of the keys 1, 2, … make an array. A border of a table with holes may be anything up to
-- 2^62: when most of the first items are missing only the run before the first hole counts.
local function array_length(t, probe)
  local n = rawlen(t)
  local first_hole, holes = nil, 0
  for i = 1, math_min(n, probe) do
    if rawget(t, i) == nil then
      first_hole, holes = first_hole or i, holes + 1
    end
  end
  if holes * 2 > math_min(n, probe) then return first_hole - 1 end
  return n
end

local function put_items(job, t, node, depth, n)
  local head, tail = at_depth(job.budget.head, depth), at_depth(job.budget.tail, depth)
  if n <= head + tail then head, tail = n, 0 end
  local items, shown_head = {}, 0
  for i = 1, head do
    if job.nodes <= 0 then break end
    items[i], shown_head = describe(job, rawget(t, i), depth + 1), i
  end
  local shown_tail = 0
  for i = n - tail + 1, n do
    if job.nodes <= 0 then break end
    shown_tail = shown_tail + 1
    items[shown_head + shown_tail] = describe(job, rawget(t, i), depth + 1)
  end
  node.length = n
  if shown_head + shown_tail > 0 then node.items = items end
  if shown_tail > 0 then
    -- A budget that ends inside the tail leaves items that are not the last ones.
    node.tail = shown_tail
    node.tail_start = n - tail + 1
  end
end

-- Fields -------------------------------------------------------------------------------------------------

-- Keeps the `limit` smallest of the keys it is given, at about one comparison a key.
local function smallest(limit, less)
  local kept, size, bound = {}, 0, nil
  local function trim()
    table_sort(kept, less)
    for i = size, limit + 1, -1 do kept[i] = nil end
    size = #kept
  end
  local function add(key)
    if bound ~= nil and not less(key, bound) then return end
    size = size + 1
    kept[size] = key
    if size >= 2 * limit then
      trim()
      bound = kept[limit]
    end
  end
  return add, function() trim() return kept end
end

-- A key may be huge: only its first bytes count.
local function text_less(a, b)
  if #a > KEY_BYTES then a = string_sub(a, 1, KEY_BYTES) end
  if #b > KEY_BYTES then b = string_sub(b, 1, KEY_BYTES) end
  return a < b
end

local function number_less(a, b) return a < b end

-- Collects keys for showing: the smallest numbers, then the smallest strings, then the rest as met.
local function collector(limit)
  local add_number, numbers = smallest(limit, number_less)
  local add_string, strings = smallest(limit, text_less)
  local rest = {}
  local function add(key)
    local kind = type(key)
    if kind == "number" then
      add_number(key)
    elseif kind == "string" then
      add_string(key)
    elseif #rest < limit then
      rest[#rest + 1] = key
    end
  end
  return add, function()
    local keys = numbers()
    table_move(strings(), 1, limit, #keys + 1, keys)
    table_move(rest, 1, limit, #keys + 1, keys)
    return keys
  end
end

-- Gives keys outside 1..n, from `key` on, to `add`; looks at `limit` keys at most. Returns the next key, how many
-- it gave and what is left of the limit.
local function scan(t, key, n, limit, add)
  local count = 0
  while key ~= nil and limit > 0 do
    if math_type(key) ~= "integer" or key < 1 or key > n then
      count = count + 1
      add(key)
    end
    key, limit = next(t, key), limit - 1
  end
  return key, count, limit
end

local function no_add() end

-- The smallest `limit` keys outside 1..n, how many there are, and whether that count is exact.
--
-- A long array is not walked: where it lies in the table's array part, as arrays do, the keys that
-- `next` gives after the last item are exactly the others. (An array filled from its end lies in the
-- hash part; then a field or two of a table of many thousand items may go unmentioned.)
local function other_keys(job, t, n, limit)
  local add, keys = collector(limit)
  local count = 0
  local function walk(key, most, give)
    local found, left
    key, found, left = scan(t, key, n, most, give)
    count, job.steps = count + found, job.steps - (most - left)
    return key
  end
  local key = next(t)
  if n > WALKED then
    key = walk(key, 64, add)
    if count == 0 then key = next(t, n) end
  end
  key = walk(key, math_min(SORTED, job.steps), add)
  if key ~= nil then key = walk(key, math_min(COUNTED, job.steps), no_add) end
  return keys(), count, key == nil
end

local function describe_key(job, key, depth)
  if type(key) == "string" then
    job.nodes = job.nodes - 1
    return describe_string(job, key, KEY_BYTES)
  end
  return describe(job, key, depth)
end

local function put_fields(job, t, node, depth, keys, count, exact)
  local fields, shown = {}, 0
  for i = 1, math_min(#keys, at_depth(job.budget.fields, depth)) do
    if job.nodes <= 0 then break end
    local key = keys[i]
    fields[2 * i - 1] = describe_key(job, key, depth + 1)
    fields[2 * i] = describe(job, rawget(t, key), depth + 1)
    shown = i
  end
  if shown > 0 then node.fields = fields end
  if count > 0 then node.count = count end
  if not exact then node.inexact = true end
end

-- Expansion ----------------------------------------------------------------------------------------------

local function expand(job, t, node, depth)
  -- The user's code runs before the table is read, and never while it is.
  ask_text(job, node, t, depth)
  if depth == 0 and job.budget.rich then
    ask_rich(job, node, t)
    if #M.renderers > 0 then ask_renderers(job, node, t) end
  end
  local n = array_length(t, 100)
  local keys, count, exact = other_keys(job, t, n, at_depth(job.budget.fields, depth))
  if job.budget.grid and exact and depth + 1 < job.budget.depth then
    if count == 0 then
      node.grid = shapes.grid(t, n, job, describe, depth)
      if node.grid then node.length = n return end
    elseif n == 0 and count > 1 then
      node.grid = shapes.grid(t, #keys, job, describe, depth, keys)
      if node.grid then node.count = count return end
    end
  end
  if n > 0 then put_items(job, t, node, depth, n) end
  if count == 0 and exact and job.budget.grid and depth < 2 then node.statistics = shapes.statistics(t, n) end
  if count > 0 or not exact then put_fields(job, t, node, depth, keys, count, exact) end
end

local function drain(job)
  while job.queue_start <= job.queue_end do
    local entry = job.queue[job.queue_start]
    job.queue[job.queue_start] = nil
    job.queue_start = job.queue_start + 1
    if job.nodes > 0 then
      expand(job, entry[1], entry[2], entry[3])
    else
      local t, node = entry[1], entry[2]
      node.length, node.cut = rawlen(t), next(t) ~= nil
    end
  end
end

local function new_job(budget)
  local merged = {}
  for name, default in next, M.BUDGET do
    local own = nil
    if type(budget) == "table" then own = budget[name] end
    if own == nil then merged[name] = default else merged[name] = own end
  end
  return {
    budget = merged,
    nodes = merged.nodes, bytes = merged.bytes, steps = merged.steps, calls = merged.calls,
    ids = {}, last_id = 0,
    queue = {}, queue_start = 1, queue_end = 0,
  }
end

--- A picture of `value`; `budget` overrides entries of M.BUDGET.
function M.take(value, budget)
  if budget == nil and type(value) == "table" and RESULTS[type_name(value)] then budget = RESULT end
  local job = new_job(budget)
  local node = describe(job, value, 0)
  drain(job)
  return node
end

--- Pictures of several values, packed as by table.pack: a list, each with its own budget.
function M.take_all(packed, budget)
  local nodes = {}
  for i = 1, packed.n do
    nodes[i] = M.take(packed[i], budget)
  end
  return nodes
end

--- `value` itself if it is a table whose keys all look like MIME types, else nil.
function M.mime_bundle(value)
  if type(value) == "table" and shapes.is_mime(value) then return value end
  return nil
end

--- One short line of Lua-like text for `value`, at most about `limit` bytes (200).
function M.text(value, limit)
  return require("preview").text(value, limit or 200)
end

return M
