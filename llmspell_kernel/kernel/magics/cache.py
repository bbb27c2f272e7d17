"""``%cache``: what is kept of cells that ran, to run them again faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.kernel.magics.table import Call, magic, shown

if TYPE_CHECKING:
    from llmspell_kernel.kernel.magics.magics import Magics
    from llmspell_kernel.session.outcome import Outcome


@magic("%cache", "say how many cells ran from a parse that was kept")
async def _cache(magics: Magics, call: Call) -> Outcome:
    parses = await magics.session.query("engine", "parses")
    if parses is None:
        return shown("the engine cannot be asked now")
    total = parses["hits"] + parses["misses"]
    return shown(f"{parses['hits']:,} of {total:,} pieces of code ran from a parse that was kept")
