"""Doc comments in LuaCATS notation (``---@param name type text``), in library files and in cells alike."""

from __future__ import annotations

import re
import textwrap
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmspell_kernel.language.documentation import Documented, Option

if TYPE_CHECKING:
    from llmspell_kernel.language.syntax import Chunk

_EXAMPLE = re.compile(r"^```lua\n(.*?)^```\n?", re.DOTALL | re.MULTILINE)
_RULER = re.compile(r"^[-=*_ ]{3,}$")
_BLOCK = re.compile(r"(?:^[ \t]*---.*\n?)+", re.MULTILINE)

ID_TYPES = {
    "ModelName": "model",
    "ProviderName": "provider",
    "AgentName": "agent",
    "ToolName": "tool",
    "StateName": "state",
    "ModuleName": "module",
    "FilePath": "file",
    "StoragePath": "stored",
    "SpellPath": "spell",
    "EventName": "event",
}
"""Types of strings that are ids: the kind of id for each (`live.IdKind`)."""


@dataclass
class DocComment:
    """A doc comment taken apart."""

    text: str = ""
    example: str = ""
    parameters: dict[str, Option] = field(default_factory=dict[str, Option])
    returns: list[Option] = field(default_factory=list[Option])
    type: str = ""
    signature: str = ""
    class_name: str = ""
    parent: str = ""
    """What the class extends."""
    exact: bool = False
    """Whether the class has no other fields than these."""
    fields: dict[str, Option] = field(default_factory=dict[str, Option])
    since: str = ""
    link: str = ""


def option(name: str, type_: str, doc: str = "", *, optional: bool = False) -> Option:
    """A parameter, result or key whose type is written in LuaCATS notation.

    Ids have types of their own (``ModelName``); a type such as ``"text"|"json"`` lists the strings that it can be.
    """
    parts = re.findall(r'\w+|"[^"]*"', type_)
    kinds = [ID_TYPES[part] for part in parts if part in ID_TYPES]
    for name_of_type in ID_TYPES:
        type_ = re.sub(rf"\b{name_of_type}\b", "string", type_)
    return Option(
        name,
        type_,
        doc,
        optional,
        _inline_fields(type_),
        ids=kinds[0] if kinds else "",
        values=tuple(part.strip('"') for part in parts if part.startswith('"')),
    )


def _inline_fields(type_: str) -> tuple[Option, ...]:
    """The fields of a table type that is written out: ``{ limit?: integer, name: string }``."""
    found = re.search(r"(?<![\w\]])\{\s*(\w+\??:.*)\}", type_) if "fun(" not in type_ else None
    fields = (part.partition(":") for part in split_list(found.group(1))) if found else ()
    return tuple(
        option(name.strip().rstrip("?"), rest.strip(), optional="?" in name) for name, _, rest in fields
    )


def declared_types(source: str) -> list[Documented]:
    """The types that the comments of a text declare with ``---@class``, their ``---@field`` lines as parameters."""
    found: list[Documented] = []
    for block in _BLOCK.finditer(source):
        doc = read_doc([line for text in block.group().splitlines() for line in _comment_lines(text.strip())])
        if doc.class_name:
            fields = tuple(doc.fields.values())
            found.append(
                Documented(
                    doc.class_name, "type", doc.text, parameters=fields, type=doc.parent, closed=doc.exact
                )
            )
    return found


def comment_above(chunk: Chunk, offset: int) -> list[str]:
    """The lines of the comment that stands right above the line of `offset`, without their dashes."""
    text = chunk.text
    start = text.rfind("\n", 0, offset) + 1
    lines: list[str] = []
    if text[start:offset].strip():
        return lines
    position = bisect_right(chunk.comments, start, key=lambda comment: comment.start)
    for comment in reversed(chunk.comments[:position]):
        line_start = text.rfind("\n", 0, comment.start) + 1
        if text[line_start : comment.start].strip() or text[comment.end : start].strip(" \t\r") not in (
            "",
            "\n",
        ):
            break
        lines[:0] = _comment_lines(comment.text)
        start = line_start
    return lines


def _comment_lines(comment: str) -> list[str]:
    long = re.match(r"--\[(=*)\[", comment)
    if long:
        body = comment[long.end() :].removesuffix(f"]{long.group(1)}]")
        return textwrap.dedent(body.strip("\n")).rstrip().split("\n")
    body = comment.lstrip("-").rstrip()
    return [body[1:] if body.startswith(" ") else body]


def read_doc(lines: list[str]) -> DocComment:
    """Take a comment apart into text, example and tags."""
    doc = DocComment()
    text: list[str] = []
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("@"):
            tag, _, rest = stripped[1:].partition(" ")
            _read_tag(doc, tag, rest.strip())
        elif not _RULER.match(stripped):
            text.append(line)
    whole = "\n".join(text).strip()
    example = _EXAMPLE.search(whole + "\n")
    if example:
        doc.example = example.group(1).rstrip()
        whole = (whole[: example.start()] + whole[example.end() :]).strip()
    doc.text = whole
    return doc


def _read_tag(doc: DocComment, tag: str, rest: str) -> None:
    match tag:
        case "param":
            read = _named(rest)
            doc.parameters[read.name] = read
        case "field":
            read = _named(rest)
            doc.fields[read.name] = read
        case "return":
            type_, text = _split_type(rest)
            name, _, text = text.partition("#") if "#" in text else (text, "", "")
            doc.returns.append(option(name.strip(), type_, text.strip()))
        case "type":
            doc.type = rest
        case "signature":
            doc.signature = rest
        case "class":
            doc.exact = rest.startswith("(exact)")
            name, _, parent = rest.removeprefix("(exact)").partition(":")
            doc.class_name, doc.parent = name.strip(), parent.strip()
        case "since":
            doc.since = rest
        case "see":
            doc.link = rest
        case _:
            pass


def _named(rest: str) -> Option:
    """``name? type text``."""
    name, _, rest = rest.partition(" ")
    type_, text = _split_type(rest)
    return option(name.rstrip("?"), type_, text, optional=name.endswith("?"))


def split_list(written: str, mark: str = ",") -> list[str]:
    """The parts of a list with commas, or another mark, which may stand in brackets inside a part too.

    ``a: string, fun(b, c)`` has two parts.
    """
    parts: list[str] = []
    depth = 0
    for piece in written.split(mark) if written.strip() else ():
        if depth > 0:
            parts[-1] += mark + piece
        else:
            parts.append(piece)
        brackets = piece.replace("->", "")
        depth += sum(brackets.count(one) for one in "({[<") - sum(brackets.count(one) for one in ")}]>")
    return [part.strip() for part in parts]


def _split_type(text: str) -> tuple[str, str]:
    """Split a type, which may hold spaces in brackets, from what follows it."""
    depth, quoted = 0, False
    for position, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char in "({[<":
            depth += 1
        elif char in ")}]>":
            depth -= 1
        elif char == " " and depth == 0 and text[position - 1] not in ":|,":
            return text[:position], text[position:].strip()
    return text, ""
