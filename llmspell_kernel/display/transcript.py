"""An agent's run: what was said, which tools were called with what and gave what, and what it took."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from llmspell_kernel.display.markdown import markdown_html
from llmspell_kernel.display.parts import dicts, fields, fold, foot, state_html, text_of, took, usage_figures
from llmspell_kernel.display.snapshot import from_plain
from llmspell_kernel.display.style import add_part, page
from llmspell_kernel.display.text import render_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_RESULT = 20000

add_part(
    "ls-turns",
    """
.llmspell .ls-turns { max-width: 60em; }
.llmspell .ls-turn { display: grid; grid-template-columns: 6.5em 1fr; gap: 0 1em; padding: .45em 0; }
.llmspell .ls-turn + .ls-turn { border-top: 1px solid var(--ls-line); }
.llmspell .ls-turn > b { font-weight: 600; font-size: .85em; color: var(--ls-quiet); padding-top: .15em; }
.llmspell .ls-turn.ls-assistant > b { color: var(--ls-accent); }
.llmspell .ls-turn > div { min-width: 0; }
""",
)


def transcript_bundle(run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Draw a run: `agent`, `model`, `messages`, `usage`, `seconds`, `error`.

    A message has a `role`, `content` and perhaps `tool_calls`; a call has a `name`, `arguments`, and a `result`
    or an `error`, and perhaps `seconds`. A result may also come as a message of the role ``tool`` with the
    `tool_call_id` of its call. Gives None for what has no messages.
    """
    messages = dicts(run.get("messages"))
    if not messages:
        return None
    results = {message["tool_call_id"]: message for message in messages if message.get("tool_call_id")}
    calls = {text_of(call.get("id")) for message in messages for call in dicts(message.get("tool_calls"))}
    turns = [each for each in messages if text_of(each.get("tool_call_id")) not in calls or not calls - {""}]
    figures = _figures(run)
    body = "".join(_turn(message, results) for message in turns)
    lines = [line for message in turns for line in _turn_lines(message, results)]
    return {
        "text/plain": "\n".join([*lines, *([f"— {' · '.join(figures)}"] if figures else [])]),
        "text/html": page(f'<div class="ls-turns">{body}</div>{foot(figures) if figures else ""}'),
    }


def _figures(run: Mapping[str, Any]) -> list[str]:
    figures = [text_of(run[key]) for key in ("agent", "model") if run.get(key)]
    figures += usage_figures(fields(run.get("usage")))
    figures += [took(run)] if took(run) else []
    return figures + ([f"failed: {text_of(run['error'])}"] if run.get("error") else [])


def _turn(message: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> str:
    role = text_of(message.get("role")) or "?"
    content = text_of(message.get("content"))
    body = markdown_html(content) if content else ""
    if role == "system" and len(content) > 200:
        body = fold(escape(content[:80]) + "…", body)
    calls: Sequence[Mapping[str, Any]] = dicts(message.get("tool_calls"))
    body += "".join(_call(call, results) for call in calls)
    manner = " ls-assistant" if role == "assistant" else ""
    return f'<div class="ls-turn{manner}"><b>{escape(role)}</b><div>{body}</div></div>'


def _call(call: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> str:
    state, result = _outcome(call, results)
    arguments = call.get("arguments")
    time = f" · {took(call)}" if took(call) else ""
    brief = render_text(from_plain(arguments)) if arguments else ""
    brief = " ".join(brief.split())
    name = f"<code>{escape(text_of(call.get('name')))}</code>"
    summary = (
        f"{state_html(state)} {name} <code>{escape(brief[:80])}{'…' if len(brief) > 80 else ''}</code>{time}"
    )
    body = f"<pre>{escape(render_text(from_plain(arguments)))}</pre>" if len(brief) > 80 else ""
    return fold(summary, f"{body}<pre>{escape(result[:_RESULT])}</pre>")


def _outcome(call: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    if call.get("error"):
        return "failed", text_of(call["error"])
    result = call.get("result")
    if result is None and call.get("id") in results:
        result = results[call["id"]].get("content")
    if result is None:
        return "pending", "no result"
    return "completed", result if isinstance(result, str) else render_text(from_plain(result))


def _turn_lines(message: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    content = text_of(message.get("content"))
    lines = [f"{text_of(message.get('role')) or '?'}: {content}"] if content else []
    for call in dicts(message.get("tool_calls")):
        arguments = render_text(from_plain(call.get("arguments") or {}))
        _, result = _outcome(call, results)
        lines.append(
            f"  {text_of(call.get('name'))} {' '.join(arguments.split())} → {' '.join(result.split())[:200]}"
        )
    return lines
