"""Plain text of values: Lua-like, on one line if short, bounded, with every cut marked."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell_kernel.display.snapshot import from_plain
from llmspell_kernel.display.text import render_text


@pytest.fixture
def text(take: Any) -> Any:
    return lambda code: render_text(take(code))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("return 1", "1"),
        ("return 1.0", "1.0"),
        ("return 1e100", "1e+100"),
        ("return -0.0", "-0.0"),
        ("return 1/3", "0.33333333333333"),
        ("return 2^53", "9.007199254741e+15"),
        ("return 1/0", "inf"),
        ("return -(0/0)", "nan"),
        ("return true", "true"),
        ("return 'hello'", '"hello"'),
        (r"return 'tab\tquote\"\0'", r'"tab\tquote\"\x00"'),
        (r"return '\xff\xfe'", r'"\xFF\xFE"'),
        (r"return '\u{202e}abc'", r'"\u{202E}abc"'),
        ("return function(a, ...) end", "<function(a, ...) cell 3:1>"),
        ("return print", "<builtin function>"),
        ("return coroutine.create(print)", "<coroutine, suspended>"),
    ],
)
def test_scalars_are_written_as_lua_writes_them(text: Any, code: str, expected: str) -> None:
    assert text(code) == expected


def test_numbers_agree_with_tostring(take: Any) -> None:
    numbers = "1, -1, 1.5, 1e15, 1e16, 123456789.123, 1e-7, 3.14159265358979, 2^63, 100.0, 1e14"
    node = take(f"local t = {{}} for i, n in ipairs{{{numbers}}} do t[i] = {{n, tostring(n)}} end return t")
    for number, expected in node.grid.rows:
        assert render_text(number) == expected


def test_text_of_several_lines_stands_in_long_brackets(text: Any) -> None:
    assert text(r"return 'Dear reader,\n\nhello.'") == "[[Dear reader,\n\nhello.]]"
    assert text(r"return 'a]]\nb]'") == "[=[a]]\nb]]=]"
    assert text(r"return '\nb'") == "[[\n\nb]]"


def test_long_strings_say_how_long_they_are(text: Any) -> None:
    assert text("return string.rep('x', 100000)").endswith('x…" (100,000 bytes)')
    assert text("return {string.rep('x', 1000)}").endswith('x…" (1,000 bytes),\n}')


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("return {}", "{}"),
        ("return {1, 2, x = 3}", "{1, 2, x = 3}"),
        (
            "return {['end'] = 1, ['a b'] = 2, [1.5] = 3, [true] = 4}",
            '{[1.5] = 3, ["a b"] = 2, ["end"] = 1, [true] = 4}',
        ),
        ("return {[{1}] = 2}", "{[{1}] = 2}"),
        ("local t = {} t.t = t return t", "<1>{t = <table 1>}"),
        ("local s = {1} return {s, s}", "{<1>{1}, <table 1>}"),
        ("return setmetatable({x = 1}, {__name = 'Point'})", "Point {x = 1}"),
        ("return setmetatable({x = 1}, {__tostring = function() return 'P' end})", "P"),
        ("return {setmetatable({}, {__tostring = function() return 'a\\nb' end})}", "{a b}"),
        ("return {{{{{{{{1}}}}}}}}", "{{{{{{{…}}}}}}}"),
    ],
)
def test_short_tables_take_one_line(text: Any, code: str, expected: str) -> None:
    assert text(code) == expected


def test_long_tables_are_indented(text: Any, snapshot: Any) -> None:
    assert (
        text("""
        return {
          model = 'a model with a long name, so that the line is full',
          messages = {{role = 'user', content = 'hello'}, {role = 'assistant', content = 'a good morning'}},
          options = {temperature = 0.5, stop = {'a', 'b'}},
        }
    """)
        == snapshot
    )


def test_arrays_of_scalars_fill_their_lines(text: Any, snapshot: Any) -> None:
    assert text("local t = {} for i = 1, 300 do t[i] = i * i end return t") == snapshot


def test_what_is_left_out_is_counted(text: Any) -> None:
    assert "\n  -- 900 more\n" in text("local t = {} for i = 1, 1000 do t[i] = 'v' end return t")
    assert "\n  -- 100 more fields\n" in text("local t = {} for i = 1, 300 do t['k' .. i] = 1 end return t")
    assert "\n  -- 20 more\n" in text(
        "local t = {} for i = 1, 100 do t[i] = {id = i, name = 'n'} end return t"
    )


def test_a_failed_tostring_is_told_under_the_table(text: Any) -> None:
    code = "return setmetatable({x = 1}, {__tostring = function() error('boom') end})"
    assert text(code) == "{x = 1}\n-- __tostring: cell 3:1: boom"


def test_lines_keep_to_their_width(text: Any) -> None:
    lines = text(
        "local t = {} for i = 1, 60 do t['key' .. i] = {i, 'some words', {a = i}} end return t"
    ).split("\n")
    assert max(map(len, lines)) <= 80


def test_python_data_is_written_the_same_way() -> None:
    assert (
        render_text(from_plain({"b": [1, 2.0, None], "a": {"x": b"\xff"}}))
        == '{a = {x = "\\xFF"}, b = {1, 2.0, nil}}'
    )
