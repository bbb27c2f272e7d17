"""A question's words as an FTS5 query, without those that nearly every chunk holds.

Ranking costs time for each chunk that a word is in, and a word that is everywhere says nothing: of a large
collection the rarest words are asked for, as many as fit a budget.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_MOST_WORDS = 32
_BUDGET = 12_000
"""Chunks to rank, about."""


def match_of(opened: sqlite3.Connection, text: str, *, every: bool) -> str:
    """Return the query for `text`; empty if it has no word worth asking for.

    Args:
        opened: The file.
        text: What a person asked.
        every: Whether something must be found even if all words are common: then chunks that hold them all.
    """
    words = list(dict.fromkeys(re.findall(r"\w+", text.lower())))[:_MOST_WORDS]
    counted = sorted((_count(opened, word), word) for word in words)
    counted = [(count, word) for count, word in counted if count]
    chosen: list[str] = []
    left = _BUDGET
    for count, word in counted:
        left -= count
        if left < 0:
            break
        chosen.append(_quoted(word))
    if not chosen and every:
        return " AND ".join(_quoted(word) for _, word in counted)
    return " OR ".join(chosen)


def _count(opened: sqlite3.Connection, word: str) -> int:
    """In how many chunks a word is, as far as it matters."""
    asked = "SELECT count(*) FROM (SELECT 1 FROM word WHERE word MATCH ? LIMIT ?)"
    return opened.execute(asked, (_quoted(word), _BUDGET + 1)).fetchone()[0]


def _quoted(word: str) -> str:
    return f'"{word}"'
