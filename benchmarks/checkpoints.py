"""What checkpoints cost, by the size of the state: the fork, a trivial cell, undo, a full collection.

    python benchmarks/checkpoints.py [MB …]

Two sessions with the same state, one that takes checkpoints and one that does not, run the same cells in turns. A cell
follows "at once" when it is sent in the moment in which the one before has ended, as in "Run All"; "later" is after a
pause in which the checkpoint for it was taken.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from llmspell_kernel.config import Places, Settings
from llmspell_kernel.errors import SpellError
from llmspell_kernel.session.outcome import Succeeded
from llmspell_kernel.session.session import Session

SIZES = (1, 10, 100, 250, 1000)
ROUNDS, CELLS, PAUSES = 4, 10, 10
PAUSE = 0.2
BYTES_OF_A_TABLE = 72
FILL = "x, t = 0, {} for i = 1, COUNT do local u = {} for j = 1, 1000 do u[j] = {j} end t[i] = u end collectgarbage()"


class Quiet:
    """A surface that shows nothing."""

    def stream(self, name: str, text: str) -> None:
        """Drop the text."""

    def display(
        self, bundle: dict[str, Any], metadata: dict[str, Any], display_id: str | None, update: bool
    ) -> None:
        """Drop the display."""

    def clear(self, wait: bool) -> None:
        """Do nothing."""

    async def ask(self, prompt: str, password: bool) -> str:
        """Refuse."""
        raise SpellError("nobody answers")


async def run(session: Session, code: str) -> float:
    """Run a cell; returns its milliseconds."""
    begun = time.perf_counter()
    outcome = await session.execute(code, Quiet(), f"cell {begun}")
    assert isinstance(outcome, Succeeded), outcome
    return (time.perf_counter() - begun) * 1000


async def opened(folder: Path, size: int, checkpoints: str) -> Session:
    """Open a session whose state is about `size` MB large."""
    environ = {"LLMSPELL_CHECKPOINTS": checkpoints, "LLMSPELL_MEMORY_LIMIT": "4GB"}
    places = Places(config=folder / "config.toml", data=folder / "data")
    session = Session(Settings.load(folder, environ, places))
    await session.start()
    await run(session, FILL.replace("COUNT", str(max(1, size * 1_000_000 // (1000 * BYTES_OF_A_TABLE)))))
    await asyncio.sleep(1)
    return session


async def cells(sessions: list[Session], pause: float, count: int) -> list[tuple[float, float]]:
    """Run trivial cells in both sessions; returns median and worst of each, in milliseconds."""
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS if not pause else 1):
        for session, taken in zip(sessions, times, strict=True):
            for _ in range(count):
                await asyncio.sleep(pause)
                taken.append(await run(session, "x = x + 1"))
    return [(statistics.median(taken), max(taken)) for taken in times]


async def measure(folder: Path, size: int) -> None:
    """Print one line for a state of `size` MB."""
    plain, with_them = await opened(folder, size, "off"), await opened(folder, size, "on")
    fork = with_them.checkpoints.fork_seconds * 1000
    sessions = [plain, with_them]
    at_once = await cells(sessions, 0.0, CELLS)
    later = await cells(sessions, PAUSE, PAUSES)
    await asyncio.sleep(PAUSE)
    begun = time.perf_counter()
    await with_them.undo(1)
    undo = (time.perf_counter() - begun) * 1000
    collect = [await run(session, "collectgarbage()") for session in sessions]
    held = with_them.memory_used / 1e6
    for session in sessions:
        await session.close()
    shown = "  ".join(f"{off[0]:6.2f} {on[0]:6.2f} {on[1]:7.1f}" for off, on in (at_once, later))
    print(f"{held:7.0f}  {fork:7.2f}  {shown}  {undo:7.1f}  {collect[0]:7.0f} {collect[1]:7.0f}")


async def main() -> None:
    """Measure every size."""
    print("milliseconds; off and on: medians without and with checkpoints")
    print("  Lua MB  fork cpu  at once: off, on, worst  later: off, on, worst  undo  full gc: off, on")
    with tempfile.TemporaryDirectory() as folder:
        for size in [int(argument) for argument in sys.argv[1:]] or SIZES:
            await measure(Path(folder), size)


if __name__ == "__main__":
    asyncio.run(main())
