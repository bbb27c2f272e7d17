"""Inspection: everything known of the name at the cursor, gathered into one record."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from llmspell_kernel.language.annotations import comment_above
from llmspell_kernel.language.cells import take_apart
from llmspell_kernel.language.context import look
from llmspell_kernel.language.definitions import summarize
from llmspell_kernel.language.documentation import Documented, Option, shown_parameters
from llmspell_kernel.language.expected import enclosing_key
from llmspell_kernel.language.inference import Inference, Target, split_types
from llmspell_kernel.language.live import NoState, Row
from llmspell_kernel.language.members import members
from llmspell_kernel.language.options import options_at
from llmspell_kernel.language.syntax import Call, Function, Index, Name, String
from llmspell_kernel.language.walk import walk

if TYPE_CHECKING:
    from llmspell_kernel.language.context import Cursor
    from llmspell_kernel.language.definitions import Definition
    from llmspell_kernel.language.documentation import Reference
    from llmspell_kernel.language.live import Description, LiveState
    from llmspell_kernel.language.notebook import Notebook
    from llmspell_kernel.language.syntax import Expression, Local

FIELDS_SHOWN = 40
_LONGEST_NAME = 60


@dataclass
class Inspection:
    """What is known of one name; empty parts are unknown."""

    name: str
    type: str = ""
    signature: str = ""
    doc: str = ""
    preview: str = ""
    parameters: tuple[Option, ...] = ()
    returns: tuple[Option, ...] = ()
    example: str = ""
    defined: str = ""
    """Such as ``cell 3, line 5``."""
    source: str = ""
    """Source of the definition, at detail level 1."""
    upvalues: list[Row] = field(default_factory=list[Row])
    fields: list[Row] = field(default_factory=list[Row])
    more_fields: bool = False
    metatable: list[str] = field(default_factory=list[str])
    size: str = ""
    grant: str = ""
    since: str = ""
    link: str = ""


async def inspect(
    code: str, offset: int, detail: int, live: LiveState, notebook: Notebook, reference: Reference
) -> Inspection | None:
    """Tell what stands at `offset` (code points), or inside arguments what is called; None if unknown."""
    cursor = look(code, _word_end(code, offset))
    inference = Inference(cursor.before, summarize(cursor.whole, ""), notebook, reference)
    option = _option_at(cursor, inference)
    if option is not None:
        return _of_option(option)
    node = cursor.before.at_end or _ending_at_cursor(cursor)
    if isinstance(node, Name | Index):
        found = await _Inspector(inference, notebook, live, detail).inspect(node)
        if found is not None:
            return found
    call, _ = enclosing_key(cursor.openings)
    if call is None or call.base is None:
        return None
    return await _Inspector(inference, notebook, live, detail).inspect(call.base)


def of_entry(entry: Documented) -> Inspection:
    """What the reference alone says."""
    found = Inspection(entry.name)
    _from_entry(found, entry)
    return found


_LUA_TYPES = frozenset(("number", "string", "boolean"))


def _is_outdated(description: Description, target: Target) -> bool:
    """Whether this cell makes the name something else than it still is in the live state."""
    if not any(not definition.label for definition in target.definitions):
        return False
    kinds = {type_ for type_ in target.types if type_ in _LUA_TYPES}
    kinds |= {"table"} if target.tables else set()
    kinds |= {"function"} if target.functions else set()
    return bool(kinds) and description.type not in kinds


def _word_end(code: str, offset: int) -> int:
    """The end of the word that touches `offset`, else `offset`; in a question the end of its name."""
    text, _, question, _ = take_apart(code)
    if question:
        return len(text.rstrip())
    offset = max(0, min(offset, len(text)))
    while offset < len(text) and (text[offset] == "_" or text[offset].isalnum()):
        offset += 1
    return offset


def _ending_at_cursor(cursor: Cursor) -> Expression | None:
    """Behind a closing bracket: ``t[1]|`` is what it is, ``f(x)|`` is the function that is called."""
    tokens = cursor.before.tokens
    if len(tokens) < 2 or tokens[-2].kind not in (")", "]", "}") or tokens[-2].end != cursor.offset:
        return None
    for node in walk(cursor.before.block):
        if isinstance(node, Index | Call) and node.end == cursor.offset:
            return node.function if isinstance(node, Call) else node
    return None


def _option_at(cursor: Cursor, inference: Inference) -> tuple[Option, str] | None:
    """The option key at the cursor and the function that takes it."""
    node = cursor.before.at_end
    openings = cursor.openings
    if not isinstance(node, Name) or not openings or openings[-1].kind != "table":
        return None
    if node.start != openings[-1].item_start:
        return None
    option = next((one for one in options_at(cursor, inference) if one.name == node.text), None)
    call, _ = enclosing_key(openings)
    if option is None or call is None or call.base is None:
        return None
    entry = inference.resolve(call.base).entry
    return option, entry.name if entry is not None else ""


def _of_option(found: tuple[Option, str]) -> Inspection:
    option, function = found
    shown = Inspection(
        option.name, option.type or "any", f"{option.name} = …", option.doc, parameters=option.options
    )
    shown.defined = f"an option of {function}" if function else "an option"
    if option.default:
        shown.doc = f"{shown.doc}\n\nWithout it: `{option.default}`.".strip()
    return shown


class _Inspector:
    """One request."""

    def __init__(self, inference: Inference, notebook: Notebook, live: LiveState, detail: int) -> None:
        self.inference = inference
        self.notebook = notebook
        self.live = live
        self.detail = detail

    async def inspect(self, node: Expression) -> Inspection | None:
        target = self.inference.resolve(node)
        name = _shown_name(node, self.inference.before.text)
        local = node.local if isinstance(node, Name) else None
        description = None
        if target.path is not None and (local is None or local.depth == 0):
            description = await self.live.describe(target.path)
            if description is not None and _is_outdated(description, target):
                description = None
        found = Inspection(name)
        definition = self._definition(target, description)
        entry = self._entry(target, description, definition)
        if description is None and definition is None and entry is None:
            if local is None and not target.types and not target.tables and not target.functions:
                return None
            self._from_text(found, target, local)
        if description is not None:
            _from_live(found, description)
        if definition is not None:
            self._from_definition(found, definition)
        if entry is not None:
            _from_entry(found, entry)
        await self._fields(found, target, description)
        if local is not None and local.kind in ("parameter", "loop"):
            found.defined = "a parameter" if local.kind == "parameter" else "a loop variable"
        return found

    def _definition(self, target: Target, description: Description | None) -> Definition | None:
        """The definition in a cell: for a function that runs, the one it was made by."""
        if description is not None and description.type == "function":
            own = [one for one in target.definitions if not one.label and isinstance(one.value, Function)]
            if own or description.builtin:
                return own[-1] if own else None
            if not description.chunk:
                return target.definitions[-1] if target.definitions else None
            exact = [one for one in target.definitions if one.label == description.chunk]
            return self.notebook.function_at(description.chunk, description.line) or (
                exact[-1] if exact else None
            )
        return target.definitions[-1] if target.definitions else None

    def _entry(
        self, target: Target, description: Description | None, definition: Definition | None
    ) -> Documented | None:
        """The reference's record, unless a cell has put something of its own under the name."""
        if definition is not None and definition.documented.doc:
            return None
        if description is not None and description.type == "function" and not description.builtin:
            return None
        if target.entry is not None:
            return target.entry
        type_name = description.type_name if description is not None else None
        if type_name and type_name.startswith("module "):
            return self.inference.reference.get(type_name.removeprefix("module "))
        return None

    def _from_text(self, found: Inspection, target: Target, local: Local | None) -> None:
        """What the text alone tells of a value that never ran."""
        if target.functions:
            function = target.functions[0]
            names = [one.name for one in function.parameters] + (["..."] if function.vararg else [])
            found.type, found.signature = "function", f"{found.name}({', '.join(names)})"
        elif target.tables:
            found.type = "table"
        elif target.types:
            found.type = "|".join(target.types)
        elif local is not None:
            found.type = "value known only when it runs"

    def _from_definition(self, found: Inspection, definition: Definition) -> None:
        written = definition.documented
        found.doc = written.doc
        found.example, found.returns = written.example, written.returns
        found.link, found.since = written.link, written.since
        value = definition.value
        if isinstance(value, Function):
            found.type = "function"
            found.parameters = tuple(p for p in written.parameters if p.type or p.doc)
            found.signature = _renamed(written, found.name)
        elif not found.type:
            found.type = written.type or _type_of(
                self.inference.resolve(value) if value is not None else Target()
            )
        label = definition.label or "this cell"
        found.defined = f"{label}, line {definition.line}"
        if self.detail:
            found.source = source_of(definition)

    async def _fields(self, found: Inspection, target: Target, description: Description | None) -> None:
        """Fields, as the live state, the texts and the reference know them."""
        if found.type in ("function", "method", "string", "number", "boolean"):
            return
        if description is not None and description.type_name:
            target.types += split_types(description.type_name)
        rows = {row.name: row for row in description.rows} if description is not None else {}
        for item in await members(target, "", self.inference, NoState()):
            known = rows.get(item.text)
            if known is None or (item.signature and not known.detail):
                rows[item.text] = Row(item.text, item.type, item.signature or item.doc)
        shown = len(rows) if found.type == "module" else FIELDS_SHOWN
        found.fields = sorted(rows.values(), key=_field_order)[:shown]
        found.more_fields = len(rows) > shown or (description is not None and description.truncated)


def _field_order(row: Row) -> tuple[bool, bool, str]:
    return row.name.startswith("__"), row.type in ("function", "method"), row.name


def _from_live(found: Inspection, description: Description) -> None:
    found.type = description.type
    if description.type_name:
        found.type += f" ({description.type_name})"
    if description.type != "function":
        found.preview = description.preview
    if description.parameters:
        parameters = description.parameters
        if ":" in found.name and parameters.startswith("(self"):
            parameters = "(" + parameters.removeprefix("(self").lstrip(", ")
        found.signature = found.name + parameters
    if description.chunk and description.line:
        found.defined = f"{description.chunk}, line {description.line}"
    found.upvalues = description.upvalues
    found.metatable = description.metatable.names if description.metatable is not None else []
    if description.type == "string" and description.size is not None:
        found.size = f"{description.size:,} bytes"
    elif description.type == "table" and description.size is not None:
        found.size = f"{description.size:,}{'' if description.counted else '+'} entries"
        if description.length:
            found.size += f", {description.length:,} of them a list"


def _from_entry(found: Inspection, entry: Documented) -> None:
    found.name = entry.name if entry.is_callable else found.name
    found.signature = entry.shown_signature if entry.is_callable else found.signature
    found.type = entry.type or entry.kind if not found.type or entry.is_callable else found.type
    if entry.kind == "module":
        found.type, found.preview, found.metatable, found.size = "module", "", [], ""
    found.doc = entry.doc
    found.parameters = tuple(p for p in entry.parameters if p.type or p.doc)
    found.returns = tuple(r for r in entry.returns if r.type or r.doc)
    found.example, found.link, found.grant, found.since = entry.example, entry.link, entry.grant, entry.since


def _shown_name(node: Expression, text: str) -> str:
    """The expression as it is written, or its last part if that is long."""
    written = re.sub(r"\s+", "", text[node.start : node.end])
    if len(written) <= _LONGEST_NAME:
        return written
    return node.key.text if isinstance(node, Index) and isinstance(node.key, String) else "…"


def _renamed(written: Documented, name: str) -> str:
    """The signature under the name that it was asked by."""
    shown = f"{name}({shown_parameters(written.parameters)})"
    return msgspec.structs.replace(written, signature=written.signature or shown).shown_signature


def _type_of(target: Target) -> str:
    if target.functions:
        return "function"
    if target.tables:
        return "table"
    return "|".join(target.types)


def source_of(definition: Definition) -> str:
    """The text of a definition with the comment above it."""
    text = definition.chunk.text
    start = text.rfind("\n", 0, definition.statement.start) + 1
    if text[start : definition.statement.start].strip():
        start = definition.statement.start
    comment = comment_above(definition.chunk, definition.statement.start)
    for _ in comment:
        start = max(text.rfind("\n", 0, max(0, start - 1)) + 1, 0)
    return text[start : definition.statement.end].strip("\n")
