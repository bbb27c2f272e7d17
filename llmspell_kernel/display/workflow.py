"""A workflow as a diagram: its steps in their order, side by side where they run at once, with states and times."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, cast

from llmspell_kernel.display.parts import dicts, foot, state_html, state_mark, state_of, text_of, took
from llmspell_kernel.display.style import add_part, page

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHOICE = "choice"
_KINDS = frozenset({"sequential", "parallel", "conditional", "loop"})

add_part(
    "ls-flow",
    """
.llmspell .ls-flow { display: flex; flex-wrap: wrap; align-items: center; gap: .5em; margin: .2em 0; }
.llmspell .ls-flow.ls-parallel { flex-direction: column; align-items: stretch; }
.llmspell .ls-step {
  border: 1px solid var(--ls-line); border-radius: 6px; padding: .35em .75em; background: var(--ls-page);
  min-width: 5em;
}
.llmspell .ls-step.ls-running { border-color: var(--ls-accent); box-shadow: 0 0 0 1px var(--ls-accent); }
.llmspell .ls-step.ls-failed { border-color: var(--ls-error); }
.llmspell .ls-step.ls-pending, .llmspell .ls-step.ls-skipped { border-style: dashed; color: var(--ls-quiet); }
.llmspell .ls-step .ls-t { margin: 0; display: block; }
.llmspell .ls-step .ls-no { font-size: .85em; max-width: 24em; overflow-wrap: anywhere; }
.llmspell .ls-flow > .ls-to { color: var(--ls-quiet); }
.llmspell .ls-nest { border-radius: 8px; border: 1px dashed var(--ls-line); padding: .35em .6em; }
.llmspell .ls-nest > .ls-t { margin: 0 0 .2em; display: block; }
""",
)


def workflow_bundle(workflow: Mapping[str, Any]) -> dict[str, Any] | None:
    """Draw a workflow: `name`, `type`, `status`, `seconds`, `steps`; a step may have steps itself.

    A step has a `name`, a `type` (``tool``, ``agent``, ``function``, or a workflow's), a `status`, `seconds`,
    `attempts` and an `error`. Times are in the HTML alone, so that the plain text is the same in each run. Gives None
    for what has no steps.
    """
    steps = _steps(workflow)
    if not steps:
        return None
    state = state_of(workflow.get("status"))
    figures = [text_of(workflow["name"])] if workflow.get("name") else []
    figures.append(text_of(workflow.get("status")) or state)
    lines = [f"{state_mark(state)} {' · '.join(figures)}", *_lines(steps, "  ")]
    return {
        "text/plain": "\n".join(lines),
        "text/html": page(_flow(workflow) + foot([*figures, took(workflow)] if took(workflow) else figures)),
    }


def definition_bundle(workflow: Mapping[str, Any]) -> dict[str, Any] | None:
    """Draw a workflow that is built: what will run, and the states of its last run, if there was one."""
    last = workflow.get("last")
    if isinstance(last, dict):
        return workflow_bundle(cast("dict[str, Any]", last))
    return workflow_bundle({**workflow, "status": "not run yet", "steps": _defined(workflow)})


def _defined(workflow: Mapping[str, Any]) -> list[dict[str, Any]]:
    steps = [
        {"name": step.get("name"), "type": step.get("type"), **_inner(step.get("workflow"))}
        for step in _steps(workflow)
    ]
    branches = [
        {"name": branch.get("name"), "steps": _defined(branch)} for branch in dicts(workflow.get("branches"))
    ]
    return [*steps, {"name": "one of", "type": _CHOICE, "steps": branches}] if branches else steps


def _inner(workflow: object) -> dict[str, Any]:
    if not isinstance(workflow, dict):
        return {}
    inner = cast("dict[str, Any]", workflow)
    return {"type": inner.get("type"), "steps": _defined(inner)}


def _state(step: Mapping[str, Any]) -> str:
    """The state of a step; of one that tells none, what its own steps make of it."""
    if step.get("status") or not _steps(step):
        return state_of(step.get("status"))
    inner = {_state(each) for each in _steps(step)}
    return next((state for state in ("failed", "running", "completed") if state in inner), "pending")


def _steps(workflow: Mapping[str, Any]) -> list[dict[str, Any]]:
    return dicts(workflow.get("steps"))


def _flow(workflow: Mapping[str, Any]) -> str:
    if workflow.get("type") in ("parallel", _CHOICE):
        return f'<div class="ls-flow ls-parallel">{"".join(map(_step, _steps(workflow)))}</div>'
    arrow = '<span class="ls-to">→</span>'
    return f'<div class="ls-flow">{arrow.join(map(_step, _steps(workflow)))}</div>'


def _step(step: Mapping[str, Any]) -> str:
    state = _state(step)
    name = escape(text_of(step.get("name")) or "step")
    if _steps(step):
        kind = text_of(step.get("type"))
        kind = f" · {escape(kind)}" if kind in _KINDS else ""
        return f'<div class="ls-nest"><span class="ls-t">{state_html(state)} {name}{kind}</span>{_flow(step)}</div>'
    error = f'<div class="ls-no">{escape(text_of(step["error"]))}</div>' if step.get("error") else ""
    quiet = escape(" · ".join([*_figures(step), took(step)] if took(step) else _figures(step)))
    return f'<div class="ls-step ls-{state}">{state_html(state)} {name} <span class="ls-t">{quiet}</span>{error}</div>'


def _figures(step: Mapping[str, Any]) -> list[str]:
    figures = [text_of(step["type"])] if step.get("type") not in (None, _CHOICE) else []
    if isinstance(step.get("attempts"), int) and step["attempts"] > 1:
        figures.append(f"{step['attempts']} attempts")
    return figures


def _lines(steps: list[dict[str, Any]], indent: str) -> list[str]:
    lines: list[str] = []
    for step in steps:
        quiet = " · ".join([*_figures(step), *([text_of(step["error"])] if step.get("error") else [])])
        sign, name = state_mark(_state(step)), text_of(step.get("name")) or "step"
        lines.append(f"{indent}{sign} {name}  {quiet}".rstrip())
        lines += _lines(_steps(step), indent + "  ")
    return lines
