"""From our results to the contents of Jupyter's messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmspell_kernel.session.outcome import Failed, Interrupted, Outcome, Problem, Succeeded

if TYPE_CHECKING:
    from llmspell_kernel.errors import SpellError
    from llmspell_kernel.language.candidates import Completions
    from llmspell_kernel.language.completeness import Completeness


def problem_content(problem: Problem) -> dict[str, Any]:
    """The content of an ``error`` message, and of a reply with ``status: error``."""
    return {"ename": problem.ename, "evalue": problem.evalue, "traceback": problem.traceback}


def failed(error: SpellError) -> Failed:
    """A cell that could not run at all."""
    lines = [f"{type(error).__name__}: {error.message}"]
    if error.suggestion:
        lines.append(error.suggestion)
    return Failed(Problem(type(error).__name__, error.message, lines))


def interrupted() -> Interrupted:
    """A cell that was interrupted before it began."""
    line = "\x1b[31mInterrupted\x1b[0m: the cell had not begun"
    return Interrupted(Problem("Interrupted", "interrupted", [line]))


def internal_error(kind: str) -> dict[str, Any]:
    """The reply to a request that a fault of ours broke."""
    message = f"the kernel could not answer this {kind}; its log has the details, and the session goes on"
    return {
        "status": "error",
        "ename": "KernelError",
        "evalue": message,
        "traceback": [f"KernelError: {message}"],
    }


def payload(outcome: Outcome, code: str) -> list[dict[str, Any]]:
    """The payload of an execute_reply: help for the front end's pager, ``exit`` for a console."""
    if code.strip().rstrip("()") in ("exit", "quit") and outcome == Succeeded():
        return [{"source": "ask_exit", "keepkernel": False}]
    if isinstance(outcome, Succeeded) and outcome.paged:
        return [{"source": "page", "data": outcome.bundle, "start": 0}]
    return []


def plain_text(outcome: Outcome) -> str | None:
    """What history keeps of a cell's result."""
    if isinstance(outcome, Succeeded) and outcome.bundle:
        text = outcome.bundle.get("text/plain")
        return str(text) if text is not None else None
    return None


def completions(found: Completions) -> dict[str, Any]:
    """The content of a complete_reply."""
    return {
        "status": "ok",
        "matches": found.matches,
        "cursor_start": found.start,
        "cursor_end": found.end,
        "metadata": found.metadata(),
    }


def completeness(found: Completeness) -> dict[str, Any]:
    """The content of an is_complete_reply."""
    from llmspell_kernel.language.completeness import Complete, Incomplete, Invalid

    match found:
        case Complete():
            return {"status": "complete"}
        case Incomplete(indent):
            return {"status": "incomplete", "indent": indent}
        case Invalid():
            return {"status": "invalid"}
