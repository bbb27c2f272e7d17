"""HTML for snapshots of tables: records and matrices as a data grid, everything else as a folding tree.

No scripts; plain tables, lists and ``<details>``, so that it works in exports and in notebooks that are
not trusted. Every text from a value goes through `escape`.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from llmspell_kernel.display.grid import grid_html
from llmspell_kernel.display.leaf import leaf_html
from llmspell_kernel.display.snapshot import Grid, Node, Reference, String, Table, kind_of
from llmspell_kernel.display.text import TableWriter, own_text, table_size
from llmspell_kernel.display.vector import is_vector, vector_html, vector_summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_INLINE = 72
_PREVIEW = 60
_OPEN_LINES = 24
_LONG = 160
_MAP = 12
_UNTYPED = frozenset({"boolean", "nil", "function", "thread", "userdata", "handle"})


def table_html(table: Table) -> str:
    """Draw a table without its style sheet."""
    own = own_text(table)
    drawn = _TreeWriter(table).root(is_open=own is None)
    if own is not None:
        drawn = f'<pre class="ls-own">{escape(own)}</pre>{drawn}'
    return drawn + problems_html(table.problems)


def problems_html(problems: Iterable[str]) -> str:
    """Draw what went wrong while a value drew itself."""
    return "".join(f'<pre class="ls-problem">{escape(problem)}</pre>' for problem in problems)


class _TreeWriter:
    def __init__(self, root: Table) -> None:
        self._root = root
        self._text = TableWriter(root)
        self._lines = _lines_of(root, _OPEN_LINES)
        self._cells = 0  # how many grid cells are around what is being drawn

    def root(self, *, is_open: bool) -> str:
        table = self._root
        if is_open and (table.grid or is_vector(table) or _map_grid(table)):
            return self._body(table)
        if is_open and not self._text.labels and self._text.flat(table, _INLINE) is not None:
            return f"<code>{self._inline(table)}</code>"
        return f'<ul class="ls-tree"><li>{self._branch("", table, is_open=is_open)}</li></ul>'

    # A short table on one line, coloured

    def _inline(self, node: Node) -> str:
        if not isinstance(node, Table):
            return leaf_html(node, tag="span")
        if node.grid:
            return escape(self._text.flat(node, _INLINE) or "{…}")
        parts = [self._inline(item) for item in node.items]
        for key, value in node.pairs():
            parts.append(f'<span class="ls-k">{escape(self._text.key(key))}</span> = {self._inline(value)}')
        return f"{self._name(node)}{{{', '.join(parts)}}}"

    # Trees

    def _key(self, key: Node) -> str:
        return f'<code class="ls-k">{escape(self._text.key(key))}</code>'

    def _name(self, table: Table) -> str:
        return f'<span class="ls-w">{escape(table.name)}</span> ' if table.name else ""

    def _entry(self, key: str, node: Node) -> str:
        label = f"{key} = "
        if isinstance(node, Table):
            if node.is_empty:
                return f"<li><span>{label}<code>{self._name(node)}{{}}</code></span></li>"
            return f"<li>{self._branch(label, node, is_open=self._opens(node))}</li>"
        if isinstance(node, Reference):
            number = self._text.labels.get(node.id, node.id)
            return f'<li><span>{label}<span class="ls-q">↩ table {number}</span></span></li>'
        if isinstance(node, str) and len(node) > (_PREVIEW if "\n" in node else _LONG):
            return f"<li>{_long_string(label, node, len(node.encode()))}</li>"
        if isinstance(node, String) and len(node.text) > _LONG:
            return f"<li>{_long_string(label, node.text + '…', node.length)}</li>"
        return f"<li><span>{label}{leaf_html(node)}{_leaf_type(node)}</span></li>"

    def _branch(self, label: str, table: Table, *, is_open: bool) -> str:
        mark = self._text.mark(table.id)
        mark = f'<span class="ls-q">{escape(mark)} </span>' if mark else ""
        own = own_text(table) if table is not self._root else None
        if is_vector(table) and own is None:
            summary = f"{label}{mark}{self._name(table)}{vector_summary(table)}"
            return f"<details><summary>{summary}</summary>{self._body(table)}</details>"
        preview = own[:200] if own else self._text.brief(table, _PREVIEW)
        summary = (
            f"{label}{mark}{self._name(table)}"
            f'<code class="{"" if own else "ls-p "}ls-q">{escape(preview)}</code>'
            f' <span class="ls-t">{escape(table_size(table))}</span>'
        )
        if table.cut:
            return f"<span>{summary}</span>"
        return (
            f"<details{' open' if is_open else ''}><summary>{summary}</summary>{self._body(table)}</details>"
        )

    def _body(self, table: Table) -> str:
        grid = table.grid or _map_grid(table)
        if grid:
            return grid_html(table, grid, self._text, self._in_cell, sortable=not self._cells)
        if is_vector(table):
            return vector_html(table)
        return f"<ul>{''.join(self._entries(table))}</ul>"

    def _in_cell(self, table: Table) -> str:
        self._cells += 1
        drawn = self._branch("", table, is_open=False)
        self._cells -= 1
        return drawn

    def _opens(self, table: Table) -> bool:
        """A short table in a short tree shows what it holds."""
        return not table.grid and self._lines + _lines_of(table, _OPEN_LINES) <= _OPEN_LINES

    def _entries(self, table: Table) -> Iterator[str]:
        for number, item in enumerate(table.head_items, start=1):
            yield self._entry(f'<code class="ls-k">{number}</code>', item)
        if table.items_left_out > 0:
            yield f'<li><span class="ls-q">⋯ {table.items_left_out:,} more items</span></li>'
        for number, item in enumerate(table.tail_items, start=table.tail_start):
            yield self._entry(f'<code class="ls-k">{number}</code>', item)
        for key, value in table.pairs():
            yield self._entry(self._key(key), value)
        if table.fields_left_out > 0 or table.inexact:
            least = "at least " if table.inexact else ""
            yield f'<li><span class="ls-q">⋯ {least}{table.fields_left_out:,} more fields</span></li>'


def _map_grid(table: Table) -> Grid | None:
    """A map of many plain values is a grid of one column."""
    if table.items or table.cut or table.inexact or len(table.fields) < 2 * _MAP:
        return None
    values = table.fields[1::2]
    if not all(isinstance(value, bool | int | float | str) for value in values):
        return None
    rows = [[value] for value in values]
    return Grid(width=1, head=len(rows), rows=rows, columns=["value"], labels=table.fields[::2])


def _lines_of(table: Table, most: int) -> int:
    lines = 0
    for node in (*table.items, *table.fields[1::2]):
        lines += 1 + (_lines_of(node, most - lines) if isinstance(node, Table) else 0)
        if lines > most:
            break
    return lines


def _leaf_type(node: Node) -> str:
    kind = kind_of(node)
    if kind in _UNTYPED:
        return ""
    if isinstance(node, String) and node.data:
        kind = "binary string"
    return f' <span class="ls-t">{kind}</span>'


def _long_string(label: str, text: str, size: int) -> str:
    first = text[:_LONG].split("\n", 1)[0][:_PREVIEW]
    return (
        f'<details><summary>{label}<code class="ls-s ls-p">"{escape(first)}…</code>'
        f' <span class="ls-t">string, {size:,} bytes</span></summary>'
        f'<pre class="ls-long ls-s">{escape(text)}</pre></details>'
    )
