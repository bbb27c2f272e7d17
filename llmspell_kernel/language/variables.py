"""Listings of variables: what ``%who`` and ``%whos`` show, and the debugger's panel."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmspell_kernel.language.live import Variable, Variables

_NONE = "no variables yet"
_HEADS = ("name", "type", "size", "value")


def size_of(variable: Variable) -> str:
    """How large a variable is: ``12 bytes``, ``3 entries``; empty where that says nothing."""
    if variable.size is None:
        return ""
    unit = "byte" if variable.type == "string" else "entry"
    plural = unit if variable.size == 1 else {"byte": "bytes", "entry": "entries"}[unit]
    return f"{variable.size:,}{'' if variable.counted else '+'} {plural}"


def type_of(variable: Variable) -> str:
    """The type, with a name of its own if it has one, and for session locals that they are local."""
    shown = variable.type_name or variable.type
    return f"{shown}, local" if variable.scope == "local" else shown


def value_of(variable: Variable) -> str:
    """The value in one line; of a function its parameters."""
    return (
        f"function {variable.detail}" if variable.type == "function" and variable.detail else variable.preview
    )


def names(found: Variables | None) -> str:
    """The names in one line."""
    if found is None or not found.variables:
        return _NONE
    shown = "  ".join(variable.name for variable in found.variables)
    return shown + ("  …" if found.truncated else "")


def table(found: Variables | None) -> dict[str, Any]:
    """Names, types, sizes and values as a MIME bundle of text and HTML."""
    if found is None or not found.variables:
        return {"text/plain": _NONE}
    rows = [(one.name, type_of(one), size_of(one), value_of(one)) for one in found.variables]
    return {"text/plain": _text(rows, found.truncated), "text/html": _html(rows, found.truncated)}


def _text(rows: list[tuple[str, str, str, str]], truncated: bool) -> str:
    widths = [max(len(row[column]) for row in (_HEADS, *rows)) for column in range(3)]
    lines = [
        f"{name:<{widths[0]}}  {type_:<{widths[1]}}  {size:<{widths[2]}}  {value}".rstrip()
        for name, type_, size, value in (_HEADS, *rows)
    ]
    return "\n".join(lines + (["…"] if truncated else []))


def _html(rows: list[tuple[str, str, str, str]], truncated: bool) -> str:
    head = "".join(f"<th>{title}</th>" for title in _HEADS)
    body = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(type_)}</td><td>{escape(size)}</td>"
        f"<td><code>{escape(value)}</code></td></tr>"
        for name, type_, size, value in rows
    )
    more = '<tr><td colspan="4">…</td></tr>' if truncated else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}{more}</tbody></table>"
