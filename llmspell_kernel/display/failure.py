"""Errors of cells: the plain data that ``engine/lua/failure.lua`` makes, and how it is shown.

A traceback reads like IPython's: what happened, then the calls, the most recent last, then the place
itself with its source and a caret, then what may help.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast
from unicodedata import east_asian_width

import msgspec

from llmspell_kernel.display.hints import Names, Situation, no_names
from llmspell_kernel.display.place import column_of
from llmspell_kernel.display.runtime_hints import runtime_hint
from llmspell_kernel.display.syntax_hints import syntax_hint

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTEXT = 2
"""Source lines shown before and after the one that failed."""
_WIDTH = 160
"""Characters of a source line that are shown."""
_TAB = "    "

_RED, _GREEN, _CYAN, _DIM, _BOLD, _RESET = (f"\x1b[{code}m" for code in ("31", "32", "36", "2", "1", "0"))


class Frame(msgspec.Struct, frozen=True):
    """One function of a stack.

    `kind` is ``main`` (a cell or module itself), ``builtin`` (no line: what the frame outside it called),
    ``coroutine``, ``task``, ``callback``, ``again`` (borders: what follows resumed it, awaited it, made the call of a
    bridge that called it, or raised again what it had raised), or how Lua found the name: ``function``, ``local``,
    ``upvalue``, ``global``, ``method``, ``field``, ``metamethod``, ``for iterator``.
    """

    source: str = ""
    line: int | None = None
    name: str | None = None
    kind: str = "function"
    tail: bool = False
    """The calls between this frame and the one outside it were tail calls: Lua has forgotten them."""
    defined: int | None = None
    """The line on which the function begins."""


class Failure(msgspec.Struct, frozen=True):
    """Why a cell ended early. `message` holds nothing that changes when the cell is run again."""

    ename: str = "LuaError"
    message: str = ""
    source: str = ""
    """Chunk name of the place, such as ``cell 3``."""
    line: int | None = None
    column: int | None = None
    """In characters, from 1; syntax errors have it."""
    frames: list[Frame] = []
    """Innermost first."""
    omitted: int = 0
    omitted_after: int = 0
    """So many frames are left out after this many."""
    object: str | None = None
    """Short text of an error value that is not a string."""
    code: str | None = None
    suggestion: str | None = None
    near: str | None = None
    incomplete: bool = False
    """A syntax error at the end of the source: more of it may mend it."""
    methods: list[str] = []
    """Those that there are, where one was called that is not."""


_decoder = msgspec.msgpack.Decoder(Failure)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decode(data: bytes) -> Failure:
    """Decode a failure map. What cannot be read as one becomes the message: an error is never lost."""
    try:
        return _decoder.decode(data)
    except _UNREADABLE:
        return _salvaged(data)


def _salvaged(data: bytes) -> Failure:
    try:
        found: Any = msgspec.msgpack.decode(data)
    except _UNREADABLE:
        return Failure(message="an error that could not be read")
    if not isinstance(found, dict):
        return Failure(message=found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found))
    fields = cast("dict[object, object]", found)
    texts: dict[str, Any] = {}
    for name in ("ename", "message", "source", "suggestion"):
        value = fields.get(name)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if value is not None:
            texts[name] = str(value)
    return Failure(**texts)


# ── text ─────────────────────────────────────────────────────────────────────────────────────────


def _plain(text: str) -> str:
    """Show control characters instead of letting them act: a message must not repaint the traceback."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda match: f"\\x{ord(match[0]):02x}", text)


class _Paint:
    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, code: str, text: str) -> str:
        return f"{code}{text}{_RESET}" if self._colour and text else text


def _cells(text: str) -> int:
    """How many character cells `text` takes in a fixed-width font."""
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _window(line: str, column: int | None) -> tuple[str, int | None]:
    """Cut a long line around the column; returns it and where the column has gone (from 1)."""
    if len(line) <= _WIDTH:
        return line, column
    start = 0 if column is None or column <= _WIDTH - 20 else column - _WIDTH // 2
    text = line[start : start + _WIDTH]
    if start + _WIDTH < len(line):
        text += "…"
    if start:
        return "…" + text, None if column is None else column - start + 1
    return text, column


def split_lines(source: str) -> list[str]:
    """Split as Lua counts lines: at LF, CR, CRLF and LFCR."""
    return re.split(r"\r\n|\n\r|\n|\r", source)


def _excerpt(lines: list[str], line: int, column: int | None, width: int, paint: _Paint) -> list[str]:
    """The source around `line`, with a caret of `width` characters under `column`."""
    first, last = max(1, line - _CONTEXT), min(len(lines), line + _CONTEXT)
    while first < line and not lines[first - 1].strip():
        first += 1
    while last > line and not lines[last - 1].strip():
        last -= 1
    digits = len(str(last))
    shown: list[str] = []
    for number in range(first, last + 1):
        here = number == line
        text, at = _window(lines[number - 1], column if here else None)
        pointer = "---> " if here else "     "
        shown.append(paint(_GREEN, f"{pointer}{number:>{digits}} │ ") + _plain(text.replace("\t", _TAB)))
        if at is not None:
            before, under = text[: at - 1].replace("\t", _TAB), text[at - 1 : at - 1 + width]
            gap = paint(_GREEN, " " * (5 + digits) + " │ ") + " " * _cells(_plain(before))
            shown.append(gap + paint(_RED, "^" * max(1, _cells(_plain(under)))))
    return shown


# ── frames ───────────────────────────────────────────────────────────────────────────────────────

_MANNER = {
    "method": "method",
    "metamethod": "metamethod",
    "local": "local",
    "upvalue": "upvalue",
    "field": "field",
}


_MANNERS = ("method", "metamethod")
_BORDERS = {
    "coroutine": "  in a coroutine:",
    "task": "  in the task that this waits for:",
    "callback": "  in the function that this calls back:",
    "again": "  which raises again what was raised here:",
}


def _where(frame: Frame) -> str:
    if frame.kind == "main":
        return "in main chunk"
    if frame.kind == "builtin":
        return f"in function '{frame.name}'"
    if frame.kind == "for iterator":
        return "in a for loop's iterator"
    if frame.name:
        return f"in {frame.kind if frame.kind in _MANNERS else 'function'} '{frame.name}'"
    return f"in the function of line {frame.defined}" if frame.defined else "in a function"


def _place(source: str, line: int | None) -> str:
    return f"{source}:{line}" if line else source


def _calls(failure: Failure, sources: Mapping[str, str], paint: _Paint) -> tuple[list[str], str]:
    """The calls that led to the place, the most recent last, and what is known of the place itself."""
    lines: list[str] = []
    at_place = ""
    inner = ""
    for index, frame in enumerate(failure.frames):
        if failure.omitted and index == failure.omitted_after:
            lines.append(paint(_DIM, f"  … {failure.omitted:,} more calls …"))
        if frame.kind in _BORDERS:
            lines.append(paint(_DIM, _BORDERS[frame.kind]))
        elif frame.kind == "builtin":
            inner = f", calling '{frame.name}'"
            continue
        elif not at_place and not lines and (frame.source, frame.line) == (failure.source, failure.line):
            at_place = _plain(f" {_where(frame)}{inner}")
        else:
            text = _source_line(sources, frame)
            place = paint(_CYAN, _plain(_place(frame.source, frame.line)))
            lines.append(
                f"  {place} {_plain(_where(frame) + inner)}" + (paint(_DIM, f"   {text}") if text else "")
            )
        if frame.tail:
            lines.append(paint(_DIM, "  … tail calls …"))
        inner = ""
    return _once(lines[::-1], paint), at_place


def _once(lines: list[str], paint: _Paint) -> list[str]:
    """Show equal neighbours, the frames of a recursion, once."""
    shown: list[str] = []
    for line, group in groupby(lines):
        times = len(list(group))
        shown.append(line if times == 1 else line + paint(_DIM, f"   ({times} times)"))
    return shown


def _source_line(sources: Mapping[str, str], frame: Frame) -> str:
    source = sources.get(frame.source)
    if source is None or not frame.line:
        return ""
    lines = split_lines(source)
    text = lines[frame.line - 1].strip() if frame.line <= len(lines) else ""
    return _plain(text[:60] + "…" if len(text) > 60 else text)


def render(
    failure: Failure, sources: Mapping[str, str], colour: bool = True, known_names: Names = no_names
) -> list[str]:
    """Return the lines of the traceback; the first is the name and the message, without the place.

    Args:
        failure: What happened.
        sources: Source of each cell by its chunk name.
        colour: Whether to use ANSI colours.
        known_names: Names that may be suggested: those of the globals for ``""``, of the fields of a global
            for its name.
    """
    paint = _Paint(colour)
    shown = [f"{paint(_RED, _plain(failure.ename))}: {_plain(failure.message)}"]
    calls, where = _calls(failure, sources, paint)
    shown += calls
    source = sources.get(failure.source)
    lines = split_lines(source) if source is not None else []
    if failure.source:
        shown.append(paint(_CYAN, _plain(_place(failure.source, failure.line))) + where)
    if failure.line and failure.line <= len(lines):
        column, width = column_of(failure.message, lines[failure.line - 1], failure.column)
        shown += _excerpt(lines, failure.line, column, width, paint)
    if failure.object and " ".join(failure.object.split()) not in " ".join(failure.message.split()):
        shown.append(f"error object: {_plain(failure.object)}")
    if failure.suggestion:
        shown.append(paint(_BOLD, _plain(failure.suggestion)))
    hint = None if failure.suggestion else _hint(failure, source or "", lines, known_names)
    if hint:
        shown.append(paint(_BOLD, _plain(hint)))
    return shown


def _hint(failure: Failure, source: str, lines: list[str], known_names: Names) -> str | None:
    situation = Situation.of(failure.message, lines, failure.line, failure.column, failure.methods)
    if failure.ename == "LuaSyntaxError":
        return syntax_hint(situation, source)
    if failure.ename != "LuaError" or failure.object:
        return None
    try:
        return runtime_hint(situation, source, known_names)
    except Exception:  # `known_names` is anybody's code: an error is shown, with a hint or without
        return None
