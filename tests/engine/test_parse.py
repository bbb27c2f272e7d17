"""The recogniser of Lua: it takes what Lua's own compiler takes, and says where and why it does not."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import lua_programs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmspell_kernel.engine.state import LuaState

PARSE = """
local result, problem = require("parse").parse(...)
if not result then
  return false, problem.message, problem.near, problem.line, problem.column, problem.incomplete or false
end
local values = result.values
if not values then return true, result.first, result.last end
return true, result.first, result.last, values.first, values.last, values.call, values.hidden or false
"""

# What Lua's compiler refuses in sound grammar: scopes and limits are its own to judge.
SEMANTIC = (
    b"<goto ",
    b"label '",
    b"const variable",
    b"too many",
    b"overflow",
    b"structure too long",
    b"multiple to-be-closed",
)


BYTES = [b"\xff", b"\0", b"\\", b"'", b"0x", b"e", b".", b"--[[", b"\r", b"]]", b"5"]


class Oracle:
    """Lua's own compiler, and the recogniser beside it."""

    def __init__(self, state: LuaState) -> None:
        self._state = state

    def loads(self, source: bytes) -> bool | None:
        """Whether Lua takes `source`; None if it stopped at something that is no matter of grammar."""
        ok, message = self._state.run("local ok, message = load(...) return ok ~= nil, message", source)
        if not ok and any(word in message for word in SEMANTIC):
            return None
        return ok

    def parse(self, source: bytes) -> tuple[Any, ...]:
        """Return what the recogniser found, flat."""
        return self._state.run(PARSE, source)

    def compare(self, source: bytes) -> float:
        """Times that Lua's own compiler takes for it."""
        return self._state.run(SIDE_BY_SIDE, source)


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle(lua_programs.lone_state())


def agrees(oracle: Oracle, source: bytes) -> None:
    """What is taken, Lua takes (values after a `return`); what is refused, Lua refuses."""
    found = oracle.parse(source)
    if not found[0]:
        assert oracle.loads(source) is not True, found
        return
    if len(found) > 3:  # values: Lua takes them after a return
        source = source[: found[3] - 1] + b" return " + source[found[3] - 1 : found[4]]
    assert oracle.loads(source) is not False, found


@settings(max_examples=400)
@given(seed=st.integers(0, 2**32), size=st.integers(0, 40))
def test_valid_programs_are_taken(oracle: Oracle, seed: int, size: int) -> None:
    source = lua_programs.written(lua_programs.Syntax(seed, size).program(), seed)
    found = oracle.parse(source.encode())
    assert found[0], (source, found)
    agrees(oracle, source.encode())


@settings(max_examples=600)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 12))
def test_broken_programs_are_judged_as_lua_judges_them(oracle: Oracle, seed: int, size: int) -> None:
    tokens = lua_programs.mutated(lua_programs.Syntax(seed, size).program(), seed)
    source = lua_programs.written(tokens, seed).encode()
    agrees(oracle, source)
    if oracle.parse(" ".join(tokens).encode())[
        0
    ]:  # between lone quotes, what separates tokens makes a difference
        return
    for at, token in enumerate(tokens):  # nor are there statements followed by values
        values = " ".join(["return", *tokens[at:]]).rstrip("; ").encode()
        statements = " ".join([*tokens[:at], ";"]).encode()
        if token[0] not in "({\"'[" and oracle.loads(values):
            assert oracle.loads(statements + b" x = 1") is not True, tokens[at:]


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32), data=st.data())
def test_any_bytes_are_judged_as_lua_judges_them(oracle: Oracle, seed: int, data: st.DataObject) -> None:
    source = bytearray(lua_programs.written(lua_programs.Syntax(seed, 6).program(), seed)[:120].encode())
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(source)))
        source[at:at] = data.draw(st.sampled_from(BYTES))
    agrees(oracle, bytes(source))


@pytest.mark.parametrize("alphabet", ["0123456789abcdefABCDEFxXpP.+-_g", r"\"'zxu{}0123456789aAnrt" + "\n"])
def test_numbers_and_strings_are_read_as_lua_reads_them(oracle: Oracle, alphabet: str) -> None:
    chooser = random.Random(alphabet)
    opening = "" if "p" in alphabet else '"'
    for _ in range(3000):
        text = opening + "".join(chooser.choices(alphabet, k=chooser.randint(1, 7))) + opening
        source = f"return {text}".encode()
        assert oracle.parse(source)[0] == oracle.loads(source), source


@pytest.mark.parametrize("path", sorted(Path("/usr/share/lua").rglob("*.lua")) or [None])
def test_real_programs_are_taken(oracle: Oracle, path: Path | None) -> None:
    if path is None:
        pytest.skip("this machine has no Lua programs under /usr/share/lua")
    source = path.read_bytes()
    assert oracle.parse(source)[0] == oracle.loads(source)


# ── mistakes ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("source", "message", "near", "line", "column", "incomplete"),
    [
        ("if x then", "'end' expected", "<eof>", 1, 10, True),
        ("if x then\n  y()\n\n", "'end' expected (to close 'if' at line 1)", "<eof>", 2, 6, True),
        ("for i=1,10 do\n print(i\nend", "')' expected (to close '(' at line 2)", "'end'", 3, 1, False),
        ("function f()\n if x then\nend", "'end' expected (to close 'function' at line 1)", "<eof>", 3, 4, True),
        ("x = = 3", "unexpected symbol", "'='", 1, 5, False),
        ("x = 'été' + )", "unexpected symbol", "')'", 1, 13, False),
        ("if x = 3 then end", "'then' expected", "'='", 1, 6, False),
        ("x != 3", "unexpected symbol", "'!'", 1, 3, False),
        ("x y", "syntax error", "'y'", 1, 3, False),
        ("f() = 3", "syntax error", "'='", 1, 5, False),
        ("a, b\nc()", "'=' expected", "'c'", 2, 1, False),
        ("1 2", "unexpected symbol", "'1'", 1, 1, False),
        ("end", "<eof> expected", "'end'", 1, 1, False),
        ("return 1 2", "<eof> expected", "'2'", 1, 10, False),
        ("x = 'abc", "unfinished string", "<eof>", 1, 5, True),
        ("x = 'abc\ny = 1", "unfinished string", "''abc'", 1, 5, False),
        ("x =\n[[\nabc", "unfinished long string (starting at line 2)", "<eof>", 3, 4, True),
        ("--[[\nabc", "unfinished long comment (starting at line 1)", "<eof>", 2, 4, True),
        ("x = [=a", "invalid long string delimiter", "'[='", 1, 5, False),
        (r"x = '\q'", "invalid escape sequence", r"''\q'", 1, 6, False),
        (r"x = '\300'", "decimal escape too large", r"''\300''", 1, 6, False),
        ("x = 3..2", "malformed number", "'3..2'", 1, 5, False),
        ("x = “hi”", "unexpected symbol", "'“'", 1, 5, False),
        ("break", "break outside a loop", None, 1, 1, False),
        ("function f() return ... end", "cannot use '...' outside a vararg function", "'...'", 1, 21, False),
        ("local x <foo> = 1", "unknown attribute 'foo'", None, 1, 10, False),
        ("\r\n\r\nx y", "syntax error", "'y'", 3, 3, False),
        ("#!lua\nx y", "syntax error", "'y'", 2, 3, False),
        ("\ufeffx y", "syntax error", "'y'", 1, 4, False),
        ("\x1bLua", "binary chunks are not allowed; a cell is Lua source", None, 1, 1, False),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(
    oracle: Oracle, source: str, message: str, near: str | None, line: int, column: int, incomplete: bool
) -> None:
    found = oracle.parse(source.encode())
    assert found == (False, message.encode(), near and near.encode(), line, column, incomplete)


def test_a_quoted_token_is_short_and_on_one_line(oracle: Oracle) -> None:
    assert oracle.parse(b"local 'a\\\nb'")[2] == "''a\\…'".encode()
    assert oracle.parse(f"local '{'é' * 1000}'".encode())[2] == f"''{'é' * 29}…'".encode()
    assert oracle.parse(b"local '\xff\x07'")[2] == b"''<\\255><\\7>''"


# ── hostile sources ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "source",
    ["(" * 100_000, "x = " + "{" * 100_000, "f" + "(f" * 100_000, "do " * 100_000, "x = function() " * 100_000,
     "a[" * 100_000, "if x then " * 100_000, "x = " + "{{" * 200],
)  # fmt: skip
def test_deep_nesting_is_a_plain_error(oracle: Oracle, source: str) -> None:
    assert oracle.parse(source.encode())[1] == b"nested too deeply (more than 200 levels)"


@pytest.mark.parametrize(
    "source",
    ["--[" * 300_000, "--[==[" + "]=]" * 300_000, "[=" * 300_000, "x = '" + "\\x41" * 200_000 + "'", "\n" * 1_000_000,
     "x = " + "- " * 300_000 + "1", "x = 1" + " + 1" * 200_000, "x" + ".y" * 300_000, "f()" + "()" * 300_000,
     "x = '" + "a" * 1_000_000, "local a = 1 " * 60_000, ";" * 500_000, "x = {" + "1," * 300_000 + "}",
     "-- " + "é" * 500_000, "\xff" * 300_000, "0x" + "f" * 1_000_000, "a," * 300_000],
)  # fmt: skip
def test_time_grows_with_the_length_and_no_faster(oracle: Oracle, source: str) -> None:
    def seconds(text: str) -> float:
        data = text.encode("latin-1", "replace")
        started = time.perf_counter()
        oracle.parse(data)
        return time.perf_counter() - started

    assert seconds(source) < 3


SIDE_BY_SIDE = """
local source, parse = ..., require("parse").parse
local function best(f)
  local seconds = math.huge
  for _ = 1, 5 do
    local begun = os.clock()
    assert(f(source))
    seconds = math.min(seconds, os.clock() - begun)
  end
  return seconds
end
return best(parse) / best(load)
"""


def test_a_long_cell_is_parsed_at_a_fair_multiple_of_what_lua_takes(oracle: Oracle) -> None:
    lines = [
        "function f%d(a, b)",
        "  if a > b then return a * %d end",
        "  return { b, name = 'n%d' }",
        "end",
    ]
    source = "\n".join(line.replace("%d", str(index)) for index in range(500) for line in lines).encode()
    assert oracle.compare(source) < 20  # about 7: Lua's compiler is written in C
