"""Doc comments in LuaCATS notation (``---@param name type text``), in library files and in cells alike."""

from __future__ import annotations

import re
import textwrap
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmspell_kernel.language.documentation import Documented, Kind, Option
from llmspell_kernel.language.syntax import Function

if TYPE_CHECKING:
    from llmspell_kernel.language.definitions import Definition
    from llmspell_kernel.language.syntax import Chunk

_EXAMPLE = re.compile(r"^```lua\n(.*?)^```\n?", re.DOTALL | re.MULTILINE)
_RULER = re.compile(r"^[-=*_ ]{3,}$")


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
    since: str = ""
    link: str = ""


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
            name, _, rest = rest.partition(" ")
            type_, text = _split_type(rest)
            optional = name.endswith("?")
            name = name.rstrip("?")
            doc.parameters[name] = Option(name, type_, text, optional)
        case "return":
            type_, text = _split_type(rest)
            name, _, text = text.partition("#") if "#" in text else (text, "", "")
            doc.returns.append(Option(name.strip(), type_, text.strip()))
        case "type":
            doc.type = rest
        case "signature":
            doc.signature = rest
        case "class":
            doc.class_name = rest.partition(":")[0].strip()
        case "since":
            doc.since = rest
        case "see":
            doc.link = rest
        case _:
            pass


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


def document(definition: Definition) -> Documented:
    """What the text says of one of its definitions: the comment above and, for a function, its parameters."""
    doc = read_doc(comment_above(definition.chunk, definition.statement.start))
    value = definition.value
    if not isinstance(value, Function):
        return Documented(
            definition.name, _kind(doc), doc.text, example=doc.example, type=doc.type, link=doc.link
        )
    written = [local.name for local in value.parameters if local.kind == "parameter"]
    is_method = value.self_of is not None
    names = (written[1:] if is_method else written) + (["..."] if value.vararg else [])
    return Documented(
        definition.name,
        "method" if is_method else "function",
        doc.text,
        doc.signature,
        tuple(doc.parameters.get(name, Option(name, optional=name == "...")) for name in names),
        tuple(doc.returns),
        doc.example,
        doc.since,
        doc.link,
    )


def _kind(doc: DocComment) -> Kind:
    return "type" if doc.class_name else "field"
