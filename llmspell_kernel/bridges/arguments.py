"""Checking what Lua passed against a method's annotations, in the words that Lua itself uses."""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Any

from llmspell_kernel.engine.values import CallbackRef, HandleRef
from llmspell_kernel.errors import BadArgument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmspell_kernel.bridges.declaration import Parameter

_LUA_NAMES: dict[Any, str] = {
    str: "string",
    bytes: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "table",
    dict: "table",
    CallbackRef: "function",
    HandleRef: "object",
    type(None): "nil",
    Any: "any",
    object: "any",
}


def _name_of(base: Any) -> str:
    return _LUA_NAMES.get(base) or getattr(base, "type_name", "table")


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return tuple(base for arm in typing.get_args(annotation) for base in _alternatives(arm))
    origin = typing.get_origin(annotation)
    return (origin if origin is not None else annotation,)


def describe(annotation: Any) -> str:
    """Return the Lua types that `annotation` takes, such as ``string or table``."""
    names = dict.fromkeys(_name_of(base) for base in _alternatives(annotation) if base is not type(None))
    return " or ".join(names)


def lua_type(value: Any) -> str:
    """Return the name of the Lua type that `value` came from."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return _name_of(type(value))


def _fits(value: Any, base: Any) -> bool:
    if base in (Any, object):
        return True
    if base is bool or isinstance(value, bool):
        return base is bool and isinstance(value, bool)
    if base is float:
        return isinstance(value, int | float)
    if base is int:
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if base is str:
        return isinstance(value, (str, int | float))
    if base is bytes:
        return isinstance(value, bytes | str)
    if base is list:
        return isinstance(value, list) or value == {}
    if base is dict:
        return isinstance(value, dict) or value == []
    return isinstance(value, base)


def _convert(value: Any, base: Any) -> Any:
    if base is int and isinstance(value, float):
        return int(value)
    if base is float and not isinstance(value, bool):
        return float(value)
    if base is str and isinstance(value, int | float):
        return format_number(value)
    if base is bytes and isinstance(value, str):
        return value.encode()
    if base is list and value == {}:
        return []
    if base is dict and value == []:
        return {}
    return value


def format_number(value: float) -> str:
    """Return `value` as Lua's ``tostring`` shows it."""
    if isinstance(value, int):
        return str(value)
    shown = f"{value:.14g}"
    return shown if any(mark in shown for mark in ".eni") else shown + ".0"


def check(value: Any, annotation: Any) -> tuple[bool, Any]:
    """Return whether `value` fits `annotation`, and the value converted to the arm that takes it."""
    bases = _alternatives(annotation)
    for base in bases:
        if _exact(value, base):
            return True, _convert(value, base)
    for base in bases:
        if _fits(value, base):
            return True, _convert(value, base)
    return False, value


def _exact(value: Any, base: Any) -> bool:
    return base not in (Any, object) and type(value) is base


def bind(function: str, parameters: Iterable[Parameter], given: list[Any]) -> list[Any]:
    """Return `given` checked and converted for `parameters`.

    Raises:
        BadArgument: ``bad argument #1 to 'llm.chat' (string or table expected, got nil)``.
    """
    bound: list[Any] = []
    for index, parameter in enumerate(parameters):
        if parameter.variadic:
            bound.extend(given[index:])
            break
        missing = index >= len(given)
        value = None if missing else given[index]
        if value is None and parameter.optional:
            bound.append(parameter.default)
            continue
        fits, converted = check(value, parameter.annotation)
        if not fits:
            got = "no value" if missing else lua_type(value)
            if isinstance(value, bytes):
                got = "a string that is not UTF-8"
            raise BadArgument(
                f"bad argument #{index + 1} to '{function}' ({parameter.lua_type} expected, got {got})"
            )
        bound.append(converted)
    return bound
