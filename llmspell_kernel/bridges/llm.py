"""``llm``: ask language models."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any, ClassVar

import msgspec

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.llm_options import request_of
from llmspell_kernel.bridges.registry import Host, current_call
from llmspell_kernel.engine.values import CallbackRef
from llmspell_kernel.llm.protocol import Finished, Response, TextDelta


class LlmBridge(Bridge):
    """Models by name, answers whole or piece by piece."""

    module: ClassVar[str] = "llm"
    lua_part: ClassVar[str | None] = "lib.llm"

    def __init__(self, host: Host) -> None:
        self._host = host

    @export(returns="string | response", example='llm.chat("Say hello.")')
    async def chat(
        self, prompt: str | list[Any] | dict[str, Any], options: dict[str, Any] | None = None
    ) -> Any:
        """Ask a model.

        A string is answered with a string; messages or an options table with a response table. With ``stream = true``
        the answer is also printed while it comes, with ``on_chunk`` each piece of text goes to that function, which
        stops the answer by returning a value other than nil.
        """
        request, provider, extras = request_of("llm.chat", prompt, options)
        if extras.stream or extras.on_chunk:
            response = await self._stream(request, provider, extras.on_chunk)
        else:
            response = await self._host.models.complete(request, provider=provider)
        return response.content if isinstance(prompt, str) else plain_response(response)

    @export(returns="response", example='llm.complete{prompt = "Once upon a time", max_tokens = 20}')
    async def complete(
        self, prompt: str | dict[str, Any], options: float | dict[str, Any] | None = None
    ) -> Any:
        """Ask for one answer: a string is answered with a string, an options table with a response table."""
        given = {"max_tokens": int(options)} if isinstance(options, float | int) else options
        request, provider, _ = request_of("llm.complete", prompt, given)
        response = await self._host.models.complete(request, provider=provider)
        return response.content if isinstance(prompt, str) else plain_response(response)

    @export(returns="models: table[]", example="llm.models()")
    async def models(self, provider: str | None = None) -> Any:
        """List the models on offer: ``id``, ``provider``, ``kind``."""
        return [msgspec.to_builtins(model) for model in await self._host.models.list(provider or "")]

    async def _stream(self, request: Any, provider: str, on_chunk: CallbackRef | None) -> Response:
        surface = current_call.get().surface
        parts: list[str] = []
        async with aclosing(self._host.models.stream(request, provider=provider)) as deltas:
            async for delta in deltas:
                if isinstance(delta, Finished):
                    if on_chunk is None:
                        surface.stream("stdout", "\n")
                    return delta.response
                if not isinstance(delta, TextDelta):
                    continue
                parts.append(delta.text)
                if on_chunk is None:
                    surface.stream("stdout", delta.text)
                elif any(value is not None for value in await self._host.invoke(on_chunk.id, delta.text)):
                    break
        return Response(
            content="".join(parts), model=request.model, provider=provider, finish_reason="stopped"
        )


def plain_response(response: Response) -> dict[str, Any]:
    """A response as Lua gets it: ``content, model, provider, finish_reason, tool_calls, usage``."""
    usage = response.usage
    return {
        "content": response.content,
        "model": response.model,
        "provider": response.provider,
        "finish_reason": response.finish_reason,
        "tool_calls": [msgspec.to_builtins(call) for call in response.tool_calls],
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            **({} if usage.cost is None else {"cost": usage.cost}),
        },
    }
