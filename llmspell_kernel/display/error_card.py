"""Errors of the world (a provider, a server, a file) as cards that say what to do next."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from llmspell_kernel.display.parts import card, fold, text_of
from llmspell_kernel.display.snapshot import from_plain
from llmspell_kernel.display.style import page
from llmspell_kernel.display.text import render_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_TITLES = {
    "authentication_failed": "The key was not accepted",
    "budget_exceeded": "The budget is spent",
    "connection_failed": "No connection",
    "missing_grant": "This session was not granted that",
    "not_found": "Not found",
    "rate_limited": "Too many requests",
    "timeout": "No answer in time",
}


def error_bundle(error: Mapping[str, Any]) -> dict[str, Any] | None:
    """Draw an error object: `message`, `code`, `provider`, `suggestion`, `retryable`, `details`.

    Gives None for what has no message.
    """
    message = text_of(error.get("message"))
    if not message:
        return None
    code, provider, suggestion = (text_of(error.get(key)) for key in ("code", "provider", "suggestion"))
    return {
        "text/plain": "\n".join(
            [
                f"error{f' ({code})' if code else ''}: {message}",
                *([f"what to do: {suggestion}"] if suggestion else []),
            ]
        ),
        "text/html": page(error_html(error, message, code, provider, suggestion)),
    }


def error_html(error: Mapping[str, Any], message: str, code: str, provider: str, suggestion: str) -> str:
    """Draw the card itself."""
    title = _TITLES.get(code, "That did not work")
    parts = [
        f'<p class="ls-title">{title}{f" <span class=ls-q>· {escape(provider)}</span>" if provider else ""}</p>'
    ]
    parts.append(f"<p>{escape(message)}</p>")
    if suggestion:
        parts.append(f"<p><b>What to do:</b> {escape(suggestion)}</p>")
    if error.get("details"):
        parts.append(fold("details", f"<pre>{escape(render_text(from_plain(error['details'])))}</pre>"))
    quiet = [code, "the same call may work later" if error.get("retryable") else ""]
    parts.append(f'<div class="ls-foot">{escape(" · ".join(part for part in quiet if part))}</div>')
    return card("".join(parts), manner="bad")
