"""Records and matrices as a data grid.

Rows can be sorted in the page without a script: a row carries its rank by each column as a CSS variable, and
an invisible radio button in a column's header makes that rank the row's ``order``; clicking again turns it
round. Where the style sheet is lost (untrusted notebooks, GitHub) it is a plain table.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from llmspell_kernel.display import literal
from llmspell_kernel.display.leaf import leaf_html
from llmspell_kernel.display.snapshot import Grid, Nil, Node, Reference, String, Table, kind_of
from llmspell_kernel.display.text import TableWriter, scalar_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SORTABLE = 16
_CELL_TEXT = 300
_PREVIEW = 40
_DECIMALS = 6
_NUMBERS = frozenset({"integer", "float", "number"})

# JupyterLab aligns cells to the right; the style attribute says otherwise where the sheet is lost.
_LEFT = ' style="text-align:left"'


def grid_html(
    table: Table, grid: Grid, text: TableWriter, branch: Callable[[Table], str], *, sortable: bool = True
) -> str:
    """Draw `grid`, the picture of `table`; `branch` draws a table inside a cell as a folding tree.

    A grid inside a cell of another cannot be `sortable`: HTML has no forms in forms.
    """
    columns = grid.columns or list(range(1, len(grid.rows[0]) + 1))
    by_column = list(zip(*grid.rows, strict=True))
    kinds = [_column_kind(cells) for cells in by_column]
    drawn = [_draw_column(cells, kind, text, branch) for cells, kind in zip(by_column, kinds, strict=True)]
    labels = _labels(table, grid, text)
    sortable = sortable and len(columns) <= SORTABLE and len(grid.rows) > 2
    head = [_corner("key" if grid.labels else "#", sortable)]
    for number, (name, kind) in enumerate(zip(columns, kinds, strict=True), start=1):
        head.append(_head_cell(name, kind, number if sortable else 0))
    if grid.width > len(columns):
        head.append(f'<th class="ls-q">+{grid.width - len(columns):,} more</th>')
        drawn.append(["<td></td>"] * len(grid.rows))
    rows = _rows(drawn, labels, _ranks(by_column) if sortable else None)
    left_out = table.items_left_out + (table.fields_left_out if grid.labels else 0)
    if left_out > 0:
        gap = f'<tr class="ls-gap"><th>⋮</th><td colspan="{len(drawn)}">{left_out:,} more rows</td></tr>'
        rows.insert(grid.head, gap)
    return (
        f'<div class="ls-scroll" style="max-height:30em;overflow:auto">{_table(head, rows, sortable)}</div>'
        f'<div class="ls-foot">{_caption(table, grid)}</div>'
    )


def _table(head: Sequence[str], rows: Sequence[str], sortable: bool) -> str:
    parts = f"<thead><tr>{''.join(head)}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    if not sortable:
        return f'<table class="ls-grid">{parts}'
    # The form gives the radio buttons a group of their own; there is no dialog that it could close.
    return f'<form method="dialog"><table class="ls-grid ls-sort" style="--w:{len(head)}">{parts}</form>'


def _rows(drawn: Sequence[Sequence[str]], labels: Sequence[str], ranks: Sequence[str] | None) -> list[str]:
    rows = [
        f"{label}{''.join(cells)}</tr>" for label, cells in zip(labels, zip(*drawn, strict=True), strict=True)
    ]
    if ranks is None:
        return [f"<tr>{row}" for row in rows]
    return [f'<tr style="{rank}">{row}' for rank, row in zip(ranks, rows, strict=True)]


def _labels(table: Table, grid: Grid, text: TableWriter) -> list[str]:
    """The first cells of the rows: their keys or numbers, and a mark where others refer to the row."""
    marks = [text.mark(number) for number in range(grid.first_id, grid.first_id + len(grid.rows))]
    if grid.labels:
        names = [label if isinstance(label, str) else text.key(label) for label in grid.labels]
        return [f"<th{_LEFT}>{escape(mark + name)}</th>" for mark, name in zip(marks, names, strict=True)]
    last = range(table.length - len(grid.rows) + grid.head + 1, table.length + 1)
    numbers = (*range(1, grid.head + 1), *last)
    return [f"<th>{escape(mark)}{number}</th>" for mark, number in zip(marks, numbers, strict=True)]


def _corner(name: str, sortable: bool) -> str:
    if not sortable:
        return f"<th>{name}</th>"
    title = 'title="as they come" aria-label="as they come"'
    return f'<th><input style="display:none" type="radio" name="by" checked {title}>{name}</th>'


def _head_cell(name: Node, kind: str, number: int) -> str:
    text = name if isinstance(name, str) else str(name) if isinstance(name, int) else scalar_text(name)
    label = f' <small class="ls-t">{kind}</small>' if kind else ""
    sort = ""
    if number:
        title = f'title="sort by {escape(text)}" aria-label="sort by {escape(text)}"'
        sort = (
            f'<input style="display:none" type="radio" name="by" class="ls-c{number}" {title}>'
            '<input style="display:none" type="checkbox" title="turn round" aria-label="turn round">'
        )
    return f"<th{'' if kind in _NUMBERS else _LEFT}>{sort}{escape(text)}{label}</th>"


def _column_kind(cells: Sequence[Node]) -> str:
    kinds = {kind_of(cell) for cell in cells}
    kinds.discard("nil")
    if len(kinds) == 1:
        return kinds.pop()
    return "number" if kinds == {"integer", "float"} else "mixed" if kinds else ""


def _caption(table: Table, grid: Grid) -> str:
    rows = table.count if grid.labels else table.length
    size = f"{literal.count(rows, 'row')} × {literal.count(grid.width, 'column')}"
    if rows == len(grid.rows):
        return size
    tail = len(grid.rows) - grid.head
    return f"{size}, the first {grid.head}{f' and the last {tail}' if tail else ''} shown"


# Cells


def _draw_column(
    cells: Sequence[Node], kind: str, text: TableWriter, branch: Callable[[Table], str]
) -> list[str]:
    if kind in ("float", "number"):
        return _draw_numbers(cells)
    return [_cell(cell, text, branch) for cell in cells]


def _draw_numbers(cells: Sequence[Node]) -> list[str]:
    """Numbers with a fraction stand with their points below each other, rounded to six decimals."""
    texts = [literal.number(cell) if isinstance(cell, int | float) else "" for cell in cells]
    if any("e" in text or "n" in text for text in texts):
        return [f"<td>{text}</td>" for text in texts]
    decimals = min(max(len(text.partition(".")[2]) for text in texts), _DECIMALS)
    drawn: list[str] = []
    for text, cell in zip(texts, cells, strict=True):
        if not isinstance(cell, int | float):
            drawn.append("<td></td>")
            continue
        shown = f"{cell:.{decimals}f}"
        exact = "" if len(text.partition(".")[2]) <= decimals else f' title="{text}"'
        drawn.append(f"<td{exact}>{shown}</td>")
    return drawn


def _cell(cell: Node, text: TableWriter, branch: Callable[[Table], str]) -> str:
    match cell:
        case bool():
            return f'<td class="ls-w"{_LEFT}>{"true" if cell else "false"}</td>'
        case int() | float():
            return f"<td>{literal.number(cell)}</td>"
        case str():
            return f"<td{_LEFT}>{escape(_cut(cell))}</td>"
        case None | Nil(null=False):
            return "<td></td>"
        case String(text=beginning) if beginning:
            size = literal.count(cell.length, "byte")
            return f'<td{_LEFT}>{escape(beginning)}… <span class="ls-t">{size}</span></td>'
        case Table() if not cell.cut and not cell.is_empty:
            return f'<td{_LEFT}><ul class="ls-tree"><li>{branch(cell)}</li></ul></td>'
        case Table() | Reference():
            return f'<td{_LEFT}><code class="ls-q">{escape(text.flat(cell, _PREVIEW) or "{…}")}</code></td>'
        case _:
            return f"<td{_LEFT}>{leaf_html(cell, _CELL_TEXT)}</td>"


def _cut(text: str) -> str:
    return text if len(text) <= _CELL_TEXT else f"{text[:_CELL_TEXT]}…"


# Sorting


def _ranks(by_column: Sequence[Sequence[Node]]) -> list[str]:
    """For each row its place by each column, as CSS variables; a missing value has none and comes last."""
    columns = [_column_ranks(cells) for cells in by_column]
    return [
        ";".join(f"--c{number}:{rank}" for number, rank in enumerate(row, start=1) if rank)
        for row in zip(*columns, strict=True)
    ]


def _column_ranks(cells: Sequence[Node]) -> list[int]:
    keys = [_sort_key(cell) for cell in cells]
    places = {key: place for place, key in enumerate(sorted({key for key in keys if key}), start=1)}
    return [places[key] if key else 0 for key in keys]


def _sort_key(cell: Node) -> tuple[int, float, str] | None:
    match cell:
        case None | Nil():
            return None
        case bool():
            return (2, float(cell), "")
        case int() | float():
            return (0, float(cell), "") if cell == cell else None
        case str():
            return (1, 0.0, cell.casefold())
        case String():
            return (1, 0.0, cell.text.casefold())
        case _:
            return (3, 0.0, kind_of(cell))
