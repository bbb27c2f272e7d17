"""The reference of Lua's standard library as cells have it, read from the annotated files in ``library/``."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from llmspell_kernel.language.definitions import summarize
from llmspell_kernel.language.parser import parse
from llmspell_kernel.language.syntax import Table

if TYPE_CHECKING:
    from llmspell_kernel.language.documentation import Documented

MANUAL = "https://www.lua.org/manual/5.4/manual.html#"
LIBRARIES = ("base", "string", "table", "math", "utf8", "coroutine", "os", "io")

# What Lua says of a value's type (`__name`), and the name that its methods are documented under.
TYPE_ALIASES = {
    "FILE*": "file",
    "display": "Display",
    "error": "Error",
    "response": "llm.Response",
    "state": "State",
}

OURS = frozenset(("Display.update", "clear_output", "input", "help"))
"""What notebooks have and Lua does not."""
_SECTIONS = {
    "string": "6.4",
    "table": "6.6",
    "math": "6.7",
    "utf8": "6.5",
    "coroutine": "6.2",
    "os": "6.9",
    "io": "6.8",
}


@cache
def entries() -> tuple[Documented, ...]:
    """Every name of the standard library and of the notebook's own globals."""
    found: list[Documented] = []
    for library in LIBRARIES:
        source = (
            resources.files("llmspell_kernel.language")
            .joinpath("library", f"{library}.lua")
            .read_text("utf-8")
        )
        for definition in summarize(parse(source), library).everything():
            entry = definition.documented
            if entry.kind != "type":
                found.append(
                    _finished(entry, entry.name in _SECTIONS and isinstance(definition.value, Table))
                )
    return tuple(found)


def _finished(entry: Documented, is_module: bool) -> Documented:
    """Add what the files need not say: links and kinds."""
    return msgspec.structs.replace(
        entry,
        kind="module" if is_module else entry.kind,
        link=_link(entry.name),
    )


def _link(name: str) -> str:
    if name.replace(":", ".") in OURS or name == "require":
        return ""
    return f"{MANUAL}{_SECTIONS[name]}" if name in _SECTIONS else f"{MANUAL}pdf-{name}"
