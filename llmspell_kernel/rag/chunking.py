"""Cutting texts into chunks that an embedding model reads whole, at the places where people pause.

A text is cut at headings and blank lines, what is too long then at lines, sentences, words; neighbours are put
together again as long as they fit. Sizes are in characters: 900 of English are about 200 tokens, and the offline
model reads 256.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIZE = 900
OVERLAP = 100
_BREAKS = (
    re.compile(r"\n(?=#{1,6} )"),  # Markdown headings
    re.compile(r"\n[ \t]*\n+"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])"),
    re.compile(r"\s+"),
)


def chunk(text: str, size: int = SIZE, overlap: int = OVERLAP) -> list[str]:
    """Cut a text.

    Args:
        text: The text.
        size: Most characters of a chunk.
        overlap: Characters, about, of the chunk before that each chunk begins with where the text had no pause;
            less than half of `size` is used.
    """
    overlap = min(overlap, size // 2)
    chunks: list[str] = []
    for section in _BREAKS[0].split(text.replace("\r\n", "\n")):
        chunks += _packed(list(_pieces(section, size - overlap if overlap else size, 1)), size, overlap)
    return _joined(chunks, size)


def _pieces(text: str, size: int, level: int) -> Iterator[str]:
    """The parts of a text, none longer than `size`, cut at the strongest pauses that do."""
    if len(text) <= size:
        if text.strip():
            yield text
        return
    if level == len(_BREAKS):
        for start in range(0, len(text), size):
            yield text[start : start + size]
        return
    start = 0
    for pause in _BREAKS[level].finditer(text):
        yield from _pieces(text[start : pause.end()], size, level + 1)
        start = pause.end()
    yield from _pieces(text[start:], size, level + 1)


def _packed(pieces: Sequence[str], size: int, overlap: int) -> list[str]:
    """Put neighbours together; a new chunk begins with the end of the one before."""
    chunks: list[str] = []
    current = ""
    for piece in pieces:
        if current and len(current) + len(piece) > size:
            chunks.append(current.strip())
            current = _tail(current, overlap)
        current += piece
    if current.strip():
        chunks.append(current.strip())
    return chunks


def _tail(text: str, overlap: int) -> str:
    """The last words of a text; nothing where it ends with a paragraph."""
    if not overlap or text.endswith("\n\n"):
        return ""
    tail = text[-overlap:]
    pause = re.search(r"\s", tail)
    return tail[pause.end() :] if pause else ""


def _joined(chunks: Sequence[str], size: int) -> list[str]:
    """Short sections, such as a heading with one line, go with the one that follows."""
    joined: list[str] = []
    for each in chunks:
        if joined and len(joined[-1]) < size // 4 and len(joined[-1]) + len(each) + 2 <= size:
            joined[-1] += "\n\n" + each
        else:
            joined.append(each)
    return joined
