"""Diagnostics: each rule finds its mistake, and stays silent where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.language.live import Names, Row
from llmspell_kernel.language.rules import RULES
from llmspell_kernel.language.spelling import nearest, slips
from tests.language.test_parser import SAMPLE
from tests.language.world import CELLS, intelligence

if TYPE_CHECKING:
    from llmspell_kernel.language.intelligence import Intelligence

FOUND = [
    ("undefined-global", "pritn('x')", "'pritn' is not defined: did you mean 'print'?", "pritn"),
    ("undefined-global", "x = tostrng(1)", "'tostrng' is not defined: did you mean 'tostring'?", "tostrng"),
    ("undefined-global", "Print(1)", "'Print' is not defined: did you mean 'print'?", "Print"),
    (
        "undefined-global",
        "local count1 = 1 print(cuont1)",
        "'cuont1' is not defined: did you mean 'count1'?",
        "cuont1",
    ),
    ("undefined-global", "print(acount.owner)", "'acount' is not defined: did you mean 'account'?", "acount"),
    ("undefined-global", "print(greting)", "'greting' is not defined: did you mean 'greeting'?", "greting"),
    ("undefined-global", "x = None", "'None' is not Lua: did you mean 'nil'?", "None"),
    ("undefined-global", "if x == null then end", "'null' is not Lua: did you mean 'nil'?", "null"),
    ("undefined-global", "ok = True", "'True' is not Lua: did you mean 'true'?", "True"),
    (
        "undefined-global",
        "setmetatabel({}, {})",
        "'setmetatabel' is not defined: did you mean 'setmetatable'?",
        "setmetatabel",
    ),
    ("unknown-member", "llm.caht('x')", "'caht' is no field of 'llm': did you mean 'chat'?", "caht"),
    (
        "unknown-member",
        "string.fromat('x')",
        "'fromat' is no field of 'string': did you mean 'format'?",
        "fromat",
    ),
    ("unknown-member", "print(math.Pi)", "'Pi' is no field of 'math': did you mean 'pi'?", "Pi"),
    ("unknown-member", "('x'):uper()", "'uper' is no field of 'string': did you mean 'upper'?", "uper"),
    ("unknown-member", "greeting:lowr()", "'lowr' is no field of 'string': did you mean 'lower'?", "lowr"),
    (
        "unknown-member",
        "llm.defualt_model = 'x'",
        "'defualt_model' assigns a new field of 'llm': did you mean 'default_model'?",
        "defualt_model",
    ),
    (
        "unknown-member",
        "local r = llm.chat('x') print(r.contnet)",
        "'contnet' is no field of 'llm.Response': did you mean 'content'?",
        "contnet",
    ),
    (
        "unknown-member",
        "session:sned('x')",
        "'sned' is no field of 'llm.Session': did you mean 'send'?",
        "sned",
    ),
    (
        "wrong-arity",
        "print(('x'):rep())",
        "'string.rep' takes 2 to 3 arguments, here it gets 1: string.rep(s, n, sep?) → string",
        "('x'):rep()",
    ),
    (
        "wrong-arity",
        "tostring()",
        "'tostring' takes 1 argument, here it gets 0: tostring(v) → string",
        "tostring()",
    ),
    (
        "wrong-arity",
        "x = math.max()",
        "'math.max' takes at least 1 argument, here it gets 0: math.max(x, ...) → number",
        "math.max()",
    ),
    (
        "wrong-arity",
        "setmetatable({})",
        "'setmetatable' takes 2 arguments, here it gets 1: setmetatable(table, metatable) → table",
        "setmetatable({})",
    ),
    (
        "wrong-arity",
        "session:send()",
        "'llm.Session:send' takes 1 argument, here it gets 0: llm.Session:send(text)",
        "session:send()",
    ),
    (
        "unknown-option",
        "llm.chat('x', { temprature = 1 })",
        "'llm.chat' has no option 'temprature': did you mean 'temperature'?",
        "temprature",
    ),
    (
        "unknown-option",
        "llm.chat{ modle = 'x' }",
        "'llm.chat' has no option 'modle': did you mean 'model'?",
        "modle",
    ),
    (
        "unknown-option",
        "state.create('x', { anything = 1 })",
        "'state.create' has no option 'anything' (it has persistent, defaults)",
        "anything",
    ),
    (
        "unknown-option",
        "llm.chat('x', { tools = { naem = 'x' } })",
        "'llm.chat' has no option 'naem': did you mean 'name'?",
        "naem",
    ),
    (
        "loop-variable-after",
        "local i = 0\nfor i = 1, 3 do print(i) end\nprint(i)",
        "'i' is not changed by the loop before: "
        "'for i' makes a variable of its own, which is gone after 'end'",
        "i",
    ),
    (
        "loop-variable-after",
        "for index = 1, 3 do print(index) end\nprint(index)",
        "'index' is gone here: a loop variable lives only inside its loop, keep it in a local",
        "index",
    ),
    (
        "foreign-syntax",
        "if greeting = 'x' then end",
        "a condition compares with '=='; '=' assigns a value",
        "=",
    ),
    (
        "foreign-syntax",
        "while counter = 1 do end",
        "a condition compares with '=='; '=' assigns a value",
        "=",
    ),
    ("foreign-syntax", "if greeting != 'x' then end", "Lua has no '!=': write '~='", "!="),
    ("foreign-syntax", "counter += 1", "Lua has no '+=': write 'x = x + …'", "+="),
    ("foreign-syntax", "x = a && b", "Lua has no '&&': write 'and'", "&&"),
]

SILENT = [
    "prefix = 1 print(prefix)",
    "local prnt = print prnt('x')",
    "unpack({})",
    "table.getn({})",
    "if jit then end",
    "abc = abd",
    "values = value",
    "x = client.focus",
    "local llm = { caht = 1 } print(llm.caht)",
    "string.trim2 = function() end print(string.trim2('x'))",
    "llm.my_own_field = 1",
    "t = { caht = 1 } t.caht = 2",
    "cfg.hosst = 1",
    "account:depositt(1)",
    "tostring(f())",
    "tostring(...)",
    "string.rep(table.unpack({}))",
    "print()",
    "local tostring = function() end tostring()",
    "function tostring() end tostring()",
    "string.rep('x', ",
    "llm.chat('x', { zzz = 1 })",
    "llm.chat('x', options)",
    "llm.chat{ { role = 'user', content = 'x' } }",
    "local i = 0 for i = 1, 3 do end",
    "local i for j = 1, 3 do i = j end print(i)",
    "local i = 0 for i = 1, 3 do end i = 5 print(i)",
    "local name = f() for _, name in ipairs(people) do end print(name)",
    "for i = 1, 3 do end for i = 1, 3 do print(i) end",
    "if a == b then end",
    "x = a & b | ~c",
    "function f(a",
    "x = y --[[ pritn ]]",
    "%time pritn",
    SAMPLE,
    *CELLS.values(),
]


@pytest.fixture(scope="module")
def mind() -> Intelligence:
    return intelligence()


@pytest.mark.parametrize(("rule", "code", "message", "marked"), FOUND, ids=[case[1] for case in FOUND])
def test_a_mistake_is_found_once_and_where_it_is(
    mind: Intelligence, rule: str, code: str, message: str, marked: str
) -> None:
    found = mind.check(code)
    assert [(one.rule, one.message, code[one.start : one.end]) for one in found] == [(rule, message, marked)]


@pytest.mark.parametrize("code", SILENT)
def test_what_may_be_meant_is_left_alone(mind: Intelligence, code: str) -> None:
    assert [one.shown for one in mind.check(code)] == []


def test_every_rule_has_a_case_and_says_what_it_warns_of() -> None:
    assert {case[0] for case in FOUND} == {rule.name for rule in RULES}
    assert all(rule.doc for rule in RULES)


def test_names_of_the_live_state_are_known(mind: Intelligence) -> None:
    assert mind.check("print(acount)", Names([Row("acount", "number")])) == []


def test_with_more_names_than_were_listed_nothing_is_said_undefined(mind: Intelligence) -> None:
    assert mind.check("pritn('x')", Names([], truncated=True)) == []


def test_places_are_lines_and_columns_of_the_cell(mind: Intelligence) -> None:
    (found,) = mind.check("%time\n-- é𝄞\n  pritn('x')")
    assert (found.line, found.column, found.start) == (3, 3, 14)
    assert found.shown == "line 3: 'pritn' is not defined: did you mean 'print'?"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("pritn", "print"),
        ("prints", None),
        ("rpint", "print"),
        ("bprint", None),
        ("xprint", None),
        ("pint", "print"),
        ("abc", None),
    ],
)
def test_nearest_is_a_slip_of_the_fingers_and_no_more(name: str, near: str | None) -> None:
    assert nearest(name, ["print", "pairs"]) == near


def test_slips_counts_swapped_neighbours_as_one() -> None:
    assert slips("form", "from", 2) == 1
    assert slips("kitten", "sitting", 5) == 3
    assert slips("abcdef", "uvwxyz", 2) == 3
