"""Filters on metadata, as spells write them, turned into SQL whose values are all parameters.

``{author = "Ada"}`` is equal, ``{tag = {"a", "b"}}`` any of these, ``{year = {gte = 1990, lt = 2000}}`` compares,
``{tag = {exists = true}}`` asks whether it is there; all of them must hold. A list in the metadata passes if one of
its items does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from llmspell_kernel.errors import BadArgument

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMPARISONS = {"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_WORDS = (*_COMPARISONS, "contains", "in", "exists")
_MOST = 500


def compile_filter(given: Mapping[str, Any], column: str) -> tuple[str, list[Any]]:
    """Return a condition on a column of JSON objects, and its parameters.

    Raises:
        BadArgument: The filter is not well-formed.
    """
    conditions: list[str] = []
    parameters: list[Any] = []
    for name, wanted in given.items():
        path = "$." + json.dumps(str(name))
        for word, value in _tests(str(name), wanted):
            condition, values = _condition(str(name), word, value, column, path)
            conditions.append(condition)
            parameters += values
    return " AND ".join(conditions) or "1", parameters


def _tests(name: str, wanted: Any) -> list[tuple[str, Any]]:
    if isinstance(wanted, list):
        return [("in", cast("list[Any]", wanted))]
    if not isinstance(wanted, dict):
        return [("eq", wanted)]
    tests = cast("dict[Any, Any]", wanted)
    unknown = [str(word) for word in tests if word not in _WORDS]
    if unknown or not tests:
        what = f"'{unknown[0]}'" if unknown else "an empty table"
        raise BadArgument(f"bad filter for '{name}': {what} is none of {', '.join(_WORDS)}")
    return [(str(word), value) for word, value in tests.items()]


def _condition(name: str, word: str, value: Any, column: str, path: str) -> tuple[str, list[Any]]:
    if word == "exists":
        return f"(json_type({column}, ?) IS {'NOT ' if value else ''}NULL)", [path]
    if word == "ne":
        condition, values = _condition(name, "eq", value, column, path)
        return f"NOT ifnull({condition}, 0)", values
    if word == "in":
        listed = cast("list[Any]", value) if isinstance(value, list) else [value]
        if len(listed) > _MOST:
            raise BadArgument(f"bad filter for '{name}': more than {_MOST} values")
        test, values = f"IN ({', '.join('?' for _ in listed)})", [_plain(name, one) for one in listed]
    elif word == "contains":
        text = str(_plain(name, value)).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        test, values = "LIKE ? ESCAPE '\\'", [f"%{text}%"]
    else:
        test, values = f"{_COMPARISONS[word]} ?", [_plain(name, value)]
    # SQLite keeps the object that it has just read, so only lists cost more than one reading.
    one = f"json_extract({column}, ?) {test}"
    some = f"EXISTS (SELECT 1 FROM json_each({column}, ?) WHERE value {test})"
    condition = f"CASE json_type({column}, ?) WHEN 'array' THEN {some} ELSE {one} END"
    return condition, [path, path, *values, path, *values]


def _plain(name: str, value: Any) -> str | int | float:
    if isinstance(value, bool):
        return int(value)  # as SQLite gives it
    if isinstance(value, str | int | float):
        return value
    raise BadArgument(f"bad filter for '{name}': compare with a string, a number or a boolean")
