"""Test doubles: models that answer what they are told to, for tests of spells, tools and agents.

::

    models, model = scripted_models("Paris.", calls(("weather", {"city": "Paris"})), "It rains.")
    assert (await models.complete(question("Capital?"))).content == "Paris."
    assert model.requests[0].messages[-1].text == "Capital?"
"""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from llmspell_kernel.llm.directory import Configured, Preferences
from llmspell_kernel.llm.models import Models
from llmspell_kernel.llm.protocol import (
    Delta,
    Embeddings,
    Finished,
    Message,
    ModelInfo,
    Request,
    Response,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence


def question(prompt: str, **options: Any) -> Request:
    """A request with one user message."""
    return Request(model="", messages=(Message(role="user", content=prompt),), **options)


def calls(*tool_calls: tuple[str, dict[str, Any]], content: str = "") -> Response:
    """An answer that asks for tools: pairs of name and arguments."""
    made = tuple(
        ToolCall(id=f"call_{n}", name=name, arguments=arguments)
        for n, (name, arguments) in enumerate(tool_calls)
    )
    return Response(content=content, model="", provider="", finish_reason="tool_calls", tool_calls=made)


class ScriptedProvider:
    """A `llmspell_kernel.llm.protocol.Provider` that answers from a list; the last answer repeats.

    Args:
        answers: Texts, responses, errors to raise, or functions of the request.
        name: The provider's name.
        delay: Seconds before every answer.

    Attributes:
        requests: Everything that was asked.
    """

    def __init__(self, *answers: Any, name: str = "scripted", delay: float = 0.0) -> None:
        self.requests: list[Request] = []
        self._answers = list(answers)
        self._name = name
        self._delay = delay

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._name

    async def complete(self, request: Request) -> Response:
        """The next answer."""
        self.requests.append(request)
        answer: Any = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        await asyncio.sleep(self._delay)
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            answer = Response(content=answer, model="", provider="")
        usage = answer.usage if answer.usage != Usage() else Usage(prompt_tokens=10, completion_tokens=5)
        return msgspec.structs.replace(answer, model=request.model, provider=self._name, usage=usage)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """The next answer, word by word."""
        response = await self.complete(request)
        for piece in re.findall(r"\S+\s*|\s+", response.content):
            yield TextDelta(text=piece)
        for index, call in enumerate(response.tool_calls):
            written = msgspec.json.encode(call.arguments).decode()
            yield ToolCallDelta(index=index, name=call.name, arguments=written)
        yield Finished(response=response)

    async def embed(self, texts: Sequence[str], model: str) -> Embeddings:
        """Vectors that count letters: alike texts are alike."""
        rows = tuple(
            tuple(float(text.lower().count(c)) for c in "abcdefghijklmnopqrstuvwxyz") for text in texts
        )
        return Embeddings(
            vectors=rows, model=model, provider=self._name, usage=Usage(prompt_tokens=len(texts))
        )

    async def models(self) -> tuple[ModelInfo, ...]:
        """One model."""
        return (ModelInfo(id="test-model", provider=self._name),)

    async def aclose(self) -> None:
        """Nothing to let go of."""


def scripted_models(*answers: Any, delay: float = 0.0, **options: Any) -> tuple[Models, ScriptedProvider]:
    """Models whose only configured one answers from a script, and the provider that does it.

    Args:
        answers: As for `ScriptedProvider`.
        delay: As for `ScriptedProvider`.
        options: Passed to `Models`.
    """
    url = "http://127.0.0.1:9/v1"
    preferences = Preferences(
        provider="scripted",
        model="test-model",
        search=False,
        providers={"scripted": Configured(base_url=url)},
    )
    models = Models(preferences, Path("/nonexistent"), **options)
    provider = ScriptedProvider(*answers, delay=delay)
    models.use(provider, url)
    return models, provider


async def read_all(deltas: AsyncGenerator[Delta, None]) -> list[Delta]:
    """Everything that a stream gives."""
    async with aclosing(deltas):
        return [delta async for delta in deltas]
