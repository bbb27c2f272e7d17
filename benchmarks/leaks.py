"""Whether calls with callbacks and handles leave anything behind, on either side.

    python benchmarks/leaks.py [calls]

Prints what Lua holds (bytes) and what the kernel process holds (references, resident memory) before and after; ends
with an error if any of them has grown.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

from llmspell_kernel.bridges.declaration import Bridge, Handle, export
from llmspell_kernel.config import Places, Settings
from llmspell_kernel.session.outcome import Succeeded
from llmspell_kernel.session.session import Session

CALLS = 100_000
BATCH = 5_000
LUA_MARGIN = 64 * 1024
RESIDENT_MARGIN = 8 * 2**20


class Thing(Handle):
    """An object that Lua holds for a moment."""

    type_name: ClassVar[str] = "Thing"
    alive: ClassVar[int] = 0

    def __init__(self) -> None:
        Thing.alive += 1

    async def close(self) -> None:
        Thing.alive -= 1

    @export()
    async def touch(self, fn: Any) -> Any:
        """Take a function."""
        return fn.id > 0


class Things(Bridge):
    """Makes things."""

    module: ClassVar[str] = "things"
    handles: ClassVar[tuple[type[Handle], ...]] = (Thing,)

    def __init__(self, host: Any) -> None:
        self._host = host

    @export()
    async def make(self, fn: Any) -> Any:
        """Call a function now and then, and give a thing."""
        if fn.id % 50 == 0:
            await self._host.invoke(fn)
        return Thing()


class Quiet:
    """A surface that shows nothing."""

    def stream(self, name: str, text: str) -> None:
        pass

    def display(self, *shown: Any) -> None:
        pass

    def clear(self, wait: bool) -> None:
        pass

    async def ask(self, prompt: str, password: bool) -> str:
        return ""


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


CELL = """
for n = 1, COUNT do
  local thing = things.make(function() return n end)
  assert(thing:touch(function() return -n end))
end
collectgarbage()
collectgarbage()
"""


async def measure(calls: int) -> list[tuple[int, int, int]]:
    """Make `calls` calls in batches; returns Lua's bytes, live objects and resident bytes after each."""
    with tempfile.TemporaryDirectory() as folder:
        places = Places(config=Path(folder) / "config.toml", data=Path(folder) / "data")
        session = Session(Settings.load(Path(folder), {}, places), [Things])
        await session.start()
        rows: list[tuple[int, int, int]] = []
        for _ in range(max(2, calls // BATCH)):
            outcome = await session.execute(CELL.replace("COUNT", str(BATCH // 2)), Quiet(), "cell")
            assert isinstance(outcome, Succeeded), outcome
            await session.execute("collectgarbage()", Quiet(), "settle")
            await asyncio.sleep(0.05)
            gc.collect()
            rows.append((session.memory_used, Thing.alive, resident()))
        await session.close()
    assert Thing.alive == 0, "objects are left although the session is closed"
    return rows


def main() -> None:
    """Run, and tell."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    began = time.perf_counter()
    rows = asyncio.run(measure(calls))
    print(f"{calls:,} calls in {time.perf_counter() - began:.1f} s")
    warm, last = rows[len(rows) // 4], rows[-1]
    names = ("bytes in Lua", "objects", "resident bytes")
    for name, before, after in zip(names, warm, last, strict=True):
        print(f"{name:15} {before:>13,} {after:>13,}")
    grown = (last[0] - warm[0] > LUA_MARGIN, last[1] > 10, last[2] - warm[2] > RESIDENT_MARGIN)
    if any(grown):
        sys.exit("something is held: " + ", ".join(n for n, more in zip(names, grown, strict=True) if more))


if __name__ == "__main__":
    main()
