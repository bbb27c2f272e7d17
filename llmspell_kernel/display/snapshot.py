"""Typed nodes of the bounded pictures of Lua values that ``engine/lua/snapshot.lua`` takes.

Booleans, numbers and short UTF-8 strings stand for themselves; everything else is one of the structs
below. ``None`` stands for nil only in data made by `from_plain`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

import msgspec


class _Tagged(msgspec.Struct, tag_field="kind", frozen=True, omit_defaults=True):
    """A node with its kind written beside its fields."""


class Nil(_Tagged, tag="nil", frozen=True):
    """No value; `null` if it is the null of JSON, which is a value in Lua."""

    null: bool = False


class String(_Tagged, tag="string", frozen=True):
    """A string that is cut, or that is not UTF-8: the first bytes and the whole length in bytes."""

    length: int
    text: str = ""
    data: bytes = b""


class Function(_Tagged, tag="function", frozen=True):
    """A function; `source` is the chunk it is defined in (``cell 3``), with the line."""

    builtin: bool = False
    parameters: str = ""
    source: str = ""
    line: int = 0


class Thread(_Tagged, tag="thread", frozen=True):
    """A coroutine."""

    status: str = ""


class Userdata(_Tagged, tag="userdata", frozen=True):
    """A userdata value: never a cell's own."""

    name: str | None = None
    text: Node = None
    problems: list[str] = []


class Handle(_Tagged, tag="handle", frozen=True):
    """An object that lives in the kernel process: an agent, a session, a widget."""

    type: str
    id: int = 0
    text: str | None = None


class Reference(_Tagged, tag="reference", frozen=True):
    """A table that is shown elsewhere in the same snapshot: shared, or a cycle."""

    id: int


class Grid(msgspec.Struct, frozen=True, omit_defaults=True):
    """Records (with `columns`) or a matrix (without), as rows of cells; with `labels` the rows of a map.

    The first `head` rows are the table's first, the others its last. `width` counts all columns. The rows
    are tables with ids of their own, from `first_id` on.
    """

    width: int
    head: int
    rows: list[list[Node]]
    first_id: int = 0
    columns: list[Node] = []
    labels: list[Node] = []


class Statistics(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an array of finite numbers amounts to; `trace` is its course in at most 60 means."""

    least: int | float
    greatest: int | float
    mean: float
    norm: float
    integers: bool
    trace: list[float]


class Table(_Tagged, tag="table", frozen=True):
    """A table: items 1 to `length`, of which the first and the last `tail` are here, and other fields.

    `fields` holds keys and values in turn, sorted; `count` says how many there are in all, at least that many
    if `inexact`. `sequence` means that it was marked as a list, which matters while it is empty. `cut` means
    that the table is not empty but nothing of it is here. `problems` are metamethods that failed.
    """

    id: int = 0
    name: str | None = None
    sequence: bool = False
    length: int = 0
    items: list[Node] = []
    tail: int = 0
    tail_start: int = 0
    count: int = 0
    fields: list[Node] = []
    inexact: bool = False
    cut: bool = False
    grid: Grid | None = None
    statistics: Statistics | None = None
    text: Node = None
    html: str | None = None
    markdown: str | None = None
    mime: Node = None
    problems: list[str] = []

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """Keys and values of the fields that are here."""
        return zip(self.fields[::2], self.fields[1::2], strict=True)

    @property
    def head_items(self) -> list[Node]:
        """The first items."""
        return self.items[: len(self.items) - self.tail]

    @property
    def tail_items(self) -> list[Node]:
        """The last items, if some before them are left out."""
        return self.items[len(self.items) - self.tail :]

    @property
    def items_left_out(self) -> int:
        """How many items are between the first and the last ones shown."""
        if self.grid:
            return 0 if self.grid.labels else self.length - len(self.grid.rows)
        return self.length - len(self.items)

    @property
    def fields_left_out(self) -> int:
        """How many fields are not here (at least that many if `inexact`)."""
        shown = len(self.grid.labels) if self.grid else len(self.fields) // 2
        return self.count - shown

    @property
    def is_empty(self) -> bool:
        """Whether the table has no entry at all."""
        return not (self.length or self.count or self.cut or self.inexact)


Node: TypeAlias = (
    bool | int | float | str | Nil | String | Function | Thread | Userdata | Handle | Reference | Table | None
)

_decoder = msgspec.msgpack.Decoder(list[Node])
_EMPTY = (b"\x80", b"\x90")


def snapshots_of(data: bytes) -> list[Node]:
    """Decode the encoded result of ``snapshot.take_all``.

    Raises:
        msgspec.ValidationError: `data` is not a list of nodes.
    """
    return [] if data in _EMPTY else _decoder.decode(data)


def snapshot_of(value: object) -> Node:
    """Type a snapshot that was decoded as plain data, such as one among the arguments of a bridge call."""
    return msgspec.convert(value, cast("type[Node]", Node))


class Incomplete(ValueError):
    """The snapshot does not hold the whole value, or the value is not plain data."""


def to_plain(node: Node, *, whole: bool = True) -> Any:
    """Give the plain Python data that `node` pictures: lists, dicts, strings, bytes, numbers.

    Raises:
        Incomplete: part of the value is left out, or it is no data (functions, cycles); never if not `whole`,
            when what is missing is left out of the data too and strings end in ``…`` where they are cut.
    """
    match node:
        case None | Nil():
            return None
        case bool() | int() | float() | str():
            return node
        case String():
            if node.length == len(node.data):
                return node.data
            return _missing("a string was cut", (node.text or repr(node.data)) + "…", whole)
        case Table():
            return _table_to_plain(node, whole)
        case _:
            return _missing(f"a {kind_of(node)} is not plain data", None, whole)


def _missing(problem: str, instead: Any, whole: bool) -> Any:
    if whole:
        raise Incomplete(problem)
    return instead


def _table_to_plain(table: Table, whole: bool) -> Any:
    if whole and (table.cut or table.items_left_out or table.fields_left_out or table.inexact):
        raise Incomplete("part of a table was left out")
    if table.grid:
        return _grid_to_plain(table.grid, whole)
    items = [to_plain(item, whole=whole) for item in table.items]
    fields = _fields_to_plain(table.pairs(), whole)
    if not fields:
        return items if items or table.sequence else {}
    return dict(enumerate(items, start=1)) | fields


def _grid_to_plain(grid: Grid, whole: bool) -> Any:
    if whole and grid.width > len(grid.rows[0]):
        raise Incomplete("columns were left out")
    rows = [_row_to_plain(grid, row, whole) for row in grid.rows]
    return (
        {_plain_key(label): row for label, row in zip(grid.labels, rows, strict=True)}
        if grid.labels
        else rows
    )


def _row_to_plain(grid: Grid, row: list[Node], whole: bool) -> Any:
    if not grid.columns:
        return [to_plain(cell, whole=whole) for cell in row]
    cells = zip(grid.columns, row, strict=True)
    return _fields_to_plain(((name, cell) for name, cell in cells if not isinstance(cell, Nil)), whole)


def _fields_to_plain(fields: Iterable[tuple[Node, Node]], whole: bool) -> dict[Any, Any]:
    return {
        _plain_key(key): to_plain(value, whole=whole) for key, value in fields if whole or _is_plain_key(key)
    }


def _is_plain_key(key: Node) -> bool:
    return isinstance(key, bool | int | float | str)


def _plain_key(key: Node) -> Any:
    if _is_plain_key(key):
        return key
    raise Incomplete(f"a key is a {kind_of(key)}")


def kind_of(node: Node) -> str:
    """Name the Lua type that `node` pictures (``integer`` and ``float`` are told apart)."""
    match node:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "float"
        case str() | String():
            return "string"
        case None | Nil():
            return "nil"
        case Reference():
            return "table"
        case _:
            return type(node).__name__.lower()


def from_plain(value: object, *, keep_order: bool = False) -> Node:
    """Picture plain Python data whole, for the renderers that take nodes.

    Keys are sorted as Lua's are, unless `keep_order`.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return String(length=len(value), data=value)
        case Mapping():
            return _mapping(cast("Mapping[object, object]", value), keep_order)
        case Sequence():
            return _sequence(cast("Sequence[object]", value), keep_order)
        case _:
            return str(value)


def _mapping(value: Mapping[object, object], keep_order: bool) -> Table:
    entries = list(value.items())
    if not keep_order:
        entries.sort(key=lambda entry: (isinstance(entry[0], str), str(entry[0])))
    fields = [from_plain(part, keep_order=keep_order) for entry in entries for part in entry]
    return Table(count=len(value), fields=fields)


def _sequence(value: Sequence[object], keep_order: bool) -> Table:
    rows = [cast("Mapping[object, object]", row) for row in value if isinstance(row, Mapping) and row]
    if not rows or len(rows) < len(value):
        return Table(length=len(value), items=[from_plain(item, keep_order=keep_order) for item in value])
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    if not keep_order:
        names.sort()
    cells = [
        [from_plain(row[name], keep_order=keep_order) if name in row else Nil() for name in names]
        for row in rows
    ]
    return Table(length=len(value), grid=Grid(width=len(names), head=len(rows), rows=cells, columns=[*names]))
