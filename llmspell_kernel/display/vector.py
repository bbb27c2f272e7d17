"""Arrays of numbers: the values in running text, their course as a small curve, and what they amount to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.display import literal
from llmspell_kernel.display.text import rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmspell_kernel.display.snapshot import Statistics, Table

_WIDTH, _HEIGHT = 180, 36
_OPEN = 60


def is_vector(table: Table) -> bool:
    """Whether `table` is an array of enough numbers to be summed up."""
    return table.statistics is not None


def vector_html(table: Table) -> str:
    """Draw an array of numbers."""
    statistics = table.statistics
    if statistics is None:
        raise ValueError("not an array of numbers")
    head = ", ".join(_number(item) for item in table.head_items)
    tail = ", ".join(_number(item) for item in table.tail_items)
    gap = f', <span class="ls-q">⋯ {table.items_left_out:,} more ⋯</span> ' if table.items_left_out else ""
    return (
        f'<div class="ls-vector">{curve_svg(statistics.trace)}'
        f'<div class="ls-foot">{_caption(table, statistics)}</div></div>'
        f'<details class="ls-values"{" open" if table.length <= _OPEN else ""}>'
        f'<summary class="ls-q">values</summary>'
        f'<code class="ls-n">{{{head}{gap}{tail}}}</code></details>'
    )


def vector_summary(table: Table) -> str:
    """Draw an array of numbers on one line."""
    statistics = table.statistics
    if statistics is None:
        raise ValueError("not an array of numbers")
    kind = "integer" if statistics.integers else "number"
    told = f"{literal.count(table.length, kind)}, norm {rounded(statistics.norm)}"
    return f'{curve_svg(statistics.trace, 90, 14)} <span class="ls-t">{told}</span>'


def _number(item: object) -> str:
    return literal.number(item) if isinstance(item, int | float) else "…"


def _caption(table: Table, statistics: Statistics) -> str:
    kind = "integer" if statistics.integers else "number"
    parts = {
        "min": statistics.least,
        "max": statistics.greatest,
        "mean": statistics.mean,
        "norm": statistics.norm,
    }
    figures = [f"{name} {rounded(value)}" for name, value in parts.items()]
    return " · ".join([literal.count(table.length, kind), *figures])


def curve_svg(points: Sequence[float], width: int = _WIDTH, height: int = _HEIGHT) -> str:
    """Draw `points` as a small curve; a dashed line marks zero if they cross it."""
    least, greatest = min(points), max(points)
    span = (greatest - least) or 1.0
    step = width / max(1, len(points) - 1)

    def y(value: float) -> str:
        return f"{height - 2 - (value - least) / span * (height - 4):.1f}"

    line = " ".join(f"{index * step:.1f},{y(value)}" for index, value in enumerate(points))
    zero = ""
    if least < 0 < greatest:
        zero = f'<path d="M0 {y(0)}H{width}" stroke="currentColor" stroke-dasharray="2 3" opacity=".35"/>'
    return (
        f'<svg class="ls-curve" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="course of the values">{zero}<polyline points="{line}" fill="none" '
        'stroke="currentColor" stroke-width="1.4" stroke-linejoin="round"/></svg>'
    )
