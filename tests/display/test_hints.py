"""Advice after errors: each rule against what the engine really says of such a cell."""

from __future__ import annotations

import re
from typing import Any

import pytest

from llmspell_kernel.display import runtime_hints, syntax_hints
from llmspell_kernel.display.failure import Failure, decode, render
from llmspell_kernel.display.hints import Rule, Situation, first_advice, no_names
from llmspell_kernel.engine.state import LuaState

SETUP = """
local env = {}
for _, name in ipairs({ "assert", "error", "ipairs", "next", "pairs", "pcall", "print", "setmetatable", "math",
  "coroutine", "tostring", "tonumber", "type" }) do
  env[name] = _G[name]
end
env.string, env.table = { rep = string.rep, len = string.len }, { concat = table.concat, sort = table.sort }
env.os, env.io, env.llm, env.coroutine = {}, {}, { chat = print }, coroutine
env.require = function(name) error("module '" .. name .. "' not found: no such module here", 2) end
getmetatable("").__index = { rep = string.rep, upper = string.upper }
local failure = require("failure")
local cells = require("cell").new(env)
function run(code)
  local fn, told = cells:compile(code, "cell 1")
  if fn then
    local ok
    ok, told = xpcall(fn, failure.handler)
    if ok then return nil end
  end
  return require("codec").encode(told)
end
"""

KNOWN = {
    "": ["llm", "json", "agent"],
    "llm": ["chat", "complete", "chat_session"],
    "json": ["encode", "decode"],
}


@pytest.fixture(scope="module")
def engine() -> LuaState:
    class NoHost:
        def __getattr__(self, name: str) -> Any:
            return lambda *_: None

    state = LuaState(NoHost())
    state.run("assert(load(..., '=[llmspell test]'))()", SETUP.encode())
    return state


def hint(engine: LuaState, code: str) -> str:
    """The last line of what a person reads, if it is advice."""
    data = engine.run("return run(...)", code.encode())
    assert data is not None, "the cell did not fail"
    failure = decode(data)
    lines = render(failure, {"cell 1": code}, colour=False, known_names=lambda name: KNOWN.get(name, []))
    without = render(
        Failure(failure.ename, "?", failure.source, failure.line), {"cell 1": code}, colour=False
    )
    last = lines[-1]
    return "" if last in without or last.strip(" │^") == "" or last == lines[0] else last


# ── syntax ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("if x = 3 then end", "`=` assigns; equal is written `==`"),
        ("while (x = 3) do end", "`=` assigns; equal is written `==`"),
        ("if x === 3 then end", "equal is written `==`: there is no `===`"),
        ("if x != 3 then end", "not equal is written `~=`"),
        ("if !x then end", "`!` is written `not`"),
        ("if a && b then end", "`&&` is written `and`"),
        ("if a || b then end", "`||` is written `or`"),
        ("if x in t then end", "Lua has no `in` or `is` operator"),
        ("if x is nil then end", "Lua has no `in` or `is` operator"),
        ("x += 1", "Lua has no `+=`: write `x = x + …`"),
        ("t.n ..= 'a'", "Lua has no `..=`: write `t.n = t.n .. …`"),
        ("x++", "Lua has no `++`: write `x = x + 1`"),
        ("x = a ? b : c", "a choice is written `condition and a or b`"),
        ("x = x => x + 1", "functions are written `function(x) return … end`"),
        ("f(x -> 3)", "functions are written `function(x) return … end`"),
        ("x = lambda y: y", "functions are written `function(x) return … end`"),
        ("f(a = 1)", "Lua has no named arguments: pass a table, as in `f{ a = … }`"),
        ("// note", "comments begin with `--`"),
        ("x = 1 // the first one", "comments begin with `--`; `//` divides"),
        ("/* note */ x = 1", "a comment over several lines is written `--[[ … ]]`"),
        ("# a note\nx = 1", "comments begin with `--`"),
        ("x = 'http://a' y = 'b' 'c' d", ""),
        ("def f(x):\n  return x", "functions are written `function name(…) … end`"),
        ("function foo() {\n return 1\n}", "functions are written `function name(…) … end`"),
        ("if x then\n y()\nelif z then\n w()\nend", "it is `elseif` in Lua"),
        ("if x then\n y()\nelse if z then\n w()\nend", "`else if` opens a second `if`"),
        ("if x then\n y()\nelse\n if z then\n w()\nend", "the `if` of line 1 has no `end`"),
        ("if x == 1\n  print(x)\nend", "`then` is missing after this condition"),
        ("if x == 1:\n print(x)", "a condition ends with `then`, not with `:`"),
        ("while x < 3:\n x = 1", "a loop's head ends with `do`, not with `:`"),
        ("while x\n print(x)\nend", "a loop's head ends with `do`"),
        ("if x then\n y()\nelse:\n z()\nend", "Lua needs no `:` before a block"),
        ("if (x) {\n y = 1\n}", "blocks are written `then … end`"),
        ("for (int i = 0; i < 3; i++) {\n}", "write `for i = 1, 10 do … end`, without parentheses"),
        ("for i = 1 to 10 do end", "a range is written `for i = 1, 10 do`"),
        ("for i in 1..10 do end", "a range is written `for i = 1, 10 do`"),
        ("for i do end", "write `for i = 1, 10 do` or `for key, value in pairs(t) do`"),
        ("function f()\n if x then\nend", "the `function` of line 1 has no `end`"),
        ("while true do\n x()", "the `while` of line 1 has no `end`"),
        ("repeat x()", "`until` is missing at the end"),
        ("print('a'", "`)` is missing at the end"),
        ("x = {\n1, 2", "the `{` of line 1 has no `}`"),
        ("print(1) end", "this `end` closes nothing"),
        ("else", "this `else` has no block to belong to"),
        ("x = )", "this `)` closes nothing"),
        ("x = [1, 2]", "lists are written with braces: `{1, 2, 3}`"),
        ("x = {'a': 1}", 'a field is written `name = value` or `["name"] = value`, not with `:`'),
        ("x = {a: 1}", "a field is written `name = value`, not with `:`"),
        ("x = {\n a = 2\n b = 3\n}", "between the entries of a table there must be a comma"),
        ("f(1 2)", "a comma or a `)` is missing here"),
        ("foo:bar = 1", "`:` calls a method: write `foo:bar(…)`, or `.` for a field"),
        ("local x: number = 3", "Lua has no type annotations"),
        ("function f(a: string) end", "Lua has no type annotations"),
        ("let x = 1", "a variable is declared with `local`"),
        ("import os", 'modules are loaded with `local name = require "name"`'),
        ("class Foo", "Lua has no classes"),
        ("try\n foo()", "errors are caught with `local ok, err = pcall(f)`"),
        ("try:\n  x = 1", "errors are caught with `local ok, err = pcall(f)`"),
        ("switch x", "Lua has no `switch`"),
        ("for i=1,3 do\n continue\nend", "Lua has no `continue`"),
        ("for i=1,3 do\n if i then goto continue end\nend", "put `::continue::` right before the `end` of the loop"),
        ("goto out", "there is no `::out::` in this block"),
        ("goto x; local y; ::x:: print(y)", "declare `y` before the `goto`"),
        ("local x <const> = 1 x = 2", "`x` was declared `<const>`"),
        ("break", "`break` leaves a `for`"),
        ("function f() return ... end", "only a function declared with `...` has it"),
        ("local x <foo> = 1", "the attributes are `<const>` and `<close>`"),
        ("print x", "a call needs parentheses: `print(…)`"),
        ("x = 3abc", "a name cannot begin with a digit"),
        ("x = “hi”", "quotes must be straight"),
        ("x = 1\u00a0+ 2", "there is an invisible character here"),
        ("café = 1", "names are made of the letters a to z"),
        ("x = `foo`", "strings are written"),
        ("$x = 1", "names have no `$` in Lua"),
        ("@foo", "Lua has no decorators"),
        ("x = 'abc", "a string ends on its line"),
        (r"x = '\d'", r"write `\\` for a backslash"),
        ("x\ny = 2", "only calls and assignments can stand between other lines"),
        ("1 + 1\ny = 2", "only calls and assignments can stand between other lines"),
        ("x = " + "(" * 300, "break it up"),
        ("\n".join(f"local v{number}" for number in range(201)), "keep some of them in a table"),
    ],
)  # fmt: skip
def test_what_is_not_lua_is_explained(engine: LuaState, code: str, advice: str) -> None:
    found = hint(engine, code)
    assert found.startswith(advice)
    assert bool(found) == bool(advice)


# ── at run time ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("llm.chta('hi')", "did you mean `llm.chat`?"),
        ("local r = (llm.chta('hi'))", "did you mean `llm.chat`?"),
        ("llm:complet('hi')", "did you mean `llm:complete`?"),
        ("jsno.encode(1)", "did you mean `json`?"),
        ("Print('x')", "did you mean `print`?"),
        ("pritn('x')", "did you mean `print`?"),
        ("string.lne('x')", "did you mean `string.len`?"),
        ("local s = 'x' s:uper()", "did you mean `s:upper`?"),
        ("local count = 1\nreturn coutn + 1", "did you mean `count`?"),
        ("qqqqq()", ""),
        ("local t = {} t.qqqq()", ""),
        ("llm.qqqq()", ""),
        ("os.execute('ls')", "`os.execute` is not there: cells cannot start programs"),
        ("debug.traceback()", "`debug` is not there: cells run in a sandbox"),
        ("console.log('x')", "write `print(…)`"),
        ("x = 1 + new Foo()", "Lua has no `new`"),
        ("len({})", "the length of `x` is `#x`"),
        ("x = None.y", "`None` is written `nil`"),
        ("require 'jsno'", 'did you mean `require "json"`?'),
        ("local o = {} function o:f() return self.x end o.f()", "`self` is nil: call the function with a colon"),
        ("return 1 < nil", "one side is nil"),
        ("return nil < nil", "both sides are nil"),
        ("return {} < {}", "only numbers and strings have an order"),
        ("return 1 < '2'", "turn the text into a number first"),
        ("return 'a' + 'b'", "text is joined with `..`; `+` adds numbers"),
        ("local name return 'a' + name", "text is joined with `..`; `+` adds numbers"),
        ("local t = {} return t.x + 1", "`x` is nil: give it a value first, or write `(x or 0)`"),
        ("return 'a' .. {}", 'write `table.concat(t, ", ")` for a list'),
        ("return 'a' .. true", "write `tostring(x)`"),
        ("local t = {} return 'a' .. t.name", "`name` is nil: write `tostring(name)`"),
        ("for k, v in {1} do end", "`for … in` needs an iterator"),
        ("return #nil", "nil has no length"),
        ("return #5", "a number has no length"),
        ("print 'a' 'b' ()", ""),
        ("return ('a')('b')", "two strings side by side are a call"),
        ("return 1 // 0", "whole numbers cannot be divided by zero"),
        ("return 1.5 | 1", "a whole number is needed"),
        ("for i = 1, 'x' do end", "the bounds of a `for` are numbers"),
        ("local t = {} t[nil] = 1", "no key can be nil"),
        ("local function f() return f() + 1 end f()", "a function calls itself without end"),
        ("local t = setmetatable({}, {}) local m = {__index = function(t, k) return t[k + 1] end} "
         "setmetatable(t, m) return t[1]", "functions in Lua's own library, or metamethods"),
        ("local x <close> = 1", "a `<close>` variable needs a value with a `__close` metamethod"),
        ("coroutine.yield()", "`coroutine.yield` works inside a coroutine"),
        ("error('attempt to compare number with nil')", "one side is nil"),
        ("error({ message = 'attempt to compare number with nil' })", "error object: "),
        ("error('anything else')", ""),
    ],
)  # fmt: skip
def test_what_failed_is_explained_where_something_is_known(engine: LuaState, code: str, advice: str) -> None:
    found = hint(engine, code)
    assert found.startswith(advice)
    assert bool(found) == bool(advice)


# ── the rules ────────────────────────────────────────────────────────────────────────────────────


def test_the_first_rule_whose_patterns_all_fit_speaks() -> None:
    rules = (
        Rule("a", "never", before="no"),
        Rule("a", "{name} of {kind}", before=r"(?P<name>\w+) ", at="(?P<kind>y)", line="x y"),
        Rule("a", "later"),
    )
    assert first_advice(rules, Situation("a", "x ", "y", "x y")) == "x of y"
    assert first_advice(rules, Situation("a", "x ", "z", "x z")) == "later"
    assert first_advice(rules, Situation("b")) is None


def test_a_situation_is_the_source_around_the_place() -> None:
    lines = ["one", "two three", "four"]
    assert Situation.of("m", lines, 2, 5) == Situation("m", "one\ntwo ", "three", "two three")
    assert Situation.of("m", lines, 2, None) == Situation("m", "one\ntwo three", "", "two three")
    assert Situation.of("m", lines, 9, 1) == Situation("m")
    assert Situation.of("m", lines, None, None) == Situation("m")
    assert len(Situation.of("m", ["x" * 10_000], 1, 5000).before) == 400


@pytest.mark.parametrize("rule", [*syntax_hints.RULES, *runtime_hints.RULES], ids=lambda rule: rule.hint[:30])
def test_every_rule_can_be_written_out(rule: Rule) -> None:
    names = {name for pattern in (rule.message, rule.before, rule.at, rule.line) for name in _groups(pattern)}
    assert rule.hint.format_map(dict.fromkeys(names, "x"))
    assert not no_names("anything")


def _groups(pattern: str) -> list[str]:
    return list(re.compile(pattern).groupindex)
