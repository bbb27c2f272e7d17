"""Is a cell complete, or should the editor open another line, and how far indented?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from llmspell_kernel.language.cells import take_apart
from llmspell_kernel.language.parser import parse

if TYPE_CHECKING:
    from llmspell_kernel.language.lexer import Token
    from llmspell_kernel.language.syntax import Chunk


@dataclass(frozen=True)
class Complete:
    """The cell can run."""


@dataclass(frozen=True)
class Incomplete:
    """More lines may complete the cell; the next one starts with `indent`."""

    indent: str


@dataclass(frozen=True)
class Invalid:
    """No line that follows can mend the cell."""

    message: str


Completeness: TypeAlias = Complete | Incomplete | Invalid

DEFAULT_INDENT = "  "

_OPENS = {
    "(": ")",
    "{": "}",
    "[": "]",
    "function": "end",
    "do": "end",
    "then": "end",
    "else": "end",
    "repeat": "until",
}
_CLOSES = frozenset((")", "}", "]", "end", "until", "else", "elseif"))
_LEADING = re.compile(r"[ \t]*")


def check(code: str) -> Completeness:
    """Tell whether `code` is complete, and the next line's indent if it is not."""
    cell = take_apart(code)
    chunk = parse(cell.lua)
    if cell.question or not chunk.problems:
        return Complete()
    first = chunk.problems[0]
    if first.at_end:
        return Incomplete(next_indent(chunk))
    line = code.count("\n", 0, first.start) + 1
    return Invalid(f"{line}: {first.message}")


def next_indent(chunk: Chunk) -> str:
    """The indent of a line that goes on after an unfinished `chunk`."""
    text, first = chunk.text, chunk.problems[0]
    if first.message.startswith("unfinished"):
        return ""
    unit = indent_unit(text)
    opener = _innermost_opener(chunk.tokens)
    last = chunk.tokens[-2] if len(chunk.tokens) > 1 else chunk.tokens[-1]
    last_indent = _indent_at(text, last.start)
    if opener is not None and opener.start >= _line_start(text, last.start):
        return last_indent + unit
    if last.kind in _OPENS or last.kind in _CLOSES or last.kind in (",", ";"):
        return last_indent if last.kind != "," or opener is not None else last_indent + unit
    return last_indent + unit if _starts_statement(chunk, last) else last_indent


def indent_unit(text: str) -> str:
    """How far `text` indents one level: the first step from one line to a deeper one."""
    before = ""
    for line in text.splitlines():
        if not line.strip():
            continue
        indent = _LEADING.match(line)
        leading = indent.group() if indent else ""
        if len(leading) > len(before) and leading.startswith(before):
            return leading[len(before) :]
        before = leading
    return DEFAULT_INDENT


def _innermost_opener(tokens: list[Token]) -> Token | None:
    """The last bracket or block opened and not closed."""
    stack: list[Token] = []
    for token in tokens:
        if token.kind in _CLOSES and stack:
            stack.pop()
        if token.kind in _OPENS:
            stack.append(token)
    return stack[-1] if stack else None


def _starts_statement(chunk: Chunk, last: Token) -> bool:
    """Whether the unfinished statement starts on the last line, so that what follows hangs below it."""
    start = _line_start(chunk.text, last.start)
    before = [token for token in chunk.tokens if token.end <= start]
    return not before or before[-1].kind not in _CONTINUES


_CONTINUES = frozenset(
    ("=", "+", "-", "*", "/", "//", "%", "^", "..", "and", "or", "not", "==", "~=", "<", ">", ",")
)


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _indent_at(text: str, offset: int) -> str:
    found = _LEADING.match(text, _line_start(text, offset))
    return found.group() if found else ""
