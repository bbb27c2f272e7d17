"""What the engine needs of the Lua that a bridge of another package brings: its text, and what its functions take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from llmspell_kernel.bridges.lua_documentation import documented
from llmspell_kernel.language.annotations import split_list

if TYPE_CHECKING:
    from llmspell_kernel.bridges.declaration import Bridge
    from llmspell_kernel.language.documentation import Documented, Option

_LUA_TYPES = ("string", "number", "integer", "boolean", "function", "table", "thread", "userdata")
_TABLE = re.compile(r".*\[\]|table<.*|\{.*")


def declared(bridge: type[Bridge]) -> dict[str, Any]:
    """What the declaration of `bridge` says of its Lua: ``source``, and ``checks`` of the arguments by function."""
    source = bridge.lua_text()
    entries = documented(bridge.module, source)
    tables = {entry.name for entry in entries if entry.kind == "type" and entry.parameters}
    return {
        "source": source,
        "checks": {
            entry.name.removeprefix(f"{bridge.module}."): _checks(entry, tables)
            for entry in entries
            if entry.kind == "function"
        },
    }


def _checks(entry: Documented, tables: set[str]) -> list[list[Any]]:
    """The types of each parameter in Lua's own words, and whether it may be left out."""
    return [
        [_types_of(one, tables), one.optional or _takes_nil(one)]
        for one in entry.parameters
        if one.name != "..."
    ]


def _takes_nil(option: Option) -> bool:
    return not option.type or bool({"any", "nil"}.intersection(split_list(option.type, "|")))


def _types_of(option: Option, tables: set[str]) -> str:
    known = [_lua_type(one, tables) for one in split_list(option.type.removesuffix("?"), "|")]
    return "any" if "any" in known or not known else "|".join(dict.fromkeys(known))


def _lua_type(written: str, tables: set[str]) -> str:
    if written.startswith('"'):
        return "string"
    if written.startswith("fun("):
        return "function"
    if written in tables or _TABLE.fullmatch(written):
        return "table"
    return written if written in _LUA_TYPES else "any"
