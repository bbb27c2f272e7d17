"""`data` from a cell: formats both ways, and the work on lists and maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.bridges import data_csv, data_xml, data_yaml
from llmspell_kernel.errors import BadArgument, WorldError

if TYPE_CHECKING:
    from .conftest import Notebook


# ── YAML ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            "a: no\nb: 1e3\nc: 12:30\nd: 0o17\ne: 010\nf: 0x1f",
            {"a": "no", "b": 1000.0, "c": "12:30", "d": 15, "e": 10, "f": 31},
        ),
        ("a: 2026-01-31\nb: ~\nc:\nd: true", {"a": "2026-01-31", "b": None, "c": None, "d": True}),
        ("- .inf\n- -1.5\n- 18446744073709551616", [float("inf"), -1.5, 2.0**64]),
        ("base: &b {x: 1}\nother:\n  <<: *b\n  y: 2", {"base": {"x": 1}, "other": {"x": 1, "y": 2}}),
        ("", None),
    ],
)
def test_yaml_has_the_types_of_its_core_schema(text: str, value: object) -> None:
    assert data_yaml.parse(text) == value


@pytest.mark.parametrize(
    "value",
    [
        {
            "a": ["no", "1e3", "0o17", "", "~", "true", "12:30", "a: b", "- x", "two\nlines\n", "é"],
            "n": [1, 1.0, 1e300],
        },
        [[], {}, None, True, -(2**63), {"1": 1, "x": {"y": [{}]}}],
        "text",
        7,
    ],
)
@pytest.mark.parametrize("flow", [True, False])
def test_yaml_comes_back_as_it_was_written(value: object, flow: bool) -> None:
    again = data_yaml.parse(data_yaml.write(value, flow=flow))
    assert again == value
    assert repr(again) == repr(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x: 1\n a: b: c", "not YAML: line 2, column"),
        ("a: !!python/object/apply:os.system [ls]", "not YAML: line 1"),
        ("&a [*a]", "contains itself"),
        ("--- 1\n--- 2", "not one YAML document but several"),
        ("x: &x " + "[" * 40 + "]" * 40, "nested too deep"),
    ],
)
def test_what_is_not_yaml_is_told(text: str, problem: str) -> None:
    with pytest.raises(WorldError, match="YAML") as caught:
        data_yaml.parse(text)
    assert problem in caught.value.message


def test_aliases_that_stand_for_billions_are_refused() -> None:
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(WorldError, match="stand for too much"):
        data_yaml.parse("\n".join(lines))


# ── XML ──────────────────────────────────────────────────────────────────────────────────────────


def test_xml_comes_back_as_it_was_written() -> None:
    text = '<a id="1&amp;2"><b>x &lt; y</b>tail<c/></a>'
    element = data_xml.parse(text)
    assert element["attributes"] == {"id": "1&2"}
    assert element["text"] == "tail"
    assert data_xml.write(element) == text
    assert data_xml.parse(data_xml.write(element, indent=2)) == element


def test_xml_indented() -> None:
    element = {"tag": "a", "children": [{"tag": "b", "text": "x"}, {"tag": "c", "children": [{"tag": "d"}]}]}
    assert data_xml.write(element, indent=2) == "<a>\n  <b>x</b>\n  <c>\n    <d/>\n  </c>\n</a>"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<a><b></a>", "line 1, column 9: mismatched tag"),
        ("", "no element found"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "declares entities"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "declares entities"),
        ("<a>" * 20 + "</a>" * 20, "nested more than"),
    ],
)
def test_what_is_not_xml_is_told(text: str, problem: str) -> None:
    with pytest.raises(WorldError) as caught:
        data_xml.parse(text)
    assert problem in caught.value.message


@pytest.mark.parametrize(
    ("element", "problem"),
    [
        ({"tag": "a b"}, "element.tag: a name expected"),
        ({"tag": "a", "children": [{"tag": "b"}, {"text": "x"}]}, "element.children[2].tag: a name expected"),
        ({"tag": "a", "attributes": {"x": []}}, "element.attributes.x: a string, number"),
        ({"tag": "a", "text": "\0"}, "control character"),
    ],
)
def test_what_cannot_be_xml_is_named(element: dict[str, object], problem: str) -> None:
    with pytest.raises(BadArgument) as caught:
        data_xml.write(element)
    assert problem in caught.value.message


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────────


def test_csv_as_records_and_as_lists() -> None:
    text = 'name,note\nAda,"a ""b"", c\nd"\nBob,,extra\n'
    records = [{"name": "Ada", "note": 'a "b", c\nd'}, {"name": "Bob", "note": "", 3: "extra"}]
    assert data_csv.Dialect().parse(text) == records
    assert data_csv.Dialect(header=False).parse("a;b".replace(";", ",")) == [["a", "b"]]
    assert data_csv.Dialect(delimiter="auto", numbers=True).parse("a;b\n1;-2.5e3") == [{"a": 1, "b": -2500.0}]
    assert data_csv.Dialect().parse("\ufeffa\n1") == [{"a": "1"}]


def test_csv_comes_back_as_it_was_written() -> None:
    rows = [{"a": 'x,"y"', "b": "two\nlines"}, {"a": "", "b": " z"}]
    assert data_csv.Dialect().parse(data_csv.Dialect().write(rows)) == rows
    assert (
        data_csv.Dialect(columns=["b"]).write([{"a": 1, "b": 2.0}, {"b": True}, {}]) == 'b\n2.0\ntrue\n""\n'
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"delimiter": ""}, "one character"),
        ({"header": 1}, "boolean expected"),
    ],
)
def test_a_wrong_dialect_raises(options: dict[str, object], problem: str) -> None:
    with pytest.raises(BadArgument) as caught:
        data_csv.Dialect.of("data.parse_csv", options)
    assert problem in caught.value.message


def test_what_is_not_csv_is_told_with_its_line() -> None:
    with pytest.raises(WorldError, match="line 2"):
        data_csv.Dialect().parse('a,b\n"x"y,2')


# ── from Lua ─────────────────────────────────────────────────────────────────────────────────────


async def test_options_that_csv_does_not_take_are_warned_of(notebook: Notebook) -> None:
    assert await notebook.value("return #data.parse_csv('a,b\\n1,2', {headers = true})") == "1"
    assert notebook.last.err == "warning: 'data.parse_csv' has no option 'headers': did you mean 'header'?\n"


CELLS = [
    ("data.convert('a: 1', 'yaml', 'json')", "\"{\\\"a\\\":1}\""),
    ("data.parse_csv('a,b\\n1,2')[1].b", '"2"'),
    ("select(2, data.parse('<a', 'xml')).code", '"bad_xml"'),
    ("select(2, data.parse_yaml('a: b: c')).details.line", "1"),
    ("pcall(data.parse, 'x', 'toml')", "no such format: 'toml'"),
    ("data.to_xml{tag = 'a', children = {'x', {tag = 'b'}}}", '"<a>x<b/></a>"'),
    ("data.parse_yaml('\\xff')", "not UTF-8"),
    ("data.get({a = {{b = 5}}}, 'a[1].b'), data.get({a = {7}}, 'a.1'), data.get({}, {'x', 1})", "5\t7\tnil"),
    ("data.get({['a.b'] = {['c d'] = 3}}, {'a.b', 'c d'}), data.get({['c d'] = 3}, '[\"c d\"]')", "3\t3"),
    ("pcall(data.get, {}, 'a..b')", "not a path: 'a..b'"),
    ("json.encode(data.set({l = {1, 2, 3}}, 'l[2]', nil))", "[1,3]"),
    ("json.encode(data.set({l = {1}}, 'l.2', 2))", "[1,2]"),
    ("json.encode(data.merge({a = {x = 1}, l = {1, 2}}, {a = {y = 2}, l = {3}}))", 'l\\":[3]'),
    ("json.encode(data.diff({a = 1, b = {c = 1}}, {b = {c = 2}, d = {}}))", "b.c"),
    ("t = {1}; t.t = t; c = data.clone(t); return c.t == c, c ~= t, data.equal(t, c)", "true\ttrue\ttrue"),
    ("data.reduce({}, function() end), data.reduce({}, function() end, 5)", "nil\t5"),
    ("json.encode(data.map({}, tostring))", '"[]"'),
    ("json.encode(data.group_by({'ab', 'cd', 'ax'}, function(s) return s:sub(1, 1) end).a)", "ab"),
    ("pcall(data.map, 5, tostring)", "bad argument #1 to 'data.map' (table expected, got number)"),
    ("json.encode(data.chunk(data.flatten{1, {2, {3}}}, 2))", "[[1,2],[[3]]]"),
    ("data.validate({n = 1}, {properties = {n = {type = 'string'}}}).valid", "false"),
]  # fmt: skip


async def test_from_a_cell(notebook: Notebook) -> None:
    for code, shown in CELLS:
        assert shown in str(await notebook.value(code)), code


async def test_a_callback_may_wait(notebook: Notebook) -> None:
    code = "table.concat(data.map({1, 2}, function(n) async.sleep(0.01) return n end), ' ')"
    assert await notebook.value(code) == '"1 2"'
