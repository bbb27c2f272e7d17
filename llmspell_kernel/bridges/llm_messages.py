"""Reading the messages of a conversation as spells write them, and telling them to Lua again."""

from __future__ import annotations

import json
from typing import Any, cast

from llmspell_kernel.bridges.arguments import lua_type
from llmspell_kernel.errors import BadArgument
from llmspell_kernel.llm.protocol import ImagePart, Message, Part, Role, TextPart, ToolCall, Usage

_ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")


def message_of(function: str, index: int, item: Any) -> Message:
    """Read one message: a string, or a table with ``role`` and ``content``.

    An assistant's may have ``tool_calls``, a tool's has the ``tool_call_id`` that it answers.

    Raises:
        BadArgument: It is neither.
    """
    if isinstance(item, str):
        return Message(role="user", content=item)
    where = f"bad message #{index} to '{function}'"
    fields = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
    role = fields.get("role", "user" if fields else None)
    if role not in _ROLES:
        raise BadArgument(f"{where} (role must be one of {', '.join(_ROLES)}, got {role!r})")
    calls = tool_calls_of(where, fields.get("tool_calls"))
    content = fields.get("content")
    if content is None and calls:
        content = ""
    if isinstance(content, list):
        content = tuple(_part(where, part) for part in cast("list[Any]", content))
    elif isinstance(content, bytes):
        raise BadArgument(f"{where} (content: text in UTF-8 expected, got other bytes)")
    elif not isinstance(content, str):
        raise BadArgument(f"{where} (content: string expected, got {lua_type(content)})")
    return Message(
        role=role,
        content=content,
        tool_calls=calls,
        tool_call_id=str(fields.get("tool_call_id") or ""),
        name=str(fields.get("name") or ""),
    )


def plain_message(message: Message) -> dict[str, Any]:
    """A message as Lua gets it; `message_of` reads it again. Images and files are told by their kind."""
    plain: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        plain["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls
        ]
    if message.tool_call_id:
        plain |= {"tool_call_id": message.tool_call_id, "name": message.name}
    return plain


def plain_usage(usage: Usage) -> dict[str, Any]:
    """Usage as Lua gets it: tokens, and the cost where it is known."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        **({} if usage.cost is None else {"cost": usage.cost}),
    }


def tool_calls_of(where: str, value: Any) -> tuple[ToolCall, ...]:
    """Read a list of tool calls, in our shape or in OpenAI's; anything but a list holds none.

    Raises:
        BadArgument: An entry is no tool call; `where` begins the message.
    """
    listed = cast("list[Any]", value) if isinstance(value, list) else []
    return tuple(_tool_call(where, call) for call in listed)


def _tool_call(where: str, call: Any) -> ToolCall:
    """A tool call in our shape, or in OpenAI's with its ``function``."""
    fields = cast("dict[str, Any]", call) if isinstance(call, dict) else {}
    inner = cast("dict[str, Any]", fields.get("function") or fields)
    arguments: Any = inner.get("arguments") or {}
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            arguments = None
    if not isinstance(inner.get("name"), str) or not isinstance(arguments, dict):
        raise BadArgument(f"{where} (tool_calls: a name and a table of arguments expected)")
    return ToolCall(
        id=str(fields.get("id") or ""), name=inner["name"], arguments=cast("dict[str, Any]", arguments)
    )


def _part(where: str, part: Any) -> Part:
    """A piece of a message: ``{type = "text", text =}`` or ``{type = "image_url", image_url = {url =}}``."""
    if isinstance(part, str):
        return TextPart(text=part)
    fields = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
    if isinstance(fields.get("text"), str):
        return TextPart(text=fields["text"])
    url = fields.get("image_url") or fields.get("url")
    if isinstance(url, dict):
        url = cast("dict[str, Any]", url).get("url")
    if isinstance(url, str):
        return ImagePart(url=url)
    raise BadArgument(f"{where} (content: a text, or pieces with a text or an image_url, expected)")
