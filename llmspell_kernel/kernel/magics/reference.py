"""``%help``: the reference, and the magics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.errors import NotFound
from llmspell_kernel.kernel.magics.table import TABLE, Call, magic, shown

if TYPE_CHECKING:
    from llmspell_kernel.kernel.magics.magics import Magics
    from llmspell_kernel.session.outcome import Outcome


@magic("%help [name]", "explain a function, a module or a magic; without a name list the magics")
async def _help(magics: Magics, call: Call) -> Outcome:
    entry = TABLE.get(call.argument.lstrip("%"))
    if call.argument and not call.argument.startswith("%"):
        try:
            return await magics.question(call.argument, call.surface)
        except NotFound:
            if entry is None:
                raise
    entries = [entry] if entry is not None else list(TABLE.values())
    width = max(len(one.usage) for one in entries)
    lines = [f"{one.usage:<{width}}  {one.doc}" for one in entries]
    if entry is None:
        lines += ["", "help() lists the modules and functions"]
    return shown("\n".join(lines))
