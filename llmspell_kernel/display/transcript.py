"""An agent's run: what was said, which tools were called with what and gave what, and what it took."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from llmspell_kernel.display.calls import call_html, call_text
from llmspell_kernel.display.literal import count
from llmspell_kernel.display.markdown import markdown_html
from llmspell_kernel.display.parts import dicts, fields, fold, foot, text_of, took, usage_figures
from llmspell_kernel.display.style import add_part, page

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_LONG = 200

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
    `tool_call_id` of its call. What was said before the last question folds away. Gives None for what has no
    messages; times are in the HTML alone, so that the plain text is the same in each run.
    """
    turns = _turns(run)
    if not turns:
        return None
    begin = max((number for number, turn in enumerate(turns) if turn.get("role") == "user"), default=0)
    while begin > 0 and turns[begin - 1].get("role") in ("user", "system"):
        begin -= 1
    before, now = turns[:begin], turns[begin:]
    figures = _figures(run)
    lines = [f"({count(len(before), 'earlier message')})"] if before else []
    lines += [line for turn in now for line in _turn_lines(turn)]
    return {
        "text/plain": "\n".join([*lines, *([f"— {' · '.join(figures)}"] if figures else [])]),
        "text/html": page(_turns_html(before, now) + _foot([*figures, took(run)])),
    }


def _turns(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages with the results of tools in the calls that asked for them."""
    messages = dicts(run.get("messages"))
    results = {text_of(each["tool_call_id"]): each for each in messages if each.get("tool_call_id")}
    known = {
        (text_of(call.get("name")), repr(call.get("arguments"))): call
        for call in dicts(run.get("tool_calls"))
    }
    turns: list[dict[str, Any]] = []
    asked: set[str] = set()
    for message in messages:
        calls = dicts(message.get("tool_calls"))
        asked.update(text_of(call.get("id")) for call in calls)
        if text_of(message.get("tool_call_id")) in asked - {""}:
            continue
        turns.append({**message, "tool_calls": [_answered(call, results, known) for call in calls]})
    return turns


def _answered(
    call: dict[str, Any],
    results: Mapping[str, Mapping[str, Any]],
    known: Mapping[tuple[str, str], Mapping[str, Any]],
) -> dict[str, Any]:
    ended = known.get((text_of(call.get("name")), repr(call.get("arguments"))), {})
    answer = results.get(text_of(call.get("id")))
    if ended.get("error") or answer is None:
        return {**ended, **call}
    return {"result": answer.get("content"), **call}


def _turns_html(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> str:
    earlier = "".join(map(_turn, before))
    folded = fold(count(len(before), "earlier message"), earlier) if before else ""
    return f'<div class="ls-turns">{folded}{"".join(map(_turn, now))}</div>'


def _figures(run: Mapping[str, Any]) -> list[str]:
    figures = [text_of(run[key]) for key in ("agent", "model") if run.get(key)]
    figures += usage_figures(fields(run.get("usage")))
    return figures + ([f"failed: {text_of(run['error'])}"] if run.get("error") else [])


def _foot(figures: Iterable[str]) -> str:
    told = [figure for figure in figures if figure]
    return foot(told) if told else ""


def _turn(message: Mapping[str, Any]) -> str:
    role = text_of(message.get("role")) or "?"
    content = text_of(message.get("content"))
    body = markdown_html(content) if content else ""
    if role == "system" and len(content) > _LONG:
        body = fold(escape(content[:80]) + "…", body)
    body += "".join(map(call_html, dicts(message.get("tool_calls"))))
    manner = " ls-assistant" if role == "assistant" else ""
    return f'<div class="ls-turn{manner}"><b>{escape(role)}</b><div>{body}</div></div>'


def _turn_lines(message: Mapping[str, Any]) -> list[str]:
    content = text_of(message.get("content"))
    lines = [f"{text_of(message.get('role')) or '?'}: {content}"] if content else []
    return lines + [f"  {call_text(call)}" for call in dicts(message.get("tool_calls"))]
