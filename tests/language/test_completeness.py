"""is_complete: three states and an indent."""

from __future__ import annotations

import pytest

from llmspell_kernel.language.completeness import Complete, Incomplete, Invalid, check


@pytest.mark.parametrize(
    "code",
    [
        "",
        "-- only a comment",
        "1 + 2",
        "x",
        "x, y",
        "1, 2;",
        "return",
        "return f(1), 2;",
        "for i = 1, 3 do print(i) end",
        "f 'x'",
        "f{}",
        "#t",
        "function() return 1 end",
        "local x <const> = 5",
        "#!/usr/bin/lua\nx = 1",
        "%time x =",
        "%lsmagic",
        "%config\n\nx = 1",
        "%%time\nfor i = 1, 2 do end",
        "x?",
        "?llm.chat",
        "llm.chat??",
        "x = [==[ ]] ]==]",
        "goto done ::done::",
        "x = 1\r\ny = 2\r\n",
    ],
)
def test_complete(code: str) -> None:
    assert check(code) == Complete()


@pytest.mark.parametrize(
    ("code", "indent"),
    [
        ("x =", "  "),
        ("x = 1 +", "  "),
        ("x = a\n  + b\n  +", "    "),
        ("local x =\n  a and", "  "),
        ("for i=1,3 do", "  "),
        ("for i=1,3 do\n    if x then", "        "),
        ("for i=1,3 do\n    print(i)", "    "),
        ("\tif x then\n\t\ty()\n\telse", "\t\t"),
        ("if x then\n  y()\nelse", "  "),
        ("if x then\n  y()\nend\nif z", "  "),
        ("function f(a, b)", "  "),
        ("local function f()\n  return {\n    a =", "      "),
        ("f(a,", "  "),
        ("f(function()", "  "),
        ("t = {\n  a = 1,", "  "),
        ("t = {\n  a = 1,\n  b = {\n    c = 2\n  },", "  "),
        ("s = [[abc", ""),
        ("--[==[ doc ]]", ""),
        ("s = 'abc\\", ""),
        ("repeat\n  x()\nuntil", ""),
        ("x:y", "  "),
        ("x.", "  "),
        ("x,", "  "),
        ("%%time\nfor i = 1, 2 do", "  "),
        ("while true do\n    f()\n    if x then\n        g()\n    end", "    "),
    ],
)
def test_incomplete_with_the_next_lines_indent(code: str, indent: str) -> None:
    assert check(code) == Incomplete(indent)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("end end", "1: unexpected 'end': no block is open here"),
        ("x = )", "1: an expression expected near ')'"),
        ("if x = 1 then", "1: '=' assigns a value; comparing is '=='"),
        ("x\ny = 2", "2: syntax error near 'y'"),
        ("\nx = 'abc", "2: unfinished string near ''abc'"),
        ("é = 1", "1: unexpected symbol near 'é'"),
        ("x = 3x", "1: malformed number near '3x'"),
        ("f(1 2)", "1: ')' expected near '2'"),
        ("f(\n1\n2)", "3: ')' expected (to close '(' at line 1) near '2'"),
        ("return 1 x()", "1: 'return' must be the last statement of its block, not before 'x'"),
        ("f() = 1", "1: cannot assign to this expression"),
    ],
)
def test_invalid_says_why(code: str, message: str) -> None:
    assert check(code) == Invalid(message)
