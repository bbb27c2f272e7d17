"""YAML both ways: libyaml's events become values here, with the types of YAML 1.2's core schema.

PyYAML's own composer is not used: it calls itself for each level (a few kilobytes of ``- - - -`` end the process),
copies what ``<<`` merges as often as it is asked to, and takes a key that is there twice without a word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import yaml

from llmspell_kernel.bridges.arguments import lua_type
from llmspell_kernel.bridges.data_yaml_types import CORE, STANDARD, Place, at, check_tag, scalar
from llmspell_kernel.engine.values import BooleanKey
from llmspell_kernel.errors import BadArgument, WorldError

_MOST_VALUES = 2_000_000
"""Values that a text may come to once its aliases are written out: a few lines can stand for billions."""
_DEEPEST = 30
_TOO_DEEP = f"nested too deep (limit {_DEEPEST})"

_yaml: Any = yaml  # it has no types
_parser = getattr(_yaml, "CSafeLoader", _yaml.SafeLoader)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def parse(text: str, *, every: bool = False) -> Any:
    """Read one document, or a list of all; raises `WorldError` with line and column for what is no YAML."""
    try:
        documents = list(_Reader(text).documents(every))
    except yaml.YAMLError as error:
        raise _broken(error, text) from error
    return documents if every else documents[0] if documents else None


class _Known(msgspec.Struct, frozen=True):
    """A value that an alias may stand for: how many values it is written out, and how many levels."""

    value: Any
    size: int
    height: int


class _Reader:
    """Reads documents from their events; its depth in Python is bounded by `_DEEPEST`."""

    def __init__(self, text: str) -> None:
        self._events = iter(cast("Iterator[Any]", _yaml.parse(text, _parser)))
        self._anchors: dict[str, _Known | None] = {}
        """Of the document, by name; None while the value is still being read."""
        self._size = 0

    def documents(self, every: bool) -> Iterator[Any]:
        """Give each document's value; only one may be there unless `every`."""
        count = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                count += 1
                if count > 1 and not every:
                    raise at(
                        event.start_mark,
                        "not one YAML document but several",
                        "all = true reads them as a list",
                    )
                self._anchors = {}
                yield self._read(next(self._events), 1).value

    def _read(self, event: Any, depth: int) -> _Known:
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event, depth)
        self._count(1)
        if depth > _DEEPEST and not isinstance(event, yaml.ScalarEvent):
            raise at(event.start_mark, _TOO_DEEP)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            known = _Known(scalar(event), 1, 0)
        elif isinstance(event, yaml.SequenceStartEvent):
            known = self._list(event, depth)
        else:
            known = self._map(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = known
        return known

    def _aliased(self, event: Any, depth: int) -> _Known:
        if event.anchor not in self._anchors:
            raise at(event.start_mark, f"there is no anchor '&{event.anchor}' before this alias")
        known = self._anchors[event.anchor]
        if known is None:
            raise at(event.start_mark, f"the alias '*{event.anchor}' stands for what contains itself")
        if depth + known.height > _DEEPEST + 1:
            raise at(event.start_mark, _TOO_DEEP)
        self._count(known.size)
        return known

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > _MOST_VALUES:
            raise WorldError("the YAML's aliases stand for too much data", code="too_large")

    def _list(self, start: Any, depth: int) -> _Known:
        check_tag(start, "seq")
        before, height = self._size, 0
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            item = self._read(event, depth + 1)
            items.append(item.value)
            height = max(height, item.height)
        return _Known(items, self._size - before + 1, height + 1)

    def _map(self, start: Any, depth: int) -> _Known:
        check_tag(start, "map")
        before, height = self._size, 0
        table: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        lines: dict[Any, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key, line = self._key(event, depth), event.start_mark.line + 1
            if key in lines:
                raise at(event.start_mark, f"the key '{_shown(key)}' is there already, in line {lines[key]}")
            lines[key] = line
            following = next(self._events)
            item = self._read(following, depth + 1)
            if key is _MERGE:
                merged = _merged(item.value, following)
                height = max(height, item.height - (2 if isinstance(item.value, list) else 1))
            else:
                table[key] = item.value
                height = max(height, item.height)
        # what stands in the map itself goes before what is merged into it
        return _Known({**merged, **table} if merged else table, self._size - before + 1, height + 1)

    def _key(self, event: Any, depth: int) -> Any:
        if (
            isinstance(event, yaml.ScalarEvent)
            and event.value == "<<"
            and event.implicit[0]
            and not event.tag
        ):
            return _MERGE
        key = self._read(event, depth + 1).value
        if isinstance(key, bool):
            return BooleanKey(key)
        if key is None or isinstance(key, list | dict) or (isinstance(key, float) and math.isnan(key)):
            raise at(event.start_mark, "a key is a text, a number or a boolean")
        return key


class _Merge:
    """The key ``<<``."""

    def __repr__(self) -> str:
        return "<<"


_MERGE = _Merge()


def _merged(value: Any, event: Any) -> dict[Any, Any]:
    """What ``<<`` puts into a map: of several maps, the earlier one's value is taken."""
    sources = cast("list[Any]", value) if isinstance(value, list) else [value]
    table: dict[Any, Any] = {}
    for source in reversed(sources):
        if not isinstance(source, dict):
            raise at(event.start_mark, "'<<' takes a map, or a list of maps")
        table.update(cast("dict[Any, Any]", source))
    return table


def _broken(error: yaml.YAMLError, text: str) -> WorldError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    position = getattr(error, "position", None)
    if mark is None and isinstance(position, int):
        mark = Place(text.count("\n", 0, position), position - text.rfind("\n", 0, position) - 1)
    return at(mark, problem) if mark is not None else WorldError(f"not YAML: {problem}", code="bad_yaml")


# ── writing ──────────────────────────────────────────────────────────────────────────────────────


_OTHER_BREAKS = re.compile("[\x85\u2028\u2029]")


class _Writer(_yaml.SafeDumper):
    pass


def _text(dumper: Any, value: str) -> Any:
    # YAML 1.1 breaks lines at these too and 1.2 does not: escaped they mean the same to every reader
    style = '"' if _OTHER_BREAKS.search(value) else "|" if "\n" in value else None
    return dumper.represent_scalar(f"{STANDARD}str", value, style=style)


def _boolean(dumper: Any, value: BooleanKey) -> Any:
    return dumper.represent_bool(value.value)


_Writer.add_representer(str, _text)
_Writer.add_representer(BooleanKey, _boolean)
for _name, _kind in CORE.items():  # what our reader takes for a number has to be quoted too
    cast("Any", _Writer).add_implicit_resolver(STANDARD + _name, _kind.pattern, list(_kind.first))


def write(value: Any, *, flow: bool = False) -> str:
    """Return `value` as YAML; raises `BadArgument` for what it has no word for."""
    text = yaml.dump(
        _ordered(value, ""),
        Dumper=_Writer,
        allow_unicode=True,
        default_flow_style=flow,
        sort_keys=False,
        width=100,
    )
    return text.removesuffix("...\n")


def _ordered(value: Any, path: str) -> Any:
    """Return a copy with the keys of every map in order; raises `BadArgument` for what is no plain data."""
    if isinstance(value, list):
        return [_ordered(item, f"{path}[{n}]") for n, item in enumerate(cast("list[Any]", value), 1)]
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        return {key: _ordered(table[key], f"{path}.{_shown(key)}") for key in sorted(table, key=_rank)}
    if value is None or isinstance(value, str | bytes | bool | int | float):
        return value
    where = f"{path.removeprefix('.')}: " if path else ""
    raise BadArgument(
        f"bad argument #1 to 'data.to_yaml' ({where}a {lua_type(value)} cannot be written as YAML)"
    )


def _rank(key: Any) -> tuple[int, Any]:
    if isinstance(key, int | float):
        return 1, key
    return (2, key) if isinstance(key, str) else (0, repr(key))


def _shown(key: Any) -> str:
    return str(key.value).lower() if isinstance(key, BooleanKey) else str(key)[:60]
