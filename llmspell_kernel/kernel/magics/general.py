"""Magics about the session: names, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.errors import SpellError
from llmspell_kernel.kernel.magics.table import TABLE, Call, magic, shown
from llmspell_kernel.session.outcome import Outcome, Succeeded

if TYPE_CHECKING:
    from llmspell_kernel.session.session import Session


@magic("%lsmagic", "list the names of the magics")
async def _lsmagic(session: Session, call: Call) -> Outcome:
    return shown("  ".join(sorted(f"%{name}" for name in TABLE)))


@magic("%reset", "begin again with a fresh Lua state")
async def _reset(session: Session, call: Call) -> Outcome:
    await session.reset()
    call.surface.stream("stdout", "a fresh Lua state; every variable is gone\n")
    return Succeeded()


@magic("%who", "list the names that this notebook defined")
async def _who(session: Session, call: Call) -> Outcome:
    from llmspell_kernel.language import variables

    return shown(variables.names(await session.variables()))


@magic("%whos", "list them with type, size and value")
async def _whos(session: Session, call: Call) -> Outcome:
    from llmspell_kernel.language import variables

    return Succeeded(variables.table(await session.variables()))


@magic(
    "%check [code]",
    "warn of what is almost surely a mistake; %%check looks at the whole cell and does not run it",
)
async def _check(session: Session, call: Call) -> Outcome:
    codes = [call.body if call.body is not None else call.argument]
    if codes == [""]:
        codes = list(session.sources.values())
    found = [one.shown for code in codes for one in session.diagnose(code)]
    return shown("\n".join(found) if found else "nothing to warn of")


@magic("%config [key]", "show the settings, and where each value came from")
async def _config(session: Session, call: Call) -> Outcome:
    rows = [row for row in session.settings.explain() if call.argument in row[0]]
    if not rows:
        raise SpellError(
            f"there is no setting '{call.argument}'; %config lists them all", code="unknown_setting"
        )
    widths = [max(len(str(row[column])) for row in rows) for column in range(2)]
    return shown("\n".join(f"{row[0]:<{widths[0]}}  {row[1]!s:<{widths[1]}}  {row[2]}" for row in rows))
