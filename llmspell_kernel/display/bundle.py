"""Values to MIME bundles: the one door through which everything that is shown goes.

``text/plain`` is always there. ``application/json`` and ``text/csv`` are not added on our own account:
JupyterLab would show a JSON tree in place of the grid, and the notebook would hold the data twice.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from importlib import import_module
from typing import Any, TypeAlias, cast

from llmspell_kernel.display.html import problems_html, table_html
from llmspell_kernel.display.leaf import leaf_html
from llmspell_kernel.display.sanitize import passive_bundle
from llmspell_kernel.display.snapshot import (
    Handle,
    Incomplete,
    Node,
    Table,
    Userdata,
    from_plain,
    snapshot_of,
    snapshots_of,
    to_plain,
)
from llmspell_kernel.display.style import page, without_sheet
from llmspell_kernel.display.text import render_text

__all__ = [
    "MimeBundle",
    "Renderer",
    "as_mime_bundle",
    "mime_bundle",
    "mime_bundle_of",
    "register",
    "render_result",
    "render_results",
    "snapshot_of",
    "snapshots_of",
]

MimeBundle: TypeAlias = dict[str, Any]
Renderer: TypeAlias = Callable[[Node], "MimeBundle | None"]
HandleBundle: TypeAlias = Callable[[str, int], "MimeBundle | None"]
"""Draws a bridge object, by its type and number; None leaves it to the standard drawing."""

_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_JOINED = frozenset({"text/plain", "text/html", "text/markdown", "image/svg+xml", *_IMAGES})
_MIME = re.compile(r"[a-z]+/[\w.+-]+")


# How values of our own types are drawn: a function of their plain data, in a module loaded when it is needed.
_BUILT_IN = {
    "Workflow": "workflow:definition_bundle",
    "changes": "diff:changes_bundle",
    "error": "error_card:error_bundle",
    "manifest": "manifest:manifest_bundle",
    "response": "response:response_bundle",
    "search": "search:search_bundle",
    "tests": "suite:suite_bundle",
    "usage": "usage:usage_bundle",
    "workflow": "workflow:workflow_bundle",
}

_OF_LISTS = frozenset({"diff:changes_bundle"})


def _nothing(_: Node) -> MimeBundle:
    return {}


# `display(v)` at the end of a cell gives a handle, which has nothing to add to what it shows; nor has an expectation
# that was met.
_renderers: dict[str, Renderer] = {"display": _nothing, "Expectation": _nothing}


def register(type_name: str, renderer: Renderer) -> None:
    """Let `renderer` draw tables whose metatable has this ``__name``, and handles of this type.

    It may give None to leave the value to the standard drawing, or an empty bundle to show nothing; what it
    raises is shown under the standard drawing.
    """
    _renderers[type_name] = renderer


def mime_bundle(node: Node, *, active: bool = False, handle_bundle: HandleBundle | None = None) -> MimeBundle:
    """Give the MIME bundle of one value. Never raises for what a renderer or a value does.

    What the value itself gives as HTML and the like is made harmless (see ``sanitize.py``) unless `active`.
    """
    renderer = _renderer_of(node)
    if renderer is None and isinstance(node, Handle) and handle_bundle is not None:
        renderer = partial(_draw_handle, handle_bundle)
    if renderer is not None:
        try:
            bundle = renderer(node)
        except Exception as error:  # a renderer is anybody's code: its failure is shown, never passed on
            return _with_problem(_standard(node), f"the renderer of {_type_name(node)} failed: {error}")
        if bundle is not None:
            return {"text/plain": render_text(node)} | bundle if bundle else {}
    return _own_bundle(node, active) or _standard(node)


def render_result(
    values: Sequence[Node], *, active: bool = False, handle_bundle: HandleBundle | None = None
) -> MimeBundle:
    """Give one bundle for all values of a cell's last expression; it is empty if there is nothing to show.

    Several values on one line each are separated by tabs, as Lua's REPL does; otherwise by line ends.
    """
    draw = partial(mime_bundle, active=active, handle_bundle=handle_bundle)
    drawn = [(value, bundle) for value in values if (bundle := draw(value))]
    bundles = [bundle for _, bundle in drawn]
    if len(bundles) < 2:
        return bundles[0] if bundles else {}
    texts = [str(bundle["text/plain"]) for bundle in bundles]
    separator = "\n" if any("\n" in text for text in texts) or sum(map(len, texts)) > 100 else "\t"
    joined: MimeBundle = {"text/plain": separator.join(texts)}
    if any(len(bundle) > 1 for bundle in bundles):
        parts = [f'<div class="ls-value">{_as_html(*pair)}</div>' for pair in drawn]
        joined["text/html"] = page("".join(parts))
    return joined


def render_results(values: Sequence[Node], *, handle_bundle: HandleBundle | None = None) -> list[MimeBundle]:
    """Give the bundles of a cell's values: one for all, or one each where something among them cannot be joined.

    A widget or a chart has a MIME type of its own, and one output shows only one of those.
    """
    drawn = [bundle for value in values if (bundle := mime_bundle(value, handle_bundle=handle_bundle))]
    if len(drawn) > 1 and any(mime not in _JOINED for bundle in drawn for mime in bundle):
        return drawn
    whole = render_result(values, handle_bundle=handle_bundle)
    return [whole] if whole else []


def mime_bundle_of(value: object, *, active: bool = False) -> MimeBundle:
    """Give the bundle that ``display{["text/html"] = …}`` was given as plain data, made harmless unless `active`.

    Anything that is no table of MIME types is shown as data.
    """
    bundle = as_mime_bundle(value)
    if bundle is None:
        return mime_bundle(from_plain(value))
    return bundle if active else passive_bundle(bundle)


def as_mime_bundle(value: object) -> MimeBundle | None:
    """Take plain data whose keys all are MIME types as a bundle; binary values become base64.

    Adds ``text/plain`` if there is none. Gives None for anything else.
    """
    if not isinstance(value, Mapping) or not value:
        return None
    entries = cast("Mapping[object, object]", value)
    if not all(isinstance(key, str) and _MIME.fullmatch(key) for key in entries):
        return None
    bundle = {str(key): _encoded(str(key), content) for key, content in entries.items()}
    if "text/plain" not in bundle:
        bundle["text/plain"] = f"<{next(iter(bundle))}>"
    return bundle


def _encoded(mime: str, content: object) -> object:
    if mime.endswith("json"):
        return _json(content)
    if not isinstance(content, bytes):
        return content
    if mime.startswith("text/"):
        return content.decode("utf-8", "replace")
    return base64.b64encode(content).decode("ascii")


def _json(content: object) -> object:
    """Give what JSON has names for; functions, objects, and numbers that are none become null."""
    match content:
        case dict():
            return {str(key): _json(each) for key, each in cast("dict[object, object]", content).items()}
        case list() | tuple():
            return [_json(each) for each in cast("list[object]", content)]
        case float():
            return content if math.isfinite(content) else None
        case None | bool() | int() | str():
            return content
        case bytes():
            return content.decode("utf-8", "replace")
        case _:
            return None


def _type_name(node: Node) -> str | None:
    match node:
        case Table() | Userdata():
            return node.name
        case Handle():
            return node.type
        case _:
            return None


def _renderer_of(node: Node) -> Renderer | None:
    name = _type_name(node)
    if name is None:
        return None
    return _renderers.get(name) or (partial(_draw_plain, _BUILT_IN[name]) if name in _BUILT_IN else None)


def _draw_handle(handle_bundle: HandleBundle, node: Node) -> MimeBundle | None:
    return handle_bundle(node.type, node.id) if isinstance(node, Handle) else None


def _draw_plain(place: str, node: Node) -> MimeBundle | None:
    data = to_plain(node, whole=False)
    if not isinstance(data, list if place in _OF_LISTS else dict):
        return None
    module, _, function = place.partition(":")
    return getattr(import_module(f"llmspell_kernel.display.{module}"), function)(data)


def _standard(node: Node) -> MimeBundle:
    bundle: MimeBundle = {"text/plain": render_text(node)}
    if isinstance(node, Table):
        bundle["text/html"] = page(table_html(node))
    return bundle


def _own_bundle(node: Node, active: bool) -> MimeBundle | None:
    """Give what the value's own metamethods drew, or what `display{…}` was given."""
    if not isinstance(node, Table):
        return None
    bundle: MimeBundle = {}
    problem = None
    if node.mime is not None:
        try:
            bundle = as_mime_bundle(to_plain(node.mime)) or {}
            problem = None if bundle else "__mime: the keys are not MIME types"
        except Incomplete as error:
            problem = f"__mime: {error}"
    if node.html is not None:
        bundle.setdefault("text/html", node.html)
    if node.markdown is not None:
        bundle.setdefault("text/markdown", node.markdown)
    if not active:
        bundle = passive_bundle(bundle)
    if problem is not None:
        return _with_problem(_standard(node) | bundle, problem)
    return {"text/plain": render_text(node)} | bundle if bundle else None


def _with_problem(bundle: MimeBundle, problem: str) -> MimeBundle:
    shown = dict(bundle)
    shown["text/plain"] = f"{bundle['text/plain']}\n-- {problem}"
    markup = bundle.get("text/html") or f"<pre>{escape(bundle['text/plain'])}</pre>"
    shown["text/html"] = f"{markup}{page(problems_html([problem]))}"
    return shown


def _as_html(node: Node, bundle: MimeBundle) -> str:
    if isinstance(bundle.get("text/html"), str):
        return without_sheet(bundle["text/html"])
    for mime in ("image/svg+xml", *_IMAGES):
        if mime in bundle:
            return image_html(mime, bundle[mime])
    if isinstance(node, Table):
        return table_html(node)
    text = str(bundle["text/plain"])
    return f'<pre class="ls-own">{escape(text)}</pre>' if "\n" in text else leaf_html(node)


def image_html(mime: str, content: str, description: str = "") -> str:
    """Draw an image of a bundle inside other HTML; as an image an SVG cannot run scripts either."""
    data = content if mime in _IMAGES else base64.b64encode(content.encode()).decode("ascii")
    return f'<img alt="{escape(description)}" src="data:{mime};base64,{escape(data)}">'
