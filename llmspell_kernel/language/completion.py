"""Completion: what is being written at the cursor, and every name that could finish it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from llmspell_kernel.language import candidates
from llmspell_kernel.language.candidates import Completions, Item, is_identifier, merge
from llmspell_kernel.language.context import (
    AtAttribute,
    AtDocTag,
    AtKey,
    AtLabel,
    AtMagic,
    AtMember,
    AtName,
    AtString,
    Cursor,
    Nothing,
    look,
)
from llmspell_kernel.language.definitions import Summary, summarize
from llmspell_kernel.language.inference import Inference
from llmspell_kernel.language.lexer import KEYWORDS
from llmspell_kernel.language.members import members
from llmspell_kernel.language.options import options_at, strings_at
from llmspell_kernel.language.syntax import Jump, Name
from llmspell_kernel.language.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell_kernel.language.documentation import Reference
    from llmspell_kernel.language.live import LiveState
    from llmspell_kernel.language.notebook import Notebook
    from llmspell_kernel.language.syntax import Local

_NAMES, _NAMES_UNASKED = 2000, 300
"""How many live names are asked for; fewer where nothing is written yet."""
_QUOTED = re.compile(r"'(\w+)'")
_DOC_TAGS = {
    "@param": "what a parameter is: `---@param name type text`",
    "@return": "what comes back: `---@return type name`",
    "@type": "the type of a variable",
    "@class": "the table below is a class",
    "@see": "a link",
    "@since": "when it came",
}


async def complete(
    code: str,
    offset: int,
    live: LiveState,
    notebook: Notebook,
    reference: Reference,
    magics: Mapping[str, str],
) -> Completions:
    """Complete at `offset`, in code points; `magics` maps ``%name`` to what it does."""
    cursor = look(code, offset)
    inference = Inference(cursor.before, _summary(cursor), notebook, reference)
    completer = _Completer(cursor, inference, live, magics)
    return await completer.run()


def _summary(cursor: Cursor) -> Summary:
    """What the cell defines, but for the field that is being written: ``cfg.na|me = 1``."""
    summary = summarize(cursor.whole, "")
    place = cursor.place
    if isinstance(place, AtMember):
        for base, defined in summary.fields.items():
            summary.fields[base] = [one for one in defined if one.start != place.base.start]
    return summary


class _Completer:
    """One request."""

    def __init__(
        self, cursor: Cursor, inference: Inference, live: LiveState, magics: Mapping[str, str]
    ) -> None:
        self.cursor = cursor
        self.inference = inference
        self.live = live
        self.magics = magics

    async def run(self) -> Completions:
        place, end = self.cursor.place, self.cursor.offset
        match place:
            case AtMember():
                return await self.at_member(place)
            case AtString():
                return await self.at_string(place)
            case AtKey():
                return await self.at_key(place)
            case AtName():
                return merge(await self.names(place), place.prefix, place.start, end)
            case AtMagic(prefix, start):
                return merge(self.magic_names(prefix), prefix, start, end)
            case AtDocTag(prefix, start):
                return merge(
                    [Item(tag, "tag", doc=doc) for tag, doc in _DOC_TAGS.items()], prefix, start, end
                )
            case AtLabel(prefix, start):
                return merge(self.labels(), prefix, start, end)
            case AtAttribute(prefix, start):
                return merge([Item("const", "keyword"), Item("close", "keyword")], prefix, start, end)
            case Nothing():
                return Completions([], end, end, [])

    def magic_names(self, prefix: str) -> list[Item]:
        """Line magics, or with two percent signs the same as cell magics."""
        sign = "%%" if prefix.startswith("%%") else "%"
        return [Item(sign + name.lstrip("%"), "magic", doc=doc) for name, doc in self.magics.items()]

    def labels(self) -> list[Item]:
        """Labels that a ``goto`` of this cell may name."""
        jumps = (node for node in walk(self.cursor.whole.block) if isinstance(node, Jump))
        return [Item(jump.label, "label") for jump in jumps if jump.keyword == "::" and jump.label]

    # ── members ──────────────────────────────────────────────────────────────────────────────────

    async def at_member(self, place: AtMember) -> Completions:
        """After a dot or a colon."""
        target = self.inference.resolve(place.base)
        found = await members(target, place.prefix, self.inference, self.live)
        end = self.cursor.offset
        if place.method:
            methods = [
                _as_method(item) for item in found if item.signature or item.type in ("function", "method")
            ]
            return merge(
                [item for item in methods if is_identifier(item.text)], place.prefix, place.start, end
            )
        words = [item for item in found if is_identifier(item.text) and item.text not in KEYWORDS]
        wanted = place.prefix.lower()
        keys = [
            item
            for item in found
            if (not is_identifier(item.text) or item.text in KEYWORDS)
            and item.text.lower().startswith(wanted)
        ]
        if not keys:
            return merge(words, place.prefix, place.start, end)
        # The dot is part of what is replaced, for `t["a key"]` has none.
        matching = [item for item in words if item.text.lower().startswith(wanted)]
        dotted = merge(_retext(matching, "."), "." + place.prefix, place.dot, end)
        bracketed = merge([_bracketed(item) for item in keys], "", place.dot, end)
        items = [*dotted.items, *bracketed.items]
        return Completions([item.text for item in items], place.dot, end, items)

    async def at_key(self, place: AtKey) -> Completions:
        """After ``t[``: the keys as strings, and the names that are in scope."""
        target = self.inference.resolve(place.base)
        found = await members(target, place.prefix, self.inference, self.live)
        close = "" if self.cursor.after.startswith("]") else "]"
        keys = [] if place.prefix else [_retexted(item, _quoted(item.text) + close) for item in found]
        names = await self.names(AtName(place.prefix, place.start, in_table=False))
        return merge([*keys, *names], place.prefix, place.start, self.cursor.offset)

    # ── strings ──────────────────────────────────────────────────────────────────────────────────

    async def at_string(self, place: AtString) -> Completions:
        """Inside a string: a key, a module, an id, one of a few words."""
        openings = self.cursor.openings
        opening = openings[-1] if openings else None
        quote = place.quote if place.quote in ('"', "'") else ""
        if opening is not None and opening.kind == "index" and opening.base is not None:
            target = self.inference.resolve(opening.base)
            found = await members(target, place.prefix, self.inference, self.live)
            close = self._closing(quote, "]")
        else:
            found = await strings_at(self.cursor, place, self.inference, self.live)
            close = self._closing(quote, "")
        texts = [
            _retexted(item, _escaped(item.text, quote) + close)
            for item in found
            if quote or "]]" not in item.text
        ]
        return merge(texts, place.prefix, place.start, self.cursor.offset)

    def _closing(self, quote: str, bracket: str) -> str:
        """What is still missing behind the cursor."""
        after = self.cursor.after
        if after.startswith(quote) and quote:
            return ""
        if quote and (not after or after[0] in " \t\r\n,;)]}"):
            return quote + ("" if after.startswith("]") else bracket)
        return ""

    # ── names ────────────────────────────────────────────────────────────────────────────────────

    async def names(self, place: AtName) -> list[Item]:
        """Every name that can stand at the cursor, and the keywords."""
        found: list[Item] = []
        if place.in_table:
            options = options_at(self.cursor, self.inference)
            after = self.cursor.after.lstrip()
            equals = "" if after.startswith("=") else " = "
            found += [
                _retexted(candidates.from_option(option, -1), option.name + equals) for option in options
            ]
        found += [
            self._local(local) for local in self.cursor.before.visible.values() if not self._touches(local)
        ]
        found += self._defined(place.prefix)
        names = await self.live.names(place.prefix, _NAMES if place.prefix else _NAMES_UNASKED)
        if names is not None:
            found += [
                candidates.from_row(row, 1 if position < names.locals else 2)
                for position, row in enumerate(names.rows)
            ]
        documented = self.inference.reference.members("")
        found += [candidates.from_entry(entry, 3) for entry in documented.values()]
        found = [item for item in found if is_identifier(item.text.removesuffix(" = "))]
        if place.prefix:
            found += [Item(word, "keyword", rank=4) for word in KEYWORDS]
        return found + self._expected(place)

    def _expected(self, place: AtName) -> list[Item]:
        """The one keyword that the grammar asks for here: ``do`` after ``for i = 1, 3``."""
        for problem in self.cursor.before.problems:
            words = _QUOTED.findall(problem.message.partition(" expected")[0])
            if problem.start >= place.start and words and words[-1] in KEYWORDS and words[-1] != "end":
                return [Item(words[-1], "keyword", rank=-1)]
        return []

    def _touches(self, local: Local) -> bool:
        """Whether the cursor still stands in the statement that declares `local`."""
        return local.value is not None and local.value.end == self.cursor.offset and local.kind == "local"

    def _local(self, local: Local) -> Item:
        if local.kind in ("parameter", "loop"):
            types = self.inference.resolve(Name(local.name, local.start, local.end, local)).types
            return Item(
                local.name,
                "parameter" if local.kind == "parameter" else "variable",
                doc=", ".join(types),
                rank=0,
            )
        definition = self.inference.definition_of(local)
        if definition is not None:
            return candidates.from_definition(definition, 0)
        return Item(local.name, local.kind if local.kind == "function" else "variable", rank=0)

    def _defined(self, prefix: str) -> list[Item]:
        """Globals of this cell, and what earlier cells define."""
        known = dict(self.inference.notebook.names)
        for definition in self.inference.cell.definitions:
            at_cursor = definition.start + len(definition.name) == self.cursor.offset
            if definition.root is None and not at_cursor:
                known[definition.name] = definition
        wanted = prefix.lower()
        return [
            candidates.from_definition(one, 1)
            for name, one in known.items()
            if name.lower().startswith(wanted)
        ]


def _retexted(item: Item, text: str) -> Item:
    return msgspec.structs.replace(item, text=text)


def _retext(items: list[Item], before: str) -> list[Item]:
    return [_retexted(item, before + item.text) for item in items]


def _as_method(item: Item) -> Item:
    """A function as it is called with a colon: ``self`` is not shown, and methods come first."""
    signature = item.signature
    inside = signature[1:]
    is_method = item.type == "method" or inside.startswith("self")
    if inside.startswith("self"):
        rest = inside.removeprefix("self").lstrip(", ")
        signature = "(" + rest
    rank = item.rank if is_method else item.rank + 3
    return msgspec.structs.replace(item, type="method", signature=signature, rank=rank)


def _quoted(text: str) -> str:
    return f'"{_escaped(text, chr(34))}"'


def _bracketed(item: Item) -> Item:
    return _retexted(item, f"[{_quoted(item.text)}]")


def _escaped(text: str, quote: str) -> str:
    """`text` as it is written inside quotes."""
    if not quote:
        return text
    text = text.replace("\\", "\\\\").replace(quote, "\\" + quote)
    return text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t").replace("\0", "\\0")
