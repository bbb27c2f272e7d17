"""Putting documents into a store and finding them again: embedding, and nothing mixed up."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from llmspell_kernel.errors import NotFound
from llmspell_kernel.rag.store import other_model
from llmspell_kernel.rag.values import Hit, Mode, Model, Piece, Query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from llmspell_kernel.rag.values import Document, Store

_BATCH = 64
"""Texts embedded at once."""
KEYWORDS = Model("", 0)
"""The model of collections without vectors."""


class Vectors(Protocol):
    """Vectors with the model that made them."""

    @property
    def vectors(self) -> Sequence[Sequence[float]]:
        """One for each text."""
        ...

    @property
    def model(self) -> str:
        """The model's name."""
        ...

    @property
    def provider(self) -> str:
        """The provider's name."""
        ...


class Embed(Protocol):
    """How texts become vectors; an empty model leaves the choice open."""

    def __call__(self, texts: Sequence[str], model: str) -> Awaitable[Vectors]:
        """Embed."""
        ...


class Ingested(msgspec.Struct, frozen=True, kw_only=True):
    """What became of documents."""

    collection: str
    documents: int = 0
    """Put, new or in the place of an older one."""
    unchanged: int = 0
    """Left alone, because they were there already."""
    chunks: int = 0
    ids: tuple[str, ...] = ()
    """What names the documents, in their order."""


class Library:
    """Collections of documents.

    Args:
        store: Where they are kept.
        embed: How texts become vectors.
    """

    def __init__(self, store: Store, embed: Embed) -> None:
        self.store = store
        self._embed = embed

    async def ingest(
        self,
        documents: Sequence[Document],
        *,
        collection: str,
        scope: str = "",
        model: str = "",
        vectors: bool = True,
        progress: Callable[[int, int], Awaitable[None]] | None = None,
    ) -> Ingested:
        """Put documents; each is there whole or not at all, and those that have not changed cost nothing.

        Args:
            documents: The documents.
            collection: The collection, made if need be.
            scope: The part of it.
            model: The embedding model; the collection's own if empty.
            vectors: False makes a collection that is searched by keywords alone.
            progress: Told how many of how many documents are done.

        Raises:
            BadArgument: The collection's vectors come from another model.
        """
        known = await asyncio.to_thread(self.store.model, collection)
        model = self._model_for(collection, known, model)
        keywords = known == KEYWORDS if known is not None else not vectors
        done = Ingested(collection=collection, ids=tuple(document.key for document in documents))
        for number, document in enumerate(documents, start=1):
            digest = _digest(document)
            old = await asyncio.to_thread(self.store.digest, collection, scope, document.key)
            if old == digest:
                done = msgspec.structs.replace(done, unchanged=done.unchanged + 1)
            else:
                used, pieces = await self._pieces(document, model, keywords=keywords)
                if known is not None and pieces and used != known:
                    raise other_model(collection, known, used)
                if pieces:
                    known, model = used, used.name
                    await self._put(collection, scope, document, pieces, used, digest)
                elif old is not None:
                    await asyncio.to_thread(
                        self.store.delete, collection, scope=scope, key=document.key, filter_={}
                    )
                done = msgspec.structs.replace(
                    done, documents=done.documents + 1, chunks=done.chunks + len(pieces)
                )
            if progress is not None:
                await progress(number, len(documents))
        return done

    async def search(
        self,
        text: str,
        *,
        collection: str,
        k: int = 5,
        scope: str | None = None,
        filter_: Mapping[str, Any] | None = None,
        mode: Mode = "hybrid",
        model: str = "",
    ) -> list[Hit]:
        """Find the chunks that answer `text` best.

        Raises:
            NotFound: There is no such collection.
            BadArgument: `model` is not the collection's.
        """
        known = await asyncio.to_thread(self.store.model, collection)
        if known is None:
            raise NotFound(
                f"there is no collection '{collection}'",
                suggestion="put something into it with rag.ingest; rag.collections() lists those there are",
            )
        name = self._model_for(collection, known, model)
        vector: Sequence[float] = ()
        if mode != "keyword" and known != KEYWORDS:
            answer = await self._embed([text], name)
            vector = answer.vectors[0]
            used = Model(f"{answer.provider}:{answer.model}", len(vector))
            if used != known:
                raise other_model(collection, known, used)
        query = Query(
            collection=collection,
            text=text,
            vector=vector,
            k=k,
            scope=scope,
            filter=filter_ or {},
            mode=mode if known != KEYWORDS else "keyword",
        )
        return await asyncio.to_thread(self.store.search, query)

    def _model_for(self, collection: str, known: Model | None, model: str) -> str:
        """The name to embed with: the collection's own, which one that is given must be."""
        if known is None:
            return model
        if model and model not in (known.name, known.name.partition(":")[2]):
            raise other_model(collection, known, Model(model, 0))
        return known.name

    async def _pieces(self, document: Document, model: str, *, keywords: bool) -> tuple[Model, list[Piece]]:
        none: Mapping[str, Any] = {}
        each = document.each or (none,) * len(document.pieces)
        pieces = [Piece(text=text, metadata=more) for text, more in zip(document.pieces, each, strict=True)]
        if keywords:
            return KEYWORDS, pieces
        used, embedded = KEYWORDS, list[Piece]()
        for start in range(0, len(pieces), _BATCH):
            some = pieces[start : start + _BATCH]
            answer = await self._embed([piece.text for piece in some], model)
            embedded += [
                msgspec.structs.replace(piece, vector=vector)
                for piece, vector in zip(some, answer.vectors, strict=True)
            ]
            used = Model(f"{answer.provider}:{answer.model}", len(answer.vectors[0]))
        return used, embedded

    async def _put(
        self, collection: str, scope: str, document: Document, pieces: list[Piece], model: Model, digest: str
    ) -> None:
        # Once begun it is done: whoever interrupts finds the document either way whole.
        await asyncio.shield(
            asyncio.to_thread(
                self.store.put,
                collection,
                scope,
                document.key,
                pieces,
                model=model,
                digest=digest,
                metadata=document.metadata,
            )
        )


def _digest(document: Document) -> str:
    """What tells whether a document has changed since it was put."""
    told = [document.pieces, document.metadata, document.each]
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()
