"""What models took so far: the sum in a line, the budget and each model's share as bars."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from llmspell_kernel.display.literal import count
from llmspell_kernel.display.meters import meter_text, meters_html
from llmspell_kernel.display.parts import dicts, money, text_of, took, usage_figures
from llmspell_kernel.display.style import page

if TYPE_CHECKING:
    from collections.abc import Mapping


def usage_bundle(used: Mapping[str, Any]) -> dict[str, Any] | None:
    """Draw ``{calls, prompt_tokens, completion_tokens, cost, seconds, budget, left, recorded, models}``.

    Times are in the HTML alone. Gives None for what counts no calls.
    """
    if not isinstance(used.get("calls"), int):
        return None
    if not used["calls"]:
        return {"text/plain": "no model was asked yet"}
    models = dicts(used.get("models"))
    figures = [text_of(models[0].get("model"))] if len(models) == 1 else []
    figures += _figures(used)
    shares = [_share(part, used) for part in models] if len(models) > 1 else []
    meters = [*_budget(used), *shares]
    time = f' <span class="ls-q">· {took(used)}</span>' if took(used) else ""
    told = " · ".join(figures)
    return {
        "text/plain": "\n".join([told, *map(meter_text, meters)]),
        "text/html": page(f"<p>{escape(told)}{time}</p>{meters_html(meters)}"),
    }


def _figures(used: Mapping[str, Any]) -> list[str]:
    figures = [count(used["calls"], "call"), *usage_figures(used)]
    if used.get("recorded"):
        figures.append(f"{used['recorded']:,} from the cassette")
    if used.get("unpriced"):
        figures.append(f"{used['unpriced']:,} of unknown price")
    return figures


def _budget(used: Mapping[str, Any]) -> list[dict[str, Any]]:
    budget, cost = used.get("budget"), used.get("cost") or 0.0
    if not isinstance(budget, int | float):
        return []
    told = f"{money(cost)} of {money(budget)}"
    return [{"label": "budget", "value": cost, "limit": budget, "amounts": told}]


def _share(part: Mapping[str, Any], used: Mapping[str, Any]) -> dict[str, Any]:
    """A model's part of all tokens; a share is no limit, so that it never warns."""
    told = " · ".join([count(part.get("calls") or 0, "call"), *usage_figures(part)])
    tokens = part.get("total_tokens") or 0
    return {
        "label": text_of(part.get("model")),
        "value": tokens,
        "limit": used.get("total_tokens") or None,
        "amounts": told,
        "is_share": True,
    }
