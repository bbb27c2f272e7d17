"""Lua-like plain text for snapshots: what a Lua REPL with good manners would print.

A string that is the result itself is quoted on one line (``"hello"``), or stands in long brackets when it
has several lines, so that a model's answer can be read. Short tables take one line, longer ones are indented;
arrays of scalars fill their lines. A table that appears more than once is labelled ``<1>`` where it is
written out and ``<table 1>`` elsewhere, cycles included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.display import literal
from llmspell_kernel.display.snapshot import (
    Function,
    Grid,
    Handle,
    Nil,
    Node,
    Reference,
    Statistics,
    String,
    Table,
    Thread,
    Userdata,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 80
_INNER_STRING = 500
_INNER_TEXT = 200
_INDENT = "  "


def render_text(node: Node, width: int = WIDTH) -> str:
    """Write `node` as text, in lines of about `width` characters."""
    match node:
        case str() if literal.is_readable_block(node):
            return literal.long_bracket(node)
        case String(text=text) if literal.is_readable_block(text):
            return f"{literal.long_bracket(text + '…')} ({literal.count(node.length, 'byte')})"
        case Table() | Userdata():
            body = own_text(node) or TableWriter(node, width).write()
            notes = [*node.problems]
            if isinstance(node, Table) and node.statistics and node.items_left_out:
                notes.append(statistics_text(node.statistics))
            return "\n".join([body, *(f"-- {note}" for note in notes)])
        case _:
            return scalar_text(node)


def own_text(node: Table | Userdata) -> str | None:
    """Give the text of the value's own ``__tostring``, if it has one."""
    match node.text:
        case str() as text:
            return text or None
        case String(text=text, data=data):
            return f"{text or literal.quoted_bytes(data)}… ({literal.count(node.text.length, 'byte')})"
        case _:
            return None


def scalar_text(node: Node, most: int | None = None) -> str:
    """Write a node that is no table, on one line; strings after `most` characters are cut."""
    match node:
        case None | Nil():
            return "null" if node and node.null else "nil"
        case bool():
            return "true" if node else "false"
        case int() | float():
            return literal.number(node)
        case str():
            return _string(node, most)
        case String():
            return _cut_string(node, most)
        case Function():
            return function_text(node)
        case Thread():
            return f"<coroutine, {node.status}>"
        case Userdata():
            return own_text(node) or f"<{node.name or 'userdata'}>"
        case Handle():
            return node.text or f"<{node.type}>"
        case Reference() | Table():
            return "{…}"


def function_text(node: Function) -> str:
    """Write a function's signature and where it is defined."""
    if node.builtin:
        return "<builtin function>"
    return f"<function({node.parameters}) {node.source}:{node.line}>"


def _string(text: str, most: int | None) -> str:
    if most is None or len(text) <= most:
        return literal.quoted(text)
    return f"{literal.quoted(text[:most], '…')} ({literal.count(len(text.encode()), 'byte')})"


def _cut_string(node: String, most: int | None) -> str:
    text, data = node.text[:most], node.data[:most]
    ending = "…" if node.length > len(data) else ""
    body = literal.quoted_bytes(data, ending) if data else literal.quoted(text, ending)
    return f"{body} ({literal.count(node.length, 'byte')})" if ending else body


def table_size(table: Table) -> str:
    """Say how much a table holds: ``3 items, 2 fields``."""
    parts: list[str] = []
    if table.length:
        parts.append(literal.count(table.length, "item"))
    if table.count:
        parts.append(f"{'over ' if table.inexact else ''}{literal.count(table.count, 'field')}")
    return ", ".join(parts) or ("empty" if table.is_empty else "not shown")


def statistics_text(statistics: Statistics) -> str:
    """Sum up an array of numbers in a line."""
    least, greatest = (rounded(each) for each in (statistics.least, statistics.greatest))
    return f"from {least} to {greatest}, mean {rounded(statistics.mean)}, norm {rounded(statistics.norm)}"


def rounded(value: float) -> str:
    """Write a number with six digits at most."""
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def references_in(node: Node) -> dict[int, int]:
    """Number the tables that `node` refers to again: snapshot id to 1, 2, …, in order of appearance."""
    used: list[int] = []
    order: list[int] = []
    stack: list[Node] = [node]
    while stack:
        match stack.pop():
            case Reference() as reference:
                used.append(reference.id)
            case Table() as table:
                order.append(table.id)
                rows = list(grid_rows(table.grid)) if table.grid else []
                stack.extend(reversed([*table.items, *rows, *table.fields]))
            case _:
                pass
    wanted = set(used)
    return {shown: number for number, shown in enumerate((each for each in order if each in wanted), start=1)}


class TableWriter:
    """Writes one snapshot of a table; knows which tables have to be labelled."""

    def __init__(self, root: Node, width: int = WIDTH) -> None:
        """Prepare to write `root` in lines of about `width` characters."""
        self._root = root
        self._width = width
        self.labels = references_in(root)

    def write(self) -> str:
        """Write the whole value."""
        return self._block(self._root, "", 0)

    def flat(self, node: Node, room: int) -> str | None:
        """Write `node` on one line of at most `room` characters, or give None."""
        if not isinstance(node, Table):
            text = self._leaf(node)
            return text if len(text) <= room else None
        own = own_text(node)
        if own is not None and node is not self._root:
            line = _one_line(own)
            return line if len(line) <= room else None
        opening = self._opening(node)
        parts: list[str] = []
        room -= len(opening) + 1
        for prefix, value in _entries(node):
            part = None if room < 0 else self._flat_entry(prefix, value, room)
            if part is None:
                return None
            parts.append(part)
            room -= len(part) + 2
        return f"{opening}{', '.join(parts)}}}" if room >= -2 else None

    def brief(self, node: Table, room: int) -> str:
        """Write the beginning of a table on one line of about `room` characters; ``…`` where it is cut."""
        parts: list[str] = []
        left = room - 2
        for prefix, value in _entries(node):
            if isinstance(value, _LeftOut):
                parts.append("…")
                break
            key = "" if isinstance(prefix, _NoKey) else f"{self.key(prefix)} = "
            text = self.flat(value, left - len(key))
            if text is None:
                if not parts and isinstance(value, Table) and left > 20:
                    parts.append(key + self.brief(value, left - len(key) - 3))
                parts.append("…")
                break
            parts.append(key + text)
            left -= len(key) + len(text) + 2
        return f"{{{', '.join(parts)}}}"

    def _flat_entry(self, prefix: Node | _NoKey, value: Node | _LeftOut, room: int) -> str | None:
        if isinstance(value, _LeftOut):
            return f"… {value.text}" if value.text else "…"
        key = "" if isinstance(prefix, _NoKey) else f"{self.key(prefix)} = "
        text = self.flat(value, room - len(key))
        return None if text is None else key + text

    def key(self, node: Node) -> str:
        """Write a key: bare if it is a name, else in brackets."""
        if isinstance(node, str) and literal.is_name(node):
            return node
        return f"[{self.flat(node, 60) or '{…}'}]"

    def mark(self, table_id: int) -> str:
        """Write ``<1>`` before a table that others refer to, else nothing."""
        label = self.labels.get(table_id)
        return "" if label is None else f"<{label}>"

    def _leaf(self, node: Node) -> str:
        if isinstance(node, Reference):
            return f"<table {self.labels.get(node.id, node.id)}>"
        return _one_line(scalar_text(node, _INNER_STRING))

    def _opening(self, table: Table) -> str:
        name = f"{table.name} " if table.name else ""
        return f"{name}{self.mark(table.id)}{{"

    def _block(self, node: Node, indent: str, used: int) -> str:
        """Write `node` after `used` characters of its first line; further lines start with `indent`."""
        flat = self.flat(node, self._width - len(indent) - used)
        if flat is not None:
            return flat
        if not isinstance(node, Table):
            return self._leaf(node)
        own = own_text(node)
        if own is not None and node is not self._root:
            return _one_line(own)
        return "\n".join([self._opening(node), *self._lines(node, indent + _INDENT), f"{indent}}}"])

    def _lines(self, table: Table, indent: str) -> Iterator[str]:
        filled = ""
        for prefix, value in _entries(table):
            if isinstance(prefix, _NoKey) and not isinstance(value, Table | _LeftOut):
                item = self._leaf(value) + ","
                if filled and len(indent) + len(filled) + 1 + len(item) > self._width:
                    yield indent + filled
                    filled = ""
                filled = f"{filled} {item}" if filled else item
                continue
            if filled:
                yield indent + filled
                filled = ""
            if isinstance(value, _LeftOut):
                yield f"{indent}-- {value.text or '…'}"
            else:
                key = "" if isinstance(prefix, _NoKey) else f"{self.key(prefix)} = "
                yield f"{indent}{key}{self._block(value, indent, len(key) + 1)},"
        if filled:
            yield indent + filled


class _NoKey:
    """In the place of a key: an array item."""


class _LeftOut:
    """In the place of a value: entries that the snapshot does not hold."""

    def __init__(self, text: str = "") -> None:
        self.text = text


_NO_KEY = _NoKey()


def _entries(table: Table) -> Iterator[tuple[Node | _NoKey, Node | _LeftOut]]:
    if table.cut:
        yield _NO_KEY, _LeftOut()
        return
    if table.grid:
        yield from _grid_entries(table, table.grid)
        return
    for item in table.head_items:
        yield _NO_KEY, item
    if table.items_left_out > 0:
        yield _NO_KEY, _LeftOut(f"{table.items_left_out:,} more")
    for item in table.tail_items:
        yield _NO_KEY, item
    yield from table.pairs()
    if table.fields_left_out > 0 or table.inexact:
        least = "at least " if table.inexact else ""
        yield _NO_KEY, _LeftOut(f"{least}{table.fields_left_out:,} more fields")


def _grid_entries(table: Table, grid: Grid) -> Iterator[tuple[Node | _NoKey, Node | _LeftOut]]:
    if grid.labels:
        yield from zip(grid.labels, grid_rows(grid), strict=True)
        if table.fields_left_out:
            yield _NO_KEY, _LeftOut(f"{table.fields_left_out:,} more fields")
        return
    for number, row in enumerate(grid_rows(grid)):
        if number == grid.head:
            yield _NO_KEY, _LeftOut(f"{table.items_left_out:,} more")
        yield _NO_KEY, row


def grid_rows(grid: Grid) -> Iterator[Table]:
    """Give the rows of a grid as the tables that they are."""
    for number, cells in enumerate(grid.rows, start=grid.first_id):
        hidden = grid.width - len(cells)
        if not grid.columns:
            yield Table(id=number, length=grid.width, items=cells)
            continue
        fields = [
            part
            for name, cell in zip(grid.columns, cells, strict=True)
            if not (isinstance(cell, Nil) and not cell.null)
            for part in (name, cell)
        ]
        yield Table(id=number, count=len(fields) // 2 + hidden, fields=fields)


def _one_line(text: str) -> str:
    line = " ".join(text.split("\n")) if "\n" in text else text
    return line if len(line) <= _INNER_STRING + 100 else line[:_INNER_TEXT] + "…"
