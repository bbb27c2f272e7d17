"""The reference of what modules have in Lua, read from the comments in their source (LuaCATS notation)."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from llmspell_kernel.language.annotations import comment_above, read_doc
from llmspell_kernel.language.definitions import summarize
from llmspell_kernel.language.parser import parse

if TYPE_CHECKING:
    from llmspell_kernel.language.definitions import Definition, Summary
    from llmspell_kernel.language.documentation import Documented

_MODULE = "M"
"""The local variable that holds a module's members."""


@cache
def documentation(module: str, lua_part: str) -> tuple[Documented, ...]:
    """Return what the source of `lua_part` says of the members of `module` and of the types it declares.

    The members are the documented fields of the local ``M``; a local with ``---@class Name`` above it has the methods
    of that type.
    """
    folder, name = resources.files("llmspell_kernel.engine"), lua_part.replace(".", "/")
    source = folder.joinpath("lua", f"{name}.lua").read_text("utf-8")
    summary = summarize(parse(source), module)
    owners = {_MODULE: module} | _classes(summary)
    found: list[Documented] = []
    for local, owner in owners.items():
        for definition in summary.fields.get(local, ()):
            entry = definition.documented
            if entry.doc:
                rest = definition.name.removeprefix(local)
                found.append(msgspec.structs.replace(entry, name=owner + rest))
    return tuple(found)


def _classes(summary: Summary) -> dict[str, str]:
    return {
        definition.name: name
        for definition in summary.definitions
        if definition.documented.kind == "type" and (name := _class_name(definition))
    }


def _class_name(definition: Definition) -> str:
    statement = definition.statement
    return read_doc(comment_above(definition.chunk, statement.start)).class_name if statement else ""
