"""Filters on metadata, as spells write them, turned into SQL whose values are all parameters.

``{author = "Ada"}`` is equal, ``{tag = {"a", "b"}}`` any of these, ``{year = {gte = 1990, lt = 2000}}`` compares,
``{tag = {exists = true}}`` asks whether it is there; all of them must hold. A list in the metadata passes if one of
its items does, ``author.name`` is a field of a table in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from llmspell_kernel.errors import BadArgument

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_COMPARISONS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_WORDS = (*_COMPARISONS, "ne", "contains", "in", "exists")
_MOST_VALUES = 500
_MOST_CHARACTERS = 500
_MOST_DEPTH = 8

ONE_BY_ONE = "EXISTS (SELECT 1 FROM field WHERE owner = chunk.id AND {})"
"""The form for chunks that are at hand: each is looked up."""
ALL_AT_ONCE = "chunk.id IN (SELECT owner FROM field WHERE {})"
"""The form for finding all that pass: what a field holds is looked up."""


def fields_of(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str | int | float]]:
    """What can be filtered by: names and plain values, several of a name where there is a list."""
    waiting: list[tuple[str, Any, int]] = [(str(name), value, 0) for name, value in metadata.items()]
    for name, value, depth in waiting:
        if isinstance(value, str):
            yield name, value[:_MOST_CHARACTERS]
        elif isinstance(value, int | float):
            yield name, int(value) if isinstance(value, bool) else value
        elif isinstance(value, dict) and depth < _MOST_DEPTH:
            inner = cast("dict[Any, Any]", value)
            waiting += [(f"{name}.{key}", one, depth + 1) for key, one in inner.items()]
        elif isinstance(value, list) and depth < _MOST_DEPTH:
            waiting += [(name, one, depth + 1) for one in cast("list[Any]", value)]


def compile_filter(given: Mapping[str, Any], form: str) -> tuple[str, list[Any]]:
    """Return a condition on ``chunk.id``, and its parameters.

    Args:
        given: The filter.
        form: `ONE_BY_ONE` or `ALL_AT_ONCE`.

    Raises:
        BadArgument: The filter is not well-formed.
    """
    conditions: list[str] = []
    parameters: list[Any] = []
    for name, wanted in given.items():
        for word, value in _tests(str(name), wanted):
            test, values = _test(str(name), word, value)
            positive = word != "ne" and not (word == "exists" and not value)
            conditions.append(("" if positive else "NOT ") + form.format(f"name = ?{test}"))
            parameters += [str(name), *values]
    return " AND ".join(conditions) or "1", parameters


def positive_tests(given: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """The tests that ask for something to be there, each as a condition on ``field`` and its parameters.

    Raises:
        BadArgument: The filter is not well-formed.
    """
    for name, wanted in given.items():
        for word, value in _tests(str(name), wanted):
            if word != "ne" and not (word == "exists" and not value):
                test, values = _test(str(name), word, value)
                yield f"name = ?{test}", [str(name), *values]


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


def _test(name: str, word: str, value: Any) -> tuple[str, list[Any]]:
    if word == "exists":
        return "", []
    if word == "in":
        listed = cast("list[Any]", value) if isinstance(value, list) else [value]
        if len(listed) > _MOST_VALUES:
            raise BadArgument(f"bad filter for '{name}': more than {_MOST_VALUES} values")
        return f" AND value IN ({', '.join('?' for _ in listed)})", [_plain(name, one) for one in listed]
    if word == "contains":
        text = str(_plain(name, value)).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return " AND value LIKE ? ESCAPE '\\'", [f"%{text}%"]
    return f" AND value {_COMPARISONS.get(word, '=')} ?", [_plain(name, value)]


def _plain(name: str, value: Any) -> str | int | float:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return value[:_MOST_CHARACTERS]
    if isinstance(value, int | float):
        return value
    raise BadArgument(f"bad filter for '{name}': compare with a string, a number or a boolean")
