"""An inspection as a MIME bundle: text, Markdown and HTML of the same sections."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from llmspell_kernel.language.markdown import code_block, inline, to_html

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmspell_kernel.language.documentation import Option
    from llmspell_kernel.language.inspection import Inspection
    from llmspell_kernel.language.live import Row


@dataclass(frozen=True)
class _Table:
    """Rows under a title."""

    title: str
    rows: list[tuple[str, str, str]]


def bundle(found: Inspection) -> dict[str, Any]:
    """The data of an inspect_reply."""
    return {"text/plain": as_text(found), "text/markdown": as_markdown(found), "text/html": as_html(found)}


def _facts(found: Inspection) -> list[tuple[str, str]]:
    metatable = ", ".join(found.metatable)
    facts = [
        ("Type", found.type),
        ("Value", found.preview),
        ("Size", found.size),
        ("Metatable", metatable),
        ("Defined", found.defined),
        ("Grant", found.grant),
        ("Since", found.since),
        ("See", found.link),
    ]
    return [(name, value) for name, value in facts if value]


def _tables(found: Inspection) -> list[_Table]:
    more = [("…", "", "")] if found.more_fields else []
    tables = [
        _Table("Parameters", _options(found.parameters)),
        _Table("Returns", [(one.name or "value", one.type, one.doc) for one in found.returns]),
        _Table("Upvalues", _rows(found.upvalues)),
        _Table("Fields", [*_rows(found.fields), *more]),
    ]
    return [table for table in tables if table.rows]


def _options(
    options: Iterable[Option], depth: int = 0, above: frozenset[str] = frozenset()
) -> list[tuple[str, str, str]]:
    """A row for each option, and below it the keys that it takes, unless the parameter before takes them too."""
    rows: list[tuple[str, str, str]] = []
    for option in options:
        name = "  " * depth + option.name + ("?" if option.optional and option.name != "..." else "")
        keys = frozenset(one.name for one in option.options)
        doc = option.doc + (f" ({option.default})" if option.default else "")
        if keys and keys <= above:
            doc += f"{' ' if doc else ''}(its keys are among those above)"
        rows.append((name, option.type, doc))
        if depth < 2 and not keys <= above:
            rows += _options(option.options, depth + 1)
            above = keys if depth == 0 else above
    return rows


def _rows(rows: Iterable[Row]) -> list[tuple[str, str, str]]:
    return [(row.name, row.type, row.detail) for row in rows]


def as_text(found: Inspection) -> str:
    """For terminals."""
    parts = [found.signature or found.name]
    if found.doc:
        parts.append(found.doc)
    facts = _facts(found)
    width = max((len(name) for name, _ in facts), default=0)
    if facts:
        parts.append("\n".join(f"{name + ':':<{width + 1}} {value}" for name, value in facts))
    parts += [f"{table.title}:\n" + "\n".join(_aligned(table.rows)) for table in _tables(found)]
    if found.example:
        parts.append("Example:\n" + _indented(found.example))
    if found.source:
        parts.append("Source:\n" + _indented(found.source))
    return "\n\n".join(parts)


def _aligned(rows: list[tuple[str, str, str]]) -> list[str]:
    names = max(len(name) for name, _, _ in rows)
    types = min(30, max(len(type_) for _, type_, _ in rows))
    return [f"  {name:<{names}}  {type_:<{types}}  {text}".rstrip() for name, type_, text in rows]


def _indented(code: str) -> str:
    return "\n".join("  " + line if line else "" for line in code.split("\n"))


def as_markdown(found: Inspection) -> str:
    """For front ends that render Markdown."""
    parts = [_fenced(found.signature or found.name)]
    if found.doc:
        parts.append(found.doc)
    facts = _facts(found)
    if facts:
        parts.append(
            "\n".join(f"- **{name}**: {value if name == 'See' else _code(value)}" for name, value in facts)
        )
    for table in _tables(found):
        rows = "\n".join(
            f"| {_cell(name)} | {_cell(type_)} | {_plain(text)} |" for name, type_, text in table.rows
        )
        parts.append(f"**{table.title}**\n\n| | | |\n|---|---|---|\n{rows}")
    if found.example:
        parts.append("**Example**\n\n" + _fenced(found.example))
    if found.source:
        parts.append("**Source**\n\n" + _fenced(found.source))
    return "\n\n".join(parts)


def _fenced(code: str) -> str:
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}lua\n{code}\n{fence}"


def _code(text: str) -> str:
    ticks = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def _cell(text: str) -> str:
    return _code(text.replace("|", "\\|")) if text.strip() else ""


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def as_html(found: Inspection) -> str:
    """For tooltips and the contextual help; only elements that sanitizers let through."""
    parts = [code_block(found.signature or found.name)]
    if found.doc:
        parts.append(to_html(found.doc))
    facts = "".join(f"<tr><th>{name}</th><td>{_fact(name, value)}</td></tr>" for name, value in _facts(found))
    if facts:
        parts.append(f"<table>{facts}</table>")
    for table in _tables(found):
        rows = "".join(
            f"<tr><td><code>{escape(name).replace('  ', '&nbsp;&nbsp;')}</code></td><td>{escape(type_)}</td>"
            f"<td>{inline(text)}</td></tr>"
            for name, type_, text in table.rows
        )
        parts.append(f"<p><strong>{table.title}</strong></p>\n<table>{rows}</table>")
    if found.example:
        parts.append("<p><strong>Example</strong></p>\n" + code_block(found.example))
    if found.source:
        parts.append("<p><strong>Source</strong></p>\n" + code_block(found.source))
    return "\n".join(parts)


def _fact(name: str, value: str) -> str:
    if name == "See" and value.startswith("https://"):
        return f'<a href="{escape(value)}">{escape(value)}</a>'
    return f"<code>{escape(value)}</code>" if name in ("Value", "Type") else escape(value)
