"""The results of a cell of tests."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from llmspell_kernel.display.parts import dicts, state_html, state_mark, state_of, text_of, took
from llmspell_kernel.display.style import add_part, page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

add_part(
    "ls-suite",
    """
.llmspell .ls-suite { max-width: 60em; }
.llmspell .ls-suite ul { list-style: none; margin: 0 0 .4em; padding: 0; }
.llmspell .ls-suite li { margin: 0; padding: .1em 0 .1em .2em; }
.llmspell .ls-suite .ls-group { font-weight: 600; margin: .4em 0 .1em; }
.llmspell .ls-suite pre { white-space: pre-wrap; margin: .1em 0 .4em 1.5em; color: var(--ls-error); }
.llmspell .ls-suite .ls-sum { font-weight: 600; }
""",
)


def suite_bundle(run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Draw ``{tests = {{name, group, status, message, traceback}}, seconds}``; gives None for what has no tests.

    A test may have ``seconds`` too. Of very many tests only some are in the list: ``passed``, ``failed`` and
    ``skipped`` tell how many there are.
    """
    tests = dicts(run.get("tests"))
    if not isinstance(run.get("tests"), list):
        return None
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for test in tests:
        groups.setdefault(text_of(test.get("group")), []).append(test)
    counts = _counts(run, tests)
    total = ", ".join(f"{number} {state}" for state, number in counts.items() if number) or "no tests"
    rest = sum(counts.values()) - len(tests)
    more = f"… and {rest:,} more" if rest > 0 else ""
    time = f' <span class="ls-t">{took(run)}</span>' if took(run) else ""
    manner = "ls-no" if counts["failed"] else "ls-ok"
    body = "".join(_group(name, members) for name, members in groups.items())
    body += f'<div class="ls-q">{more}</div>' if more else ""
    lines = [line for name, members in groups.items() for line in _lines(name, members)]
    return {
        "text/plain": "\n".join([*lines, *([f"  {more}"] if more else []), total]),
        "text/html": page(
            f'<div class="ls-suite">{body}<div class="ls-sum ls-ok {manner}">{escape(total)}{time}</div></div>'
        ),
    }


def _counts(run: Mapping[str, Any], tests: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    states = [state_of(test.get("status")) for test in tests]
    told = {state: run.get(state) for state in ("passed", "failed", "skipped")}
    return {state: n if isinstance(n, int) else states.count(state) for state, n in told.items()}


def _group(name: str, tests: list[Mapping[str, Any]]) -> str:
    head = f'<div class="ls-group">{escape(name)}</div>' if name else ""
    return f"{head}<ul>{''.join(map(_test, tests))}</ul>"


def _test(test: Mapping[str, Any]) -> str:
    time = f' <span class="ls-t">{took(test)}</span>' if took(test) else ""
    told = "\n".join(_problem(test))
    message = f"<pre>{escape(told)}</pre>" if told else ""
    return f"<li>{state_html(state_of(test.get('status')))} {escape(text_of(test.get('name')))}{time}{message}</li>"


def _lines(name: str, tests: list[Mapping[str, Any]]) -> list[str]:
    lines = [name] if name else []
    for test in tests:
        lines.append(f"  {state_mark(state_of(test.get('status')))} {text_of(test.get('name'))}")
        lines += [f"      {line}" for line in _problem(test)]
    return lines


def _problem(test: Mapping[str, Any]) -> list[str]:
    """What went wrong, and the calls that led there."""
    told = (text_of(test[key]) for key in ("message", "traceback") if test.get(key))
    return [line for text in told for line in text.splitlines()]
