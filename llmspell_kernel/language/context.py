"""What stands at the cursor: which of the things that can be completed there is being written."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from llmspell_kernel.language.cells import take_apart
from llmspell_kernel.language.lexer import KEYWORDS
from llmspell_kernel.language.parser import parse
from llmspell_kernel.language.syntax import Index, Missing, String

if TYPE_CHECKING:
    from llmspell_kernel.language.syntax import Chunk, Expression, Opening


@dataclass(frozen=True)
class AtMagic:
    """A magic's name, from its ``%``."""

    prefix: str
    start: int


@dataclass(frozen=True)
class AtDocTag:
    """A tag of a doc comment, from its ``@``."""

    prefix: str
    start: int


@dataclass(frozen=True)
class AtMember:
    """A field or (`method`) a method of `base`; `dot` is where ``.`` or ``:`` stands."""

    base: Expression
    prefix: str
    start: int
    dot: int
    method: bool


@dataclass(frozen=True)
class AtString:
    """Inside a string, whose contents start at `start` after `quote`."""

    node: String | None
    prefix: str
    start: int
    quote: str


@dataclass(frozen=True)
class AtKey:
    """After ``base[`` where a key is written as an expression."""

    base: Expression
    prefix: str
    start: int


@dataclass(frozen=True)
class AtName:
    """A variable or keyword; `in_table`: perhaps the key of a table constructor."""

    prefix: str
    start: int
    in_table: bool


@dataclass(frozen=True)
class AtLabel:
    """The label of a ``goto``."""

    prefix: str
    start: int


@dataclass(frozen=True)
class AtAttribute:
    """The attribute of a local: ``<const>`` or ``<close>``."""

    prefix: str
    start: int


@dataclass(frozen=True)
class Nothing:
    """A number, a comment, a name that is being declared: nothing to complete."""


Place: TypeAlias = AtMagic | AtDocTag | AtMember | AtString | AtKey | AtName | AtLabel | AtAttribute | Nothing


@dataclass(frozen=True)
class Cursor:
    """A cell seen from its cursor."""

    code: str
    offset: int
    before: Chunk
    """The text up to the cursor, parsed."""
    whole: Chunk
    """All of the cell, parsed."""
    place: Place

    @property
    def after(self) -> str:
        """The text behind the cursor."""
        return self.code[self.offset :]

    @property
    def openings(self) -> list[Opening]:
        """What is open around the cursor inside the innermost function, the innermost last."""
        found = self.before.openings
        functions = [position for position, opening in enumerate(found) if opening.kind == "function"]
        return found[functions[-1] + 1 :] if functions else found


_DOC_TAG = re.compile(r"---\s*(@\w*)\Z")
_MAGIC = re.compile(r"(?:\A|\n)[ \t]*(%%?\w*)\Z")
_TIMED = re.compile(r"[ \t]*%time(?:it)?[ \t]+")
_DECLARING = frozenset(("local", "function", "for"))


_KEYWORD_AS_NAME = re.compile(r"(?:(?<![.:])[.:]|[{,;])\s*([a-z]+)\Z")


def look(code: str, offset: int) -> Cursor:
    """Tell what stands at `offset` of a cell."""
    offset = max(0, min(offset, len(code)))
    cell = take_apart(code)
    lua = cell.lua
    timed = _TIMED.match(code, code.rfind("\n", 0, offset) + 1, offset)
    if timed:  # the argument of %time is Lua
        lua = lua[: timed.end()] + code[timed.end() : offset] + lua[offset:]
    before = parse(lua[:offset])
    in_magic = timed is None and any(
        start <= offset and "\n" not in code[start:offset] for start, _ in cell.magics
    )
    place = _place(code[:offset], before, in_magic)
    word = _KEYWORD_AS_NAME.search(lua, 0, offset)
    if word and word.group(1) in KEYWORDS:  # `string.for` on the way to `string.format`, `{ in` to `{ indent`
        as_name = parse(lua[: offset - 1] + "_")
        named = _place(code[:offset], as_name, in_magic)
        if isinstance(named, AtMember) or (isinstance(named, AtName) and named.in_table):
            before, place = as_name, dataclasses.replace(named, prefix=word.group(1))
    return Cursor(code, offset, before, parse(lua), place)


def _place(text: str, before: Chunk, in_magic: bool) -> Place:
    offset = len(text)
    magic = _MAGIC.search(text)
    if magic and len(before.tokens) == 1:
        return AtMagic(magic.group(1), magic.start(1))
    if in_magic:
        return Nothing()  # its arguments
    comment = before.comments[-1] if before.comments else None
    if comment is not None and comment.end == offset and not _is_closed_comment(comment.text):
        tag = _DOC_TAG.search(text)
        return AtDocTag(tag.group(1), tag.start(1)) if tag else Nothing()
    return _in_lua(before, offset)


def _is_closed_comment(comment: str) -> bool:
    return comment.startswith("--[") and comment.endswith("]") and "\n" not in comment[-1:]


def _in_lua(before: Chunk, offset: int) -> Place:
    node = before.at_end
    if isinstance(node, String) and not node.closed:
        return _in_string(before.text, node)
    if isinstance(node, Index) and isinstance(node.key, String | Missing):
        return _member(before.text, node, offset)
    tokens = before.tokens
    last = tokens[-2] if len(tokens) > 1 else None
    touches = last is not None and last.end == offset and (last.kind == "name" or last.kind in KEYWORDS)
    prefix = last.text if touches and last is not None else ""
    start = offset - len(prefix)
    if last is not None and last.end == offset and not prefix and last.kind in ("number", "string", "..."):
        return Nothing()
    previous = tokens[-3] if prefix and len(tokens) > 2 else None if prefix else last
    return _name(before, prefix, start, "" if previous is None else previous.kind)


def _name(before: Chunk, prefix: str, start: int, previous: str) -> Place:
    if previous == "goto":
        return AtLabel(prefix, start)
    declares = before.at_end is None and prefix and before.tokens[-2].kind == "name"
    if previous == "<" and (declares or not prefix) and _declares_attribute(before, start):
        return AtAttribute(prefix, start)
    if declares or (not prefix and previous in _DECLARING):
        return Nothing()
    opening = before.openings[-1] if before.openings else None
    if opening is not None and opening.kind == "index" and previous == "[" and opening.base is not None:
        return AtKey(opening.base, prefix, start)
    in_table = opening is not None and opening.kind == "table" and previous in ("{", ",", ";")
    return AtName(prefix, start, in_table)


def _declares_attribute(before: Chunk, start: int) -> bool:
    """Whether ``<`` follows a name that a ``local`` declares."""
    kinds = [token.kind for token in before.tokens[:-1] if token.end <= start]
    while len(kinds) >= 2 and kinds[-1] in ("<", ",", "name", ">"):
        kinds.pop()
    return bool(kinds) and kinds[-1] == "local"


def _in_string(text: str, node: String) -> Place:
    literal = text[node.start : node.end]
    quote = literal[0]
    if quote == "[":
        opened = re.match(r"\[=*\[\n?", literal)
        quote = opened.group() if opened else literal
    return AtString(node, literal[len(quote) :], node.start + len(quote), quote)


def _member(text: str, node: Index, offset: int) -> Place:
    if isinstance(node.key, String):
        prefix, start = node.key.text, node.key.start
    else:
        prefix, start = "", offset
    dot = max(text.rfind(".", node.base.end, start), text.rfind(":", node.base.end, start))
    return AtMember(node.base, prefix, start, dot, node.method)
