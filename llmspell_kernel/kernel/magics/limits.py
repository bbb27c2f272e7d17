"""Magics about what keeps a cell in: ``%limits`` and ``%sandbox``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from llmspell_kernel.config.table import ROWS
from llmspell_kernel.errors import SpellError
from llmspell_kernel.kernel.magics.table import Call, magic, shown
from llmspell_kernel.session.outcome import Outcome, Succeeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmspell_kernel.session.session import Session


_PREFIX = "limits."


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


_USAGE = "write %limits, %limits time=0.5 output=20kB, or %limits --reset"


@magic(
    "%limits [name=value … | --reset]",
    "show what a cell may use, and what the last one used; or tighten time, grace or output, and take that back",
)
async def _limits(session: Session, call: Call) -> Outcome:
    words = call.argument.split()
    if words == ["--reset"]:
        session.untighten()
        return Succeeded()
    if words:
        pairs = [word.partition("=") for word in words]
        if not all(name and value for name, _, value in pairs):
            raise SpellError(_USAGE, code="bad_argument")
        session.tighten({name: value for name, _, value in pairs})
        return Succeeded()
    from llmspell_kernel.display.meters import meters_bundle

    used, numbers = await session.usage()
    rows = [("limit", "value", "last cell", "default", "setting", "environment", "set by")]
    meters: list[dict[str, Any]] = []
    limits = session.settings.limits
    for line in session.settings.explain():
        if not line.key.startswith(_PREFIX):
            continue
        row, name = ROWS[line.key], line.key.removeprefix(_PREFIX)
        default = row.show(row.default)
        rows.append((name, line.value, used.get(name, ""), default, line.key, row.variable, line.source))
        limit = getattr(limits, name)
        amounts = [used[name]] if name in used else []
        amounts += [] if amounts and limit is None else [line.value]
        meters.append(
            {
                "label": name,
                "value": numbers.get(name, 0),
                "limit": limit if name in used else None,
                "amounts": " of ".join(amounts),
                "note": f"{line.source}; {row.variable}",
            }
        )
    return Succeeded({"text/plain": _columns(rows), "text/html": meters_bundle(meters)["text/html"]})


@magic(
    "%sandbox [--probe]",
    "say how the engine is confined here; --probe tries in a fresh process what must fail",
)
async def _sandbox(session: Session, call: Call) -> Outcome:
    if call.argument == "--probe":
        from llmspell_kernel.engine.confine import probe

        report = await asyncio.to_thread(probe.report)
        return shown(_columns([(layer.name, layer.status, layer.detail) for layer in report.layers]))
    if call.argument:
        raise SpellError("write %sandbox, or %sandbox --probe", code="bad_argument")
    layers = session.layers
    if not layers:
        return shown(
            "the engine is not confined by the operating system here; Lua's own sandbox and limits hold"
        )
    return shown(_columns(list(layers.items())))
