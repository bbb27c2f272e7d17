"""An agent's own questions to its model, with the hooks and events that a spell has at the point ``llm``.

Lua runs the hooks around a function that asks: the question goes to Lua, comes back as one step of the agent's run,
changed or not, and the answer goes the same way.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import msgspec

from llmspell_kernel.bridges.llm import plain_response
from llmspell_kernel.bridges.llm_messages import plain_message, tool_calls_of
from llmspell_kernel.bridges.llm_options import request_of
from llmspell_kernel.errors import SpellError, WorldError
from llmspell_kernel.llm.protocol import Delta, Finished, Request, Response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from llmspell_kernel.bridges.registry import Host
    from llmspell_kernel.engine.values import CallbackRef
    from llmspell_kernel.llm.agents import Asker

_CHANGEABLE = ("model", "temperature", "max_tokens", "top_p", "seed", "stop", "timeout")


class _Question:
    """One question on its way: what is asked, who hears the pieces of its answer, what came of it."""

    def __init__(
        self, request: Request, provider: str, budget: float | None, hear: Callable[[Delta], None] | None
    ) -> None:
        self.request = request
        self.provider = provider
        self.budget = budget
        self.hear = hear
        self.response: Response | None = None
        self.error: SpellError | None = None

    def plain(self) -> dict[str, Any]:
        """As hooks get it."""
        told: dict[str, Any] = {"messages": [plain_message(message) for message in self.request.messages]}
        for name in _CHANGEABLE:
            value: Any = getattr(self.request, name)
            if value not in (None, "", ()):
                told[name] = list(cast("tuple[str, ...]", value)) if name == "stop" else value
        if self.provider:
            told["provider"] = self.provider
        return told

    def changed(self, asked: dict[str, Any]) -> tuple[Request, str]:
        """The question as hooks have left it; images and files stay where the messages are as they were."""
        before = self.plain()
        wanted = {name: value for name, value in asked.items() if name in before or name in _CHANGEABLE}
        if wanted == before:
            return self.request, self.provider
        request, provider, _ = request_of("agent.run", {"messages": before["messages"], **wanted}, None)
        fields = {name: getattr(request, name) for name in _CHANGEABLE}
        if wanted.get("messages") != before["messages"]:
            fields["messages"] = request.messages
        return msgspec.structs.replace(self.request, **fields), provider or self.provider


class HookedModels:
    """Models whose every question passes the hooks; `ask` is Lua's function that runs them."""

    def __init__(self, models: Asker, host: Host, ask: CallbackRef, run: int) -> None:
        self._models = models
        self._run = run
        self._host = host
        self._ask = ask
        self._open: dict[int, _Question] = {}
        self._numbers = count(1)

    async def step(self, number: int, asked: dict[str, Any]) -> dict[str, Any]:
        """Ask the model what the hooks have made of question `number`."""
        question = self._open[number]
        request, provider = question.changed(asked)
        try:
            if question.hear is None:
                response = await self._models.complete(request, provider=provider, budget=question.budget)
            else:
                response = await self._heard(request, provider, question)
        except SpellError as error:
            question.error = error
            raise
        question.response, question.error = response, None
        return plain_response(response)

    async def complete(
        self, request: Request, *, provider: str = "", budget: float | None = None
    ) -> Response:
        """Answer whole, as `Models.complete` does."""
        return await self._answered(_Question(request, provider, budget, None))

    async def stream(
        self, request: Request, *, provider: str = "", budget: float | None = None
    ) -> AsyncGenerator[Delta, None]:
        """Answer piece by piece, as `Models.stream` does; what hooks do to the answer shows in its end."""
        pieces: asyncio.Queue[Delta | None] = asyncio.Queue()
        question = _Question(request, provider, budget, pieces.put_nowait)
        answering = asyncio.create_task(self._answered(question))
        answering.add_done_callback(lambda _: pieces.put_nowait(None))
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            yield Finished(response=await answering)
        finally:
            answering.cancel()
            with suppress(asyncio.CancelledError, SpellError):
                await answering

    async def _heard(self, request: Request, provider: str, question: _Question) -> Response:
        assert question.hear is not None
        deltas = self._models.stream(request, provider=provider, budget=question.budget)
        async with aclosing(deltas):
            async for delta in deltas:
                if isinstance(delta, Finished):
                    return delta.response
                question.hear(delta)
        raise WorldError("the stream ended before the answer did", code="cut")

    async def _answered(self, question: _Question) -> Response:
        """Let the hooks run around the question.

        Raises:
            SpellError: What asking the model raised, or a hook.
            WorldError: A hook cancelled the question.
        """
        number = next(self._numbers)
        self._open[number] = question
        try:
            results = await self._host.invoke(self._ask, self._run, number, question.plain())
        except SpellError:
            if question.error is not None:
                raise question.error from None
            raise
        finally:
            del self._open[number]
        answer: Any = results[0] if results else None
        if answer is None:
            raise question.error or _cancelled(results[1] if len(results) > 1 else None)
        return _response(answer, question)


def _cancelled(told: Any) -> WorldError:
    fields = cast("dict[str, Any]", told) if isinstance(told, dict) else {"message": told}
    message = str(fields.get("message") or "a hook cancelled this call")
    return WorldError(message, code=str(fields.get("code") or "cancelled_by_hook"))


def _response(answer: Any, question: _Question) -> Response:
    """What the hooks have left of the answer, or what they answered in the model's place.

    Raises:
        BadArgument: They left tool calls that are none.
    """
    fields = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {"content": answer}
    changed: dict[str, Any] = {"content": str(fields.get("content") or "")}
    if isinstance(fields.get("tool_calls"), list | dict):
        changed["tool_calls"] = tool_calls_of("bad answer of a hook at 'llm'", fields["tool_calls"])
    if question.response is None:
        return Response(model=question.request.model or "hook", provider="hook", **changed)
    return msgspec.structs.replace(question.response, **changed)
