"""Places beside the cells that output can go to, such as under a widget: each has a number, as a cell has."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from llmspell_kernel.session.output import CellOutput

if TYPE_CHECKING:
    from llmspell_kernel.bridges.registry import AreaSurface, Surface

_FIRST = 1 << 40
"""No session runs that many cells."""
_SPILL_LIMIT = 1 << 26


@dataclass(frozen=True)
class _Area:
    surface: AreaSurface
    output: CellOutput


class Areas:
    """The open areas of a session."""

    def __init__(self, limit: int) -> None:
        """Make the table; `limit` is how many bytes of text each shows."""
        self._limit = limit
        self._numbers = count(_FIRST)
        self._areas: dict[int, _Area] = {}

    def open(self, surface: AreaSurface) -> int:
        """Give `surface` a number that Lua's output and its bridge calls can bear."""
        number = next(self._numbers)
        output = CellOutput(surface, self._limit, _SPILL_LIMIT, lambda: None)
        self._areas[number] = _Area(surface, output)
        return number

    def close(self, number: int) -> None:
        """Forget an area; what is still written to it is dropped."""
        area = self._areas.pop(number, None)
        if area is not None:
            area.output.finish()

    def flush(self) -> None:
        """Show now what waits to be shown."""
        for area in self._areas.values():
            area.surface.flush()

    def surface(self, number: int) -> Surface | None:
        """The surface of an area, None if there is none of that number."""
        area = self._areas.get(number)
        return area.surface if area else None

    def output(self, number: int) -> CellOutput | None:
        """Where the text for an area goes, None if there is none of that number."""
        area = self._areas.get(number)
        return area.output if area else None
