"""`data` from a cell: formats both ways, and the work on lists and maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.bridges import data_csv, data_xml, data_yaml
from llmspell_kernel.engine.values import BooleanKey
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
        ("base: &b {x: 1}\nother: {y: 2, <<: [{x: 3}, *b]}", {"base": {"x": 1}, "other": {"y": 2, "x": 3}}),
        ("a: !!str 5\nb: !!float 5\nc: !!int '5'\nd: ! 5", {"a": "5", "b": 5.0, "c": 5, "d": "5"}),
        ("a: !!binary aGk=\nb: !!timestamp 2001-01-01", {"a": b"hi", "b": "2001-01-01"}),
        ("true: 1\n1: 2\n'1': 3", {BooleanKey(True): 1, 1: 2, "1": 3}),
        (f"- {'9' * 5000}\n- 0x{'f' * 5000}", [float("inf"), float("inf")]),
        ("? &k x\n: [*k]", {"x": ["x"]}),
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
            "breaks": ["\x85", "\u2028x\ny", "\r\n", "\r", "\ufeff", "\x7f"],
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
        ("- " * 100_000, "nested too deep"),
        ("[" * 100_000, "nested too deep"),
        ("a: &a " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 20 + "*a" + "]" * 20, "nested too deep"),
        ("a: 1\nb:\n  c: 1\n  c: 2", "line 4, column 3: the key 'c' is there already, in line 3"),
        ("{1: a, 1.0: b}", "the key '1.0' is there already"),
        ("<<: {a: 1}\n<<: {b: 1}", "the key '<<' is there already"),
        ("<<: 5", "'<<' takes a map"),
        ("~: x", "line 1, column 1: a key is a text, a number or a boolean"),
        ("? [1]\n: x", "a key is a text"),
        ("a: !!bool maybe", "line 1, column 4: 'maybe' is not what its tag '!!bool' says"),
        ("a: !!binary '*'", "not base64"),
        ("a: !!set {x}", "the tag '!!set' is not read"),
        ("a: *b", "no anchor '&b'"),
        ("a: \0", "line 1, column 4: control characters"),
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


def test_what_merges_twice_as_much_each_time_is_refused_at_once() -> None:
    lines = ["a0: &a0 {a: 1, b: 2}"]
    lines += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 60)]
    with pytest.raises(WorldError, match="stand for too much"):
        data_yaml.parse("\n".join(lines))


def test_documents_together_are_limited() -> None:
    document = "--- \na: &a [" + "1," * 30_000 + "]\nb: [*a, *a, *a, *a, *a]\n"
    assert len(data_yaml.parse(document * 2, every=True)) == 2
    with pytest.raises(WorldError, match="stand for too much"):
        data_yaml.parse(document * 20, every=True)


# ── XML ──────────────────────────────────────────────────────────────────────────────────────────


def test_xml_is_told_as_it_is_met() -> None:
    assert data_xml.parse('<a id="1&amp;2"> <b>x &lt; y</b>tail<!-- c --><c/></a>') == (
        [["a", {"id": "1&2"}], ["b", {}], "x < y", False, "tail", ["c", {}], False, False]
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<a><b></a>", "line 1, column 9: mismatched tag"),
        ("", "no element found"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "it declares entities of its own"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "declares entities"),
        ('<!DOCTYPE html SYSTEM "x.dtd"><p>\na&nbsp;b</p>', "line 2, column 2: the entity '&nbsp;'"),
        ("<a>" * 501 + "</a>" * 501, "nested more than 500 deep"),
    ],
)
def test_what_is_not_xml_is_told(text: str, problem: str) -> None:
    with pytest.raises(WorldError) as caught:
        data_xml.parse(text)
    assert problem in caught.value.message
    assert caught.value.details is not None


AGAIN = [
    "<a:b:c/>",
    "<:a/>",
    "<a>x&#13;\ny</a>",
    '<a b="&#13;&#10;&#9;&quot;\'"/>',
    "<a>]]&gt;</a>",
    "<é.ü-1/>",
    '<a id="1&amp;2"><b>x &lt; y</b>tail<c/></a>',
    "<a>" * 500 + "</a>" * 500,
]


async def test_all_that_is_read_of_xml_can_be_written_again(notebook: Notebook) -> None:
    texts = "{" + ", ".join(f"[==[{text}]==]" for text in AGAIN) + "}"
    code = (
        f"for _, text in ipairs{texts} do local again = data.to_xml(assert(data.parse_xml(text))) "
        "if again ~= text and #text < 100 or #again > #text then print(text, again) end end"
    )
    await notebook.run(code)
    assert notebook.last.out == ""


async def test_xml_indented(notebook: Notebook) -> None:
    element = "{tag = 'a', children = {{tag = 'b', text = 'x'}, {tag = 'c', children = {{tag = 'd'}}}}}"
    await notebook.run(f"print(data.to_xml({element}, {{indent = 2}}))")
    assert notebook.last.out == "<a>\n  <b>x</b>\n  <c>\n    <d/>\n  </c>\n</a>\n"
    mixed = "{tag = 'a', children = {{tag = 'b'}, 'x', {tag = 'c', children = {{tag = 'd'}}}}}"
    await notebook.run(f"print(data.to_xml({mixed}, {{indent = 2}}))")
    assert notebook.last.out == "<a><b/>x<c><d/></c></a>\n"


NO_XML = [
    ("{tag = 'a b'}", "element.tag: 'a b' is no name for XML"),
    ("{tag = '×'}", "element.tag: '×' is no name for XML"),
    ("{tag = 'a', children = {{tag = 'b'}, {text = 'x'}}}", "element.children[2].tag: a name expected, got nil"),
    ("{tag = 'a', attributes = {x = {}}}", "element.attributes.x: a string, number or boolean expected, got"),
    ("{tag = 'a', text = '\\0'}", "element.children[1]: a control character cannot be written as XML"),
    ("{tag = 'a', text = '\\xff'}", "a string that is not UTF-8 cannot be written as XML"),
    ("{tag = 'a', children = {{tag = 'b', children = {print}}}}", "element.children[1].children[1]: a string"),
    ("{tag = 'a', children = {json.null}}", "element.children[1]: a string, number or boolean expected, got null"),
    ("{tag = 'a', children = {[2] = 'x'}}", "element.children: a list expected: its keys are not 1..n"),
    ("(function() local t = {tag = 'a'} t.children = {t} return t end)()", "[1]: the element contains itself"),
]  # fmt: skip


async def test_what_cannot_be_xml_is_named(notebook: Notebook) -> None:
    for element, problem in NO_XML:
        shown = str(await notebook.value(f"select(2, pcall(data.to_xml, {element}))"))
        assert "bad argument #1 to 'data.to_xml' (" in shown, element
        assert problem in shown, element


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


def test_no_column_of_csv_is_lost() -> None:
    text = "a,,a,a_2,,a\n1,2,3,4,5,6"
    assert data_csv.Dialect().parse(text) == [{"a": "1", 2: "2", "a_3": "3", "a_2": "4", 5: "5", "a_4": "6"}]
    assert data_csv.Dialect().parse(",\n1,2") == [{1: "1", 2: "2"}]
    named = data_csv.Dialect(columns=["x"], header=False)
    assert named.parse("1,2\n3,4") == [{"x": "1", 2: "2"}, {"x": "3", 2: "4"}]


def test_csv_of_tables_with_numbers_as_keys() -> None:
    write = data_csv.Dialect().write
    assert write([{1: "z", 3: "y"}, [1, 2]]) == "z,,y\n1,2\n"
    assert write([{"a": 1, 2: "x", 10: "y"}, {"2": "z", BooleanKey(True): 5}]) == (
        "a,true,2,10\n1,,x,y\n,5,z,\n"
    )
    assert write(data_csv.Dialect().parse("a,b\n1,2,3")) == "a,b,3\n1,2,3\n"


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([{"a": 1}, {1: 1, "1": 2}], "row 2: two keys would both be the column '1'"),
        ([{"a": b"\xff"}], "row 1, field 'a': a string that is not UTF-8"),
        ([[1, {}]], "row 1, field 2: a string, number or boolean expected, got table"),
        ([5], "row 1: a table expected, got number"),
    ],
)
def test_what_cannot_be_csv_is_named(rows: list[object], problem: str) -> None:
    with pytest.raises(BadArgument) as caught:
        data_csv.Dialect().write(rows)
    assert problem in caught.value.message


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"delimiter": ""}, "one character"),
        ({"quote": "auto"}, "bad option 'quote' to 'data.parse_csv' (one character"),
        ({"delimiter": ";", "quote": ";"}, "it is the delimiter too"),
        ({"columns": ["a", "b", "a"]}, "'a' is there twice"),
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
    ("pcall(data.to_yaml, {a = channel.make()})", "(a: a Channel cannot cross)"),
    ("pcall(data.to_yaml, {a = {1, print}})", "(a[2]: a function cannot be written as YAML)"),
    ("pcall(data.to_csv, {a = 1})", "(list expected, got a table whose keys are not 1..n)"),
    ("data.parse_csv(data.to_csv{{n = 0.1 + 0.2}, {n = 1/3}}, {numbers = true})[2].n == 1/3", "true"),
    ("data.to_csv{{0.1 + 0.2, 1e15, 2^53, 3}}", "0.30000000000000004,1000000000000000.0,9007199254740992.0,3"),
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
    ("data.validate({1, 'x'}, {items = {type = 'string'}}).errors[1]", "[1]: 1 is not of type"),
    ("data.validate(print, {}).errors[1]", "a function or an object is no JSON value"),
    ("c = {} c.c = c e = {} e.c = e return #data.diff(c, e), #data.diff(c, {})", "0\t1"),
    ("pcall(data.merge, c, c)", "'data.merge': tables nested more than 200 deep cannot be merged"),
    ("l = {} l[1] = l return pcall(data.flatten, l, math.maxinteger)", "'data.flatten': lists nested more than 200"),
    ("t = {} for i = 1, 300 do t = {t} end local _, e = pcall(data.clone, t) return e", ":1: tables nested"),
    ("data.validate({n = 1}, {properties = {n = {type = 'string'}}}).valid", "false"),
]  # fmt: skip


async def test_from_a_cell(notebook: Notebook) -> None:
    for code, shown in CELLS:
        assert shown in str(await notebook.value(code)), code


async def test_a_callback_may_wait(notebook: Notebook) -> None:
    code = "table.concat(data.map({1, 2}, function(n) async.sleep(0.01) return n end), ' ')"
    assert await notebook.value(code) == '"1 2"'
