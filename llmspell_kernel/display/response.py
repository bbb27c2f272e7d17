"""A model's answer: its Markdown drawn, with a quiet line that says who answered and what it took."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from llmspell_kernel.display.markdown import markdown_html
from llmspell_kernel.display.parts import dicts, fields, fold, foot, text_of, took, usage_figures
from llmspell_kernel.display.snapshot import from_plain
from llmspell_kernel.display.style import page
from llmspell_kernel.display.text import render_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENDINGS = {
    "length": "cut at the limit of tokens",
    "content_filter": "stopped by the provider's filter",
    "stopped": "stopped",
}


def response_bundle(response: Mapping[str, Any]) -> dict[str, Any] | None:
    """Draw a response: `content`, `model`, `provider`, `usage`, `tool_calls`, `finish_reason`, `seconds`.

    Gives None for anything without content or tool calls.
    """
    content = text_of(response.get("content"))
    if not content and not response.get("tool_calls"):
        return None
    figures = response_figures(response)
    footer = " · ".join(figures)
    parts = [
        content,
        *(f"→ {_call_text(call)}" for call in dicts(response.get("tool_calls"))),
        f"— {footer}" if footer else "",
    ]
    return {
        "text/plain": "\n\n".join(part for part in parts if part),
        "text/markdown": content,
        "text/html": page(response_html(response) + (foot(figures) if figures else "")),
    }


def response_html(response: Mapping[str, Any]) -> str:
    """Draw the answer itself: thinking folded, then the text, then the tools it asks for."""
    parts: list[str] = []
    if response.get("reasoning"):
        parts.append(fold("thinking", markdown_html(text_of(response["reasoning"]))))
    if response.get("content"):
        parts.append(markdown_html(text_of(response["content"])))
    calls = [escape(_call_text(call)) for call in dicts(response.get("tool_calls"))]
    parts += [f'<div class="ls-q">→ <code>{call}</code></div>' for call in calls]
    return "".join(parts)


def response_figures(response: Mapping[str, Any]) -> list[str]:
    """Say who answered and what it took."""
    model, provider = text_of(response.get("model")), text_of(response.get("provider"))
    named = (
        f"{provider}/{model}"
        if provider and model and not model.startswith(f"{provider}/")
        else model or provider
    )
    figures = [named] if named else []
    figures += usage_figures(fields(response.get("usage")))
    figures += [took(response), _ENDINGS.get(text_of(response.get("finish_reason")), "")]
    return [figure for figure in figures if figure]


def _call_text(call: Mapping[str, Any]) -> str:
    arguments = call.get("arguments")
    return (
        f"{text_of(call.get('name'))} {render_text(from_plain(arguments))}"
        if arguments
        else text_of(call.get("name"))
    )
