"""HTML for snapshots of tables: records and matrices as a data grid, everything else as a folding tree.

No scripts; plain tables, lists and ``<details>``, so that it works in exports and in notebooks that are
not trusted. Every text from a value goes through `escape`.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from llmspell_kernel.display import literal
from llmspell_kernel.display.snapshot import Grid, Nil, Node, Reference, String, Table, kind_of
from llmspell_kernel.display.style import STYLE
from llmspell_kernel.display.text import TableWriter, own_text, references_in, scalar_text, table_size

if TYPE_CHECKING:
    from collections.abc import Iterable

_INLINE = 72
_PREVIEW = 60
_OPEN_LINES = 25
_CELL_TEXT = 300
_LEAF_TEXT = 2000

# JupyterLab aligns cells to the right; the style attribute says otherwise where the sheet is lost.
_LEFT = '<td style="text-align:left"'
_WORD = 'class="ls-w"'

_CLASSES = {
    "string": "ls-s",
    "integer": "ls-n",
    "float": "ls-n",
    "boolean": "ls-w",
    "nil": "ls-q",
    "function": "ls-q",
    "thread": "ls-q",
    "userdata": "ls-q",
    "handle": "ls-w",
}
_QUIET_TYPES = frozenset({"boolean", "nil", "function", "thread", "userdata", "handle"})


def render_html(node: Node) -> str | None:
    """Draw a table as HTML; give None for values that plain text shows as well."""
    if not isinstance(node, Table):
        return None
    return page(table_html(node))


def page(body: str) -> str:
    """Wrap drawn HTML with its style sheet, ready for a ``text/html`` output."""
    return f'{STYLE}<div class="llmspell">{body}</div>'


def table_html(table: Table) -> str:
    """Draw a table without its style sheet."""
    writer = _HtmlWriter(table)
    own = own_text(table)
    parts: list[str] = []
    if own is not None:
        parts.append(f'<pre class="ls-own">{escape(own)}</pre>')
    parts.append(writer.root(closed=own is not None))
    return "".join(parts) + problems_html(table.problems)


def problems_html(problems: Iterable[str]) -> str:
    """Draw what went wrong while a value drew itself."""
    return "".join(f'<pre class="ls-problem">{escape(problem)}</pre>' for problem in problems)


def leaf_html(node: Node, most: int = _LEAF_TEXT) -> str:
    """Draw a value that is no table."""
    text = scalar_text(node, most)
    return f'<code class="{_CLASSES[kind_of(node)]}">{escape(text)}</code>'


class _HtmlWriter:
    def __init__(self, root: Table) -> None:
        self._root = root
        self._labels = references_in(root)
        self._text = TableWriter(root)

    def root(self, *, closed: bool) -> str:
        table = self._root
        if table.grid:
            return self._grid(table, table.grid)
        if not closed and not self._labels and not any(isinstance(each, Table) for each in table.items):
            flat = self._text.flat(table, _INLINE)
            if flat is not None and "\n" not in flat:
                return self._inline(table)
        return f'<ul class="ls-tree"><li>{self._branch("", table, is_open=not closed)}</li></ul>'

    # Trees

    def _inline(self, table: Table) -> str:
        """A short table on one line, coloured."""
        parts = [self._inline_value(item) for item in table.items]
        parts += [f"{self._key(key)} = {self._inline_value(value)}" for key, value in table.pairs()]
        name = f'<span class="ls-w">{escape(table.name)}</span> ' if table.name else ""
        return f"<code>{name}{{{', '.join(parts)}}}</code>"

    def _inline_value(self, node: Node) -> str:
        return self._inline(node) if isinstance(node, Table) else leaf_html(node)

    def _key(self, key: Node) -> str:
        return f'<code class="ls-k">{escape(self._text.key(key))}</code>'

    def _entry(self, key: str, node: Node) -> str:
        label = f"{key} = " if key else ""
        if isinstance(node, Table):
            if node.is_empty:
                return f"<li><span>{label}<code>{self._name(node)}{{}}</code></span></li>"
            return f"<li>{self._branch(label, node, is_open=False)}</li>"
        if isinstance(node, Reference):
            number = self._labels.get(node.id, node.id)
            return f'<li><span>{label}<span class="ls-q">↩ table {number}</span></span></li>'
        return f"<li><span>{label}{leaf_html(node)}{self._leaf_type(node)}</span></li>"

    def _leaf_type(self, node: Node) -> str:
        kind = kind_of(node)
        if kind in _QUIET_TYPES:
            return ""
        if isinstance(node, String) and node.data:
            kind = "binary string"
        return f'<span class="ls-t">{kind}</span>'

    def _name(self, table: Table) -> str:
        return f'<span class="ls-w">{escape(table.name)}</span> ' if table.name else ""

    def _branch(self, label: str, table: Table, *, is_open: bool) -> str:
        number = self._labels.get(table.id)
        mark = f'<span class="ls-q">⟨{number}⟩ </span>' if number is not None else ""
        own = own_text(table) if table is not self._root else None
        preview = escape(own[:200]) if own else escape(self._preview(table))
        summary = (
            f"{label}{mark}{self._name(table)}"
            f'<code class="{"" if own else "ls-p "}ls-q">{preview}</code>'
            f'<span class="ls-t">{escape(table_size(table))}</span>'
        )
        if table.cut:
            return f"<span>{summary}</span>"
        opened = " open" if is_open else ""
        body = self._grid(table, table.grid) if table.grid else f"<ul>{''.join(self._entries(table))}</ul>"
        return f"<details{opened}><summary>{summary}</summary>{body}</details>"

    def _preview(self, table: Table) -> str:
        if table.cut:
            return "{…}"
        return self._text.flat(table, _PREVIEW) or "{…}"

    def _entries(self, table: Table) -> Iterable[str]:
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

    # Grids

    def _grid(self, table: Table, grid: Grid) -> str:
        columns = grid.columns or list(range(1, len(grid.rows[0]) + 1))
        kinds = [_column_kind([row[index] for row in grid.rows]) for index in range(len(columns))]
        more = grid.width - len(columns)
        head = "".join(self._head_cell(name, kind) for name, kind in zip(columns, kinds, strict=True))
        if more > 0:
            head += f'<th class="ls-q">+{more:,}</th>'
        rows: list[str] = []
        offset = table.length - len(grid.rows)
        for index, row in enumerate(grid.rows):
            if index == grid.head:
                rows.append(self._gap(offset, len(columns) + (more > 0)))
            number = index + 1 if index < grid.head else index + 1 + offset
            cells = "".join([self._cell(cell) for cell in row])
            rows.append(f"<tr><th>{number}</th>{cells}{'<td></td>' if more > 0 else ''}</tr>")
        return (
            '<div class="ls-scroll" style="max-height:30em;overflow:auto"><table class="ls-grid">'
            f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
            f'<div class="ls-foot">{self._caption(table, grid)}</div>'
        )

    def _head_cell(self, name: Node, kind: str) -> str:
        text = name if isinstance(name, str) else str(name) if isinstance(name, int) else scalar_text(name)
        align = ' style="text-align:left"' if kind not in ("integer", "float", "number") else ""
        label = f'<span class="ls-t">{kind}</span>' if kind else ""
        return f"<th{align}>{escape(text)}{label}</th>"

    def _gap(self, left_out: int, width: int) -> str:
        return f'<tr class="ls-gap"><th>⋮</th><td colspan="{width}">{left_out:,} more rows</td></tr>'

    def _cell(self, cell: Node) -> str:
        match cell:
            case bool():
                return f"{_LEFT} {_WORD}>{'true' if cell else 'false'}</td>"
            case int() | float():
                return f"<td>{literal.number(cell)}</td>"
            case str():
                return f"{_LEFT}>{escape(_cell_text(cell))}</td>"
            case Nil():
                return "<td></td>"
            case String(text=text) if text:
                size = literal.count(cell.length, "byte")
                return f'{_LEFT}>{escape(text)}…<span class="ls-t">{size}</span></td>'
            case Table() if not cell.cut and not cell.is_empty:
                branch = self._branch("", cell, is_open=False)
                return f'{_LEFT}><ul class="ls-tree"><li>{branch}</li></ul></td>'
            case Table() | Reference():
                text = self._text.flat(cell, _PREVIEW) or "{…}"
                return f'{_LEFT}><code class="ls-q">{escape(text)}</code></td>'
            case _:
                return f"{_LEFT}>{leaf_html(cell, _CELL_TEXT)}</td>"

    def _caption(self, table: Table, grid: Grid) -> str:
        noun = "column"
        size = f"{literal.count(table.length, 'row')} × {literal.count(grid.width, noun)}"
        hidden = table.length - len(grid.rows)
        return f"{size}, {len(grid.rows):,} rows shown" if hidden > 0 else size


def _cell_text(text: str) -> str:
    return text if len(text) <= _CELL_TEXT else f"{text[:_CELL_TEXT]}…"


def _column_kind(cells: list[Node]) -> str:
    kinds = {kind_of(cell) for cell in cells}
    kinds.discard("nil")
    if len(kinds) == 1:
        return kinds.pop()
    return "number" if kinds == {"integer", "float"} else "mixed" if kinds else ""
