"""Tools' answers in the notebook's cassette, failures among them, so that a notebook runs again the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmspell_kernel.errors import WorldError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llmspell_kernel.bridges.registry import Host


async def recorded(host: Host, kind: str, asked: dict[str, Any], make: Callable[[], Awaitable[Any]]) -> Any:
    """Answer from the cassette, or make the answer and keep it, as the session's ``record`` says.

    Args:
        host: The session.
        kind: What is asked: ``tool``, ``mcp`` …; entries of different kinds are never taken for each other.
        asked: What makes the question this question, as plain values.
        make: Makes the answer, a plain value. A `WorldError` is an answer as well.

    Raises:
        WorldError: The answer.
        SpellError: It is replayed, and the cassette does not hold this question; the message shows the difference.
    """
    if host.settings.model.record == "off" or host.models.recorder is None:
        return await make()

    async def written() -> dict[str, Any]:
        try:
            return {"value": await make()}
        except WorldError as error:
            return {"error": {key: value for key, value in error.fields().items() if value not in (None, {})}}

    answer: dict[str, Any] = await host.models.recorder.value(kind, asked, written)
    if "error" in answer:
        raise _failure(answer["error"])
    return answer["value"]


def _failure(fields: dict[str, Any]) -> WorldError:
    return WorldError(
        str(fields.get("message", "")),
        code=str(fields.get("code", "failed")),
        suggestion=fields.get("suggestion"),
        retryable=bool(fields.get("retryable", False)),
        details=fields.get("details"),
    )
