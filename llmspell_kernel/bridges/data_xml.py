"""XML both ways: expat reads it, without entities of its own and without anything from outside."""

from __future__ import annotations

import re
from typing import Any, cast
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from llmspell_kernel.errors import BadArgument, WorldError

_DEEPEST = 14
"""Elements inside each other: each takes two of the 32 levels that may cross to Lua."""
_NAME = re.compile(r"(?:[^\W\d]|:)[\w.\-:\u00b7]*\Z")
_UNWRITABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class _Builder:
    def __init__(self, whitespace: bool) -> None:
        self._whitespace = whitespace
        self._open: list[dict[str, Any]] = []
        self._text: list[str] = []
        self.root: dict[str, Any] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _DEEPEST:
            raise WorldError(f"the XML is nested more than {_DEEPEST} deep", code="bad_xml")
        self._flush()
        element: dict[str, Any] = {"tag": tag, "attributes": attributes, "children": [], "text": ""}
        if self._open:
            self._open[-1]["children"].append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _tag: str) -> None:
        self._flush()
        self._open.pop()

    def text(self, data: str) -> None:
        self._text.append(data)

    def _flush(self) -> None:
        text = "".join(self._text)
        self._text.clear()
        if self._open and text and (self._whitespace or text.strip()):
            self._open[-1]["children"].append(text)
            self._open[-1]["text"] += text


def _refuse_entities(*_: Any) -> None:
    raise WorldError("the XML declares entities of its own, which are not read", code="bad_xml")


def parse(text: str, *, whitespace: bool = False) -> dict[str, Any]:
    """Read a document; raises `WorldError` with line and column for what is no XML."""
    builder = _Builder(whitespace)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.EntityDeclHandler = _refuse_entities
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    try:
        parser.Parse(text.encode("utf-8"), True)
    except expat.ExpatError as error:
        problem, line, column = expat.ErrorString(error.code), error.lineno, error.offset + 1
        raise WorldError(
            f"not XML: line {line}, column {column}: {problem}",
            code="bad_xml",
            details={"line": line, "column": column},
        ) from error
    assert builder.root is not None  # expat reports a document without one
    return builder.root


def write(element: dict[str, Any], *, indent: int | None = None) -> str:
    """Return an element as XML; raises `BadArgument`, naming the place, for what is none."""
    return (
        "\n".join(_lines(element, "element", 0, indent))
        if indent
        else "".join(_lines(element, "element", 0, None))
    )


def _lines(element: Any, path: str, level: int, indent: int | None) -> list[str]:
    if not isinstance(element, dict):
        raise _unfit(path, "a table { tag, attributes, children } or a string expected")
    fields = cast("dict[str, Any]", element)
    tag = _name(fields.get("tag"), f"{path}.tag")
    opening = f"<{tag}{_attributes(fields.get('attributes'), path)}"
    children = _children(fields, path)
    pad = " " * (indent or 0) * level
    if not children:
        return [f"{pad}{opening}/>"]
    if indent and not any(isinstance(child, dict) for child in children):
        return [f"{pad}{opening}>{''.join(_text(c, path) for c in children)}</{tag}>"]
    mixed = not indent or any(not isinstance(child, dict) for child in children)
    inner: list[str] = []
    for index, child in enumerate(children, 1):
        place = f"{path}.children[{index}]"
        if isinstance(child, dict):
            inner += _lines(child, place, 0 if mixed else level + 1, None if mixed else indent)
        else:
            inner.append(_text(child, place))
    if mixed:
        return [f"{pad}{opening}>{''.join(inner)}</{tag}>"]
    return [f"{pad}{opening}>", *inner, f"{pad}</{tag}>"]


def _children(fields: dict[str, Any], path: str) -> list[Any]:
    children = fields.get("children")
    if isinstance(children, list) and children:
        return cast("list[Any]", children)
    if children and not isinstance(children, list):
        raise _unfit(f"{path}.children", "a list expected")
    text = fields.get("text")
    return [] if text is None or text == "" else [text]


def _attributes(attributes: Any, path: str) -> str:
    if not attributes:
        return ""
    if not isinstance(attributes, dict):
        raise _unfit(f"{path}.attributes", "a table expected")
    table = cast("dict[Any, Any]", attributes)
    return "".join(
        f" {_name(name, f'{path}.attributes')}={quoteattr(_plain(table[name], f'{path}.attributes.{name}'))}"
        for name in sorted(table, key=str)
    )


def _name(name: Any, path: str) -> str:
    if not isinstance(name, str) or not _NAME.match(name):
        raise _unfit(path, "a name expected")
    return name


def _text(value: Any, path: str) -> str:
    return escape(_plain(value, path), {"\r": "&#13;"})  # as it is, a reader takes it for a line feed


def _plain(value: Any, path: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise _unfit(path, "a string, number or boolean expected")
    text = str(value)
    if _UNWRITABLE.search(text):
        raise _unfit(path, "a control character cannot be written as XML")
    return text


def _unfit(path: str, problem: str) -> BadArgument:
    return BadArgument(f"bad argument #1 to 'data.to_xml' ({path}: {problem})")
