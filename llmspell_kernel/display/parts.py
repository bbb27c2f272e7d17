"""Small pieces that several displays share: quiet figures, cards, meters, marks for states."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, cast

from llmspell_kernel.display.literal import count
from llmspell_kernel.display.style import add_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

add_part(
    "ls-card",
    """
.llmspell .ls-card {
  border: 1px solid var(--ls-line); border-left: 3px solid var(--ls-accent); border-radius: 5px;
  padding: .6em 1em; max-width: 56em; box-sizing: border-box;
}
.llmspell .ls-card.ls-bad { border-left-color: var(--ls-error); }
.llmspell .ls-card.ls-fine { border-left-color: var(--ls-good); }
.llmspell .ls-card > :first-child { margin-top: 0; }
.llmspell .ls-card > :last-child { margin-bottom: 0; }
.llmspell .ls-card p { margin: .3em 0; }
.llmspell .ls-title { font-weight: 600; margin: 0 0 .3em; }
.llmspell .ls-title .ls-q { font-weight: normal; }
""",
)
add_part(
    "ls-fold",
    """
.llmspell .ls-fold > summary { cursor: pointer; color: var(--ls-quiet); font-size: .9em; font-weight: normal; }
.llmspell .ls-fold > summary code { color: inherit; }
.llmspell .ls-fold { margin: .25em 0; }
.llmspell .ls-fold > :not(summary) { margin-left: 1.1em; }
.llmspell .ls-fold pre { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 20em; overflow: auto; }
""",
)
add_part(
    "ls-ok",
    """
.llmspell .ls-ok { color: var(--ls-good); }
.llmspell .ls-no { color: var(--ls-error); }
.llmspell .ls-run { color: var(--ls-accent); }
""",
)
add_part(
    "ls-meter",
    """
.llmspell meter.ls-meter { width: 9em; height: 1.1em; vertical-align: -.15em; }
""",
)

_STATES = {
    "passed": ("✓", "ls-ok"),
    "completed": ("✓", "ls-ok"),
    "failed": ("✗", "ls-no"),
    "running": ("◐", "ls-run ls-ok"),
    "skipped": ("–", "ls-q"),
    "pending": ("○", "ls-q"),
    "retried": ("↻", "ls-run ls-ok"),
    "cancelled": ("⊘", "ls-q"),
}
_WORDS = {
    "success": "completed",
    "succeeded": "completed",
    "ok": "completed",
    "done": "completed",
    "error": "failed",
}


def state_of(value: object) -> str:
    """Give the state's own word for what steps and tests call theirs; unknown ones are pending."""
    word = str(value or "pending")
    word = _WORDS.get(word, word)
    return word if word in _STATES else "pending"


def state_mark(state: str) -> str:
    """Give the sign of a state for plain text."""
    return _STATES[state][0]


def state_html(state: str) -> str:
    """Draw the sign of a state in its colour."""
    sign, colour = _STATES[state]
    return f'<span class="{colour}" title="{state}">{sign}</span>'


def card(body: str, *, manner: str = "") -> str:
    """Draw a card; `manner` is ``bad`` or ``fine``, or nothing."""
    return f'<div class="ls-card{f" ls-{manner}" if manner else ""}">{body}</div>'


def fold(summary: str, body: str, *, is_open: bool = False) -> str:
    """Draw a part that folds; both arguments are HTML."""
    return (
        f'<details class="ls-fold"{" open" if is_open else ""}><summary>{summary}</summary>{body}</details>'
    )


def foot(figures: Iterable[str]) -> str:
    """Draw quiet figures in a line."""
    return f'<div class="ls-foot">{escape(" · ".join(figures))}</div>'


def meter(value: float, most: float, *, low: float | None = None, high: float | None = None) -> str:
    """Draw a bar from 0 to `most`; above `low` it warns and above `high` it alarms."""
    bounds = "".join(
        f' {name}="{bound:g}"' for name, bound in (("low", low), ("high", high)) if bound is not None
    )
    optimum = ' optimum="0"' if bounds else ""
    return f'<meter class="ls-meter" min="0" max="{most:g}" value="{min(value, most):g}"{bounds}{optimum}></meter>'


def duration(seconds: float) -> str:
    """Say how long: ``240 ms``, ``3.2 s``, ``2 min 05 s``."""
    if seconds < 1:
        milliseconds = seconds * 1000
        return f"{milliseconds:.{0 if seconds >= 0.01 else 1}f} ms" if milliseconds >= 0.05 else "<0.1 ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def money(dollars: float) -> str:
    """Write a price in US dollars with the digits that matter: ``$1.20``, ``$0.00042``."""
    if dollars >= 0.01 or dollars == 0:
        return f"${dollars:,.2f}"
    return f"${dollars:.6f}".rstrip("0")


def usage_figures(usage: Mapping[str, Any]) -> list[str]:
    """Say what an answer took: tokens in and out, and the cost if it is known."""
    figures: list[str] = []
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if prompt or completion:
        figures.append(f"{prompt or 0:,} → {count(completion or 0, 'token')}")
    elif usage.get("total_tokens"):
        figures.append(count(usage["total_tokens"], "token"))
    if usage.get("cost") is not None:
        figures.append(money(usage["cost"]))
    return figures


def dicts(value: object) -> list[dict[str, Any]]:
    """Give the dicts of what should be a list of them."""
    if not isinstance(value, list | tuple):
        return []
    return [cast("dict[str, Any]", each) for each in cast("list[object]", value) if isinstance(each, dict)]


def fields(value: object) -> dict[str, Any]:
    """Give what should be a dict as one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def took(value: Mapping[str, Any]) -> str:
    """Say how long something took, if its `seconds` are known."""
    seconds = value.get("seconds")
    return duration(seconds) if isinstance(seconds, int | float) else ""


def text_of(value: object) -> str:
    """Give what should be a text as one, whatever it is."""
    return value if isinstance(value, str) else "" if value is None else str(value)
