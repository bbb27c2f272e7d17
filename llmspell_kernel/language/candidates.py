"""One completion, and how many of them from many sources become one ranked list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmspell_kernel.language.definitions import Definition
    from llmspell_kernel.language.documentation import Documented, Option
    from llmspell_kernel.language.live import Row

LIMIT, LIMIT_UNASKED = 1000, 300
"""How many completions an answer has at most, and how many where nothing is written yet."""

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)


class Item(msgspec.Struct, frozen=True):
    """One completion: `text` replaces the code points from `start` to `end`."""

    text: str
    type: str
    signature: str = ""
    start: int = 0
    end: int = 0
    doc: str = ""
    value: str = ""
    """What the name holds now; shown where nothing is written about it."""
    rank: int = 5
    """Nearer things have smaller ranks; the front end never sees it."""


class Completions(msgspec.Struct, frozen=True):
    """The answer to a complete_request; offsets are in Unicode code points."""

    matches: list[str]
    start: int
    end: int
    items: list[Item]

    def metadata(self) -> dict[str, Any]:
        """The metadata of a complete_reply, with types and signatures."""
        return {
            "_jupyter_types_experimental": [
                {
                    "start": item.start,
                    "end": item.end,
                    "text": item.text,
                    "type": item.type,
                    "signature": item.signature,
                    "documentation": item.doc,
                }
                for item in self.items
            ]
        }


def is_identifier(text: str) -> bool:
    """Whether Lua takes `text` as a name."""
    return _IDENTIFIER.match(text) is not None


def from_row(row: Row, rank: int) -> Item:
    """A name that is there in the live state."""
    if row.type == "function":
        return Item(row.name, "function", row.detail, rank=rank)
    return Item(row.name, row.type, value=row.detail, rank=rank)


def from_entry(entry: Documented, rank: int) -> Item:
    """A documented name."""
    signature = ""
    if entry.is_callable:
        shown = entry.shown_signature
        signature = shown[shown.index("(") :] if "(" in shown else "()"
    kind = entry.type or "field" if entry.kind == "field" else entry.kind
    return Item(entry.short_name, kind, signature, doc=entry.summary, rank=rank)


def from_definition(definition: Definition, rank: int) -> Item:
    """A name that a cell defines."""
    written = definition.documented
    if written.is_callable:
        item = from_entry(written, rank)
        return msgspec.structs.replace(item, text=definition.short_name)
    return Item(definition.short_name, written.type or "variable", doc=written.summary, rank=rank)


def from_option(option: Option, rank: int) -> Item:
    """A key that an options table takes."""
    return Item(option.name, option.type or "option", doc=option.doc, rank=rank)


def merge(items: Iterable[Item], prefix: str, start: int, end: int) -> Completions:
    """Items that begin with `prefix` in one list: each text once, the nearest first."""
    wanted = prefix.lower()
    by_text: dict[str, Item] = {}
    for item in items:
        if not item.text.lower().startswith(wanted):
            continue
        known = by_text.get(item.text)
        by_text[item.text] = item if known is None else _joined(known, item)

    def order(item: Item) -> tuple[bool, bool, int, str]:
        hidden = item.text.lstrip("\"'.[").startswith("_") and not prefix.startswith("_")
        return hidden, not item.text.startswith(prefix), item.rank, item.text.lower()

    ranked = sorted(by_text.values(), key=order)[: LIMIT if prefix else LIMIT_UNASKED]
    placed = [
        msgspec.structs.replace(item, start=start, end=end, doc=item.doc or item.value) for item in ranked
    ]
    return Completions([item.text for item in placed], start, end, placed)


def _joined(one: Item, other: Item) -> Item:
    """What two sources say of one name: the nearer one wins, the other fills its gaps."""
    near, far = (one, other) if one.rank <= other.rank else (other, one)
    if far.type == "module":
        near = msgspec.structs.replace(near, type="module")
    vague = near.type in ("variable", "field", "nil", "") or (
        near.type == "function" and far.type == "method"
    )
    signature = near.signature or far.signature
    if far.signature and far.doc and not near.doc:
        signature = far.signature  # the documented one tells more
    return msgspec.structs.replace(
        near,
        type=far.type if vague and far.type not in ("variable", "") else near.type,
        signature=signature,
        value=near.value or far.value,
        doc=far.doc
        if far.doc and (not near.doc or near.type == far.type == "function")
        else near.doc or far.doc,
    )
