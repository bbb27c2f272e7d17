"""A spell's manifest: what it is, what it takes and what it asks to be allowed."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, cast

from llmspell_kernel.display.html import table_html
from llmspell_kernel.display.parts import card, dicts, text_of
from llmspell_kernel.display.snapshot import Table, from_plain
from llmspell_kernel.display.style import page
from llmspell_kernel.display.text import render_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_COLUMNS = ("name", "type", "default", "description")


def manifest_bundle(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """Draw a manifest: `name`, `version`, `description`, `parameters` and `grants`; gives None without a name.

    Gives None as well for what has nothing but its name: a notebook that says nothing of itself.
    """
    name = text_of(manifest.get("name"))
    if not name or not any(manifest.get(key) for key in ("version", "description", "parameters", "grants")):
        return None
    version, description = text_of(manifest.get("version")), text_of(manifest.get("description"))
    parameters = _parameters(manifest.get("parameters"))
    grants = manifest.get("grants")
    lines = [f"{name} {version}".strip(), *([description] if description else [])]
    lines += [f"  {_parameter_text(each)}" for each in parameters]
    lines += [f"asks for: {render_text(from_plain(grants))}"] if grants else []
    parts = [f'<p class="ls-title">{escape(name)} <span class="ls-q">{escape(version)}</span></p>']
    if description:
        parts.append(f"<p>{escape(description)}</p>")
    parts.append(
        _section("Parameters", [{key: each[key] for key in _COLUMNS if key in each} for each in parameters])
    )
    parts.append(_section("Asks to be allowed", grants))
    return {"text/plain": "\n".join(lines), "text/html": page(card("".join(parts)))}


def _parameters(value: object) -> list[dict[str, Any]]:
    """Parameters come as a list of tables with names, or as a map from names to tables or defaults."""
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return [
            {"name": name, **(cast("dict[str, Any]", each) if isinstance(each, dict) else {"default": each})}
            for name, each in named.items()
        ]
    return dicts(value)


def _parameter_text(parameter: Mapping[str, Any]) -> str:
    kind = f" ({text_of(parameter['type'])})" if parameter.get("type") else ""
    default = (
        f" = {render_text(from_plain(parameter['default']))}" if parameter.get("default") is not None else ""
    )
    told = f": {text_of(parameter['description'])}" if parameter.get("description") else ""
    return f"{text_of(parameter.get('name'))}{kind}{default}{told}"


def _section(title: str, value: object) -> str:
    if not value:
        return ""
    node = from_plain(value, keep_order=True)
    drawn = table_html(node) if isinstance(node, Table) else f"<code>{escape(render_text(node))}</code>"
    return f"<p><b>{title}</b></p>{drawn}"
