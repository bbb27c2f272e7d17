"""The reference of all modules: what the bridges declare and what the comments of their Lua say, joined."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import msgspec

from llmspell_kernel.bridges.lua_documentation import documentation, documented
from llmspell_kernel.bridges.shown import Display
from llmspell_kernel.language.documentation import Documented, Option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmspell_kernel.bridges.declaration import Bridge

_DEEPEST = 4
"""How far option tables inside option tables are followed: some types hold themselves."""


def aliases(bridges: Iterable[type[Bridge]]) -> dict[str, str]:
    """Other names of modules: ``agents`` for ``agent``."""
    return {alias: bridge.module for bridge in bridges for alias in bridge.aliases}


def reference(bridges: Iterable[type[Bridge]]) -> list[Documented]:
    """Everything that is documented of `bridges` that a spell may use, one record a name.

    Where a parameter takes a described table, its fields are the parameter's options.
    """
    found: dict[str, Documented] = {}
    for bridge in (*bridges, Display):
        if not bridge.internal:
            for entry in _declared(bridge):
                found.setdefault(entry.name.replace(":", "."), entry)
    types = {entry.name: entry for entry in found.values() if entry.kind == "type"}
    whole = {name: _inherited(entry, types) for name, entry in types.items()}
    fields = [_field(entry, one) for entry in whole.values() for one in entry.parameters]
    known = [whole.get(name) or _expanded(entry, whole) for name, entry in found.items()]
    return [*known, *(entry for entry in fields if entry.name not in found)]


def _declared(bridge: type[Bridge]) -> list[Documented]:
    found: list[Documented] = []
    for owner in (bridge, *bridge.handles):
        found += [export.documented() for export in owner.exports() if not export.internal]
    found += [Documented(handle.type_name, "type", _docstring(handle)) for handle in bridge.handles]
    found += bridge.types
    for part in (bridge.lua_part, *bridge.lua_more):
        found += documentation(bridge.module, part) if part else ()
    found += documented(bridge.module, bridge.lua_text()) if bridge.lua_code else ()
    return [_module(bridge, found), *found, *_elsewhere(bridge, found)]


def _elsewhere(bridge: type[Bridge], members: list[Documented]) -> list[Documented]:
    """The records of members that are found under other names too."""
    known = {one.short_name: one for one in members if one.owner == bridge.module}
    return [
        msgspec.structs.replace(known[name], name=f"{owner}.{name}" if owner else name)
        for owner, names in bridge.elsewhere.items()
        for name in names
    ]


def _docstring(documented: type) -> str:
    return inspect.cleandoc(documented.__doc__ or "").replace("``", "`")


def _module(bridge: type[Bridge], members: list[Documented]) -> Documented:
    """The record of the module itself, which can be called if one of its members stands for it."""
    called = next((one for one in members if one.name == f"{bridge.module}.{bridge.called_as}"), None)
    doc = _docstring(bridge)
    if called is None:
        return Documented(bridge.module, "module", doc)
    return msgspec.structs.replace(
        called, name=bridge.module, kind="module", doc=f"{doc}\n\nCalled itself, it is `{called.name}`."
    )


def _inherited(entry: Documented, types: dict[str, Documented], depth: int = 0) -> Documented:
    """The type with the fields of those that it extends."""
    parent = types.get(entry.type)
    if parent is None or depth > _DEEPEST:
        return entry
    own = {one.name for one in entry.parameters}
    more = [one for one in _inherited(parent, types, depth + 1).parameters if one.name not in own]
    return msgspec.structs.replace(entry, parameters=(*entry.parameters, *more))


def _field(owner: Documented, option: Option) -> Documented:
    return Documented(f"{owner.name}.{option.name}", "field", option.doc, type=option.type)


def _expanded(entry: Documented, types: dict[str, Documented]) -> Documented:
    exact = any(types[name].closed for one in entry.parameters for name in _tables(one, types))
    return msgspec.structs.replace(
        entry,
        parameters=tuple(_with_options(one, types) for one in entry.parameters),
        closed=entry.closed or exact,
    )


def _with_options(option: Option, types: dict[str, Documented], depth: int = 0) -> Option:
    names = _tables(option, types)
    if option.options or not names or depth >= _DEEPEST:
        return option
    options = {one.name: one for name in names for one in types[name].parameters}
    return msgspec.structs.replace(
        option,
        doc=option.doc or types[names[0]].doc,
        options=tuple(_with_options(one, types, depth + 1) for one in options.values()),
    )


def _tables(option: Option, types: dict[str, Documented]) -> list[str]:
    """The described tables among the types that `option` takes; those of its items if it takes lists alone."""
    parts = [part.strip("()? ") for part in option.type.split("|")]
    tables = [name for name in parts if name in types and types[name].parameters]
    items = (name.removesuffix("[]").rstrip(")") for name in parts if name.endswith("[]"))
    return tables or [name for name in items if name in types and types[name].parameters]
