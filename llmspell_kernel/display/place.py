"""Where on its line an error is: Lua tells lines only, but often a name that can be found there."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Culprit:
    """What a message of Lua's says is to blame, such as a nil value called through the field ``chta``."""

    action: str
    """``call``, ``index``, ``argument`` or, for everything else, empty."""
    kind: str
    """``global``, ``local``, ``upvalue``, ``field``, ``method``, ``constant``, or empty."""
    name: str


_BLAMED = (
    re.compile(r"attempt to (?P<action>call|index) an? [\w ]+ value \((?P<kind>[\w ]+) '(?P<name>\w+)'\)"),
    re.compile(r"\((?P<kind>global|local|upvalue|field|method|constant) '(?P<name>\w+)'\)"),
    re.compile(r"bad (?P<action>argument) #\d+ to '(?:\w+\.)*(?P<name>\w+)'"),
    re.compile(r"calling '(?P<name>\w+)' on bad self"),
    re.compile(r"(?:variable|label|attribute|scope of local) '(?P<name>\w+)'"),
    re.compile(r"<goto (?P<name>\w+)>"),
)

_SEARCHED = 2000
"""Characters: a longer line is not searched, for the time that a hostile one could take."""

_OUT_OF_SIGHT = re.compile(r"""--.*$|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\[\[.*?\]\]""")


def culprit_of(message: str) -> Culprit | None:
    """Return what `message` blames, if it names anything."""
    for pattern in _BLAMED:
        if match := pattern.search(message):
            groups = match.groupdict()
            return Culprit(groups.get("action") or "", groups.get("kind") or "", groups["name"])
    return None


def without_literals(line: str) -> str:
    """Return `line` with its strings emptied and its comment blanked, every character in its place."""

    def blank(match: re.Match[str]) -> str:
        text = match[0]
        return " " * len(text) if text.startswith("--") else text[0] + " " * (len(text) - 1)

    return _OUT_OF_SIGHT.sub(blank, line)


def find(culprit: Culprit, line: str) -> int | None:
    """Return the column (from 1) of what is to blame, None unless just one place on `line` can be meant."""
    if len(line) > _SEARCHED:
        return None
    before = r"(?<=[.:])\s*" if culprit.kind in ("field", "method") else r"(?<![\w.:])"
    name = rf"(?P<name>\b{re.escape(culprit.name)}\b)"
    if culprit.kind == "" or culprit.action == "argument":
        before = ""
    after = {"call": r"""(?=\s*[({"'\[])""", "argument": r"""(?=\s*[({"'\[])""", "index": r"(?=\s*[.:\[])"}
    found = list(re.finditer(before + name + after.get(culprit.action, ""), without_literals(line)))
    return found[0].start("name") + 1 if len(found) == 1 else None


def column_of(message: str, line: str, column: int | None) -> tuple[int | None, int]:
    """Return the column to point at (from 1) and how many characters to mark."""
    if column is not None:
        token = re.compile(r"\w+|.").match(line, column - 1)
        return min(column, len(line) + 1), len(token[0]) if token else 1
    culprit = culprit_of(message)
    if culprit is None:
        return None, 1
    return find(culprit, line), len(culprit.name)
