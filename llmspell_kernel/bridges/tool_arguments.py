"""Arguments of built-in tools: a table by name, as models give them, or the one value, as a person writes it."""

from __future__ import annotations

from typing import Any

from llmspell_kernel.bridges.arguments import lua_type
from llmspell_kernel.errors import BadArgument


def text_argument(tool: str, arguments: dict[str, Any] | str, key: str) -> str:
    """The string under `key`, or the string that stands for the table.

    Raises:
        BadArgument: There is none.
    """
    value = arguments if isinstance(arguments, str) else arguments.get(key)
    if not isinstance(value, str):
        raise BadArgument(f"bad argument '{key}' to 'tools.{tool}' (string expected, got {lua_type(value)})")
    return value


def bytes_argument(tool: str, arguments: dict[str, Any], key: str) -> bytes:
    """The string under `key` as bytes."""
    value = arguments.get(key)
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise BadArgument(f"bad argument '{key}' to 'tools.{tool}' (string expected, got {lua_type(value)})")


def whole_argument(tool: str, arguments: dict[str, Any] | str, key: str, default: int) -> int:
    """The positive integer under `key`."""
    value: Any = default if isinstance(arguments, str) else arguments.get(key, default)
    value = default if value is None else value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadArgument(f"bad argument '{key}' to 'tools.{tool}' (positive integer expected)")
    return value
