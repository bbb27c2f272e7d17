"""Bars that go along with loops, for front ends that know no updates: which go on, and what is shown when none does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmspell_kernel.bridges.showing import Showing

if TYPE_CHECKING:
    from llmspell_kernel.bridges.registry import Surface

_COLUMNS = 79
"""Of a bar in a console, which covers the one before."""
_KEPT = 1000
"""Bars of one cell that are shown."""


@dataclass
class _Cell:
    going_on: set[str] = field(default_factory=set[str])
    bundles: dict[str, dict[str, Any]] = field(default_factory=dict[str, "dict[str, Any]"])
    """By display, in the order in which the bars began."""


class Bars:
    """The bars of the cells that run."""

    def __init__(self) -> None:
        """None yet."""
        self._cells: dict[int, _Cell] = {}

    def show(
        self,
        surface: Surface,
        cell: int,
        bundle: dict[str, Any],
        display_id: str,
        update: bool,
        finished: bool,
    ) -> None:
        """Show a bar as the front end can.

        In place; or in a batch run, all bars in the order in which they began once the outermost ended, which is what
        a notebook has in the end; or in a console the outermost, on one line.
        """
        showing = Showing.of(surface)
        if showing is None or showing is Showing.IN_PLACE:
            surface.display(bundle, {}, display_id, update)
            return
        bars = self._cells.setdefault(cell, _Cell())
        if len(bars.bundles) < _KEPT or display_id in bars.bundles:
            bars.bundles[display_id] = bundle
        (bars.going_on.discard if finished else bars.going_on.add)(display_id)
        if showing is Showing.TEXT and display_id == next(iter(bars.bundles)):
            line = f"\r{bundle['text/plain']:<{_COLUMNS}}"
            surface.stream("stderr", line if bars.going_on else f"{line}\n")
        if bars.going_on:
            return
        del self._cells[cell]
        if showing is Showing.ONCE:
            for each, shown in bars.bundles.items():
                surface.display(shown, {}, each, False)
