"""A cell's text output: decoded, counted against its budget, the rest kept in a file."""

from __future__ import annotations

import codecs
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES = {1: "stdout", 2: "stderr"}


class TextSink(Protocol):
    """Where decoded text goes."""

    def stream(self, name: str, text: str) -> None:
        """Write to ``stdout`` or ``stderr``."""
        ...


class CellOutput:
    """Streams one cell's output up to `limit` bytes; spills what is more into a file that the cell's end names."""

    def __init__(self, sink: TextSink, limit: int, spill_limit: int, on_flood: Callable[[], None]) -> None:
        """Prepare.

        Args:
            sink: takes the text.
            limit: bytes shown.
            spill_limit: bytes kept in the file; past them `on_flood` is called once.
            on_flood: ends the cell.
        """
        self._sink = sink
        self._limit = limit
        self._spill_limit = spill_limit
        self._on_flood = on_flood
        self._decoders = {n: codecs.getincrementaldecoder("utf-8")("replace") for n in _NAMES}
        self._spill: BinaryIO | None = None
        self._spill_path: Path | None = None
        self._ended = self._told = False
        self.written = 0
        """Bytes that the cell wrote so far."""

    def write(self, stream: int, data: bytes) -> None:
        """Take what the cell wrote to `stream` (1 is stdout, 2 is stderr)."""
        room = max(0, self._limit - self.written)
        before = self.written
        self.written += len(data)
        if room:
            self._sink.stream(_NAMES[stream], self._decoders[stream].decode(data[:room]))
        if len(data) > room:
            self._spilled(data[room:], before)

    def _spilled(self, data: bytes, before: int) -> None:
        if self._spill is None:
            self._spill = self._open()
        kept = self._spill_limit - max(0, before - self._limit)
        if kept > 0:
            self._spill.write(data[:kept])
        if len(data) >= kept > 0:
            self._on_flood()
        if self._ended:
            self.finish()  # tasks outlive their cell, and write to it for as long as they like

    def _open(self) -> BinaryIO:
        if self._spill_path is not None:
            return self._spill_path.open("ab")
        descriptor, name = tempfile.mkstemp(prefix="llmspell-output-", suffix=".txt")
        self._spill_path = Path(name)
        return os.fdopen(descriptor, "wb")

    def finish(self) -> None:
        """Say where the rest is, if there is a rest."""
        self._ended = True
        if self._spill is None:
            return
        self._spill.close()
        self._spill = None
        if self._told:
            return
        self._told = True
        self._sink.stream(
            "stderr",
            f"\n[output limit: {self._limit:,} of {self.written:,} bytes are shown; all that follows them is in "
            f"{self._spill_path}. LLMSPELL_OUTPUT_LIMIT raises the limit (bytes).]\n",
        )
