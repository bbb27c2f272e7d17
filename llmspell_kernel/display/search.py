"""Search results: texts with their scores as bars, the words that were asked for marked."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from llmspell_kernel.display.literal import count
from llmspell_kernel.display.parts import dicts, foot, meter, text_of
from llmspell_kernel.display.snapshot import from_plain
from llmspell_kernel.display.style import add_part, page
from llmspell_kernel.display.text import render_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 50
_TEXT = 600

add_part(
    "ls-hits",
    """
.llmspell ol.ls-hits { margin: 0; padding: 0 0 0 1.6em; max-width: 60em; }
.llmspell .ls-hits > li { margin: 0 0 .7em; }
.llmspell .ls-hits mark { background: rgba(255,193,7,.35); color: inherit; padding: 0 .1em; border-radius: 2px; }
.llmspell .ls-hits .ls-body { white-space: pre-wrap; overflow-wrap: anywhere; }
""",
)


def search_bundle(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Draw ``{results = {{text, score, metadata}}, query}``; gives None for what has no list of results."""
    results = dicts(found.get("results"))
    if not isinstance(found.get("results"), list) or not all("text" in each for each in results):
        return None
    query = text_of(found.get("query"))
    best = max((_score(each) for each in results), default=0.0)
    most = 1.0 if best <= 1 else best
    head = f"{count(len(results), 'result')}{f' for “{query}”' if query else ''}"
    shown = results[:_SHOWN]
    items = "".join(_hit(each, most, query) for each in shown)
    lines = [head, *(f"{number}. {_line(each)}" for number, each in enumerate(shown, start=1))]
    return {
        "text/plain": "\n".join(lines),
        "text/html": page(f'{foot([head])}<ol class="ls-hits">{items}</ol>'),
    }


def _score(result: Mapping[str, Any]) -> float:
    score = result.get("score")
    return float(score) if isinstance(score, int | float) else 0.0


def _hit(result: Mapping[str, Any], most: float, query: str) -> str:
    metadata = result.get("metadata")
    source = (
        f' <span class="ls-t">{escape(render_text(from_plain(metadata))[:200])}</span>' if metadata else ""
    )
    text = text_of(result["text"])
    body = _marked(text[:_TEXT], query) + ("…" if len(text) > _TEXT else "")
    bar = f'{meter(max(0.0, _score(result)), most)} <span class="ls-t">{_score(result):.3f}</span>'
    return f'<li><div>{bar}{source}</div><div class="ls-body">{body}</div></li>'


def _line(result: Mapping[str, Any]) -> str:
    text = " ".join(text_of(result["text"]).split())
    return f"[{_score(result):.3f}] {text[:100]}{'…' if len(text) > 100 else ''}"


def _marked(text: str, query: str) -> str:
    words = sorted({re.escape(word) for word in re.findall(r"\w{3,}", query)}, key=len, reverse=True)
    if not words:
        return escape(text)
    parts = re.split(rf"\b({'|'.join(words)})\b", text, flags=re.IGNORECASE)
    return "".join(
        f"<mark>{escape(part)}</mark>" if index % 2 else escape(part) for index, part in enumerate(parts)
    )
