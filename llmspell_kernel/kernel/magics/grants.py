"""``%grants``: what the session may do, from where; and giving it up."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, cast

from llmspell_kernel.errors import SpellError
from llmspell_kernel.grants import KINDS
from llmspell_kernel.kernel.magics.table import Call, magic, shown

if TYPE_CHECKING:
    from llmspell_kernel.grants import Kind
    from llmspell_kernel.session.outcome import Outcome
    from llmspell_kernel.session.session import Session

_USAGE = "write %grants, %grants --drop KIND, or %grants --only KIND ENTRY …"


@magic(
    "%grants [--drop kind | --only kind entry …]",
    "show what the session may do, and from where; or give up a kind, or all of it but some entries",
)
async def _grants(session: Session, call: Call) -> Outcome:
    try:
        words = shlex.split(call.argument)
    except ValueError as error:
        raise SpellError(f"{_USAGE} ({error})", code="bad_argument") from error
    if words:
        _narrow(session, words)
    return shown("\n".join(_lines(session)))


def _narrow(session: Session, words: list[str]) -> None:
    option, *rest = words
    complete = (option == "--drop" and len(rest) == 1) or (option == "--only" and len(rest) > 1)
    if not complete:
        raise SpellError(_USAGE, code="bad_argument")
    session.narrow({cast("Kind", rest[0]): rest[1:]})


def _lines(session: Session) -> list[str]:
    permissions = session.permissions
    rows = [
        (row.key.removeprefix("grants."), row.value or "nothing", row.source)
        for row in session.settings.explain()
        if row.key.startswith("grants.")
    ]
    rows += [(one.kind, one.value, f"you, for this session ({one.why})") for one in permissions.given]
    for entries in permissions.dropped:
        rows += [
            (kind, f"only {', '.join(entries[kind])}" if entries[kind] else "nothing", "given up in a cell")
            for kind in KINDS
            if kind in entries
        ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines = [f"{kind:<{widths[0]}}  {value:<{widths[1]}}  {source}" for kind, value, source in rows]
    asks = "you are asked for what is missing" if session.settings.asks else "what is missing is refused"
    return [*lines, f"profile {session.settings.profile}: {asks}"]
