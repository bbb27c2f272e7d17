"""One ranking out of several: reciprocal rank fusion (Cormack, Clarke & Büttcher, SIGIR 2009)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

DAMPING = 60
"""The paper's constant: how little the first places count more than those behind them."""


def fuse(rankings: Sequence[Sequence[int]], most: int) -> list[tuple[int, float]]:
    """Fuse rankings of ids, each with the best first.

    Returns:
        At most `most` ids with their scores; 1 is what was the best in every ranking.
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for place, found in enumerate(ranking, start=1):
            scores[found] = scores.get(found, 0.0) + 1 / (DAMPING + place)
    best = len(rankings) / (DAMPING + 1)
    ordered = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(found, score / best) for found, score in ordered[:most]]
