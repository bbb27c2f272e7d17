"""A model's answer: its Markdown drawn, with a quiet line that says who answered and what it took."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from llmspell_kernel.display.calls import call_html, call_name, call_text, has_ended
from llmspell_kernel.display.markdown import markdown_html
from llmspell_kernel.display.parts import dicts, fields, fold, foot, text_of, took, usage_figures
from llmspell_kernel.display.style import page
from llmspell_kernel.display.transcript import transcript_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENDINGS = {
    "length": "cut at the limit of tokens",
    "content_filter": "stopped by the provider's filter",
    "stopped": "stopped",
}


def response_bundle(response: Mapping[str, Any]) -> dict[str, Any] | None:
    """Draw a response: `content`, `model`, `provider`, `usage`, `tool_calls`, `finish_reason`, `seconds`.

    One with `messages` came by a run with tools, and is drawn as what was said in it. Gives None for anything without
    content or tool calls.
    """
    if isinstance(response.get("messages"), list):
        return transcript_bundle(response)
    content = text_of(response.get("content"))
    if not content and not response.get("tool_calls"):
        return None
    figures = response_figures(response)
    footer = " · ".join(figures)
    time = took(response)
    parts = [
        content,
        *(
            f"→ {call_text(call) if has_ended(call) else call_name(call)}"
            for call in dicts(response.get("tool_calls"))
        ),
        f"— {footer}" if footer else "",
    ]
    return {
        "text/plain": "\n\n".join(part for part in parts if part),
        "text/markdown": content,
        "text/html": page(
            response_html(response) + (foot([*figures, time] if time else figures) if figures or time else "")
        ),
    }


def response_html(response: Mapping[str, Any]) -> str:
    """Draw the answer itself: thinking folded, then the text, then the tools it asks for."""
    parts: list[str] = []
    if response.get("reasoning"):
        parts.append(fold("thinking", markdown_html(text_of(response["reasoning"]))))
    if response.get("content"):
        parts.append(markdown_html(text_of(response["content"])))
    parts += map(_call_html, dicts(response.get("tool_calls")))
    return "".join(parts)


def response_figures(response: Mapping[str, Any]) -> list[str]:
    """Say who answered and what it took; how long it took is for the HTML alone, which need not be the same."""
    model, provider = text_of(response.get("model")), text_of(response.get("provider"))
    named = (
        f"{provider}/{model}"
        if provider and model and not model.startswith(f"{provider}/")
        else model or provider
    )
    figures = [named] if named else []
    figures += usage_figures(fields(response.get("usage")))
    figures += [_ENDINGS.get(text_of(response.get("finish_reason")), "")]
    return [figure for figure in figures if figure]


def _call_html(call: Mapping[str, Any]) -> str:
    if has_ended(call):
        return call_html(call)
    return f'<div class="ls-q">→ <code>{escape(call_name(call))}</code></div>'
