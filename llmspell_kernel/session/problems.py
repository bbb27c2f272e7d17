"""How a cell's failure is told: ename, evalue and traceback of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from llmspell_kernel.display.failure import Failure, decode, render
from llmspell_kernel.engine.wire import StopReason
from llmspell_kernel.session.outcome import Problem

if TYPE_CHECKING:
    from llmspell_kernel.config import Settings
    from llmspell_kernel.errors import EngineDied

Names = Callable[[str], list[str]]
failure_of = decode


def failed(failure: Failure, sources: Mapping[str, str], known_names: Names) -> Problem:
    """A cell that raised."""
    return Problem(failure.ename, failure.message, render(failure, sources, known_names=known_names))


_LIMITS = {StopReason.TIME: "time", StopReason.OUTPUT: "output"}


def _why(reason: StopReason, settings: Settings) -> tuple[str, str, str]:
    """Return ename, what happened, and what to do."""
    if reason not in _LIMITS:
        return "Interrupted", "interrupted", ""
    error = settings.limit_exceeded(_LIMITS[reason])
    return "LimitExceeded", error.message, error.suggestion or ""


def stopped(failure: Failure, reason: StopReason, settings: Settings, sources: Mapping[str, str]) -> Problem:
    """A cell that was stopped softly: what it did until then stays."""
    ename, message, advice = _why(reason, settings)
    where = render(failure, sources)[1:]
    lines = [f"\x1b[31m{ename}\x1b[0m: {message}; what the cell did until then stays", *where]
    return Problem(ename, message, [*lines, advice] if advice else lines)


def rolled_back(error: EngineDied, reason: StopReason | None, settings: Settings) -> Problem:
    """A cell whose engine had to be killed, or died: the session is as before it."""
    return _engine_told(
        error, reason, settings, "the session is as it was before this cell: every variable is kept"
    )


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
    return Problem(ename, message, [*lines, advice] if advice else lines)
