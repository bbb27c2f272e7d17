"""Reading what a spell asks a model: prompts, messages and options, in every shape that spells use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, cast

from llmspell_kernel.bridges.arguments import lua_type
from llmspell_kernel.bridges.given import warn_of_unknown
from llmspell_kernel.bridges.llm_messages import message_of
from llmspell_kernel.bridges.llm_types import OPTIONS, QUESTION
from llmspell_kernel.engine.values import CallbackRef
from llmspell_kernel.errors import BadArgument
from llmspell_kernel.llm.protocol import Message, Request, ToolSpec
from llmspell_kernel.llm.schema import Schema

_KNOWN = frozenset(known.name for known in (*OPTIONS.parameters, *QUESTION.parameters))


@dataclass(frozen=True)
class Extras:
    """What concerns how the answer is handed over."""

    stream: bool = False
    on_chunk: CallbackRef | None = None
    images: tuple[Any, ...] = ()
    files: tuple[Any, ...] = ()


def request_of(
    function: str, prompt: str | list[Any] | dict[str, Any], options: dict[str, Any] | None
) -> tuple[Request, str, Extras]:
    """Make a request of a prompt, a list of messages or an options table, and further options.

    Returns:
        The request, the provider's name or an empty string, and how the answer is handed over.

    Raises:
        BadArgument: an option has the wrong type, or there is nothing to ask.
    """
    given: dict[str, Any] = dict(options or {})
    if isinstance(prompt, dict):
        given = {**prompt, **given}
    elif isinstance(prompt, list):
        given["messages"] = prompt
    else:
        given["prompt"] = prompt
    warn_of_unknown(function, given, _KNOWN)
    request = Request(
        model=_text(function, given, "model"),
        messages=_messages(function, given),
        temperature=_number(function, given, "temperature", "a number from 0 up", lambda n: 0 <= n < inf),
        max_tokens=_whole(function, given, "max_tokens", "a whole number from 1 up", lambda n: n >= 1),
        top_p=_number(function, given, "top_p", "a number from 0 to 1", lambda n: 0 <= n <= 1),
        seed=_whole(function, given, "seed", "a whole number", lambda _: True),
        timeout=_number(function, given, "timeout", "seconds, more than 0", lambda n: n > 0),
        stop=_stop(function, given),
        schema=_table(function, given, "schema"),
        tools=_tools(given),
    )
    on_chunk = given.get("on_chunk")
    if on_chunk is not None and not isinstance(on_chunk, CallbackRef):
        raise _wrong(function, "on_chunk", "function", on_chunk)
    extras = Extras(
        bool(given.get("stream")),
        on_chunk,
        _listed(function, given, "images"),
        _listed(function, given, "files"),
    )
    return request, _text(function, given, "provider"), extras


def _wrong(function: str, key: str, expected: str, got: Any) -> BadArgument:
    return BadArgument(f"bad option '{key}' to '{function}' ({expected} expected, got {lua_type(got)})")


def _text(function: str, given: dict[str, Any], key: str) -> str:
    value = given.get(key)
    if value is None:
        return ""
    if isinstance(value, bytes):
        raise BadArgument(f"bad option '{key}' to '{function}' (text in UTF-8 expected, got other bytes)")
    if not isinstance(value, str):
        raise _wrong(function, key, "string", value)
    return value


def _number(
    function: str, given: dict[str, Any], key: str, expected: str, fits: Callable[[float], bool]
) -> float | None:
    value = given.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(function, key, "number", value)
    if not fits(value):
        raise BadArgument(f"bad option '{key}' to '{function}' ({expected} expected, got {value:g})")
    return float(value)


def _whole(
    function: str, given: dict[str, Any], key: str, expected: str, fits: Callable[[float], bool]
) -> int | None:
    value = _number(function, given, key, expected, lambda n: n == n // 1 and fits(n))
    return None if value is None else int(value)


def _table(function: str, given: dict[str, Any], key: str) -> dict[str, Any] | None:
    value = given.get(key)
    if value is not None and not isinstance(value, dict):
        raise _wrong(function, key, "table", value)
    return cast("dict[str, Any] | None", value)


def _stop(function: str, given: dict[str, Any]) -> tuple[str, ...]:
    value = given.get("stop")
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value)):
        return tuple(cast("list[str]", value))
    raise _wrong(function, "stop", "string or list of strings", value)


def _messages(function: str, given: dict[str, Any]) -> tuple[Message, ...]:
    messages: list[Message] = []
    if system := _text(function, given, "system"):
        messages.append(Message(role="system", content=system))
    listed: object = given.get("messages") or []
    if not isinstance(listed, list):
        raise _wrong(function, "messages", "list of messages", listed)
    for index, item in enumerate(cast("list[Any]", listed), 1):
        messages.append(message_of(function, index, item))
    if prompt := _text(function, given, "prompt"):
        messages.append(Message(role="user", content=prompt))
    if not any(message.role != "system" for message in messages):
        raise BadArgument(
            f"'{function}' has nothing to ask: give a prompt, or messages = {{ {{role=, content=}} }}"
        )
    return tuple(messages)


def _listed(function: str, given: dict[str, Any], key: str) -> tuple[Any, ...]:
    value = given.get(key)
    if value is None or value == {}:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise _wrong(function, key, "list of paths", value)
    return tuple(cast("list[Any]", value))


def _tools(given: dict[str, Any]) -> tuple[ToolSpec, ...]:
    """Tools that are only described; those with a function never come here."""
    specs: list[ToolSpec] = []
    for tool in cast("list[Any]", given.get("tools") or []):
        name, parameters = tool.get("name"), tool.get("parameters")
        Schema(parameters, f"the schema of the tool '{name}'")
        specs.append(
            ToolSpec(name=name, description=str(tool.get("description") or ""), parameters=parameters)
        )
    return tuple(specs)
