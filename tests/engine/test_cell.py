"""Cells: what they show, and top-level locals that live on with exactly Lua's own meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lua_programs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from llmspell_kernel.engine.state import LuaState

SETUP = """
env = {}
for _, name in ipairs({ "assert", "error", "ipairs", "next", "pairs", "pcall", "print", "rawget", "require", "select",
  "setmetatable", "string", "table", "tonumber", "tostring", "type", "math", "coroutine", "load" }) do
  env[name] = _G[name]
end
env._G = env
cells = require("cell").new(env, ...)

-- Runs a cell; its values as one text, or its failure.
function run(number, code, mode, ...)
  local fn, failure = cells:compile(code, "cell " .. number, mode)
  if not fn then return "refused " .. (failure.line or "?") .. ": " .. failure.message end
  local results = table.pack(pcall(fn, ...))
  if not results[1] then return "raised " .. tostring(results[2]) end
  for index = 2, results.n do
    local value = results[index]
    results[index] = type(value) == "string" and string.format("%q", value) or tostring(value)
  end
  return table.concat(results, " ", 2, results.n)
end
"""


class Notebook:
    """Cells over one environment; a cell's number is how many ran before it, plus one."""

    def __init__(self, lua: Any, options: str = "") -> None:
        self.lua = lua
        lua.run(f"assert(load(...))({options})", SETUP.encode())
        self.ran = 0

    def __call__(self, code: str | bytes, *arguments: Any, mode: str = "cell") -> str:
        self.ran += 1
        data = code if isinstance(code, bytes) else code.encode()
        return self.lua.run("return run(...)", self.ran, data, mode.encode(), *arguments).decode(
            "utf-8", "replace"
        )

    def names(self) -> str:
        return self.lua.run("return table.concat(cells:names(), ' ')").decode()


@pytest.fixture
def cell(lua: Any) -> Notebook:
    return Notebook(lua)


# ── what a cell shows ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("1 + 1", "2"),
        ("1, 'two', nil", '1 "two" nil'),
        ("nil", "nil"),
        ("x = 5", ""),
        ("local y = 5", ""),
        ("x = 5 x", "5"),
        ("x = 5\n\nx -- the value\n\n", "5"),
        ("x = 5; x; ", ""),
        ("x = 5; x ;; -- nothing", ""),
        ("return 1, 2", "1 2"),
        ("return 7;", "7"),
        ("if true then return 'early' end 'late'", '"early"'),
        ("if false then return 'early' end 'late'", '"late"'),
        ("do end'tight'", '"tight"'),
        ("x=1'tight'", '"tight"'),
        ("function f() return 3, 4 end f()", "3 4"),
        ("function f() return 3, 4 end f();", ""),
        ("function f() return 3, 4 end (f())", "3"),
        ("function f() return 3, 4 end f(), f()", "3 3 4"),
        ("function f() end f()", ""),
        ("f = function(a) return a end f'str'", '"str"'),
        ("t = {n = {v = 8}} t.n.v", "8"),
        ("t = {7} t[1]", "7"),
        ("'%d'", '"%d"'),
        ("('x'):rep(3)", '"xxx"'),
        ("#'abc'", "3"),
        ("-2^2", "-4.0"),
        ("not nil", "true"),
        ("2 == 2, 7 // 2, 7 / 2, 1 << 4, ~0", "true 3 3.5 16 -1"),
        ("x = 1 x == 2", "false"),
        ("(function() return 'called' end)()", '"called"'),
        ("type(function() end)", '"function"'),
        ("function named() end", ""),
        ("{1, 2} == nil", "false"),
        ("goto done; local x = 1 ::done::", ""),
        ("local i = 0 ::top:: i = i + 1 if i < 3 then goto top end i", "3"),
        ("for i = 1, 3 do end", ""),
        ("", ""),
        ("-- nothing", ""),
        ("--[[ nothing\n]]", ""),
        (";;;", ""),
        ("[[long\nstring]]", '"long\\\nstring"'),
        ("#!/usr/bin/env lua\n42", "42"),
        ("#!only", ""),
        ("\ufeff42", "42"),
        ("\ufeff#!lua\n42", "42"),
        ("x = 1\r\ny = 2\r\nx + y\r\n", "3"),
        ("x =\r1\rx", "1"),
        ("'é日本', #'é'", '"é日本" 2'),
        ("... == nil, select('#', ...)", "true 0"),
        ("local a <const> = 3 a", "3"),
        ("load('return 5')()", "5"),
        ("x = 10 -- return 3\nx", "10"),
        ("x = 'end' return x .. [[ end ]]", '"end end "'),
    ],
)  # fmt: skip
def test_a_cell_shows_its_last_values(cell: Notebook, code: str, shown: str) -> None:
    assert cell(code) == shown


def test_a_cell_gets_its_arguments(cell: Notebook) -> None:
    assert cell("local a, b = ...\na + b, ...", 1, 2) == "3 1 2"


def test_strings_of_any_bytes_pass_through(lua: Any) -> None:
    cell = Notebook(lua)
    assert cell(b"#'\xff\x00\xfe', ('\xff'):byte()") == "3 255"


def test_binary_chunks_are_refused(cell: Notebook) -> None:
    code = cell.lua.run("return string.dump(function() return 1 end)")
    assert cell(code) == "refused 1: binary chunks are not allowed; a cell is Lua source"


def test_a_final_call_is_no_tail_call(cell: Notebook) -> None:
    cell("function blame() error('told', 2) end")
    assert cell("local x = 1\nblame()") == "raised cell 2:2: told"
    assert cell("blame(),\nnil") == "raised cell 3:1: told"
    assert cell("blame();") == "raised cell 4:1: told"
    assert cell("return blame()") == "raised cell 5:1: told"
    assert cell("local x = 1 return blame() ;") == "raised cell 6:1: told"


def test_positions_are_the_cells_own(cell: Notebook) -> None:
    code = "local a,\nb = 1,\n2\nlocal function f()\nend\n\na, b = b\nlocal c = 3 local d = 4\nerror('here')\n'value'"
    assert cell("if true then " + code.replace("\n'value'", "") + " end") == "raised cell 1:9: here"
    assert cell(code) == "raised cell 2:9: here"
    assert cell("#!shebang\r\n\r\nlocal x = 1 local y = 2 error('here')") == "raised cell 3:3: here"
    assert cell("nil + 1") == "raised cell 4:1: attempt to perform arithmetic on a nil value"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("x y", "refused 1: syntax error near 'y'"),
        ("\nif x then", "refused 2: 'end' expected near <eof>"),
        ("goto nowhere", "refused 1: no visible label 'nowhere' for <goto> at line 1"),
        ("\ngoto x\nlocal y\n::x:: y = 1", "refused 2: <goto x> at line 2 jumps into the scope of local 'y'"),
        ("::a::\n\n::a::", "refused 3: label 'a' already defined on line 3"),
        ("local x <const> = 1\n\nx = 2", "refused 3: attempt to assign to const variable 'x'"),
        (
            "x = " + "1 .. " * 300 + "1",
            "refused ?: nested too deeply for Lua (more than about 190 levels of parentheses, operators, tables or"
            " blocks)",
        ),
        (
            "\n".join(f"local v{index} = {index}" for index in range(201)),
            "refused 201: too many local variables (limit is 200) in one cell",
        ),
    ],
)  # fmt: skip
def test_what_lua_refuses_is_told(cell: Notebook, code: str, told: str) -> None:
    assert cell(code) == told


# ── locals that live on ──────────────────────────────────────────────────────────────────────────


def test_a_later_cell_and_a_closure_share_the_variable(cell: Notebook) -> None:
    cell("local n = 1\nlocal function inc() n = n + 1 return n end")
    assert cell("inc(), n") == "2 2"
    cell("n = 10")
    assert cell("inc(), n") == "11 11"
    assert cell("function outer() return function() n = n * 2 return inc() end end outer()()") == "23"
    assert cell("n") == "23"


def test_globals_and_locals_of_one_name_do_not_mix(cell: Notebook) -> None:
    cell("n = 'global'")
    cell("local n = 'local'")
    assert cell("n, _G.n, _ENV.n") == '"local" "global" "global"'
    cell("n = 5 _G.n = 6")
    assert cell("n, _G.n") == "5 6"


def test_a_new_declaration_is_a_new_variable(cell: Notebook) -> None:
    cell("local n = 1 local function old() return n end")
    cell("local n = n + 10 function new() n = n + 1 return n end")
    assert cell("old(), new(), n") == "1 12 12"


def test_a_declaration_without_a_value_is_nil(cell: Notebook) -> None:
    cell("x = 'global' local x = 1")
    cell("local x")
    assert cell("x") == "nil"


def test_a_local_function_can_call_itself(cell: Notebook) -> None:
    cell("local function fact(n) return n <= 1 and 1 or n * fact(n - 1) end")
    assert cell("fact(5)") == "120"
    cell("local old = fact local function fact() return 'new' end")
    assert cell("old(5), fact()") == '120 "new"'


def test_the_last_of_equal_names_lives(cell: Notebook) -> None:
    cell("local a, a = 1, 2 local b <const>, b = 3, 4")
    assert cell("b = b + 1 return a, b") == "2 5"


def test_what_was_declared_before_an_error_stays(cell: Notebook) -> None:
    assert cell("local a = 1\nlocal b = 2 error('stop') local c = 3") == "raised cell 1:2: stop"
    assert cell("a, b, c") == "1 2 nil"
    assert cell.names() == "a b"


def test_an_early_return_and_a_goto_keep_what_was_declared(cell: Notebook) -> None:
    cell("local a = 1 if a then return end local b = 2")
    cell("local c = 3 goto done local d = 4 ::done::")
    cell("local i = 0 ::top:: i = i + 1 local last = i if i < 3 then goto top end")
    assert cell("a, b, c, d, i, last") == "1 nil 3 nil 3 3"


def test_locals_inside_blocks_end_with_them(cell: Notebook) -> None:
    cell(
        "do local hidden = 1 end for i = 1, 2 do local deep = i end local function f(argument) local own end"
    )
    assert cell("hidden, deep, i, argument, own") == "nil nil nil nil nil"
    assert cell.names() == "f"


def test_shadowing_inside_blocks_is_lua_own(cell: Notebook) -> None:
    cell("local x = 1")
    assert cell("do local x = 2 x = 3 end local function f(x) x = 9 return x end return x, f(4)") == "1 9"


def test_constants_stay_constant(cell: Notebook) -> None:
    cell("local k <const>, t <const> = 7, { 1 } local function get() return k end")
    assert cell("k, t[1], get()") == "7 1 7"
    assert cell("k = 8") == "refused 1: attempt to assign to const variable 'k'"
    assert cell("\nfunction f() t = 8 end") == "refused 2: attempt to assign to const variable 't'"
    assert cell("t[1] = 2 k, t[1]") == "7 2"
    cell("local k = 9")
    assert cell("k = k + 1 return k, get()") == "10 7"
    cell("local k <const> = nil")
    assert cell("k") == "nil"


def test_a_variable_to_be_closed_ends_with_its_cell(cell: Notebook) -> None:
    cell("log = {} local meta = { __close = function(this) log[#log + 1] = this.name end }")
    cell("local function closing(name) return setmetatable({ name = name }, meta) end")
    cell("local r = 'older'")
    assert cell("local r <close> = closing('r') local s = 1 #log") == "0"
    assert cell("#log, log[1], r, s") == '1 "r" "older" 1'
    assert cell("local q <close> = closing('q') error('x')") == "raised cell 6:1: x"
    assert cell("log[2], q") == '"q" nil'
    assert cell("local q <close> = closing('final') table.concat({ 'a' })") == '"a"'
    assert cell("log[3]") == '"final"'


def test_a_local_environment_ends_with_its_cell(cell: Notebook) -> None:
    assert cell("local _ENV = { y = 2 } local z = y return z") == "2"
    assert cell("type(print), y, z") == '"function" nil 2'


def test_nothing_is_kept_of_an_expression(cell: Notebook) -> None:
    cell("local n = 1")
    assert cell("local n = n + 1 local m = 3 return n", mode="expression") == "2"
    assert cell("n, m") == "1 nil"
    assert cell("n = 5", mode="expression") == ""
    assert cell("n") == "5"


def test_session_locals_can_be_turned_off(lua: Any) -> None:
    cell = Notebook(lua, "{ session_locals = false }")
    assert cell("local n = 1\nn") == "1"
    assert cell("n") == "nil"
    assert cell("function f() return 1, 2 end f()") == "1 2"


def test_hidden_names_never_meet_the_users(cell: Notebook) -> None:
    cell("local __llmspell_keep, other = 'mine', 2")
    assert cell("__llmspell_keep, other") == '"mine" 2'
    cell("local __llmspell_keep1 = __llmspell_keep .. '!'")
    assert cell("tostring(__llmspell_keep1)") == '"mine!"'
    assert cell("local a = 1 for name in pairs(_G) do assert(not name:find('__llmspell')) end a") == "1"


def test_a_mention_is_enough_to_reach_a_local(cell: Notebook) -> None:
    cell("local t, f, n = { a = 1 }, function(...) return ... end, 5")
    assert cell("t.a, f'x', f{1}[1], t['a'], #t, -n, (n), n .. ''") == '1 "x" 1 1 0 -5 5 "5"'
    assert cell("t.n, ({ n = 1 }).n, { n = n }.n == nil") == "refused 1: '=' expected near '.'"
    assert cell("t.n, ({ n = 1 }).n") == "nil 1"
    assert cell("function t.m() return n end function t:q() return self.a + n end t.m() + t:q()") == "11"
    cell("t.a, n = 2, 6 local function inner() return function() return n end end")
    assert cell("inner()(), t.a") == "6 2"


# ── limits of Lua's ──────────────────────────────────────────────────────────────────────────────


def test_hundreds_of_locals_over_many_cells(cell: Notebook) -> None:
    for group in range(5):
        cell("\n".join(f"local v{group}_{index} = {group * 150 + index}" for index in range(150)))
    assert cell("v0_0, v4_149") == "0 749"
    assert len(cell.names().split()) == 750


def test_two_hundred_locals_in_one_cell_and_in_one_statement(cell: Notebook) -> None:
    cell("\n".join(f"local v{index} = {index}" for index in range(200)))
    names, numbers = [f"w{index}" for index in range(200)], [str(index) for index in range(200)]
    cell(f"local {','.join(names)} = {','.join(numbers)}")
    assert cell("v0, v199, w0, w199") == "0 199 0 199"


@pytest.mark.parametrize("count", [179, 180, 181, 252, 253, 254, 255, 256, 400])
def test_a_cell_can_mention_any_number_of_locals(cell: Notebook, count: int) -> None:
    for first in range(0, count, 150):
        names = [f"v{index}" for index in range(first, min(first + 150, count))]
        cell(f"local {','.join(names)} = {','.join(name[1:] for name in names)}")
        cell(f"function get{first}() return {names[-1]} end")
    everything = "\n".join(f"v{index} = v{index} + 1" for index in range(count))
    last = (count - 1) // 150 * 150
    assert (
        cell(f"{everything}\ng = (g or 0) + 1 return v0, v{count - 1}, g, get{last}()")
        == f"1 {count} 1 {count}"
    )
    assert cell(f"v0, v{count - 1}, _G.v{count - 1}, g") == f"1 {count} nil 1"


def test_constants_beyond_what_lua_can_bind_stay_constant(cell: Notebook) -> None:
    for first in (0, 150):
        cell("\n".join(f"local v{index:03} <const> = {index}" for index in range(first, first + 150)))
    total = "+".join(f"v{index:03}" for index in range(300))
    assert cell(total) == str(sum(range(300)))
    assert cell(f"v000 = 1 return {total}") == "refused 1: attempt to assign to const variable 'v000'"
    assert cell(f"v299 = 1 return {total}") == "raised cell 5:1: attempt to assign to const variable 'v299'"


# ── what tools ask ───────────────────────────────────────────────────────────────────────────────


def test_live_locals_can_be_listed_read_and_changed(cell: Notebook, lua: Any) -> None:
    cell("local n, k <const> = 1, 2 function get() return n end")
    assert cell.names() == "k n"
    assert lua.run("return cells:get('n')") == (True, 1, False)
    assert lua.run("return cells:get('k')") == (True, 2, True)
    assert lua.run("return cells:get('z')") == (False, None, False)
    assert lua.run("return cells:set('n', 5), cells:set('k', 5), cells:set('z', 5)") == (True, False, False)
    assert cell("get(), n, k") == "5 5 2"
    lua.run("cells:forget('n')")
    assert cell("n, k, get()") == "nil 2 5"
    lua.run("cells:forget()")
    assert cell("k") == "nil"
    assert cell.names() == ""


def test_a_cell_run_again_is_not_parsed_again(cell: Notebook, lua: Any) -> None:
    for _ in range(3):
        cell("local n = 1 return n")
    assert lua.run("return cells.hits, cells.misses") == (2, 1)
    assert cell("x y") == cell("x y").replace("5", "4")
    for index in range(200):
        cell(f"return {index}")
    parses = "local n = 0 for _, half in pairs{'young', 'old'} do for source in pairs(cells.parses[half]) do "
    assert 32 <= lua.run(parses + "n = n + 1 end end return n") <= 64
    cell("return 199")
    cell("return 0")
    assert lua.run("return cells.hits, cells.misses") == (3, 1 + 2 + 200 + 1)
    for _ in range(3):
        cell("-- " + str(_) + "x" * 3_000_000)
    assert lua.run(parses + "n = n + #source end end return n") < 4 << 20


def test_kept_values_are_let_go_when_their_names_are(cell: Notebook) -> None:
    cell("weak = setmetatable({}, { __mode = 'v' }) local big, small = {}, 1 weak[1] = big")
    cell("local big = nil")
    cell.lua.run("collectgarbage() collectgarbage()")
    assert cell("weak[1], small") == "nil 1"


def test_a_cell_executes_what_a_plain_chunk_does(cell: Notebook) -> None:
    """Counted, not timed: the instructions of a plain chunk, and a few for each declaration."""
    code = b"local total, step = 0, 1\nfor i = 1, 10000 do total = total + i % 7 * step end\nreturn total"
    cell.lua.run("plain = load(...) ; mine = cells:compile(..., 'cell 1')", code)
    counting = """
    local count = 0
    debug.sethook(function() count = count + 1 end, "", 1)
    local f = %s
    f()
    debug.sethook()
    return count
    """
    plain, mine = (cell.lua.run(counting % name) for name in ("plain", "mine"))
    assert 30_000 < plain < mine < plain + 100


# ── the rewriting changes nothing ────────────────────────────────────────────────────────────────

TRACE = """
local function fresh()
  trace = {}
  local env = { tonumber = tonumber, type = type, select = select, kept = {} }
  function env.emit(...)
    local values = { debug.getinfo(2, "l").currentline }
    for index = 1, select("#", ...) do
      local value = (select(index, ...))
      values[#values + 1] = type(value) == "function" and "f" or tostring(value)
    end
    trace[#trace + 1] = table.concat(values, ",")
  end
  function env.set(f, value) f(value) end
  function env.recall(n)
    local f = env.kept[n]
    if f and not env.busy then
      env.busy = true
      f()
      env.busy = false
    end
  end
  return env
end
local function told(ok, message)
  if #trace > 1000 then trace[1001] = nil end
  if not ok then trace[#trace + 1] = "raised " .. string.match(message, ":(.*)$") end
  return table.concat(trace, "\\n")
end
function plain(code)
  local fn, message = load(code, "=cell 1", "t", fresh())
  if not fn then return message end
  return told(pcall(fn))
end
function split(...)
  local cells = require("cell").new(fresh())
  for number = 1, select("#", ...) do
    local code = select(number, ...)
    local fn, failure = cells:compile(code, "cell 1")
    if not fn then return failure.message end
    local ok, message = pcall(fn)
    if not ok then return told(ok, message) end
  end
  return told(true)
end
"""


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 12))
def test_cells_do_what_one_chunk_does(tracer: LuaState, seed: int, size: int) -> None:
    """One chunk, the same as one cell, and cut into cells at every statement: the same trace, on the same lines."""
    pieces = [piece + "\n" for piece in lua_programs.Traced(seed, size).statements()]
    whole = "".join(pieces).encode()
    expected = tracer.run("return plain(...)", whole)
    assert tracer.run("return split(...)", whole) == expected
    padded: list[bytes] = []
    for index, piece in enumerate(pieces):
        lines = "".join(pieces[:index]).replace("\r\n", "\n").count("\n")
        padded.append(("\n" * lines + piece).encode())
    if (
        b"attempt to assign to const" not in expected
    ):  # a constant's cell has run when the next one is refused
        assert tracer.run("return split(...)", *padded) == expected


@pytest.fixture(scope="module")
def tracer() -> LuaState:
    state = lua_programs.lone_state()
    state.run("assert(load(...))()", TRACE.encode())
    return state
