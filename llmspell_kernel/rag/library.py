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
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

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
        finished = 0
        for group in _groups(documents):
            places = [
                place for place, one in enumerate(group) if not await self._is_there(collection, scope, one)
            ]
            used, made = await self._pieces([group[place] for place in places], model, keywords=keywords)
            pieces = dict(zip(places, made, strict=True))
            if known is not None and any(made) and used != known:
                raise other_model(collection, known, used)
            if any(made):
                known, model = used, used.name
            for place, document in enumerate(group):
                own = pieces.get(place)
                if own is None:
                    done = _more(done, unchanged=1)
                else:
                    await self._put(collection, scope, document, own, used)
                    done = _more(done, documents=1, chunks=len(own))
                finished += 1
                if progress is not None:
                    await progress(finished, len(documents))
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

    async def _is_there(self, collection: str, scope: str, document: Document) -> bool:
        known = await asyncio.to_thread(self.store.digest, collection, scope, document.key)
        return known == _digest(document)

    async def _pieces(
        self, documents: Sequence[Document], model: str, *, keywords: bool
    ) -> tuple[Model, list[list[Piece]]]:
        """Each document's pieces, with vectors unless it is `keywords` alone, and what made them."""
        none: Mapping[str, Any] = {}
        pieces = [
            [
                Piece(text=text, metadata=more)
                for text, more in zip(one.pieces, one.each or (none,) * len(one.pieces), strict=True)
            ]
            for one in documents
        ]
        if keywords:
            return KEYWORDS, pieces
        used = KEYWORDS
        vectors: list[Sequence[float]] = []
        texts = [piece.text for own in pieces for piece in own]
        for start in range(0, len(texts), _BATCH):
            answer = await self._embed(texts[start : start + _BATCH], model)
            vectors += answer.vectors
            used = Model(f"{answer.provider}:{answer.model}", len(answer.vectors[0]))
        each = iter(vectors)
        return used, [[msgspec.structs.replace(piece, vector=next(each)) for piece in own] for own in pieces]

    async def _put(
        self, collection: str, scope: str, document: Document, pieces: list[Piece], model: Model
    ) -> None:
        """Put a document in the place of its older self; one of which nothing is left goes."""
        if not pieces:
            await asyncio.to_thread(self.store.delete, collection, scope=scope, key=document.key, filter_={})
            return
        # Once begun it is done: whoever interrupts finds the document either way whole.
        await asyncio.shield(
            asyncio.to_thread(
                self.store.put,
                collection,
                scope,
                document.key,
                pieces,
                model=model,
                digest=_digest(document),
                metadata=document.metadata,
            )
        )


def _groups(documents: Sequence[Document]) -> Iterator[list[Document]]:
    """Documents in their order, short ones together: a model reads many texts at once faster than one by one."""
    group: list[Document] = []
    size = 0
    for document in documents:
        group.append(document)
        size += len(document.pieces)
        if size >= _BATCH:
            yield group
            group, size = [], 0
    if group:
        yield group


def _more(done: Ingested, *, documents: int = 0, unchanged: int = 0, chunks: int = 0) -> Ingested:
    return msgspec.structs.replace(
        done,
        documents=done.documents + documents,
        unchanged=done.unchanged + unchanged,
        chunks=done.chunks + chunks,
    )


def _digest(document: Document) -> str:
    """What tells whether a document has changed since it was put."""
    told = [document.pieces, document.metadata, document.each]
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()
