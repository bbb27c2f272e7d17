"""Which known name was meant by one that is spelt almost like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST = 4
"""Shorter names are near to too many others."""
LONG = 8
"""Names from here on may have two slips."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is one slip away from (two for long ones), or differs from only in case."""
    best: tuple[int, str] | None = None
    for other in known:
        if other == name:
            return None
        distance = 0 if other.lower() == name.lower() else _slips(name, other)
        if distance is not None and (best is None or (distance, other) < best):
            best = distance, other
    return best[1] if best is not None else None


def _slips(name: str, other: str) -> int | None:
    """How many slips lie between two names, or None if more than a slip of the fingers."""
    if min(len(name), len(other)) < SHORTEST:
        return None
    allowed = 2 if min(len(name), len(other)) >= LONG else 1
    if abs(len(name) - len(other)) > allowed:
        return None
    if name[0] != other[0] and name[:2] != other[1::-1]:
        return None
    # A letter at the end more or less is a plural or a number, not a slip.
    if name[:-1] == other or other[:-1] == name:
        return None
    distance = slips(name, other, allowed)
    return distance if distance <= allowed else None


def slips(one: str, other: str, limit: int) -> int:
    """Letters to insert, remove, change or swap with their neighbour; more than `limit` is `limit` + 1."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        previous, row = row, [i]
        for j, letter_too in enumerate(other, 1):
            cost = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (letter != letter_too))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == letter_too:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
        before = previous
    return row[-1]
