"""What a call expects at the cursor: option keys, words that a parameter can be, ids that are known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast, get_args

from llmspell_kernel.language import expected
from llmspell_kernel.language.candidates import Item
from llmspell_kernel.language.live import IdKind
from llmspell_kernel.language.syntax import Binary, Call, Field, Name, String
from llmspell_kernel.language.walk import walk

if TYPE_CHECKING:
    from llmspell_kernel.language.context import AtString, Cursor
    from llmspell_kernel.language.documentation import Option
    from llmspell_kernel.language.inference import Inference
    from llmspell_kernel.language.live import LiveState
    from llmspell_kernel.language.syntax import Opening

_KINDS = frozenset(get_args(IdKind))
_MODULE_CALLS = frozenset(("require",))


def options_at(cursor: Cursor, inference: Inference) -> list[Option]:
    """The option keys that the table at the cursor takes and does not have yet."""
    openings = cursor.openings
    if not openings or openings[-1].kind != "table":
        return []
    options = expected.keys_at(openings, inference.entry)
    given = {
        item.key.text
        for item in openings[-1].items
        if isinstance(item, Field) and isinstance(item.key, String) and item.start < openings[-1].item_start
    }
    return [option for option in options if option.name not in given]


async def strings_at(cursor: Cursor, place: AtString, inference: Inference, live: LiveState) -> list[Item]:
    """What the string at the cursor could be."""
    openings = cursor.openings
    opening = openings[-1] if openings else None
    if opening is not None and opening.kind == "call" and _is_require(opening):
        return await _modules(place.prefix, inference, live)
    option = expected.option_at(openings, inference.entry)
    if option is not None:
        return await _of_option(option, place.prefix, live)
    return _compared(cursor, place, inference)


def _is_require(opening: Opening) -> bool:
    return isinstance(opening.base, Name) and opening.base.text in _MODULE_CALLS


async def _modules(prefix: str, inference: Inference, live: LiveState) -> list[Item]:
    entries = ((owner, inference.reference.get(owner)) for owner in inference.reference.owners())
    found = [
        Item(owner, "module", doc=entry.summary)
        for owner, entry in entries
        if entry is not None and entry.kind == "module"
    ]
    known = await live.ids("module", prefix) or ()
    return [*found, *(Item(one.text, "module", doc=one.doc) for one in known)]


async def _of_option(option: Option, prefix: str, live: LiveState) -> list[Item]:
    items = [Item(value, "value", doc=option.doc) for value in option.values]
    if option.ids in _KINDS:
        kind = cast("IdKind", option.ids)
        known = await live.ids(kind, prefix) or ()
        items += [Item(one.text, kind, doc=one.doc) for one in known]
    return items


_COMPARED = re.compile(r"(?:==|~=)\s*\Z")


def _compared(cursor: Cursor, place: AtString, inference: Inference) -> list[Item]:
    """In ``type(x) == "|``: the strings that the call on the other side can give."""
    quote_at = place.start - len(place.quote)
    if not _COMPARED.search(cursor.before.text[:quote_at]):
        return []
    for node in walk(cursor.before.block):
        if isinstance(node, Binary) and node.right is place.node and isinstance(node.left, Call):
            entry = inference.resolve(node.left.function).entry
            if entry is not None and entry.returns:
                words = [
                    part.strip().strip('"')
                    for part in entry.returns[0].type.split("|")
                    if part.startswith('"')
                ]
                return [Item(word, "value") for word in words]
    return []
