"""The reference as pages: a list of everything there is, and all of it as one Markdown text."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from llmspell_kernel.language import explanation, inspection
from llmspell_kernel.language.markdown import inline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmspell_kernel.language.documentation import Documented, Reference

_HINTS = (
    "`help(llm.chat)` or `llm.chat?` explains one of them, `llm.chat??` with its source if it is yours; Tab completes, "
    "Shift+Tab explains what is at the cursor, `%lsmagic` lists the magics."
)


def modules(reference: Reference) -> list[Documented]:
    """The modules, by name."""
    return sorted((one for one in reference.entries() if one.kind == "module"), key=lambda one: one.name)


def overview(reference: Reference) -> dict[str, Any]:
    """Every module and every global function, each with a line about it, as a MIME bundle."""
    functions = [one for one in reference.members("").values() if one.is_callable]
    groups = {
        "Modules": [(one.name, one.summary) for one in modules(reference)],
        "Functions": sorted((one.name, one.summary) for one in functions),
    }
    width = max(len(name) for rows in groups.values() for name, _ in rows)
    text = [_HINTS.replace("`", "")]
    markdown, html = [_HINTS], [f"<p>{inline(_HINTS)}</p>"]
    for title, rows in groups.items():
        text.append("\n".join([title, *(f"  {name:<{width}}  {about}".rstrip() for name, about in rows)]))
        markdown.append(f"**{title}**\n\n" + "\n".join(f"- `{name}`: {about}" for name, about in rows))
        body = "".join(
            f"<tr><td><code>{escape(name)}</code></td><td>{inline(about)}</td></tr>" for name, about in rows
        )
        html.append(f"<p><strong>{title}</strong></p>\n<table>{body}</table>")
    return {
        "text/plain": "\n\n".join(text),
        "text/markdown": "\n\n".join(markdown),
        "text/html": "\n".join(html),
    }


def page(reference: Reference, name: str, form: str) -> str | None:
    """What is known of `name`, as ``text`` or ``markdown``: of a module and a type with all members."""
    entry = reference.get(name)
    if entry is None:
        return None
    render = explanation.as_text if form == "text" else explanation.as_markdown
    if entry.kind not in ("module", "type"):
        return render(inspection.of_entry(entry))
    shown = [entry, *_members(reference, entry)]
    if form == "text":
        rule = "\n\n" + "─" * 72 + "\n\n"
        return rule.join(render(inspection.of_entry(one)) for one in shown)
    return "\n\n".join(_section(one, 1 + (one is not entry)) for one in shown)


def markdown(reference: Reference, names: Iterable[str] = ()) -> str:
    """The whole reference, or that of some modules and types, as one Markdown text."""
    wanted = list(names) or [one.name for one in modules(reference)] + _types(reference)
    return "\n\n".join(page(reference, name, "markdown") or "" for name in wanted) + "\n"


def _types(reference: Reference) -> list[str]:
    return sorted(one.name for one in reference.entries() if one.kind == "type")


def _members(reference: Reference, entry: Documented) -> list[Documented]:
    listed = {one.name for one in entry.parameters}  # the fields of a type are in its own table
    found = reference.members(entry.name).values()
    return sorted((one for one in found if one.short_name not in listed), key=lambda one: one.name)


def _section(entry: Documented, level: int) -> str:
    return f"{'#' * level} {entry.name}\n\n{explanation.as_markdown(inspection.of_entry(entry))}"
