"""YAML both ways: PyYAML's safe reader with the types of YAML 1.2's core schema."""

from __future__ import annotations

import re
from typing import Any, cast

import yaml

from llmspell_kernel.engine.values import BooleanKey
from llmspell_kernel.errors import BadArgument, WorldError

_MOST_NODES = 2_000_000
"""Values that a text may come to once its aliases are written out: a few lines can stand for billions."""
_DEEPEST = 30

_base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Reader(_base):
    """PyYAML follows YAML 1.1, to which ``no`` is false, ``1e3`` a word and ``12:30`` the number 750."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own name


_CORE = (
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("merge", "<<", "<"),
)


def _add_core_types(cls: Any) -> None:
    for tag, pattern, first in _CORE:
        characters = ["" if c == "\0" else c for c in first]
        cls.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})\\Z"), characters)


_add_core_types(_Reader)


def _integer(loader: Any, node: Any) -> int | float:
    text = str(loader.construct_scalar(node))
    if text.startswith("0o"):
        return int(text[2:], 8)
    number = int(text, 16) if text.startswith("0x") else int(text)
    return number if -(2**63) <= number < 2**63 else float(number)


_Reader.add_constructor("tag:yaml.org,2002:int", _integer)


def parse(text: str, *, every: bool = False) -> Any:
    """Read one document, or a list of all; raises `WorldError` with line and column for what is no YAML."""
    try:
        documents = list(yaml.load_all(text, _Reader))
    except yaml.YAMLError as error:
        raise _broken(error) from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise WorldError(f"not YAML: {error}", code="bad_yaml") from error
    if not every and len(documents) > 1:
        raise WorldError(
            "not one YAML document but several", code="bad_yaml", suggestion="all = true reads them as a list"
        )
    found = documents if every else documents[0] if documents else None
    if _size(found, {}, 1) > _MOST_NODES:
        raise WorldError("the YAML's aliases stand for too much data", code="too_large")
    return found


def _broken(error: yaml.YAMLError) -> WorldError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    if mark is None:
        return WorldError(f"not YAML: {problem}", code="bad_yaml")
    place = {"line": mark.line + 1, "column": mark.column + 1}
    return WorldError(
        f"not YAML: line {place['line']}, column {place['column']}: {problem}", code="bad_yaml", details=place
    )


def _size(value: Any, known: dict[int, int], depth: int) -> int:
    """Return how many values `value` is without sharing; raises `WorldError` for a cycle or a tower."""
    if not isinstance(value, list | dict | set | tuple):
        return 1
    if depth > _DEEPEST:
        raise WorldError("the YAML is nested too deep, or contains itself", code="bad_yaml")
    key = id(cast("object", value))
    if key not in known:
        items = list(
            cast("dict[Any, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
        )
        known[key] = 1 + sum(_size(item, known, depth + 1) for item in items)
    return known[key]


class _Writer(yaml.SafeDumper):
    pass


def _text(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


def _key(dumper: Any, value: BooleanKey) -> Any:
    return dumper.represent_bool(value.value)


_Writer.add_representer(str, _text)
_Writer.add_representer(BooleanKey, _key)
_add_core_types(_Writer)  # what our reader takes for a number has to be quoted too


def write(value: Any, *, flow: bool = False) -> str:
    """Return `value` as YAML; raises `BadArgument` for what it has no word for."""
    try:
        text = yaml.dump(
            _ordered(value),
            Dumper=_Writer,
            allow_unicode=True,
            default_flow_style=flow,
            sort_keys=False,
            width=100,
        )
    except yaml.YAMLError as error:
        raise BadArgument(
            "'data.to_yaml' cannot write this value: there is a function or object in it"
        ) from error
    return text.removesuffix("...\n")


def _ordered(value: Any) -> Any:
    """Return a copy with the keys of every map in order."""
    if isinstance(value, list):
        return [_ordered(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        return {key: _ordered(table[key]) for key in sorted(table, key=_rank)}
    return value


def _rank(key: Any) -> tuple[int, Any]:
    if isinstance(key, int | float):
        return 1, key
    return (2, key) if isinstance(key, str) else (0, repr(key))
