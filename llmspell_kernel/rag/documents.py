"""Documents out of what spells give: texts, tables, and files by their names' endings."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, cast

from llmspell_kernel.errors import BadArgument, WorldError
from llmspell_kernel.rag.chunking import OVERLAP, SIZE, chunk
from llmspell_kernel.rag.values import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ENDINGS = (
    "md",
    "txt",
    "rst",
    "csv",
    "tsv",
    "json",
    "jsonl",
    "html",
    "htm",
    "ipynb",
    "lua",
    "py",
    "toml",
    "yaml",
    "yml",
    "log",
    "tex",
    "org",
)
"""Of the files that are read when a folder is named."""


def of_text(
    text: str, key: str, metadata: Mapping[str, Any], size: int = SIZE, overlap: int = OVERLAP
) -> Document:
    """A text, cut."""
    return Document(key=key, pieces=tuple(chunk(text, size, overlap)), metadata=metadata)


def of_table(
    rows: Sequence[Any], key: str, metadata: Mapping[str, Any], template: str = "", size: int = SIZE
) -> Document:
    """A table: each row a piece, with its fields as metadata.

    Args:
        rows: Objects, one for each row.
        key: Names the document.
        metadata: Of every row.
        template: The text of a row, ``{field}`` for what a field holds; else its fields line by line.
        size: Most characters of a piece; longer rows are cut.
    """
    pieces: list[str] = []
    each: list[Mapping[str, Any]] = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise BadArgument(f"row {number} of the table is no table of fields, such as {{name = 'Ada'}}")
        fields = {str(name): value for name, value in cast("dict[Any, Any]", row).items()}
        plain = {name: value for name, value in fields.items() if isinstance(value, str | int | float)}
        for piece in chunk(_row_text(fields, template), size, 0):
            pieces.append(piece)
            short = {name: value for name, value in plain.items() if len(str(value)) <= 200}
            each.append({**short, "row": number})
    return Document(key=key, pieces=tuple(pieces), metadata=metadata, each=tuple(each))


def _row_text(fields: Mapping[str, Any], template: str) -> str:
    if template:
        return re.sub(r"\{(\w+)\}", lambda found: _cell(fields.get(found[1])), template)
    return "\n".join(f"{name}: {_cell(value)}" for name, value in fields.items() if value not in (None, ""))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def of_file(
    name: str, content: bytes, metadata: Mapping[str, Any], size: int = SIZE, overlap: int = OVERLAP
) -> Document:
    """A file, read by what its name ends in; what no ending says is plain text.

    Raises:
        WorldError: It is not text.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WorldError(
            f"'{name}' is not text in UTF-8",
            code="not_text",
            suggestion="texts, Markdown, HTML, CSV, JSON and notebooks can be ingested; convert it first",
        ) from error
    ending = name.rpartition(".")[2].lower()
    rows = _ROWS.get(ending)
    try:
        if rows is not None and (table := rows(text)) is not None:
            return of_table(table, name, metadata, size=size)
        return of_text(_TEXTS.get(ending, str)(text), name, metadata, size, overlap)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        raise WorldError(
            f"'{name}' is not the {ending.upper()} that its name says: {error}", code="bad_file"
        ) from error


# ── kinds of files ───────────────────────────────────────────────────────────────────────────────


def _csv(text: str) -> list[Any]:
    return list(csv.DictReader(io.StringIO(text), strict=True))


def _tsv(text: str) -> list[Any]:
    return list(csv.DictReader(io.StringIO(text), dialect="excel-tab", strict=True))


def _json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _json(text: str) -> list[Any] | None:
    value = json.loads(text)
    rows = cast("list[Any]", value) if isinstance(value, list) else None
    return rows if rows and all(isinstance(row, dict) for row in rows) else None


def _notebook(text: str) -> str:
    cells = cast("list[dict[str, Any]]", json.loads(text)["cells"])
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] in ("markdown", "code")]
    return "\n\n".join(sources)


class _Html(HTMLParser):
    """Collects what a reader of a page sees."""

    _HIDDEN = ("script", "style", "template", "noscript", "svg", "head")
    _BLOCKS = (
        "p",
        "div",
        "li",
        "tr",
        "br",
        "section",
        "article",
        "pre",
        "blockquote",
        "table",
        "ul",
        "ol",
        "dd",
        "dt",
    )

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See the base class."""
        del attrs
        self._hidden += tag in self._HIDDEN
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.parts.append(f"\n\n{'#' * int(tag[1])} ")
        elif tag in self._BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """See the base class."""
        if tag in self._HIDDEN and self._hidden:
            self._hidden -= 1
        if tag in self._BLOCKS or tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        """See the base class."""
        if not self._hidden:
            self.parts.append(re.sub(r"\s+", " ", data))


def text_of_html(page: str) -> str:
    """What a reader of an HTML page sees, headings as in Markdown."""
    parser = _Html()
    parser.feed(page)
    parser.close()
    lines = [line.strip() for line in "".join(parser.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


_ROWS: dict[str, Callable[[str], list[Any] | None]] = {
    "csv": _csv,
    "tsv": _tsv,
    "jsonl": _json_lines,
    "json": _json,
}
_TEXTS: dict[str, Callable[[str], str]] = {"html": text_of_html, "htm": text_of_html, "ipynb": _notebook}
