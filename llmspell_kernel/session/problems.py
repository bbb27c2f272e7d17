"""How a cell's failure is told: ename, evalue and traceback of each kind."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import structs

from llmspell_kernel.engine.wire import StopReason
from llmspell_kernel.session.outcome import Problem

if TYPE_CHECKING:
    from llmspell_kernel.config import Settings
    from llmspell_kernel.display.failure import Failure
    from llmspell_kernel.errors import EngineDied

Names = Callable[[str], list[str]]
HandleBundle = Callable[[str, int], "dict[str, Any] | None"]
"""Draws a bridge object, by its type and number."""
_log = logging.getLogger("llmspell")


_NO_MEMORY = "not enough memory"
"""What Lua says, where the limit is."""


def _no_names(_expression: str) -> list[str]:
    return []


def warm() -> None:
    """Load what drawing needs; it is left out of the kernel's start."""


def failure_of(data: bytes) -> Failure:
    """Decode the failure map of a cell."""
    from llmspell_kernel.display.failure import decode

    return decode(data)


def failure_in(described: object) -> Failure:
    """Read a failure map that was decoded as plain data."""
    import msgspec

    return failure_of(msgspec.msgpack.encode(described))


def drawn(values: bytes, handle_bundle: HandleBundle) -> list[dict[str, Any]]:
    """The MIME bundles of a cell's values, usually one for all. Never raises: drawing must not fail a cell."""
    from llmspell_kernel.display.bundle import render_results, snapshots_of

    try:
        return render_results(snapshots_of(values), handle_bundle=handle_bundle)
    except Exception:
        _log.exception("a cell's values could not be drawn")
        return [{"text/plain": "(the cell ran; a fault of the kernel keeps its value from being drawn)"}]


def _traceback(failure: Failure, sources: Mapping[str, str], known_names: Names = _no_names) -> list[str]:
    from llmspell_kernel.display.failure import render

    try:
        return render(failure, sources, known_names=known_names)
    except Exception:
        _log.exception("a failure could not be drawn")
        return [f"{failure.ename}: {failure.message}"]


def failed(failure: Failure, settings: Settings, sources: Mapping[str, str], known_names: Names) -> Problem:
    """A cell that raised."""
    if failure.message == _NO_MEMORY:
        limit = settings.limit_exceeded("memory")
        message = f"{_NO_MEMORY}: {limit.message}"
        failure = structs.replace(failure, message=message, suggestion=limit.suggestion)
    place = f"{failure.source}:{failure.line}" if failure.source and failure.line else failure.source
    traceback = _traceback(failure, sources, known_names)
    return Problem(failure.ename, failure.message, traceback, place, failure.code or "")


def _why(reason: StopReason, settings: Settings) -> tuple[str, str, str]:
    """Return ename, what happened, and what to do."""
    if reason is StopReason.INTERRUPT:
        return "Interrupted", "interrupted", ""
    error = settings.limit_exceeded(reason.name.lower())
    return "LimitExceeded", error.message, error.suggestion or ""


def stopped(failure: Failure, reason: StopReason, settings: Settings, sources: Mapping[str, str]) -> Problem:
    """A cell that was stopped softly: what it did until then stays."""
    ename, message, advice = _why(reason, settings)
    where = _traceback(failure, sources)[1:]
    told = "" if ename.lower() == message else f"{message}; "
    lines = [f"\x1b[31m{ename}\x1b[0m: {told}what the cell did until then stays", *where]
    code = f"{reason.name.lower()}_limit" if ename == "LimitExceeded" else ""
    return Problem(ename, message, [*lines, advice] if advice else lines, code=code)


def enumerated(names: Sequence[str]) -> str:
    """Names in one line: ``cell 3, cell 4 and cell 5``."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def rolled_back(
    error: EngineDied, reason: StopReason | None, settings: Settings, cells: Sequence[str]
) -> Problem:
    """A cell whose engine had to be killed, or died: the session is as before `cells`, of which it is the last."""
    if len(cells) > 1:
        since = f"the session is as it was before {cells[0]}: {enumerated(cells)} are undone"
    else:
        since = "the session is as it was before this cell: every variable is kept"
    return _engine_told(error, reason, settings, since)


def lost(error: EngineDied, reason: StopReason | None, settings: Settings) -> Problem:
    """As `rolled_back`, where there was no checkpoint."""
    return _engine_told(
        error,
        reason,
        settings,
        "there was no checkpoint to go back to: the session begins again, without its variables",
    )


def _engine_told(
    error: EngineDied, reason: StopReason | None, settings: Settings, consequence: str
) -> Problem:
    if reason is None:
        ename, message, advice = "EngineDied", error.message, ""
    else:
        ename, message, advice = _why(reason, settings)
        message += "; the cell did not stop by itself and was killed"
    lines = [
        f"\x1b[31m{ename}\x1b[0m: {message}",
        f"{consequence}; what it printed or did outside stays done",
    ]
    code = "engine_died" if reason is None else f"{reason.name.lower()}_limit"
    return Problem(ename, message, [*lines, advice] if advice else lines, code=code)
