"""Coloured HTML for one value that is no table."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from llmspell_kernel.display.snapshot import kind_of
from llmspell_kernel.display.text import scalar_text

if TYPE_CHECKING:
    from llmspell_kernel.display.snapshot import Node

_LEAF_TEXT = 2000

_CLASSES = {
    "string": "ls-s",
    "integer": "ls-n",
    "float": "ls-n",
    "boolean": "ls-w",
    "nil": "ls-q",
    "function": "ls-q",
    "thread": "ls-q",
    "userdata": "ls-q",
    "handle": "ls-w",
    "table": "ls-q",
}


def leaf_html(node: Node, most: int = _LEAF_TEXT, *, tag: str = "code") -> str:
    """Draw a value that is no table; strings after `most` characters are cut."""
    return f'<{tag} class="{_CLASSES[kind_of(node)]}">{escape(scalar_text(node, most))}</{tag}>'
