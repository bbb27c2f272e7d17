"""A collection's vectors in memory, one row of length one for each chunk, and their cosines with a question.

Every row is compared: 100,000 rows of 384 numbers take about 20 ms, and nothing is ever missed or has to be built.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    Ids = NDArray[np.int64]


def pack(vector: Sequence[float]) -> bytes:
    """A vector as it is kept: of length one, 32-bit floats, little endian."""
    row = np.asarray(vector, np.float64)
    length = float(np.linalg.norm(row))
    return (row / length if length else row).astype("<f4").tobytes()


class Vectors:
    """Rows by id, in ascending order of the ids.

    Args:
        dimensions: Length of a row.
    """

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._rows: Rows = np.empty((0, dimensions), np.float32)
        self._ids: Ids = np.empty(0, np.int64)
        self._count = 0
        self._threads: Any = import_module("threadpoolctl").ThreadpoolController()

    @property
    def last(self) -> int:
        """The highest id, 0 if there is none."""
        return int(self._ids[self._count - 1]) if self._count else 0

    def append(self, ids: Sequence[int], rows: Sequence[bytes]) -> None:
        """Add rows, as `pack` made them, with ids above all there are."""
        count = self._count + len(ids)
        if count > len(self._ids):
            room = max(count, len(self._ids) * 3 // 2)
            self._rows = np.concatenate(
                [self._rows[: self._count], np.empty((room - self._count, self.dimensions), np.float32)]
            )
            self._ids = np.concatenate([self._ids[: self._count], np.empty(room - self._count, np.int64)])
        packed = np.frombuffer(b"".join(rows), "<f4").reshape(len(ids), self.dimensions)
        self._rows[self._count : count] = packed
        self._ids[self._count : count] = ids
        self._count = count

    def nearest(
        self, vector: Sequence[float], most: int, among: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """The ids whose rows are nearest to `vector`, with their cosines, the nearest first.

        Args:
            vector: The question.
            most: How many, at most.
            among: Ids, in ascending order, that alone count.
        """
        ids, rows = self._ids[: self._count], self._rows[: self._count]
        question = np.frombuffer(pack(vector), "<f4")
        if among is not None and len(ids):
            wanted = np.asarray(among, np.int64)
            places = np.searchsorted(ids, wanted)
            places = places[(places < len(ids)) & (ids[np.minimum(places, len(ids) - 1)] == wanted)]
            ids, rows = ids[places], rows[places]
        if not len(ids):
            return []
        # A product of this kind waits for memory, not for cores; and threads that spin slow a busy machine down.
        with self._threads.limit(limits=1, user_api="blas"):
            cosines = rows @ question
        most = min(most, len(ids))
        best = np.argpartition(-cosines, most - 1)[:most]
        best = best[np.lexsort((ids[best], -cosines[best]))]
        return list(zip(ids[best].tolist(), cosines[best].tolist(), strict=True))
