"""How often code ran that had been compiled before: in the session, and in the programs that it ran in fresh states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reuse:
    """Hits and misses of the two stores that an engine has, which find what they hold by its content."""

    parses: tuple[int, int] = (0, 0)
    """Of cells, and of programs."""
    chunks: tuple[int, int] = (0, 0)
    """Of compiled texts: cells as they are run, modules, what is given to ``load``."""

    def __add__(self, other: Reuse) -> Reuse:
        return Reuse(_sum(self.parses, other.parses), _sum(self.chunks, other.chunks))

    @classmethod
    def told(cls, counts: Any) -> Reuse:
        """Read what ``engine.lua`` tells; nothing if it could not be asked."""
        if not counts:
            return cls()
        return cls(*((counts[store]["hits"], counts[store]["misses"]) for store in ("parses", "chunks")))


def _sum(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]
