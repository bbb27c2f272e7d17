"""``%tasks``: what runs beside the cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from llmspell_kernel.errors import SpellError
from llmspell_kernel.kernel.magics.table import Call, magic, shown
from llmspell_kernel.session.outcome import Outcome, Succeeded

if TYPE_CHECKING:
    from llmspell_kernel.session.session import Session

_COLUMNS = ("task", "began at", "state", "waits for", "runs for")


@magic("%tasks [cancel n]", "list the tasks that go on beside the cells; cancel one, or all of them")
async def _tasks(session: Session, call: Call) -> Outcome:
    words = call.argument.split()
    if words[:1] == ["cancel"] and len(words) == 2:
        return await _cancel(session, call, words[1])
    if words:
        raise SpellError("write %tasks, %tasks cancel NUMBER or %tasks cancel all", code="bad_argument")
    tasks = await _listed(session)
    if not tasks:
        return shown("no task is running")
    rows = [_COLUMNS, *map(_row, tasks)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return shown("\n".join(line.rstrip() for line in lines))


async def _listed(session: Session) -> list[dict[str, Any]]:
    found = await session.query("scheduler", "list")
    return cast("list[dict[str, Any]]", found) if isinstance(found, list) else []


def _row(task: dict[str, Any]) -> tuple[str, ...]:
    waits = str(task.get("waiting_for") or "")
    if waits and task.get("at"):
        waits += f" at {task['at']}"
    return (str(task["id"]), str(task["name"]), str(task["state"]), waits, f"{task['seconds']:.1f} s")


async def _cancel(session: Session, call: Call, which: str) -> Outcome:
    known = [int(task["id"]) for task in await _listed(session)]
    if which != "all" and not (which.isascii() and which.isdigit() and int(which) in known):
        raise SpellError(
            f"there is no task {which}", code="not_found", suggestion="%tasks lists those there are"
        )
    for number in known if which == "all" else [int(which)]:
        outcome = await session.evaluate(f"async.cancel({number}, 'cancelled by %tasks')", call.surface)
        if not isinstance(outcome, Succeeded):
            return outcome
    count = len(known) if which == "all" else 1
    return shown(f"{count} task{'' if count == 1 else 's'} cancelled")
