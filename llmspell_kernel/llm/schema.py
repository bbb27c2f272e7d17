"""JSON Schema, checked without trusting the schema: no reference leaves it, no pattern can run for ever."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from llmspell_kernel.errors import BadArgument

MOST_DEPTH = 200
"""Deeper values are refused unread: the validator recurses on the machine's stack."""
_MOST_PROBLEMS = 10
_FENCED = re.compile(r"```(?:json)?\s*\n?(.*?)```", re.DOTALL)


class Schema:
    """A JSON Schema that is ready to check values.

    Args:
        schema: The schema, as plain values.
        what: What it describes, for messages: ``the schema of the tool 'weather'``.

    Raises:
        BadArgument: It is not a JSON Schema.
    """

    def __init__(self, schema: dict[str, Any], what: str = "the schema") -> None:
        # Late: the engine's own checks need no JSON Schema.
        import jsonschema_rs

        if _depth(schema) > MOST_DEPTH:
            raise BadArgument(f"{what} is nested too deeply")
        try:
            self._validator = jsonschema_rs.validator_for(
                schema,
                validate_formats=True,
                offline=True,
                # An engine that cannot backtrack, so that no pattern is slow.
                pattern_options=jsonschema_rs.RegexOptions(),
            )
        except jsonschema_rs.ValidationError as error:
            where = _path(error.instance_path)
            at = f" at {where}" if where else ""
            raise BadArgument(f"{what} is not a JSON Schema{at}: {error.message.splitlines()[0]}") from error
        except (ValueError, TypeError) as error:
            raise BadArgument(f"{what} is not a JSON Schema: {error}") from error

    def problems(self, value: Any, first: int = 0) -> list[str]:
        """What is wrong with a value, each with its place: ``items[3].price: -1 is less than …``.

        Args:
            value: Plain values.
            first: The number that places call the first item of a list: models count from 0, Lua from 1.
        """
        if _depth(value) > MOST_DEPTH:
            return ["the value is nested too deeply"]
        try:
            errors = list(self._validator.iter_errors(value))
        except (ValueError, TypeError) as error:
            return [_no_json(value, first) or f"not a JSON value: {error}"]
        problems = [
            _problem(_path(error.instance_path, first), error.message) for error in errors[:_MOST_PROBLEMS]
        ]
        if len(errors) > _MOST_PROBLEMS:
            problems.append(f"and {len(errors) - _MOST_PROBLEMS} more")
        return problems


def read_json(text: str) -> Any:
    """The JSON value in a model's answer, which may stand in a fence or between sentences.

    Raises:
        ValueError: There is none.
    """
    failure: Exception | None = None
    for candidate in (text, *_FENCED.findall(text)):
        try:
            return _DECODER.decode(candidate.strip())
        except (ValueError, RecursionError) as error:
            failure = failure or error
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    if starts:
        try:
            return _DECODER.raw_decode(text[min(starts) :])[0]
        except (ValueError, RecursionError) as error:
            failure = error
    raise ValueError(f"not JSON: {failure}" if text.strip() else "the answer is empty") from failure


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _problem(path: str, message: str) -> str:
    line = message.splitlines()[0]
    return f"{path}: {line}" if path else line


def _path(path: list[str | int], first: int = 0) -> str:
    """A place in a value, as Lua and JavaScript write it."""
    text = ""
    for step in path:
        text += f"[{step + first}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _no_json(value: Any, first: int, path: tuple[str | int, ...] = ()) -> str | None:
    """What in a value, which is not nested too deeply, JSON has no word for, with its place."""
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        if not all(isinstance(key, str) for key in table):
            return _problem(_path([*path], first), "in JSON the keys of an object are strings")
        inner = iter(table.items())
    elif isinstance(value, list):
        inner = enumerate(cast("list[Any]", value))
    elif value is None or isinstance(value, str | int | float):
        return None
    else:
        return _problem(_path([*path], first), "a function or an object is no JSON value")
    return next((found for key, item in inner if (found := _no_json(item, first, (*path, key)))), None)


def _depth(value: Any) -> int:
    """How deep a value is nested, without recursion; anything over the limit counts as just over it."""
    level = [value]
    for depth in range(MOST_DEPTH + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list | tuple)
            for inner in (
                cast("dict[str, Any]", outer).values()
                if isinstance(outer, dict)
                else cast("list[Any]", outer)
            )
        ]
        if not level:
            return depth
    return MOST_DEPTH + 1
