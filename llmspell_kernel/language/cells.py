"""What stands in a cell beside Lua: leading magics, a ``%%cell`` magic, questions, a shebang line.

Magics stand before the first line of Lua. They are blanked out with spaces, so
that every offset in the Lua that remains is an offset in the cell.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_BLANK = re.compile(r"[^\n]")
_QUESTION = re.compile(r"\s*(?:(\?\??)\s*([\w.:\[\]\"']*)|([\w.:\[\]\"']+)\s*(\?\??))\s*\Z")


class Cell(NamedTuple):
    """A cell's text taken apart; `lua` is as long as the cell."""

    lua: str
    magics: tuple[tuple[int, str], ...]
    """(offset, line) of each magic."""
    question: str
    """What ``name?`` or ``?name`` asks about, or an empty string."""
    detail: int
    """1 for a question with two marks."""


def take_apart(code: str) -> Cell:
    """Separate a cell's Lua from its magics."""
    question = _QUESTION.match(code)
    if question:
        marks = question.group(1) or question.group(4)
        name = question.group(2) or question.group(3) or ""
        return Cell(code.replace("?", " "), (), name or "help", len(marks) - 1)
    if "%" not in code:
        return Cell(code, (), "", 0)
    magics: list[tuple[int, str]] = []
    offset, blanked = 0, list[str]()
    lines = code.splitlines(keepends=True)
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("%"):
            magics.append((offset + line.index("%"), stripped))
            blanked.append(_BLANK.sub(" ", line))
        elif (
            not stripped
            or (stripped.startswith("--") and not stripped.startswith("--["))
            or _shebang(line, offset)
        ):
            blanked.append(line)
        else:
            break
        offset += len(line)
    return Cell("".join(blanked) + code[offset:], tuple(magics), "", 0)


def _shebang(line: str, offset: int) -> bool:
    return offset == 0 and line.startswith("#")
