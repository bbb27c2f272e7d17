"""Where what cells write and show goes: to the cell that started it, or to an area such as under a widget."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar

from llmspell_kernel.bridges.registry import AreaSurface, Surface
from llmspell_kernel.session.output import CellOutput

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmspell_kernel.engine import wire

_CELLS_KEPT = 256
_FIRST_AREA = 1 << 40
"""No session runs that many cells."""
_SPILL_LIMIT = 1 << 30
_AREA_SPILL_LIMIT = 1 << 26

S = TypeVar("S", bound=Surface)


@dataclass(frozen=True)
class _Place(Generic[S]):
    surface: S
    output: CellOutput


class Outputs:
    """The outputs of a session's cells, and its open areas: each has a number that Lua's output and calls bear."""

    def __init__(self, limit: Callable[[], int]) -> None:
        """Make the table; `limit` tells how many bytes of text each shows."""
        self._limit = limit
        self._cells: dict[int, _Place[Surface]] = {}
        self._areas: dict[int, _Place[AreaSurface]] = {}
        self._numbers = count(_FIRST_AREA)

    def open_cell(self, cell: int, surface: Surface, on_flood: Callable[[], None]) -> CellOutput:
        """Open the output of a cell; `on_flood` ends it when it writes without end."""
        output = CellOutput(surface, self._limit(), _SPILL_LIMIT, on_flood)
        self._cells[cell] = _Place(surface, output)
        # tasks that outlive their cell write to it; of very many cells only the last can still be written to
        self._cells.pop(cell - _CELLS_KEPT, None)
        return output

    def open_area(self, surface: AreaSurface) -> int:
        """Give `surface` a number."""
        number = next(self._numbers)
        self._areas[number] = _Place(
            surface, CellOutput(surface, self._limit(), _AREA_SPILL_LIMIT, lambda: None)
        )
        return number

    def close_area(self, number: int) -> None:
        """Forget an area; what is still written to it is dropped."""
        area = self._areas.pop(number, None)
        if area is not None:
            area.output.finish()

    def flush_areas(self) -> None:
        """Show now what waits to be shown in areas."""
        for area in self._areas.values():
            area.surface.flush()

    def write(self, frame: wire.Output) -> None:
        """Pass on what was written; what was written to a place that is closed is dropped."""
        output = self.output(frame.cell)
        if output is not None:
            output.write(frame.stream, frame.data)

    def output(self, number: int) -> CellOutput | None:
        """Where the text of a cell or an area goes, None if it is closed."""
        place = self._cells.get(number) or self._areas.get(number)
        return place.output if place else None

    def surface(self, number: int) -> Surface:
        """The surface of a cell or an area; of one that is closed, that of the last cell."""
        place = self._cells.get(number) or self._areas.get(number) or self._cells[max(self._cells)]
        return place.surface
