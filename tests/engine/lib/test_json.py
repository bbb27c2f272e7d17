"""`json`: exact both ways, and exact about what is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.engine.conftest import LuaHarness

DECODE = """
local value, err = require("lib.json").decode(...)
if err then return nil, err.message end
return require("lib.json").encode(value)
"""
ENCODE = "return require('lib.json').encode(load('return ' .. ...)())"

_trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


def exact(value: Any) -> Any:
    """`value` with integers and floats told apart."""
    if isinstance(value, list):
        return [exact(item) for item in value]
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    return (type(value).__name__, repr(value))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_trees, ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_what_python_writes_comes_back_the_same(
    lua: LuaHarness, value: Any, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps([value], ensure_ascii=ascii_only, indent=indent)
    again = lua.run(DECODE, text.encode())
    assert exact(json.loads(again)) == exact([value])


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{1, 2.0, -0.0, 1e300, 0.1, math.mininteger}", "[1,2.0,-0.0,1e+300,0.1,-9223372036854775808]"),
        (
            "{1/3, 2/3, 0.1 + 0.2, 5e-324, 2^53}",
            "[0.3333333333333333,0.6666666666666666,0.30000000000000004,4.94065645841247e-324,9007199254740992.0]",
        ),
        ("{b = 1, a = {c = true}}", '{"a":{"c":true},"b":1}'),
        ("{}", "{}"),
        ("{[1] = 'a', [3] = 'b'}", '{"1":"a","3":"b"}'),
        (r"'\"\\/\n\0é\127'", r'"\"\\/\n\u0000é\u007f"'),
        ("nil", "null"),
    ],
)
def test_values_as_json(lua: LuaHarness, source: str, text: str) -> None:
    assert lua.run(ENCODE, source.encode()) == text.encode()


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{a = {1, print}}", "value.a[2]: a function cannot be written as JSON"),
        ("{['x y'] = 0/0}", 'value["x y"]:'),
        ("{math.huge}", "value[1]: inf cannot be written as JSON"),
        ("(function() local t = {}; t.t = t; return t end)()", "value.t: a table that contains itself"),
        ("{s = '\\xff'}", "value.s: a string that is not UTF-8 cannot be written as JSON"),
        ("{[1.5] = 1, ['1.5'] = 2}", 'two keys would both be written as "1.5"'),
        ("{[true] = 1}", "a key that is a boolean"),
    ],
)
def test_what_json_has_no_word_for_is_named(lua: LuaHarness, source: str, problem: str) -> None:
    code = "local ok, err = pcall(function(s) return require('lib.json').encode(load('return ' .. s)()) end, ...)"
    shown = lua.run(f"{code} return tostring(err)", source.encode()).decode()
    assert problem in shown


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1, column 1: a value expected, but the text ends"),
        ('{"a": 1,\n "b" 2}', "line 2, column 6: ':' expected near '2'"),
        ("[1, 2", "line 1, column 6: ',' or ']' expected near the end"),
        ("[1,]", "line 1, column 4: a value expected after ','"),
        ('["é", x]', "line 1, column 7: a value expected near 'x'"),
        ("[01]", "line 1, column 2: a number with a leading zero"),
        ("[1.]", "line 1, column 2: not a number: 1."),
        ("[+1]", "line 1, column 2: a value expected near '+'"),
        ("[NaN]", "line 1, column 2: a value expected near 'NaN'"),
        ('"a\nb"', "line 1, column 3: a line break or another control character in a string"),
        ('"\\x"', "line 1, column 2: a backslash means nothing before 'x'"),
        ('"\\u12"', "line 1, column 2: \\u needs four hexadecimal digits"),
        ('"abc', "line 1, column 1: a string without its closing quote"),
        ('"\\😀"', "line 1, column 2: a backslash means nothing before '😀'"),
        ("[\v1]", "line 1, column 2: a value expected near the byte 0x0b"),
        ("{a: 1}", "line 1, column 2: a name in double quotes expected near 'a'"),
        ("[] []", "line 1, column 4: nothing more expected, near '['"),
        ("[" * 501 + "]" * 501, "line 1, column 501: nested more than 500 deep"),
        ("[\xff]", "line 1, column 2: a value expected near the byte 0xff"),
    ],
)
def test_what_is_not_json_is_told_with_its_place(lua: LuaHarness, text: str, problem: str) -> None:
    given_text = text.encode() if "\xff" not in text else text.encode("latin-1")
    value, message = lua.run(DECODE, given_text)
    assert value is None
    assert message.decode() == f"not JSON: {problem}"


def test_numbers_beyond_64_bits_become_floats(lua: LuaHarness) -> None:
    assert lua.run(DECODE, b"[9223372036854775808, 1e5]") == b"[9.223372036854776e+18,100000.0]"


def test_half_of_a_surrogate_pair_is_replaced(lua: LuaHarness) -> None:
    assert lua.run(DECODE, rb'["\ud83d\ude00", "\ud83d", "\ude00x"]').decode() == '["😀","\ufffd","\ufffdx"]'


def test_indented(lua: LuaHarness) -> None:
    code = "return require('lib.json').encode({1, {a = {}, b = require('lib.json').array()}}, {indent = 2})"
    assert lua.run(code).decode() == '[\n  1,\n  {\n    "a": {},\n    "b": []\n  }\n]'
