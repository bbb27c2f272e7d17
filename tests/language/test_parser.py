"""The parser: agrees with Lua's own compiler, and keeps the structure of what is being typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell_kernel.language.lexer import lex, string_value
from llmspell_kernel.language.parser import parse

if TYPE_CHECKING:
    from llmspell_kernel.engine.state import LuaState

SAMPLE = """#!/usr/bin/env lua
-- a little of everything
local a <const>, b = 0x1p4, "q\\z
   x\\u{48}\\"" .. [==[
long]==]
local function f(x, ...)
  local t <close> = setmetatable({1, 2; [x] = 3, y = f}, {__close = function() end})
  for i = #t, 1, -1 do if i // 2 ~= 0 then goto next elseif not (i == 3) then break end ::next:: end
  for k, v in pairs(t) do t[k], g.y = v, ~v & 1 << 2 end
  repeat local done = t:m"s":n{1}(...) until done or nil
  while true do do return -x ^ 2, ... end end
end
function a.b.c:d(z) self.z = z; return self end
return a .. b .. 1e3, f
"""


def lua_verdict(state: LuaState, source: str) -> str:
    found = state.run("local f, e = load(..., '=x', 't'); return f and 'ok' or e", source.encode()).decode()
    return "ok" if found == "ok" else "unfinished" if found.endswith("<eof>") else "wrong"


def our_verdict(source: str) -> str:
    problems = parse(source).problems
    return "ok" if not problems else "unfinished" if problems[0].at_end else "wrong"


def mutations() -> list[str]:
    tokens = lex(SAMPLE, SAMPLE.index("\n")).tokens[:-1]
    cut = [SAMPLE[: token.end] for token in tokens]
    dropped = [SAMPLE[: token.start] + " " + SAMPLE[token.end :] for token in tokens]
    doubled = [SAMPLE[: token.end] + " " + token.text + " " + SAMPLE[token.end :] for token in tokens]
    return [text.partition("\n")[2] for text in cut + dropped + doubled]


def test_it_agrees_with_luas_compiler_on_every_cut_drop_and_doubling(state: LuaState) -> None:
    texts = mutations()
    assert len(texts) > 500
    differing = [text for text in texts if lua_verdict(state, text) != our_verdict(text)]
    # What differs is what a cell may hold and a chunk may not: it ends in an expression; and what
    # Lua checks beyond grammar: gotos, `break`, constants, `...` where there is none.
    assert [text for text in differing if our_verdict(text) != "ok"] == []


@pytest.mark.parametrize(
    "source", ["1 + 2", "x", "x, y;", "t.a.b", "#t", "function() end", "{1, 2}", "'s'", "x\n-- c"]
)
def test_a_cell_may_end_in_expressions(source: str) -> None:
    assert parse(source).problems == []


@pytest.mark.parametrize(
    ("source", "visible"),
    [
        ("local a = 1\nlocal b = a", {"a", "b"}),
        ("local a = ", set()),
        ("local a = 1\nlocal a = a.", {"a"}),
        ("local function f(x, y)\n local z = x\n z.", {"f", "x", "y", "z"}),
        ("function M:go(x) ", {"self", "x"}),
        ("do local hidden end local shown; shown:", {"shown"}),
        ("for i = 1, 3 do local y = i; ", {"i", "y"}),
        ("for k, v in pairs(t) do if v then local w; f(w, ", {"k", "v", "w"}),
        ("if a then local x = 1 else ", set()),
        ("repeat local x = 1 until x.", {"x"}),
        ("t = { f = function(a) return a.", {"a"}),
        ("local x = 1; bad bad = ) y local z; z.", {"x", "z"}),
        ("end local x; x", {"x"}),
        ("foo(function(reply) local n = #reply; ", {"reply", "n"}),
    ],
)
def test_unfinished_text_keeps_its_scopes(source: str, visible: set[str]) -> None:
    assert set(parse(source).visible) == visible


def test_names_carry_their_local_variable() -> None:
    chunk = parse("local x = 1; do local x = x; y = x end z = x")
    outer, inner = chunk.locals
    assert [name.start for name in outer.references] == [26, 43]
    assert [name.start for name in inner.references] == [33]
    assert [name.text for name in chunk.globals] == ["y", "z"]


@given(st.text(alphabet="xy=()[]{}.:,;'\"\n -+\\0\u00e9end iflocalfunction", max_size=60))
def test_any_text_parses(text: str) -> None:
    chunk = parse(text)
    assert chunk.block.end == len(text)
    for token in chunk.tokens:
        assert text[token.start : token.end] == token.text


@pytest.mark.parametrize(
    "unit", ["(", "{", "f(", "a..", "function() ", "if x then ", "- ", "a.b[", "x = {a="]
)
def test_deep_nesting_is_survived(unit: str) -> None:
    assert parse(unit * 20_000).problems


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ('"a\\n\\x41\\65\\u{e9}\\z  b"', "a\nAA\u00e9b"),
        ("[==[\nx]]y]==]", "x]]y"),
        ("'open", "open"),
        ("'it\\'s'", "it's"),
    ],
)
def test_string_literals_have_values(literal: str, value: str) -> None:
    assert string_value(literal) == value
