"""What has been used of what there is, and how far something has come, as small bars."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from llmspell_kernel.display.parts import duration, meter, text_of
from llmspell_kernel.display.style import add_part, page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CELLS = 20
_WARN, _ALARM = 0.7, 0.9

add_part(
    "ls-meters",
    """
.llmspell table.ls-meters { border-collapse: collapse; border: 0; margin: 0; font-variant-numeric: tabular-nums; }
.llmspell .ls-meters td { padding: .15em .8em .15em 0; border: 0; text-align: left; background: none; }
.llmspell .ls-meters td:nth-child(3) { text-align: right; }
.llmspell .ls-meters tr { background: none; }
""",
)
add_part(
    "ls-progress",
    """
.llmspell .ls-progress { display: flex; gap: .8em; align-items: center; font-variant-numeric: tabular-nums; }
.llmspell .ls-progress progress { width: 16em; height: 1em; accent-color: var(--ls-accent); }
""",
)


def meters_bundle(meters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Draw meters: each has a `label`, a `value`, a `limit` (None: no limit) and perhaps a `unit`.

    `amounts` takes the place of the figures and `note` stands after them; where `is_share`, a full bar does not warn.
    """
    return {
        "text/plain": "\n".join(meter_text(each) for each in meters),
        "text/html": page(meters_html(meters)),
    }


def meters_html(meters: Sequence[Mapping[str, Any]]) -> str:
    """Draw meters as a part of other HTML; nothing for none."""
    rows = "".join(_meter_row(each) for each in meters)
    return f'<table class="ls-meters"><tbody>{rows}</tbody></table>' if rows else ""


def _meter_row(each: Mapping[str, Any]) -> str:
    note = f'<td class="ls-q">{escape(text_of(each["note"]))}</td>' if each.get("note") else ""
    return (
        f'<tr><td style="text-align:left">{escape(text_of(each.get("label")))}</td><td>{_meter(each)}</td>'
        f'<td style="text-align:right">{escape(_amounts(each))}</td>{note}</tr>'
    )


def _meter(each: Mapping[str, Any]) -> str:
    limit = each.get("limit")
    if not limit:
        return ""
    if each.get("is_share"):
        return meter(each["value"], limit)
    return meter(each["value"], limit, low=limit * _WARN, high=limit * _ALARM)


def meter_text(each: Mapping[str, Any]) -> str:
    """Write a meter on a line."""
    limit = each.get("limit")
    bar = f" {_bar(each['value'] / limit)}" if limit else ""
    note = f" ({text_of(each['note'])})" if each.get("note") else ""
    return f"{text_of(each.get('label'))}:{bar} {_amounts(each)}{note}"


def _amounts(each: Mapping[str, Any]) -> str:
    if each.get("amounts"):
        return text_of(each["amounts"])
    value, limit, unit = each["value"], each.get("limit"), text_of(each.get("unit"))
    if unit == "bytes":
        return f"{size(value)} of {size(limit)}" if limit else size(value)
    if unit == "seconds":
        return f"{duration(value)} of {duration(limit)}" if limit else duration(value)
    unit = f" {unit}" if unit else ""
    return f"{value:,g} of {limit:,g}{unit}" if limit else f"{value:,g}{unit}"


def size(number_of_bytes: float) -> str:
    """Write a size with a binary prefix: ``1.5 MiB``."""
    for prefix in ("bytes", "KiB", "MiB", "GiB"):
        if number_of_bytes < 1024 or prefix == "GiB":
            return (
                f"{number_of_bytes:,.0f} bytes" if prefix == "bytes" else f"{number_of_bytes:,.1f} {prefix}"
            )
        number_of_bytes /= 1024
    raise AssertionError("unreachable")


def progress_bundle(
    done: float,
    total: float | None,
    *,
    label: str = "",
    seconds: float | None = None,
    is_finished: bool = False,
) -> dict[str, Any]:
    """Draw how far something has come: a bar, a rate and the time left, as far as they are known."""
    figures = _progress_figures(done, total, seconds, is_finished)
    bar = f'<progress max="{total:g}" value="{done:g}"></progress>' if total else "<progress></progress>"
    if is_finished and not total:
        bar = '<progress max="1" value="1"></progress>'
    name = f"<span>{escape(label)}</span> " if label else ""
    markup = f'<div class="ls-progress">{name}{bar} <span class="ls-q">{escape(figures)}</span></div>'
    text = " ".join(
        part for part in (f"{label}:" if label else "", _bar(done / total) if total else "", figures) if part
    )
    return {"text/plain": text, "text/html": page(markup)}


def _progress_figures(done: float, total: float | None, seconds: float | None, is_finished: bool) -> str:
    figures = [f"{_number(done)} of {_number(total)}" if total else _number(done)]
    if seconds and done:
        rate = done / seconds
        figures.append(f"{rate:,.0f} a second" if rate >= 100 else f"{rate:.3g} a second")
        if is_finished:
            figures.append(duration(seconds))
        elif total:
            figures.append(f"{duration(max(0.0, total - done) / rate)} left")
    return " · ".join(figures)


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:,g}"


def _bar(share: float) -> str:
    filled = round(max(0.0, min(1.0, share)) * _CELLS)
    return f"[{'█' * filled}{'·' * (_CELLS - filled)}]"
