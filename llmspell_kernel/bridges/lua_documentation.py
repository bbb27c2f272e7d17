"""The reference of what modules have in Lua, read from the comments in their source (LuaCATS notation)."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from llmspell_kernel.language.annotations import comment_above, declared_types, read_doc
from llmspell_kernel.language.definitions import dotted, summarize
from llmspell_kernel.language.parser import parse

if TYPE_CHECKING:
    from llmspell_kernel.language.definitions import Definition, Summary
    from llmspell_kernel.language.documentation import Documented

_MODULE = "M"
"""The local variable that holds a module's members."""


@cache
def documentation(module: str, lua_part: str) -> tuple[Documented, ...]:
    """Return what the source of `lua_part`, a file of the engine's own Lua, says of the members of `module`."""
    folder, name = resources.files("llmspell_kernel.engine"), lua_part.replace(".", "/")
    return documented(module, folder.joinpath("lua", f"{name}.lua").read_text("utf-8"))


@cache
def documented(module: str, source: str) -> tuple[Documented, ...]:
    """Return what `source` says of the members of `module` and of the types it declares.

    The members are the documented fields of the local ``M``; a local with ``---@class Name`` above it has the methods
    of that type, and a comment with ``---@class`` and ``---@field`` lines anywhere describes a table.
    """
    summary = summarize(parse(source), module)
    owners = {_MODULE: module} | _classes(summary)
    found: list[Documented] = declared_types(source)
    for local, owner in owners.items():
        members = {one.name.replace(":", "."): one.documented for one in summary.fields.get(local, ())}
        for definition in summary.fields.get(local, ()):
            entry = members[definition.name.replace(":", ".")]
            same = members.get(dotted(definition.value)[0]) if definition.value is not None else None
            if same is not None and (entry.doc or same.kind != "method"):  # M.define = M.register
                doc = entry.doc or f"The same as `{owner}{same.name.removeprefix(local)}`."
                entry = msgspec.structs.replace(same, doc=doc)
            if entry.doc:
                joint = ":" if entry.kind == "method" else "."
                name = definition.name.removeprefix(local)[1:]
                found.append(msgspec.structs.replace(entry, name=f"{owner}{joint}{name}"))
    return tuple(found)


def _classes(summary: Summary) -> dict[str, str]:
    return {
        definition.name: name
        for definition in summary.definitions
        if definition.documented.kind == "type" and (name := _class_name(definition))
    }


def _class_name(definition: Definition) -> str:
    return read_doc(comment_above(definition.chunk, definition.statement.start)).class_name
