"""Reading XML: expat does it, without entities of its own and without anything from outside."""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from llmspell_kernel.errors import WorldError

_DEEPEST = 500
"""Elements inside each other."""
Met = list[Any] | str | bool
"""``[tag, attributes]`` where an element begins, False where it ends, or a text."""


class _Met:
    """What is met in a document, one after the other: elements stand deeper inside each other than what may cross."""

    def __init__(self, whitespace: bool) -> None:
        self.list: list[Met] = []
        self._whitespace = whitespace
        self._text: list[str] = []
        self._depth = 0
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append
        self._parser.EntityDeclHandler = self._entity
        self._parser.SkippedEntityHandler = self._skipped

    def read(self, text: str) -> list[Met]:
        try:
            self._parser.Parse(text.encode("utf-8"), True)
        except expat.ExpatError as error:
            raise _broken(error.lineno, error.offset, expat.ErrorString(error.code)) from error
        return self.list

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._flush()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._refused(f"nested more than {_DEEPEST} deep")
        self.list.append([tag, attributes])

    def _end(self, _tag: str) -> None:
        self._flush()
        self._depth -= 1
        self.list.append(False)

    def _flush(self) -> None:
        text = "".join(self._text)
        self._text.clear()
        if text and (self._whitespace or text.strip()):
            self.list.append(text)

    def _entity(self, *_: Any) -> None:
        raise self._refused("it declares entities of its own, which are not read")

    def _skipped(self, name: str, _parameter: bool) -> None:
        raise self._refused(
            f"the entity '&{name};' is declared elsewhere, and nothing from elsewhere is read"
        )

    def _refused(self, problem: str) -> WorldError:
        return _broken(self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber, problem)


def _broken(line: int, offset: int, problem: str) -> WorldError:
    place = {"line": line, "column": offset + 1}
    message = f"not XML: line {line}, column {offset + 1}: {problem}"
    return WorldError(message, code="bad_xml", details=place)


def parse(text: str, *, whitespace: bool = False) -> list[Met]:
    """Return what is met in a document; raises `WorldError` with line and column for what is no XML."""
    return _Met(whitespace).read(text)
