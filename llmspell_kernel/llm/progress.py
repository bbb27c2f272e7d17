"""Telling how far something slow has come."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far something slow has come."""

    text: str
    done: int = 0
    """Bytes."""
    total: int = 0
    """Bytes; 0 where nobody knows."""


Tell = Callable[[Progress], None]


def untold(_: Progress) -> None:
    """For whoever does not want to know."""
