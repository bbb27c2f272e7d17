"""Advice for what is not Lua: most of it is another language's way to say it."""

from __future__ import annotations

import re

from llmspell_kernel.display.hints import Rule, Situation, first_advice

_CONDITION = r"(?:^|\n|\s)(?:if|elseif|while|until)\b(?:(?!\b(?:then|do)\b)[^\n])*"
_START = r"(?:^|\n|;)\s*"
_ALONE = (
    "only calls and assignments can stand between other lines; a value alone is shown only at a cell's end"
)
_NO_BRACES = "blocks are written `then … end`, `do … end`, without braces"

RULES = (
    # ── characters ───────────────────────────────────────────────────────────────────────────────
    Rule("near '[“”„‘’]", "quotes must be straight: \"…\" or '…'"),
    Rule(
        "near '[\u00a0\u2000-\u200b\u202f\ufeff]",
        "there is an invisible character here (a special space); retype it",
    ),
    Rule("near '!'", "not equal is written `~=`", at="!="),
    Rule("near '!'", "`!` is written `not`"),
    Rule(r"near '\?'", "a choice is written `condition and a or b`, or with `if`"),
    Rule("near '`'", "strings are written \"…\", '…' or [[…]]; values go in with `..` or string.format"),
    Rule(r"near '\$'", "names have no `$` in Lua"),
    Rule("near '@'", "Lua has no decorators"),
    Rule(r"near '\\'", "Lua needs no `\\` to go on in the next line"),
    Rule(
        "unexpected symbol near '[^\x00-\x7f]",
        "names are made of the letters a to z, digits and `_`; other characters belong in strings",
    ),
    # ── operators ────────────────────────────────────────────────────────────────────────────────
    Rule(
        "unexpected symbol near '='",
        "Lua has no `{op}=`: write `{name} = {name} {op} …`",
        before=r"(?P<name>[\w.]+)\s*(?P<op>\.\.|//|[-+*/%^&|])",
        at="=",
    ),
    Rule(
        "unexpected symbol near",
        "Lua has no `++`: write `{name} = {name} + 1`",
        before=r"(?P<name>[\w.]+)\s*\+\s*",
        at=r"\+",
    ),
    Rule("near '&'", "`&&` is written `and`", before="&", at="&"),
    Rule("near '|'", "`||` is written `or`", before=r"\|", at=r"\|"),
    Rule("near '[=>]'", "functions are written `function(x) return … end`", at="=?>"),
    Rule("near '='", "equal is written `==`: there is no `===`", before="=="),
    Rule("near '='", "`=` assigns; equal is written `==`", before=_CONDITION),
    Rule(
        r"'\)' expected .*near '='",
        "Lua has no named arguments: pass a table, as in `f{{ {name} = … }}`",
        before=r"[(,]\s*(?P<name>\w+)\s*",
    ),
    Rule(
        "near 'in'|near 'is'",
        "Lua has no `in` or `is` operator: compare with `==`, look up with `t[key] ~= nil`",
        before=_CONDITION,
    ),
    # ── comments ─────────────────────────────────────────────────────────────────────────────────
    Rule("near '/", "comments begin with `--`", at="//"),
    Rule("near '[/*]", "a comment over several lines is written `--[[ … ]]`", line=r"(?:^|\s)/\*"),
    Rule(
        "near", "comments begin with `--`; `//` divides whole numbers", before=r"""(?:^|[\s;)])//[^\n"']*"""
    ),
    Rule("near", "comments begin with `--`", line=r"^\s*#(?!!)"),
    # ── blocks ───────────────────────────────────────────────────────────────────────────────────
    Rule(
        "near",
        "functions are written `function name(…) … end`",
        before=r"(?:^|\n)\s*(?:async\s+)?(?:def|func|fn|fun)\s+",
    ),
    Rule("near", "it is `elseif` in Lua, in one word", before=r"\b(?:elif|elsif)\s*"),
    Rule(
        "'then' expected",
        "a condition ends with `then`, not with `:`",
        before=r"\b(?:if|elseif)\b[^\n]*",
        at=":",
    ),
    Rule(
        "'do' expected",
        "a loop's head ends with `do`, not with `:`",
        before=r"\b(?:while|for)\b[^\n]*",
        at=":",
    ),
    Rule(
        "near",
        "Lua needs no `:` before a block",
        before=r"(?:^|\n)\s*(?:else|try|finally|class\b[^\n]*)\s*",
        at=":",
    ),
    Rule(
        "<name> expected near '\\('",
        "write `for i = 1, 10 do … end`, without parentheses",
        line=r"^\s*for\s*\(",
    ),
    Rule("near", _NO_BRACES, line=r"^\s*(?:if|while|for|else)\b.*\{\s*$"),
    Rule("'(?:then|do)' expected", _NO_BRACES, line=r"^\s*\}\s*(?:else\b.*)?$"),
    Rule("near '\\{'", "functions are written `function name(…) … end`", line=r"\bfunction\b.*\)\s*\{"),
    Rule(
        "near 'to'|near '\\.\\.|malformed number",
        "a range is written `for {name} = 1, 10 do`",
        line=r"\bfor\s+(?P<name>\w+)\s*(?:=|in)\s*\S+\s*(?:to\b|\.\.)",
    ),
    Rule("'=' or 'in' expected", "write `for i = 1, 10 do` or `for key, value in pairs(t) do`"),
    Rule(
        "'then' expected",
        "`then` is missing after this condition: `if … then`",
        before=r"\b(?:if|elseif)\b[^\n]*\s*",
    ),
    Rule("'then' expected", "a condition ends with `then`"),
    Rule("'do' expected", "a loop's head ends with `do`: `while … do`, `for … do`"),
    Rule(
        "<eof> expected near 'end'",
        "this `end` closes nothing: there is one too many, or its opening is missing",
    ),
    Rule(
        "<eof> expected near '(?P<word>else|elseif|until)'",
        "this `{word}` has no block to belong to: is there an `end` too many above?",
    ),
    Rule("unexpected symbol near '(?P<closer>[)}}\\]])'", "this `{closer}` closes nothing"),
    # ── tables and calls ─────────────────────────────────────────────────────────────────────────
    Rule("unexpected symbol near '\\['", "lists are written with braces: `{{1, 2, 3}}`", before=r"[=(,{]\s*"),
    Rule(
        "near ':'",
        'a field is written `name = value` or `["name"] = value`, not with `:`',
        before=r"""[{,]\s*(?:"[^"\n]*"|'[^'\n]*'|\w+)\s*""",
    ),
    Rule(
        "<name> expected near", "a field is written `name = value`, not with `:`", before=r"[{,]\s*\w+\s*:\s*"
    ),
    Rule(
        "'}' expected",
        "between the entries of a table there must be a comma",
        before=r"\{[^{}]*[\w\"')}\]]\s*",
        at=r"[\w\"'{\[]",
    ),
    Rule(
        r"'\)' expected", "a comma or a `)` is missing here", before=r"\([^()]*[\w\"'}\]]\s*", at=r"[\w\"'{]"
    ),
    Rule(
        "function arguments expected",
        "errors are caught with `local ok, err = pcall(f)`",
        before=r"\b(?:try|except|finally|catch)\s*:\s*\w+\s*",
    ),
    Rule("near", "functions are written `function(x) return … end`", before=r"\blambda\b[^\n]*"),
    Rule(
        "function arguments expected",
        "`:` calls a method: write `{name}(…)`, or `.` for a field",
        before=r"(?P<name>[\w.]+:\w+)\s*",
    ),
    Rule("near ':'", "Lua has no type annotations", before=r"\blocal\s+\w+\s*|\([^()\n]*"),
    # ── words of other languages ─────────────────────────────────────────────────────────────────
    Rule(
        "near",
        "a variable is declared with `local`",
        before=_START + r"(?:let|var|const|auto|int|float|double|string|my)\s+",
    ),
    Rule(
        "near",
        'modules are loaded with `local name = require "name"`',
        before=_START + r"(?:import|from|use|using|include)\s+",
    ),
    Rule(
        "near",
        "Lua has no classes: make a table with functions, and setmetatable",
        before=_START + r"class\s+",
    ),
    Rule(
        "near",
        "errors are caught with `local ok, err = pcall(f)`",
        before=_START + r"(?:try|catch|except|raise|throw)\b\s*",
    ),
    Rule(
        "near",
        "Lua has no `switch`: use `if … elseif … end` or a table",
        before=_START + r"(?:switch|case|match)\s+",
    ),
    Rule(
        "near",
        "Lua has no `continue`: write `goto continue`, and `::continue::` before the loop's `end`",
        before=r"(?:^|\n|;|\bthen)\s*continue\s*;?\s*",
    ),
    Rule("near", "a call needs parentheses: `print(…)`", before=_START + r"print\s+"),
    # ── the rest ─────────────────────────────────────────────────────────────────────────────────
    Rule("no visible label 'continue'", "put `::continue::` right before the `end` of the loop"),
    Rule("no visible label '(?P<name>\\w+)'", "there is no `::{name}::` in this block or around it"),
    Rule(
        "jumps into the scope of local '(?P<name>\\w+)'",
        "declare `{name}` before the `goto`, or put what follows it in `do … end`",
    ),
    Rule(
        "attempt to assign to const variable '(?P<name>\\w+)'",
        "`{name}` was declared `<const>`; `local {name} = …` makes a new one",
    ),
    Rule("break outside a loop", "`break` leaves a `for`, `while` or `repeat`; `return` leaves a function"),
    Rule("cannot use '...'", "only a function declared with `...` has it: function(…, ...)"),
    Rule("unknown attribute", "the attributes are `<const>` and `<close>`"),
    Rule("too many local variables", "keep some of them in a table, or inside `do … end`"),
    Rule(
        "malformed number near '\\d[\\w]*[a-zA-Z_]",
        "a name cannot begin with a digit, and a number has no letters",
    ),
    Rule(
        "unfinished string",
        "a string ends on its line, with the quote that began it; longer text is written `[[ … ]]`",
    ),
    Rule("invalid escape sequence", "write `\\\\` for a backslash, or the text in `[[ … ]]`"),
    Rule("nested too deeply", "break it up: give parts of it names, or build the value in a loop"),
    Rule("syntax error near|unexpected symbol near", _ALONE, before=r"[\w\"')}\]]\s*\n\s*"),
    Rule("unexpected symbol near", _ALONE, before=_START, at=r"[\w\"'{(#-]"),
)


_UNCLOSED = re.compile(
    r"'(?P<closer>[^']+)' expected(?: \(to close '(?P<opener>[^']+)' at line (?P<line>\d+)\))? near"
)
_BLOCKS = {"end", "until"}
_ELSE_IF = re.compile(r"^[^\n\"']*\belse[ \t]+if\b", re.MULTILINE)


def _unclosed(message: str, source: str) -> str | None:
    """Advice for a construct that nothing closes."""
    match = _UNCLOSED.search(message)
    if match is None:
        return None
    closer, opener, line = match["closer"], match["opener"], match["line"]
    if closer == "end" and _ELSE_IF.search(source):
        return "`else if` opens a second `if`, which needs an `end` of its own; `elseif` does not"
    if opener and (closer in _BLOCKS or message.endswith("<eof>")):
        return f"the `{opener}` of line {line} has no `{closer}`"
    return f"`{closer}` is missing at the end" if message.endswith("<eof>") else None


def syntax_hint(situation: Situation, source: str) -> str | None:
    """Return advice for what the parser or the compiler refused."""
    return first_advice(RULES, situation) or _unclosed(situation.message, source)
