"""Values made by real Lua, drawn: the whole way from a cell's value to its MIME bundle."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from llmspell_kernel.display.bundle import MimeBundle, render_result
from llmspell_kernel.display.snapshot import Node, snapshots_of
from llmspell_kernel.engine.state import LuaState

TAKE = """
local values = table.pack(assert(load(..., "=cell 3"))())
return require("codec").encode(require("snapshot").take_all(values))
"""


class SilentHost:
    """Nothing around the Lua state."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def take_all(code: str) -> list[Node]:
    """Take snapshots of what a chunk of Lua returns."""
    return snapshots_of(LuaState(SilentHost()).run(TAKE, code.encode()))


def without_style(bundle: MimeBundle) -> MimeBundle:
    """Leave out the style sheet, and put each row and entry of HTML on a line of its own."""
    shown = dict(bundle)
    if "text/html" in shown:
        markup = re.sub(r"<style>.*?</style>", "", shown["text/html"])
        shown["text/html"] = re.sub(r"(?=<(?:tr|li|div|thead|details)\b)", "\n", markup).strip()
    return shown


class Checker(HTMLParser):
    """Collects tags and attributes; fails on what is not closed."""

    VOID = frozenset({"input", "br", "hr", "img", "polyline", "path"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def sound(markup: str) -> Checker:
    checker = Checker()
    checker.feed(re.sub(r"<style>.*?</style>", "", markup, flags=re.DOTALL))
    checker.close()
    assert checker.open == []
    return checker


@pytest.fixture
def take() -> Any:
    def take(code: str) -> Node:
        (node,) = take_all(code)
        return node

    return take


@pytest.fixture
def draw() -> Any:
    def draw(code: str) -> MimeBundle:
        return without_style(render_result(take_all(code)))

    return draw


@pytest.fixture
def plain_style() -> Any:
    return without_style


@pytest.fixture
def check() -> Any:
    """Check that markup is sound; gives its tags, attributes and text."""
    return sound
