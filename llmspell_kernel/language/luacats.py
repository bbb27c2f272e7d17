"""The reference as a LuaCATS definition file (``---@meta``), from which editors with LuaLS know the API.

Notation: https://luals.github.io/wiki/annotations/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmspell_kernel.language.candidates import is_identifier
from llmspell_kernel.language.lexer import KEYWORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmspell_kernel.language.documentation import Documented, Option, Reference

_HEAD = """---@meta llmspell
-- What spells can call, for editors. Made by `llmspell docs --luacats`; nothing here runs.
"""


def definitions(reference: Reference, aliases: Mapping[str, str]) -> str:
    """The whole API beside Lua's own library; `aliases` maps other names of modules to theirs."""
    entries = reference.entries()
    types = {one.name: one for one in entries if one.kind == "type"}
    modules = {one.name: one for one in entries if one.kind == "module" and one.link == ""}
    parts = [_HEAD]
    for owner in [*sorted(types.values(), key=_name), *sorted(modules.values(), key=_name)]:
        parts += _table(owner, reference.members(owner.name).values(), is_type=owner.kind == "type")
    parts += [_alias(alias, name) for alias, name in sorted(aliases.items())]
    libraries = {one.name for one in entries if one.kind == "module"} - set(modules)
    parts += [
        _function(one, one.owner or one.name, ".")
        for one in sorted(entries, key=_name)
        if one.is_callable and not one.link and one.name != "require" and one.owner in {"", *libraries}
    ]
    return "\n".join(parts)


def _name(entry: Documented) -> str:
    return entry.name


def _table(owner: Documented, members: Iterable[Documented], *, is_type: bool) -> list[str]:
    """A class, and below it its functions."""
    known = {one.short_name: one for one in members}
    fields = {one.name: _field(one) for one in owner.parameters} if is_type else {}
    fields |= {
        name: f"---@field {name} {one.type or 'any'} {_line(one.doc)}"
        for name, one in known.items()
        if not one.is_callable and name not in fields
    }
    extends = f": {owner.type}" if is_type and owner.type else ""
    exact = "(exact) " if owner.closed and is_type else ""
    variable = owner.name.replace(".", "_")
    overload = [f"---@overload {_function_type(owner)}"] if not is_type and owner.parameters else []
    head = [_comment(owner.doc), f"---@class {exact}{owner.name}{extends}", *fields.values(), *overload]
    functions = [one for one in known.values() if one.is_callable]
    declaration = f"{'local ' if is_type else ''}{variable} = {{}}" if functions or not is_type else ""
    lines = [line for line in (*head, declaration) if line]
    return [
        "\n".join(lines) + "\n",
        *(_function(one, variable, ":" if one.kind == "method" else ".") for one in functions),
    ]


def _alias(alias: str, module: str) -> str:
    return f"---The same as `{module}`.\n{alias} = {module}\n"


def _function(entry: Documented, owner: str, mark: str) -> str:
    lines = [_comment(entry.doc)] if entry.doc else []
    if entry.example:
        lines.append(_comment(f"```lua\n{entry.example}\n```"))
    for one in entry.parameters:
        optional = "?" if one.optional and one.name != "..." else ""
        lines.append(f"---@param {_parameter(one)}{optional} {one.type or 'any'} {_line(one.doc)}".rstrip())
    for one in entry.returns:
        name = one.name if is_identifier(one.name) else ""
        lines.append(
            f"---@return {one.type or 'any'} {name} {'# ' + _line(one.doc) if one.doc else ''}".rstrip()
        )
    name, parameters = entry.short_name, ", ".join(_parameter(one) for one in entry.parameters)
    if owner == entry.name:
        lines.append(f"function {owner}({parameters}) end")
    elif name in KEYWORDS:
        receiver = ("self, " if parameters else "self") if mark == ":" else ""
        lines.append(f'{owner}["{name}"] = function({receiver}{parameters}) end')
    else:
        lines.append(f"function {owner}{mark}{name}({parameters}) end")
    return "\n".join(lines) + "\n"


def _parameter(option: Option) -> str:
    return f"{option.name}_" if option.name in KEYWORDS else option.name


def _function_type(entry: Documented) -> str:
    taken = ", ".join(
        f"{_parameter(one)}{'?' if one.optional and one.name != '...' else ''}: {one.type or 'any'}"
        for one in entry.parameters
    )
    given = ", ".join(one.type or "any" for one in entry.returns)
    return f"fun({taken}){': ' + given if given else ''}"


def _field(option: Option) -> str:
    optional = "?" if option.optional else ""
    return f"---@field {option.name}{optional} {option.type or 'any'} {_line(option.doc)}".rstrip()


def _line(doc: str) -> str:
    return re.sub(r"\s+", " ", doc).strip()


def _comment(doc: str) -> str:
    return "\n".join(f"---{line}".rstrip() for line in doc.split("\n"))
