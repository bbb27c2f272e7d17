"""Documents out of what a spell gives to ``rag.ingest``: texts, tables, files and folders, alone or in a list."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

from llmspell_kernel.bridges import granted_files
from llmspell_kernel.bridges.arguments import lua_type
from llmspell_kernel.engine.values import CallbackRef, HandleRef
from llmspell_kernel.errors import BadArgument, SpellError
from llmspell_kernel.rag import documents

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from llmspell_kernel.bridges.registry import Host
    from llmspell_kernel.rag.values import Document

_FUNCTION = "rag.ingest"
_SHAPES = ("text", "content", "file", "path", "files", "folder", "table", "rows")
_MOST_FILE = 16 * 2**20


class Reader:
    """Makes documents.

    Args:
        host: The session, whose grants say which files may be read.
        size: Most characters of a chunk.
        overlap: Characters that a chunk begins with of the one before.
        metadata: Of every document.
        template: The text of a table's row.
    """

    def __init__(
        self, host: Host, *, size: int, overlap: int, metadata: Mapping[str, Any], template: str
    ) -> None:
        self._host = host
        self._size = size
        self._overlap = overlap
        self._metadata = metadata
        self._template = template

    async def read(self, given: Any) -> list[Document]:
        """Every document that is given.

        Raises:
            BadArgument: Something in it is neither of the shapes.
            MissingGrant: A file may not be read.
        """
        if given == {}:
            return []
        items = cast("list[Any]", given) if isinstance(given, list) else [given]
        if items and all(isinstance(item, dict) and not _shape(item) for item in items):
            return [self._table(items, {})]
        found: list[Document] = []
        for item in items:
            found += [document async for document in self._item(item)]
        return found

    async def _item(self, item: Any) -> AsyncGenerator[Document]:
        if isinstance(item, str):
            yield self._text(item, {})
            return
        if not isinstance(item, dict):
            raise BadArgument(
                f"bad argument #1 to '{_FUNCTION}' (texts or tables expected, got {lua_type(item)})"
            )
        fields = cast("dict[str, Any]", item)
        shape = _shape(fields)
        value = fields.get(shape)
        if shape in ("text", "content") and isinstance(value, str):
            yield self._text(value, fields)
        elif shape in ("file", "path") and isinstance(value, str):
            yield await self._file(value, fields)
        elif shape == "files" and isinstance(value, list):
            for path in cast("list[Any]", value):
                yield await self._file(str(path), fields)
        elif shape == "folder" and isinstance(value, str):
            async for document in self._folder(value, fields):
                yield document
        elif shape in ("table", "rows") and isinstance(value, list):
            yield self._table(cast("list[Any]", value), fields)
        else:
            raise BadArgument(
                f"'{_FUNCTION}' takes {{text =}}, {{file =}}, {{files =}}, {{folder =}} or {{table =}}"
            )

    def _text(self, text: str, fields: Mapping[str, Any]) -> Document:
        key = _key(fields) or hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return documents.of_text(text, key, self._about(fields), self._size, self._overlap)

    def _table(self, rows: list[Any], fields: Mapping[str, Any]) -> Document:
        template = str(fields.get("template") or self._template)
        made = documents.of_table(rows, _key(fields), self._about(fields), template, self._size)
        if made.key:
            return made
        digest = hashlib.sha256("\0".join(made.pieces).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return documents.of_table(rows, digest, self._about(fields), template, self._size)

    async def _file(self, path: str, fields: Mapping[str, Any]) -> Document:
        content = await granted_files.read(self._host, path, _FUNCTION, _MOST_FILE)
        about = {"source": path, **self._about(fields)}
        return documents.of_file(path, content, about, self._size, self._overlap)

    async def _folder(self, path: str, fields: Mapping[str, Any]) -> AsyncGenerator[Document]:
        pattern = str(fields.get("pattern") or "")
        async for file in granted_files.walk(self._host, path, pattern or "*", _FUNCTION):
            if not pattern and file.rpartition(".")[2].lower() not in documents.ENDINGS:
                continue
            try:
                document = await self._file(file, fields)
            except SpellError as error:
                if not error.returned_in_lua or pattern:
                    raise
                continue  # of a whole folder, what is no text is passed by
            yield document

    def _about(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        own = fields.get("metadata")
        _check_plain(own, "metadata")
        return {**self._metadata, **(cast("dict[str, Any]", own) if isinstance(own, dict) else {})}


def _check_plain(value: Any, path: str) -> None:
    """Raise `BadArgument`, naming the place, for what cannot be kept in a file."""
    if isinstance(value, CallbackRef | HandleRef | bytes):
        what = "bytes that are no text" if isinstance(value, bytes) else f"a {lua_type(value)}"
        raise BadArgument(f"bad argument #1 to '{_FUNCTION}' ({path} holds {what}, which cannot be kept)")
    if isinstance(value, dict):
        for key, item in cast("dict[Any, Any]", value).items():
            _check_plain(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value), 1):
            _check_plain(item, f"{path}[{index}]")


def _shape(item: Any) -> str:
    """The field that says what an item is; empty for a row of a table."""
    fields = cast("dict[Any, Any]", item) if isinstance(item, dict) else {}
    return next((name for name in _SHAPES if name in fields), "")


def _key(fields: Mapping[str, Any]) -> str:
    return str(fields.get("id") or "")
