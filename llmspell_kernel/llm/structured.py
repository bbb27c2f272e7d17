"""Answers that follow a JSON Schema, from any model.

First as the provider itself enforces it (by grammar on the local model); where that is refused, by asking in
words. What comes back is checked here in either case, and the model gets the problems back to correct itself.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from llmspell_kernel.errors import ProviderError
from llmspell_kernel.llm.protocol import Message, Request, Response, Usage, Value
from llmspell_kernel.llm.schema import Schema, read_json

Ask = Callable[[Request], Awaitable[Response]]

_REFUSALS = ("response_format", "json_schema", "structured", "schema")


class Structured(Value, frozen=True, kw_only=True):
    """A value that follows the schema."""

    value: Any
    response: Response
    """The answer that held it; its usage is that of all attempts."""


async def structured(ask: Ask, request: Request, *, corrections: int = 2) -> Structured:
    """Ask for a value that follows `request.schema`.

    Args:
        ask: Gets an answer.
        request: The question, with a schema.
        corrections: How often the model may try again with what was wrong.

    Raises:
        BadArgument: The schema is none.
        ProviderError: The model does not manage; `details` hold its last answer and what was wrong with it.
    """
    assert request.schema is not None
    schema = Schema(request.schema)
    usage = Usage()
    response: Response | None = None
    problems: list[str] = []
    for _ in range(corrections + 1):
        if response is not None:
            request = _with_problems(request, response, problems)
        request, response = await _ask_natively(ask, request)
        usage += response.usage
        value, problems = _check(schema, response)
        if not problems:
            return Structured(value=value, response=msgspec.structs.replace(response, usage=usage))
    assert response is not None
    raise _gave_up(response, problems)


async def _ask_natively(ask: Ask, request: Request) -> tuple[Request, Response]:
    """Ask with the schema, or, where the provider refuses schemas, in words from now on."""
    try:
        return request, await ask(request)
    except ProviderError as error:
        refused = error.code == "rejected" and any(word in error.message.lower() for word in _REFUSALS)
        if request.schema is None or not refused:
            raise
    request = _in_words(request, request.schema)
    return request, await ask(request)


def _in_words(request: Request, schema: dict[str, Any]) -> Request:
    order = (
        "Answer with one JSON value and nothing else: no fence, no explanation. "
        "It must follow this JSON Schema:\n" + json.dumps(schema)
    )
    messages = (Message(role="system", content=order), *request.messages)
    return msgspec.structs.replace(request, messages=messages, schema=None)


def _check(schema: Schema, response: Response) -> tuple[Any, list[str]]:
    try:
        value = read_json(response.content)
    except ValueError as error:
        cut = " (it was cut off: allow more with max_tokens)" if response.finish_reason == "length" else ""
        return None, [f"{error}{cut}"]
    return value, schema.problems(value)


def _with_problems(request: Request, response: Response, problems: list[str]) -> Request:
    told = Message(
        role="user",
        content="That does not follow the schema:\n- " + "\n- ".join(problems) + "\nAnswer again, corrected.",
    )
    return msgspec.structs.replace(request, messages=(*request.messages, response.message, told))


def _gave_up(response: Response, problems: list[str]) -> ProviderError:
    return ProviderError(
        f"{response.model} did not give an answer that follows the schema: {problems[0]}",
        code="wrong_schema",
        provider=response.provider,
        retryable=True,
        suggestion="make the schema simpler, say in the prompt what each field means, or ask a larger model",
        details={"answer": response.content, "problems": problems},
    )
