"""Which chunks a question's filter and scope let through, asked for as few chunks as can be.

A filter that few chunks pass is turned around: those are found first, by the rarest of its tests, and only they are
ranked. With any other, the best of a ranking are tried until enough have passed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llmspell_kernel.rag.filters import ONE_BY_ONE, compile_filter, positive_tests

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from llmspell_kernel.rag.values import Query

FEW = 4000
"""Chunks that may be ranked one by one."""
_FIRST = 200
"""How many of a ranking are tried first; each further step tries ten times as many."""


def few(opened: sqlite3.Connection, collection: int, query: Query) -> list[int] | None:
    """The chunks that pass, in ascending order; None if they may be more than `FEW`."""
    sources = [
        (f"SELECT owner FROM field WHERE {test}", values) for test, values in positive_tests(query.filter)
    ]
    if query.scope is not None:
        sources.append(("SELECT id FROM chunk WHERE collection = ? AND scope = ?", [collection, query.scope]))
    for asked, values in sources:
        found = opened.execute(f"{asked} LIMIT {FEW + 1}", values).fetchall()
        if len(found) <= FEW:
            return sorted(passing(opened, collection, query, [number for (number,) in found]))
    return None


def best(
    opened: sqlite3.Connection, collection: int, query: Query, ranked: Sequence[int], most: int
) -> list[int]:
    """The first `most` of `ranked` that pass."""
    kept: list[int] = []
    start, step = 0, max(_FIRST, most)
    while start < len(ranked) and len(kept) < most:
        some = ranked[start : start + step]
        passed = passing(opened, collection, query, some)
        kept += [number for number in some if number in passed]
        start, step = start + step, step * 10
    return kept[:most]


def passing(opened: sqlite3.Connection, collection: int, query: Query, numbers: Sequence[int]) -> set[int]:
    """Those of `numbers` that pass."""
    passes, parameters = compile_filter(query.filter, ONE_BY_ONE)
    given: list[Any] = [json.dumps(list(numbers)), collection]
    scope = ""
    if query.scope is not None:
        scope = "AND chunk.scope = ? "
        given.append(query.scope)
    asked = f"""SELECT id FROM chunk
                WHERE id IN (SELECT value FROM json_each(?)) AND chunk.collection = ? {scope}AND {passes}"""
    return {number for (number,) in opened.execute(asked, [*given, *parameters])}
