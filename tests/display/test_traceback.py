"""Errors as a person reads them: the whole way from a failing cell to the lines of its traceback."""

from __future__ import annotations

import re
import time

import msgspec
import pytest

from llmspell_kernel.display.failure import Failure, Frame, decode, render, split_lines
from llmspell_kernel.display.place import Culprit, column_of, culprit_of, find


def shown(failure: Failure, **sources: str) -> str:
    """The traceback without colours; ``cell_3`` is the source of ``cell 3``."""
    return "\n".join(
        render(failure, {name.replace("_", " "): source for name, source in sources.items()}, colour=False)
    )


# ── the struct ───────────────────────────────────────────────────────────────────────────────────


def test_a_failure_map_is_decoded() -> None:
    data = msgspec.msgpack.encode({
        "ename": "LuaError", "message": "boo", "source": "cell 3", "line": 5, "new field": [1],
        "frames": [{"source": "cell 3", "line": 5, "kind": "main", "another": True}],
        "omitted": 7, "omitted_after": 10, "code": "c", "suggestion": "s", "object": "o",
    })  # fmt: skip
    assert decode(data) == Failure(
        message="boo", source="cell 3", line=5, frames=[Frame("cell 3", 5, kind="main")],
        omitted=7, omitted_after=10, code="c", suggestion="s", object="o",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("error in error handling", Failure(message="error in error handling")),
        (b"bytes \xff", Failure(message="bytes �")),
        (None, Failure(message="None")),
        ({"message": "m", "frames": {}}, Failure(message="m")),
        ({"message": b"m\xff", "line": "x"}, Failure(message="m�")),
        ({"ename": "E", "message": 5, "frames": [1]}, Failure(ename="E", message="5")),
    ],
)
def test_what_is_no_failure_map_still_tells_something(value: object, expected: Failure) -> None:
    assert decode(msgspec.msgpack.encode(value)) == expected


def test_bytes_that_are_nothing_at_all_are_told_as_such() -> None:
    assert decode(b"\xc1") == Failure(message="an error that could not be read")
    assert decode(b"\x81\xa7message\xa1\xff").message == "an error that could not be read"


# ── the place ────────────────────────────────────────────────────────────────────────────────────


def test_a_runtime_error_points_at_the_name_that_is_to_blame() -> None:
    failure = Failure(
        message="attempt to call a nil value (field 'chta')", source="cell 3", line=5,
        frames=[Frame("cell 3", 5, kind="main")],
    )  # fmt: skip
    source = "-- one\nlocal x = 1\n\nlocal y\nllm.chta('chta') -- chta\n\n\nlocal z"
    assert shown(failure, cell_3=source) == (
        "LuaError: attempt to call a nil value (field 'chta')\n"
        "cell 3:5 in main chunk\n"
        "     4 │ local y\n"
        "---> 5 │ llm.chta('chta') -- chta\n"
        "       │     ^^^^"
    )


def test_a_syntax_error_points_at_its_token() -> None:
    failure = Failure("LuaSyntaxError", "'then' expected near '='", "cell 1", 1, 6)
    assert shown(failure, cell_1="if x = 3 do") == (
        "LuaSyntaxError: 'then' expected near '='\n"
        "cell 1:1\n"
        "---> 1 │ if x = 3 do\n"
        "       │      ^\n"
        "`=` assigns; equal is written `==`"
    )


def test_the_caret_stands_under_wide_characters_and_tabs() -> None:
    failure = Failure(message="attempt to index a nil value (local 't')", source="cell 1", line=1)
    assert shown(failure, cell_1="\tf('日本', t.x)").splitlines()[2:4] == [
        "---> 1 │     f('日本', t.x)",
        "       │               ^",
    ]


def test_a_long_line_is_cut_around_the_caret() -> None:
    failure = Failure("LuaSyntaxError", "unexpected symbol near '!'", "cell 1", 1, 5001)
    lines = shown(failure, cell_1="x" * 5000 + "!" + "y" * 1_000_000).splitlines()
    assert len(lines[2]) < 200
    assert lines[2][lines[3].index("^")] == "!"


def test_lines_are_counted_as_lua_counts_them() -> None:
    assert split_lines("a\nb\r\nc\rd\n\re") == ["a", "b", "c", "d", "e"]
    assert split_lines("a\x0bb\u2028c") == ["a\x0bb\u2028c"]


def test_a_place_without_a_source_is_named() -> None:
    assert shown(Failure(message="m", source="cell 9", line=4)) == "LuaError: m\ncell 9:4"
    assert shown(Failure(message="m", source="cell 1", line=4), cell_1="one") == "LuaError: m\ncell 1:4"
    assert shown(Failure(message="m")) == "LuaError: m"


@pytest.mark.parametrize(
    ("message", "line", "column"),
    [
        ("attempt to call a nil value (global 'f')", "f = f or g f()", 12),
        ("attempt to call a nil value (global 'f')", "t.f() f()", 7),
        ("attempt to call a nil value (global 'f')", "f() f()", None),
        ("attempt to call a nil value (global 'f')", "f'text'", 1),
        ("attempt to call a nil value (method 'go')", "go = o:go{}", 8),
        ("attempt to call a nil value (field 'go')", "o.go, o.go[1]() ", 9),
        ("attempt to index a nil value (field 'x')", "t.x = t.x.y", 9),
        ("attempt to index a nil value (local 's')", "s.x = 's.'", 1),
        ("attempt to perform arithmetic on a nil value (field 'n')", "local n = t.n + 1", 13),
        ("attempt to compare number with nil", "x < y", None),
        ("bad argument #1 to 'rep' (string expected, got nil)", "return string.rep(x)", 15),
        ("bad argument #1 to 'string.rep' (string expected)", "return string.rep(x)", 15),
        ("attempt to assign to const variable 'k'", "k = 'k'", 1),
        ("no visible label 'out' for <goto> at line 1", "goto out", 6),
    ],
)
def test_what_is_to_blame_is_found_on_its_line(message: str, line: str, column: int | None) -> None:
    assert column_of(message, line, None)[0] == column


def test_only_one_place_is_pointed_at() -> None:
    assert culprit_of("attempt to index a nil value (field 'x')") == Culprit("index", "field", "x")
    assert find(Culprit("", "", "x"), "x " * 2) is None
    assert find(Culprit("", "", "x"), "x " + "y" * 5000) is None


# ── the calls ────────────────────────────────────────────────────────────────────────────────────


def test_calls_read_the_most_recent_last() -> None:
    failure = Failure(
        message="boo", source="cell 1", line=2,
        frames=[
            Frame("cell 1", 2, "inner", "upvalue"),
            Frame("cell 1", 5, "utils.run", "function"),
            Frame(name="table.sort", kind="builtin"),
            Frame("cell 2", 3, "go", "method", tail=True),
            Frame("cell 2", 9, kind="function", defined=8),
            Frame(kind="coroutine"),
            Frame("cell 3", 1, kind="for iterator"),
            Frame("cell 3", 2, kind="main"),
        ],
    )  # fmt: skip
    assert shown(failure, cell_1="function inner()\n  error('boo')\nend", cell_3="for x in y do\nend\n") == (
        "LuaError: boo\n"
        "  cell 3:2 in main chunk   end\n"
        "  cell 3:1 in a for loop's iterator   for x in y do\n"
        "  in a coroutine:\n"
        "  cell 2:9 in the function of line 8\n"
        "  … tail calls …\n"
        "  cell 2:3 in method 'go', calling 'table.sort'\n"
        "  cell 1:5 in function 'utils.run'\n"
        "cell 1:2 in function 'inner'\n"
        "     1 │ function inner()\n"
        "---> 2 │   error('boo')\n"
        "     3 │ end"
    )


def test_a_recursion_is_told_once() -> None:
    frames = [Frame("cell 1", 1, "f", "upvalue")] * 20
    failure = Failure(
        message="stack overflow", source="cell 1", line=1, frames=frames, omitted=5000, omitted_after=10
    )
    assert shown(failure).splitlines() == [
        "LuaError: stack overflow",
        "  cell 1:1 in function 'f'   (10 times)",
        "  … 5,000 more calls …",
        "  cell 1:1 in function 'f'   (9 times)",
        "cell 1:1 in function 'f'",
        "a function calls itself without end: what should stop it?",
    ]


def test_an_error_blamed_on_the_caller_shows_both_places() -> None:
    failure = Failure(
        message="wrong", source="cell 1", line=4,
        frames=[Frame("cell 1", 2, "check", "local"), Frame("cell 1", 4, kind="main")],
    )  # fmt: skip
    assert shown(failure).splitlines() == [
        "LuaError: wrong",
        "  cell 1:4 in main chunk",
        "  cell 1:2 in function 'check'",
        "cell 1:4",
    ]


def test_error_objects_show_what_they_hold() -> None:
    failure = Failure(
        "RateLimited", "slow down", object='{code = "rate_limited"}', suggestion="wait a minute"
    )
    assert shown(failure) == ('RateLimited: slow down\nerror object: {code = "rate_limited"}\nwait a minute')
    assert shown(Failure(message="error object: {1}", object="{1}")) == "LuaError: error object: {1}"


# ── what must not happen ─────────────────────────────────────────────────────────────────────────


def test_control_characters_are_shown_and_do_not_act() -> None:
    failure = Failure(message="a\x1b[2Jb\rc\x00\x9b", source="cell 1", line=1)
    text = shown(failure, cell_1="x = '\x1b[31m\x08'")
    assert "a\\x1b[2Jb\\x0dc\\x00\\x9b" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


def test_colours_are_balanced_and_can_be_turned_off() -> None:
    failure = Failure(message="m", source="cell 1", line=1, frames=[Frame("cell 1", 1, kind="main")])
    lines = render(failure, {"cell 1": "x.y = 1"})
    assert lines[0] == "\x1b[31mLuaError\x1b[0m: m"
    for line in lines:
        assert line.count("\x1b[") == 2 * line.count("\x1b[0m")
    assert "\x1b" not in "".join(render(failure, {"cell 1": "x.y = 1"}, colour=False))


def test_a_source_of_names_that_fails_costs_only_the_hint() -> None:
    def broken(_expression: str) -> list[str]:
        raise RuntimeError

    failure = Failure(message="attempt to call a nil value (global 'f')", source="cell 1", line=1)
    assert render(failure, {"cell 1": "f()"}, colour=False, known_names=broken) == [
        "LuaError: attempt to call a nil value (global 'f')",
        "cell 1:1",
        "---> 1 │ f()",
        "       │ ^",
    ]


@pytest.mark.parametrize(
    "line", ["'" * 300_000, '"\\' * 300_000, "[[" * 300_000, "a." * 300_000, "f(" * 300_000]
)
@pytest.mark.parametrize("ename", ["LuaError", "LuaSyntaxError"])
def test_a_hostile_source_takes_no_time(line: str, ename: str) -> None:
    source = "\n" * 50_000 + line + "\n" * 50_000 + "else if" * 10_000
    message = (
        "attempt to call a nil value (field 'a')" if ename == "LuaError" else "'end' expected near <eof>"
    )
    failure = Failure(ename, message, "cell 1", 50_001, 200_000 if ename == "LuaSyntaxError" else None)
    started = time.perf_counter()
    render(failure, {"cell 1": source})
    assert time.perf_counter() - started < 2
