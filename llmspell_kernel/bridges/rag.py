"""``rag``: searching one's own texts, tables and files."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, ClassVar, cast

import msgspec

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.given import Given
from llmspell_kernel.bridges.rag_documents import Reader
from llmspell_kernel.bridges.rag_types import TYPES
from llmspell_kernel.bridges.registry import Host
from llmspell_kernel.errors import BadArgument
from llmspell_kernel.language.documentation import Documented
from llmspell_kernel.rag.chunking import OVERLAP, SIZE, chunk
from llmspell_kernel.rag.library import Library
from llmspell_kernel.rag.store import SqliteStore
from llmspell_kernel.rag.values import MODES, Hit, Mode

FILE = "knowledge.sqlite"
"""Name of the file in the project's storage folder."""
DEFAULT = "default"


class RagBridge(Bridge):
    """Your own texts, tables and files, searched by meaning and by words, on this machine.

    What is ingested stays, in one file for each project, until it is deleted.
    """

    module: ClassVar[str] = "rag"
    lua_part: ClassVar[str | None] = "lib.rag"
    types: ClassVar[tuple[Documented, ...]] = TYPES

    def __init__(self, host: Host) -> None:
        self._host = host
        self._opened: Library | None = None

    async def close(self) -> None:
        """Close the file."""
        if self._opened is not None:
            await asyncio.to_thread(self._opened.store.close)

    @property
    def _library(self) -> Library:
        """The project's library; opened when it is first asked for."""
        if self._opened is None:
            store = SqliteStore(self._host.settings.storage.folder / FILE)
            self._opened = Library(store, lambda texts, model: self._host.models.embed(texts, model))
        return self._opened

    @export(
        returns="done: rag.Ingested?, err: Error?",
        example='rag.ingest{"The sky is blue.", "Grass is green."}',
    )
    async def ingest(
        self,
        docs: Annotated[str | list[Any] | dict[str, Any], "string|rag.Document|(string|rag.Document)[]"],
        options: Annotated[dict[str, Any] | None, "rag.IngestOptions"] = None,
    ) -> Any:
        """Put documents into a collection: they are cut into chunks, and each chunk gets a vector.

        A document with an id takes the place of the one before, and costs nothing if it has not changed.

        Args:
            docs: a text, a document, or a list of them; a list of plain tables is a table, each of them a row
            options: where and how
        """
        known = ("collection", "scope", "metadata", "chunk_size", "overlap", "template")
        given = Given("rag.ingest", options, (*known, "model", "vectors", "on_progress"))
        reader = Reader(
            self._host,
            size=given.whole("chunk_size", SIZE, 50, 100_000),
            overlap=given.whole("overlap", OVERLAP, 0, 50_000),
            metadata=given.table("metadata"),
            template=given.text("template"),
        )
        hear = given.function("on_progress")

        async def progress(done: int, of: int) -> None:
            if hear is not None:
                await self._host.invoke(hear, done, of)

        done = await self._library.ingest(
            await reader.read(docs),
            collection=given.text("collection", DEFAULT),
            scope=given.text("scope"),
            model=given.text("model"),
            vectors=given.flag("vectors", True),
            progress=progress,
        )
        if done.documents:
            self._host.acted(f"put {done.documents} documents into the collection '{done.collection}'")
        return msgspec.to_builtins(done)

    @export(
        returns="found: rag.Found?, err: Error?", example='rag.search("What colour is the sky?", {k = 3})'
    )
    async def search(
        self, query: str, options: Annotated[dict[str, Any] | None, "rag.SearchOptions"] = None
    ) -> Any:
        """Find the chunks that answer a question best, by meaning and by words.

        Args:
            query: what to look for, as a question or as words
            options: where, how many, which
        """
        known = ("k", "limit", "collection", "scope", "filter", "mode", "model", "min_similarity")
        given = Given("rag.search", options, known)
        collection = given.text("collection", DEFAULT)
        least = given.number("min_similarity", -1.0)
        hits = await self._library.search(
            query,
            collection=collection,
            k=given.whole("k", given.whole("limit", 5, 1, 1000), 1, 1000),
            scope=given.text_or_none("scope"),
            filter_=given.table("filter"),
            mode=cast("Mode", given.choice("mode", MODES)),
            model=given.text("model"),
        )
        kept = [hit for hit in hits if hit.similarity is None or hit.similarity >= least]
        return {"query": query, "collection": collection, "results": [_plain(hit) for hit in kept]}

    @export(returns="chunks: string[]", example='rag.chunk("One. Two. Three.", {size = 50})')
    async def chunk(
        self, text: str, options: Annotated[dict[str, Any] | None, "rag.ChunkOptions"] = None
    ) -> Any:
        """Cut a text as ``rag.ingest`` does: at headings, paragraphs and sentences.

        Args:
            text: the text
            options: how long the chunks are
        """
        given = Given("rag.chunk", options, ("size", "overlap"))
        size = given.whole("size", SIZE, 50, 100_000)
        return chunk(text, size, given.whole("overlap", OVERLAP, 0, 50_000))

    @export(returns="documents: rag.Entry[]", example="rag.documents()")
    async def documents(self, options: Annotated[dict[str, Any] | None, "rag.ListOptions"] = None) -> Any:
        """List a collection's documents, the newest first.

        Args:
            options: which ones
        """
        given = Given("rag.documents", options, ("collection", "scope", "limit"))
        entries = await asyncio.to_thread(
            self._library.store.documents,
            given.text("collection", DEFAULT),
            given.text_or_none("scope"),
            given.whole("limit", 100, 1, 100_000),
        )
        return [msgspec.to_builtins(entry) for entry in entries]

    @export(returns="collections: rag.Collection[]", example="rag.collections()")
    async def collections(self) -> Any:
        """List the collections."""
        found = await asyncio.to_thread(self._library.store.collections)
        return [
            {
                "name": one.name,
                "model": one.model.name if one.model else "",
                "dimensions": one.model.dimensions if one.model else 0,
                "documents": one.documents,
                "chunks": one.chunks,
            }
            for one in found
        ]

    @export(returns="deleted: integer", example='rag.delete("notes/old.md")')
    async def delete(
        self,
        which: Annotated[str | dict[str, Any], "string|rag.DeleteOptions"],
        options: Annotated[dict[str, Any] | None, "rag.DeleteOptions"] = None,
    ) -> Any:
        """Delete documents; tells how many. To delete a whole collection: ``rag.drop_collection``.

        Args:
            which: an id, or what names several
            options: the collection, and whatever else narrows it
        """
        wanted = {"id": which} if isinstance(which, str) else dict(which)
        given = Given("rag.delete", {**wanted, **(options or {})}, ("id", "filter", "scope", "collection"))
        key, scope, passes = given.text_or_none("id"), given.text_or_none("scope"), given.table("filter")
        if key is None and scope is None and not passes:
            raise BadArgument(
                "'rag.delete' needs an id, a scope or a filter; rag.drop_collection removes everything"
            )
        collection = given.text("collection", DEFAULT)
        count = await asyncio.to_thread(
            lambda: self._library.store.delete(collection, scope=scope, key=key, filter_=passes)
        )
        if count:
            self._host.acted(f"deleted {count} documents of the collection '{collection}'")
        return count

    @export(returns="dropped: boolean", example='rag.drop_collection("old")')
    async def drop_collection(self, name: str) -> Any:
        """Remove a collection with all that is in it; tells whether there was one.

        Args:
            name: the collection
        """
        dropped = await asyncio.to_thread(self._library.store.drop, name)
        if dropped:
            self._host.acted(f"removed the collection '{name}'")
        return dropped


def _plain(hit: Hit) -> dict[str, Any]:
    """A hit as Lua gets it."""
    return {
        "text": hit.text,
        "score": hit.score,
        **({} if hit.similarity is None else {"similarity": hit.similarity}),
        "id": hit.key,
        "metadata": hit.metadata,
        **({"scope": hit.scope} if hit.scope else {}),
        "added": hit.added,
    }
