"""Calls of tools: the name and the arguments on a line that folds open to what came back."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from llmspell_kernel.display.parts import fold, state_html, text_of, took
from llmspell_kernel.display.snapshot import from_plain
from llmspell_kernel.display.text import render_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_BRIEF = 80
_LINE = 200
_RESULT = 20000


def call_html(call: Mapping[str, Any]) -> str:
    """Draw a call: `name`, `arguments`, `result` or `error`, and perhaps `seconds`."""
    state, result = _outcome(call)
    brief = _arguments_line(call)
    time = f' <span class="ls-t">{took(call)}</span>' if took(call) else ""
    shown = f"{brief[:_BRIEF]}…" if len(brief) > _BRIEF else brief
    summary = f"{state_html(state)} <code>{escape(text_of(call.get('name')))}</code> "
    summary += f'<code class="ls-q">{escape(shown)}</code>{time}'
    body = f"<pre>{escape(_text(call.get('arguments')))}</pre>" if len(brief) > _BRIEF else ""
    return fold(summary, f"{body}<pre>{escape(result[:_RESULT])}</pre>")


def call_text(call: Mapping[str, Any]) -> str:
    """Write a call on a line: ``name {…} → result``."""
    _, result = _outcome(call)
    flat = " ".join(result.split())
    return f"{call_name(call)} → {flat[:_LINE]}{'…' if len(flat) > _LINE else ''}"


def call_name(call: Mapping[str, Any]) -> str:
    """Write what is called with what: ``name {…}``."""
    return f"{text_of(call.get('name'))} {_arguments_line(call)}".rstrip()


def has_ended(call: Mapping[str, Any]) -> bool:
    """Whether it is known what the call came to."""
    return call.get("result") is not None or bool(call.get("error"))


def _outcome(call: Mapping[str, Any]) -> tuple[str, str]:
    if call.get("error"):
        return "failed", text_of(call["error"])
    if call.get("result") is None:
        return "pending", "no result"
    return "completed", _text(call["result"])


def _arguments_line(call: Mapping[str, Any]) -> str:
    arguments = call.get("arguments")
    return " ".join(_text(arguments).split()) if arguments else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else render_text(from_plain(value))
