"""Magics that take the session back: ``%undo``, ``%checkpoint``, ``%restore``, ``%checkpoints``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from llmspell_kernel.errors import SpellError
from llmspell_kernel.kernel.magics.table import Call, magic, shown
from llmspell_kernel.session.outcome import Outcome, Succeeded
from llmspell_kernel.session.problems import enumerated

if TYPE_CHECKING:
    from llmspell_kernel.bridges.registry import Surface
    from llmspell_kernel.session.checkpoints import Undone
    from llmspell_kernel.session.session import Session


@magic("%undo [n]", "take the session back before the last n cells that ran (1 if not given)")
async def _undo(session: Session, call: Call) -> Outcome:
    text = call.argument or "1"
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 10_000:
        raise SpellError(f"%undo takes a number of cells, not '{text}'", code="bad_argument")
    undone = await session.undo(int(text))
    _tell(undone, call.surface)
    return Succeeded()


@magic("%checkpoint name", "keep the session's present state under a name; --delete name lets it go")
async def _checkpoint(session: Session, call: Call) -> Outcome:
    words = _words(call.argument)
    if words[:1] == ["--delete"] and len(words) == 2:
        if not session.checkpoints.unname(words[1]):
            session.checkpoints.named(words[1])  # says which there are
        return Succeeded()
    if len(words) != 1 or words[0].startswith("-"):
        raise SpellError("write %checkpoint NAME, or %checkpoint --delete NAME", code="bad_argument")
    await session.keep(words[0])
    call.surface.stream("stdout", f"kept as '{words[0]}'; %restore {shlex.quote(words[0])} goes back to it\n")
    return Succeeded()


@magic("%restore name", "take the session back to a named checkpoint, which stays")
async def _restore(session: Session, call: Call) -> Outcome:
    words = _words(call.argument)
    if len(words) != 1:
        raise SpellError("write %restore NAME; %checkpoints lists them", code="bad_argument")
    undone = await session.restore(words[0])
    _tell(undone, call.surface)
    return Succeeded()


@magic("%checkpoints", "list what %undo and %restore can go back to")
async def _checkpoints(session: Session, call: Call) -> Outcome:
    lines: list[str] = []
    after = 0
    for point in reversed(session.checkpoints.points):
        after += len(point.cells)
        ways = [f"%restore {shlex.quote(name)}" for name in point.names]
        if point.cells:
            ways.insert(0, f"%undo {after}")
        if ways:
            what = f"before {point.cells[0]}" if point.cells else "as it is now"
            lines.append(f"{what:<16}  {' or '.join(ways):<32}  about {point.bytes / 2**20:.1f} MiB".rstrip())
    return shown("\n".join(reversed(lines)) if lines else "no cell has run yet")


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise SpellError(f"this name cannot be read: {error}", code="bad_argument") from error


def _tell(undone: Undone, surface: Surface) -> None:
    """Say what was undone, and what was not."""
    if undone.cells:
        verb = "is" if len(undone.cells) == 1 else "are"
        surface.stream("stdout", f"back before {undone.cells[0]}: {enumerated(undone.cells)} {verb} undone\n")
    else:
        surface.stream("stdout", "back; no cell had run since\n")
    if undone.names:
        surface.stream("stdout", f"checkpoints taken in them are gone: {enumerated(undone.names)}\n")
    if undone.acts:
        happened = "".join(
            f"  {what}{f' ({count} times)' if count > 1 else ''}\n" for what, count in undone.acts
        )
        surface.stream("stdout", f"not undone, for it happened outside the session:\n{happened}")
