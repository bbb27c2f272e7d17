"""The corpus as typed cases.

A file of ``corpus/`` is one category. Its cases stand in groups; a case's fields come from itself, else from its
group, else from the file's ``[defaults]``:

- ``id``: unique in its category.
- ``setup``: a cell that runs before.
- ``attack``: the cell; ``CELL:name`` stands for one of `CELLS`, which would be unreadable as a line.
- ``code``: the same, for a benign piece. ``cells``: several cells in order, the last of which is looked at.
- ``expect``: how the cell may end: ``ok``, ``error``, ``stopped``, ``rolled back``, or several joined by ``|``.
- ``shows``, ``says``, ``prints``: regular expressions that the plain text of its result, its error, its output match.
- ``never``: one that nothing which it shows, says or prints may match.
- ``after``: a Lua expression that must be true in a cell afterwards.
- ``interrupt``: the person interrupts after a moment.
- ``canary``: false if the attack is allowed to destroy the values that every session holds (its own globals).
- ``answers``: true if it is enough that the session still computes afterwards.
- ``fresh``: true if the session must be reset afterwards, because the piece changes it in ways a person may.
- ``leaks``: true if the piece itself prints what a leak would look like.
- ``settings``: of the session, by the environment's names without ``LLMSPELL_``.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "corpus"

CELLS = {
    "parentheses": "return " + "(" * 100_000 + "1" + ")" * 100_000,
    "tables": "return " + "{" * 100_000 + "}" * 100_000,
    "locals": "\n".join(f"local v{number} = {number}" for number in range(1, 400)),
    "locals-190": "\n".join(f"local v{number} = {number}" for number in range(1, 191)),
    "long-line": "x = 1 " * 100_000,
    "many-lines": "x = 1\n" * 100_000,
    "nul": "x = '\0' y = 1\0",
    "surrogate": "x = '\udcff'",
    "many-strings": "x = {" + ",".join(f"'s{number}'" for number in range(50_000)) + "}",
    "bom": "\ufeffx = 1",
}


@dataclass(frozen=True)
class Case:
    """One piece of Lua and what must come of it."""

    id: str
    category: str
    group: str
    attack: str = ""
    code: str = ""
    cells: tuple[str, ...] = ()
    setup: str = ""
    expect: str = "ok"
    shows: str = ""
    says: str = ""
    prints: str = ""
    never: str = ""
    after: str = ""
    interrupt: bool = False
    canary: bool = True
    answers: bool = False
    fresh: bool = False
    leaks: bool = False
    settings: dict[str, str] = field(default_factory=dict[str, str], hash=False)

    @property
    def endings(self) -> set[str]:
        """How it may end."""
        return set(self.expect.split("|"))

    @property
    def sources(self) -> list[str]:
        """The cells to run, the last of which is looked at."""
        source = self.attack or self.code
        if source.startswith("CELL:"):
            source = CELLS[source.removeprefix("CELL:")]
        return [*self.cells] if self.cells else [source]


_FIELDS = {field.name for field in fields(Case)}


def load(category: str) -> list[Case]:
    """Return the cases of one file; an unknown field is an error."""
    document = tomllib.loads((FOLDER / f"{category}.toml").read_text(encoding="utf-8"))
    cases: list[Case] = []
    for group in document["groups"]:
        shared: dict[str, Any] = {**document.get("defaults", {}), **group}
        shared["settings"] = {**document.get("settings", {}), **group.get("settings", {})}
        name = shared.pop("name")
        for case in shared.pop("cases"):
            values = {"category": category, "group": name, **shared, **case}
            assert set(values) <= _FIELDS, set(values) - _FIELDS
            cases.append(Case(**{**values, "cells": tuple(values.get("cells", ()))}))
    return cases


def categories() -> list[str]:
    """Names of all files."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))
