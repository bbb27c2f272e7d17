"""Everything that can follow a dot or a colon: from the texts, the live state and the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.language.candidates import Item, from_definition, from_entry, from_row
from llmspell_kernel.language.inference import split_types
from llmspell_kernel.language.syntax import Function, String

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmspell_kernel.language.inference import Inference, Target
    from llmspell_kernel.language.live import Fields, LiveState
    from llmspell_kernel.language.syntax import Table

_PARENTS = 4


async def members(target: Target, prefix: str, inference: Inference, live: LiveState) -> list[Item]:
    """What `target` answers to by name; keys that are no identifiers among them."""
    found = list(_written(target, inference))
    fields = await _live_fields(target, prefix, live)
    types = list(target.types)
    owner = target.owner
    if fields is not None:
        found += [from_row(row, 1) for row in fields.rows]
        types += _live_types(fields)
        name = fields.type_name or ""
        if name.startswith("module ") and not owner:
            owner = name.removeprefix("module ")
    for name in dict.fromkeys((owner, *types)):
        if name:
            found += [from_entry(entry, 2) for entry in inference.reference.members(name).values()]
    return found


def _written(target: Target, inference: Inference, depth: int = 0) -> Iterator[Item]:
    for table in target.tables:
        yield from _constructed(table)
    for named in target.names:
        for definition in inference.fields_of(named).values():
            yield from_definition(definition, 0)
    if depth < _PARENTS:
        for parent in target.parents:
            yield from _written(parent, inference, depth + 1)


def _constructed(table: Table) -> Iterator[Item]:
    for field in table.fields:
        if isinstance(field.key, String) and field.key.closed:
            if isinstance(field.value, Function):
                parameters = ", ".join(local.name for local in field.value.parameters)
                yield Item(field.key.text, "function", f"({parameters})", rank=0)
            else:
                yield Item(field.key.text, "field", rank=0)


async def _live_fields(target: Target, prefix: str, live: LiveState) -> Fields | None:
    near = [target.path, *target.aliases[:_PARENTS]]
    paths = dict.fromkeys([*near, *(parent.path for parent in target.parents[:_PARENTS])])
    for path in paths:
        if path is not None:
            fields = await live.fields(path, prefix)
            if fields is not None:
                return fields
    return None


def _live_types(fields: Fields) -> list[str]:
    return [*split_types(fields.type_name or ""), *(["string"] if fields.type == "string" else [])]
