"""What changed between two states: added, removed and changed values by their paths."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, cast

from llmspell_kernel.display.literal import count, is_name, quoted
from llmspell_kernel.display.parts import dicts, foot, text_of
from llmspell_kernel.display.snapshot import from_plain
from llmspell_kernel.display.style import add_part, page
from llmspell_kernel.display.text import render_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SHOWN = 200
_VALUE = 500
_ABSENT: Any = object()

add_part(
    "ls-diff",
    """
.llmspell table.ls-diff { border-collapse: collapse; border: 0; margin: 0; }
.llmspell .ls-diff tr { background: none; }
.llmspell .ls-diff td { padding: .15em .7em; text-align: left; vertical-align: top; border: 0; }
.llmspell .ls-diff .ls-del { background: rgba(211,47,47,.13); white-space: pre-wrap; overflow-wrap: anywhere; }
.llmspell .ls-diff .ls-ins { background: rgba(56,142,60,.15); white-space: pre-wrap; overflow-wrap: anywhere; }
""",
)


def diff_bundle(before: object, after: object) -> dict[str, Any]:
    """Draw what changed from one state to another; both are plain data."""
    return _bundle(list(_changes("", before, after)))


def changes_bundle(listed: Sequence[object]) -> dict[str, Any]:
    """Draw a list of changes: each with a `path`, a `kind` (added, removed, changed), and `old` or `new` or both."""
    return _bundle(
        [(text_of(each.get("path")), _side(each, "old"), _side(each, "new")) for each in dicts(listed)]
    )


def _side(change: Mapping[str, Any], side: str) -> object:
    absent = {"old": "added", "new": "removed"}[side]
    return _ABSENT if change.get("kind") == absent else change.get(side)


def _bundle(changes: list[tuple[str, Any, Any]]) -> dict[str, Any]:
    if not changes:
        return {"text/plain": "no changes", "text/html": page(foot(["no changes"]))}
    shown = changes[:_SHOWN]
    total = count(len(changes), "change") + (f", the first {_SHOWN} shown" if len(changes) > _SHOWN else "")
    lines = [line for change in shown for line in _lines(*change)]
    rows = "".join(_row(*change) for change in shown)
    return {
        "text/plain": "\n".join([*lines, f"-- {total}"]),
        "text/html": page(f'<table class="ls-diff"><tbody>{rows}</tbody></table>{foot([total])}'),
    }


def _changes(path: str, before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    if type(before) is type(after) and before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = cast("dict[Any, Any]", before), cast("dict[Any, Any]", after)
        keys = sorted({*old, *new}, key=lambda key: (isinstance(key, str), str(key)))
        pairs = [(_join(path, key), old.get(key, _ABSENT), new.get(key, _ABSENT)) for key in keys]
    elif isinstance(before, list) and isinstance(after, list):
        first, second = cast("list[Any]", before), cast("list[Any]", after)
        most = max(len(first), len(second))
        pairs = [(_join(path, i + 1), _item(first, i), _item(second, i)) for i in range(most)]
    else:
        return [(path or "value", before, after)]
    return [change for pair in pairs for change in _changes(*pair)]


def _item(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else _ABSENT


def _join(path: str, key: object) -> str:
    if isinstance(key, str) and is_name(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{quoted(key) if isinstance(key, str) else key}]"


def _text(value: object) -> str:
    text = render_text(from_plain(value))
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}…"


def _lines(path: str, before: object, after: object) -> list[str]:
    lines = [] if before is _ABSENT else [f"- {path} = {_text(before)}"]
    return lines if after is _ABSENT else [*lines, f"+ {path} = {_text(after)}"]


def _row(path: str, before: object, after: object) -> str:
    old = "" if before is _ABSENT else f"<code>{escape(_text(before))}</code>"
    new = "" if after is _ABSENT else f"<code>{escape(_text(after))}</code>"
    removed = f'<td class="ls-del">{f"− {old}" if old else ""}</td>' if old else "<td></td>"
    added = f'<td class="ls-ins">{f"+ {new}" if new else ""}</td>' if new else "<td></td>"
    return f'<tr><td><code class="ls-k">{escape(path)}</code></td>{removed}{added}</tr>'
