"""``%usage``: what models took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmspell_kernel.kernel.magics.table import Call, magic, shown
from llmspell_kernel.session.outcome import Outcome, Succeeded

if TYPE_CHECKING:
    from llmspell_kernel.session.session import Session


@magic("%usage [cells|calls]", "show tokens, money and time that models took, by model, cell or call")
async def _usage(session: Session, call: Call) -> Outcome:
    from llmspell_kernel.bridges.usage import usage_of
    from llmspell_kernel.display.bundle import render_result
    from llmspell_kernel.display.snapshot import from_plain
    from llmspell_kernel.display.usage import usage_bundle

    used = usage_of(session.models)
    part = {"cells": "cells", "calls": "log"}.get(call.argument)
    if not used["calls"]:
        return shown("no model was asked yet")
    if part is None:
        return Succeeded(usage_bundle(used))
    call.surface.stream("stdout", f"{summary(used)}\n")
    return Succeeded(render_result([from_plain(used[part], keep_order=True)]))


def summary(used: dict[str, Any]) -> str:
    """The session's usage in a line."""
    parts = [f"{used['calls']} calls", f"{used['total_tokens']:,} tokens", f"${used['cost']:.4f}"]
    if used["recorded"]:
        parts.append(f"{used['recorded']} from the cassette")
    if used["unpriced"]:
        parts.append(f"{used['unpriced']} of unknown price")
    if "left" in used:
        parts.append(f"${used['left']:.4f} of ${used['budget']:.2f} left")
    return ", ".join([*parts, f"{used['seconds']:.1f} s"])
