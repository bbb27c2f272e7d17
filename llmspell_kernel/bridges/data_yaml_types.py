"""The types of YAML 1.2's core schema: what a plain word stands for, and which tags are read."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

import msgspec

from llmspell_kernel.errors import WorldError

STANDARD = "tag:yaml.org,2002:"
"""What ``!!`` stands for."""


class Place(msgspec.Struct, frozen=True):
    """Where something stands in a text, counted from 0, as PyYAML's marks do."""

    line: int
    column: int


class CoreType(msgspec.Struct, frozen=True):
    """One type of the schema: how it is written, the characters it may begin with, what it becomes."""

    pattern: re.Pattern[str]
    first: tuple[str, ...]
    make: Callable[[str], Any]


def _integer(text: str) -> int | float:
    base = {"0o": 8, "0x": 16}.get(text[:2])
    if base is None and len(text) > 40:
        return float(text)
    number = int(text[2:], base) if base else int(text)
    if -(2**63) <= number < 2**63:
        return number
    try:
        return float(number)
    except OverflowError:
        return float("inf")


def _floating(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _null(_text: str) -> None:
    return None


def _boolean(text: str) -> bool:
    return text.lower() == "true"


_ROWS: tuple[tuple[str, str, tuple[str, ...], Callable[[str], Any]], ...] = (
    ("null", r"~|null|Null|NULL|", ("", *"~nN"), _null),
    ("bool", r"true|True|TRUE|false|False|FALSE", tuple("tTfF"), _boolean),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", tuple("-+0123456789"), _integer),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        tuple("-+.0123456789"),
        _floating,
    ),
)
CORE = {name: CoreType(re.compile(f"(?:{pattern})\\Z"), first, make) for name, pattern, first, make in _ROWS}
_BY_FIRST: dict[str, list[CoreType]] = {}
for _type in CORE.values():
    for _character in _type.first:
        _BY_FIRST.setdefault(_character, []).append(_type)


def scalar(event: Any) -> Any:
    """Return the value of a scalar event; raises `WorldError` for a tag that is not read or does not fit."""
    text = str(event.value)
    if event.tag and event.tag != "!":
        return _tagged(event, text)
    if not event.tag and event.implicit[0]:  # written without quotes
        for kind in _BY_FIRST.get(text[:1], ()):
            if kind.pattern.match(text):
                return kind.make(text)
    return text


def _tagged(event: Any, text: str) -> Any:
    name = _name(event)
    if name in {"str", "timestamp"}:
        return text
    if name == "binary":
        try:
            return base64.b64decode("".join(text.split()).encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError) as error:
            raise at(event.start_mark, "not base64, as the tag '!!binary' says") from error
    if name not in CORE:
        raise _unknown(event)
    if CORE[name].pattern.match(text):
        return CORE[name].make(text)
    raise at(event.start_mark, f"'{text[:40]}' is not what its tag '!!{name}' says")


def check_tag(event: Any, expected: str) -> None:
    """Raise `WorldError` if a list or map has another tag than its own."""
    if event.tag and event.tag != "!" and _name(event) != expected:
        raise _unknown(event)


def _name(event: Any) -> str:
    tag = str(event.tag)
    return tag.removeprefix(STANDARD) if tag.startswith(STANDARD) else ""


def _unknown(event: Any) -> WorldError:
    tag = str(event.tag)
    shown = f"!!{tag.removeprefix(STANDARD)}" if tag.startswith(STANDARD) else tag
    return at(event.start_mark, f"the tag '{shown[:60]}' is not read, only plain data is")


def at(mark: Place, problem: str, suggestion: str | None = None) -> WorldError:
    """Return the error that tells `problem` with its line and column."""
    place = {"line": mark.line + 1, "column": mark.column + 1}
    message = f"not YAML: line {place['line']}, column {place['column']}: {problem}"
    return WorldError(message, code="bad_yaml", details=place, suggestion=suggestion)
