"""``%cache``: what is kept of code that ran, to run it again faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.kernel.magics.table import Call, magic, shown

if TYPE_CHECKING:
    from llmspell_kernel.session.outcome import Outcome
    from llmspell_kernel.session.session import Session


@magic("%cache", "say how much code ran that had been parsed or compiled before")
async def _cache(session: Session, call: Call) -> Outcome:
    here, programs = await session.reuse(), session.programs
    lines = [
        _line("cells", here.parses, "ran from a parse that was kept"),
        _line("cells, modules and loaded texts", here.chunks, "had been compiled before"),
    ]
    if sum(programs.parses):
        lines += [
            _line("programs in fresh states", programs.parses, "ran from a parse that was kept"),
            _line("their pieces of code", programs.chunks, "had been compiled before"),
        ]
    return shown("\n".join(lines))


def _line(what: str, counts: tuple[int, int], which: str) -> str:
    hits, misses = counts
    return f"{hits:,} of {hits + misses:,} {what} {which}"
