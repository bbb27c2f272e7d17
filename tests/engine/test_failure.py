"""Errors as plain data: messages that are stable, the user's frames, and error values of every kind."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

SETUP = """
failure = require("failure")
env = { llm = setmetatable({}, { __index = { chat = function(f) return (f()) end } }) }
for _, name in ipairs({ "assert", "error", "ipairs", "next", "pairs", "pcall", "print", "require", "select",
  "setmetatable", "string", "table", "tonumber", "tostring", "type", "math", "coroutine", "load" }) do
  env[name] = _G[name]
end
env._G = env
cells = require("cell").new(env)
local function encoded(told)
  if told.frames then require("codec").array(told.frames) end
  return require("codec").encode(told)
end
-- as engine.lua does: the handler is a function of the engine's around failure.handler
handler = load("local failure = ... return function(err) local told = failure.handler(err) return told end",
  "=[llmspell engine]")(failure)
function run(number, code)
  local fn, told = cells:compile(code, "cell " .. number)
  if not fn then return encoded(told) end
  local ok, value = xpcall(fn, handler)
  if ok then return nil end
  if type(value) ~= "table" then return encoded({ ename = "handler failed", message = tostring(value) }) end
  return encoded(value)
end
function of_thread(code)
  local thread = coroutine.create(assert(load(code, "=cell 1", "t", env)))
  local ok, err = coroutine.resume(thread)
  assert(not ok)
  return encoded(failure.of(err, thread))
end
"""


class Notebook:
    """Cells that fail; each returns its failure map, or None."""

    def __init__(self, lua: Any) -> None:
        self.lua = lua
        lua.run("assert(load(..., '=[llmspell test]'))()", SETUP.encode())
        self.ran = 0

    def __call__(self, code: str | bytes) -> dict[str, Any]:
        self.ran += 1
        data = code if isinstance(code, bytes) else code.encode()
        return self.decoded(self.lua.run("return run(...)", self.ran, data))

    @staticmethod
    def decoded(data: bytes | None) -> dict[str, Any]:
        return msgspec.msgpack.decode(data) if data else {}


@pytest.fixture
def cell(lua: Any) -> Notebook:
    return Notebook(lua)


def frames(failure: dict[str, Any]) -> list[str]:
    """One text for each frame, innermost first."""
    shown: list[str] = []
    for frame in failure.get("frames", []):
        place = f"{frame['source']}:{frame['line']} " if "line" in frame else ""
        name = f" {frame['name']}" if frame.get("name") else ""
        shown.append(f"{place}{frame['kind']}{name}{' (tail)' if frame.get('tail') else ''}")
    return shown


# ── messages ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "message", "line"),
    [
        ("error('boo')", "boo", 1),
        ("\nerror('boo', 0)", "boo", 2),
        ("local function f() error('boo', 2) end\n\nf()", "boo", 3),
        ("\n\nlocal x = nil + 1", "attempt to perform arithmetic on a nil value", 3),
        ("assert(false, 'said')", "said", 1),
        ("assert(nil)", "assertion failed!", 1),
        ("error()", "nil", 1),
        ("error(nil)", "nil", 1),
        ("error(42)", "42", 1),
        ("error(4.5)", "4.5", 1),
        ("error(true)", "true", 1),
        ("error('cell 1: no position')", "cell 1: no position", 1),
        ("error('data:5: not a place of ours', 0)", "data:5: not a place of ours", 1),
        ("error('')", "", 1),
        ("error('two\\nlines')", "two\nlines", 1),
        ("local ok, e = pcall(error, 'x') error(e, 0)", "x", 1),
        ("local ok, e = pcall(function()\nerror('inner') end)\n\nerror(e)", "inner", 2),
        (
            "local ok, e = pcall(function()\nerror('inner') end)\n\nerror('outer: ' .. e)",
            "outer: cell 1:2: inner",
            4,
        ),
    ],
)
def test_a_message_is_without_its_position(cell: Notebook, code: str, message: str, line: int) -> None:
    failure = cell(code)
    assert (failure["ename"], failure["message"]) == ("LuaError", message)
    assert (failure["source"], failure["line"]) == ("cell 1", line)


def test_the_message_is_the_same_in_every_run(cell: Notebook) -> None:
    for code in ("error('x')", "error({ f = function() end })", "error(function() end)", "nil.x = 1", "x y"):
        first, second = cell(code), cell(code)
        assert first["source"] != second["source"]
        assert first["message"] == second["message"]


def test_an_error_raised_again_in_a_later_cell_tells_where_it_began(cell: Notebook) -> None:
    cell("\n\nok, caught = pcall(function() error('first') end)")
    failure = cell("error(caught, 0)")
    assert (failure["message"], failure["source"], failure["line"]) == ("first", "cell 1", 3)
    assert frames(failure) == ["cell 2:1 main"]


def test_a_stop_is_placed_where_it_broke_in(cell: Notebook) -> None:
    cell.lua.run("env.stop = function() error('cell 1:3: \\3', 0) end")
    failure = cell("local function spin()\n  stop()\nend\nspin()")
    assert (failure["source"], failure["line"]) == ("cell 1", 2)


def test_positions_of_the_engines_own_lua_are_taken_out(cell: Notebook) -> None:
    cell.lua.run("env.ours = load('error(\"inside\")', '=[llmspell codec]')")
    assert cell("ours()")["message"] == "inside"


def test_binary_messages_become_text(cell: Notebook) -> None:
    assert cell(b"error('\xff\xfe ok')")["message"] == "\\xFF\\xFE ok"


def test_a_huge_message_is_cut_between_characters(cell: Notebook) -> None:
    message = cell("error(('é'):rep(1000000), 0)")["message"]
    assert message == "é" * 8192 + "… (1983616 more bytes)"


# ── error objects ────────────────────────────────────────────────────────────────────────────────


NOTHING = {"message": "error object: {}", "object": "{}"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{ code = 42 }", {"message": "error object: {code = 42}", "object": "{code = 42}", "code": "42"}),
        ("{ message = 'told' }", {"message": "told", "object": '{message = "told"}'}),
        ("{}", {"message": "error object: {}", "object": "{}"}),
        (
            "{ code = 'rate_limited', message = 'slow', suggestion = 'wait' }",
            {
                "ename": "RateLimited", "message": "slow", "code": "rate_limited", "suggestion": "wait",
                "object": '{code = "rate_limited", message = "slow", suggestion = "wait"}',
            },
        ),
        (
            "setmetatable({}, { __name = 'ParseError', __tostring = function() return 'custom\\ntext' end })",
            {"ename": "ParseError", "message": "custom\ntext", "object": "custom text"},
        ),
        (
            "setmetatable({}, { __name = 'no name', __index = function(_, k) return k == 'message' and 'deep' end })",
            {"message": "deep", "object": "no name {}"},
        ),
        ("setmetatable({}, { __tostring = function() error('x') end })", NOTHING),
        ("setmetatable({}, { __tostring = function() return {} end })", NOTHING),
        ("setmetatable({}, { __index = function() error('x') end })", NOTHING),
        ("setmetatable({}, { __metatable = 'locked', __name = {} })", {"message": "error object: {}", "object": "{}"}),
        ("print", {"message": "error object: builtin function", "object": "builtin function"}),
        ("coroutine.create(print)", {"message": "error object: coroutine", "object": "coroutine"}),
    ],
)  # fmt: skip
def test_error_objects_are_shown(cell: Notebook, value: str, expected: dict[str, str]) -> None:
    failure = cell(f"error({value})")
    place = {"source": "cell 1", "line": 1, "frames": failure["frames"]}
    assert failure == {"ename": "LuaError", **place, **expected}


def test_endless_and_enormous_error_objects_stay_small(cell: Notebook) -> None:
    cell("loop = {} loop.self = loop deep = {} local d = deep for i = 1, 1000 do d[1] = {} d = d[1] end")
    cell("wide = {} for i = 1, 100000 do wide['k' .. i] = ('x'):rep(1000) end")
    for name in ("loop", "deep", "wide", "{ message = ('x'):rep(10000000) }"):
        failure = cell(f"error({name})")
        assert len(str(failure)) < 20_000


def test_a_failure_that_is_raised_again_stays_what_it_is(cell: Notebook) -> None:
    cell.lua.run("made = failure.syntax({ message = 'm' }, 'cell 9')")
    assert cell.lua.run("return failure.of(made) == made, failure.handler(made) == made") == (True, True)


# ── frames ───────────────────────────────────────────────────────────────────────────────────────


def test_frames_are_the_users_with_their_names(cell: Notebook) -> None:
    cell(
        "function global_one(f)\n  local x = f()\n  return x\nend\nutils = {}\nfunction utils.apply(f) return (f()) end"
    )
    failure = cell(
        "local function inner() error('x') end\n"
        "local object = { run = function(self) local r = inner() return r end }\n"
        "global_one(function()\n"
        "  local r = utils.apply(function() return (object:run()) end)\n"
        "  return r\n"
        "end)"
    )
    assert frames(failure) == [
        "cell 2:1 upvalue inner",
        "cell 2:2 method run",
        "cell 2:4 local f",
        "cell 1:6 function utils.apply",
        "cell 2:4 local f",
        "cell 1:2 function global_one",
        "cell 2:3 main",
    ]


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("string.rep()", ["builtin string.rep", "cell 1:1 main"]),
        ("('x'):rep({})", ["builtin string.rep", "cell 1:1 main"]),
        ("local f = string.rep f()", ["builtin string.rep", "cell 1:1 main"]),
        ("ipairs()", ["builtin ipairs", "cell 1:1 main"]),
        (
            "table.sort({ 2, 1 }, function(a, b) return a < nil end)",
            ["cell 1:1 function", "builtin table.sort", "cell 1:1 main"],
        ),
        ("llm.chat(function() error('x') end)", ["cell 1:1 function", "builtin llm.chat", "cell 1:1 main"]),
        (
            "for x in function() error('x') end do end",
            ["cell 1:1 for iterator for iterator", "cell 1:1 main"],
        ),
        (
            "return setmetatable({}, { __add = function() error('x') end }) + 1",
            ["cell 1:1 metamethod add", "cell 1:1 main"],
        ),
        ("local function f() error('x') end\nreturn f()", ["cell 1:1 local f", "cell 1:2 main"]),
        ("local function f() error('x') end\nif f then return f() end", ["cell 1:1 function (tail)"]),
        ("load('error(1)', '=loaded')()", ["loaded:1 main", "cell 1:1 main"]),
        ("load('error(1)', '@file.lua')()", ["file.lua:1 main", "cell 1:1 main"]),
        ("load('error(1)')()", ['[string "error(1)"]:1 main', "cell 1:1 main"]),
        ("load('\\nerror(1)')()", ['[string "..."]:2 main', "cell 1:1 main"]),
    ],
)
def test_builtins_and_calls_of_every_kind(cell: Notebook, code: str, shown: list[str]) -> None:
    assert frames(cell(code)) == shown


def test_a_deep_stack_is_cut_in_the_middle(cell: Notebook) -> None:
    cell("function deep(n) if n == 0 then error('x') end local r = deep(n - 1) return r end")
    short = cell("deep(15)")
    assert len(short["frames"]) == 17
    assert "omitted" not in short
    for depth in (50, 198, 500, 100_000):
        long = cell(f"deep({depth})")
        assert len(long["frames"]) == 20
        assert long["omitted_after"] == 10
        assert long["omitted"] in range(depth + 2 - 20, depth + 20)
        assert frames(long)[0] == "cell 1:1 function deep"
        assert frames(long)[-1] == f"cell {cell.ran}:1 main"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("local function f() return 1 + f() end f()", "stack overflow"),
        ("local function f(...) return 1 + f(1, ...) end f()", "stack overflow"),
        (
            "local t = setmetatable({}, { __index = function(t, k) return t[k .. 'x'] end }) return t.a",
            "C stack overflow",
        ),
        ("local function f() return (string.gsub('a', 'a', f)) end f()", "C stack overflow"),
    ],
)
def test_a_full_stack_is_told(cell: Notebook, code: str, message: str) -> None:
    failure = cell(code)
    assert failure["ename"] == "LuaError"
    assert message in failure["message"]
    assert len(failure["frames"]) <= 20
    assert failure["omitted"] > 100


def test_a_full_stack_that_was_caught_on_the_way_is_told(cell: Notebook) -> None:
    failure = cell("local function f() local ok, e = pcall(f) error(e, 0) end f()")
    assert "C stack overflow" in failure["message"]
    assert frames(failure)[-1] == "cell 1:1 main"


def test_a_coroutines_own_frames(cell: Notebook) -> None:
    code = b"local function inner() error('x') end\nlocal function task()\n  inner()\n  return\nend\ntask()\nreturn"
    failure = cell.decoded(cell.lua.run("return of_thread(...)", code))
    assert frames(failure) == ["cell 1:1 upvalue inner", "cell 1:3 local task", "cell 1:6 main"]
    assert (failure["message"], failure["line"]) == ("x", 1)


def test_what_a_coroutine_died_of_is_told_with_its_resumers(cell: Notebook) -> None:
    cell.lua.run("""
    env.wrap = load([[
      local failure = ...
      return function(body)
        local thread = coroutine.create(body)
        return function()
          local ok, err = coroutine.resume(thread)
          if ok then return err end
          failure.inside(thread, err)
          coroutine.close(thread)
          error(err, type(err) == "string" and 2 or 0)
        end
      end]], "=[llmspell sandbox]")(failure)
    """)
    for value, message in (("'x'", "x"), ("{ message = 'x' }", "x")):
        failure = cell(
            f"local function inner()\n  error({value})\nend\nlocal step = wrap(function() inner() end)\nstep()"
        )
        number = cell.ran
        assert frames(failure) == [
            f"cell {number}:2 upvalue inner",
            f"cell {number}:4 function",
            "coroutine",
            "builtin step",
            f"cell {number}:5 main",
        ]
        assert (failure["message"], failure["line"]) == (message, 2)
    cell("dead = wrap(function() end) dead()")
    assert frames(cell("dead()")) == ["builtin dead", f"cell {cell.ran}:1 main"]
    cell("pcall(wrap(function() error('seen to') end))")
    assert frames(cell("error('other')")) == [f"cell {cell.ran}:1 main"]


# ── syntax ───────────────────────────────────────────────────────────────────────────────────────


def test_syntax_errors_have_their_place(cell: Notebook) -> None:
    assert cell("x = 1\nif x = 2 then") == {
        "ename": "LuaSyntaxError", "message": "'then' expected near '='", "near": "'='",
        "source": "cell 1", "line": 2, "column": 6,
    }  # fmt: skip
    assert cell("x = {") == {
        "ename": "LuaSyntaxError", "message": "'}' expected near <eof>", "near": "<eof>",
        "source": "cell 2", "line": 1, "column": 6, "incomplete": True,
    }  # fmt: skip
    assert cell("\ngoto x") == {
        "ename": "LuaSyntaxError", "message": "no visible label 'x' for <goto> at line 2",
        "source": "cell 3", "line": 2,
    }  # fmt: skip
