"""What is kept and found, and the protocol of the place that keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Mode = Literal["hybrid", "vector", "keyword"]
MODES: tuple[Mode, ...] = ("hybrid", "vector", "keyword")


class Model(msgspec.Struct, frozen=True):
    """The embedding model that a collection's vectors come from."""

    name: str
    """``provider:model``; empty for a collection that is searched by keywords alone."""
    dimensions: int


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk that is to be kept."""

    text: str
    metadata: Mapping[str, Any] = msgspec.field(default_factory=dict[str, Any])
    vector: Sequence[float] = ()


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A text before it is cut."""

    key: str
    """What names it in its collection and scope: a document of the same key takes its place."""
    pieces: tuple[str, ...]
    metadata: Mapping[str, Any] = msgspec.field(default_factory=dict[str, Any])
    each: tuple[Mapping[str, Any], ...] = ()
    """Further metadata of each piece, if it has any."""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk that was found."""

    id: int
    text: str
    metadata: dict[str, Any]
    key: str
    """The document's."""
    scope: str
    added: float
    """When the document was put, in seconds since 1970."""
    score: float
    """From 0 to 1: how good it is among what was searched, not how likely."""
    similarity: float | None = None
    """Cosine of the angle between the question's vector and its own."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """A collection."""

    name: str
    model: Model | None
    documents: int
    chunks: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A document, as a list shows it."""

    id: str
    chunks: int
    metadata: dict[str, Any]
    scope: str
    added: float


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for."""

    collection: str
    text: str = ""
    vector: Sequence[float] = ()
    k: int = 5
    scope: str | None = None
    """None looks in every scope."""
    filter: Mapping[str, Any] = msgspec.field(default_factory=dict[str, Any])
    mode: Mode = "hybrid"


class Store(Protocol):
    """Where chunks and vectors are kept: SQLite here; a server such as PostgreSQL with pgvector could be another.

    The methods block; `Library` runs them in a thread. Failures are `llmspell_kernel.errors.SpellError`s.
    """

    def model(self, collection: str) -> Model | None:
        """The embedding model of a collection; None while nothing has been put into it."""
        ...

    def digest(self, collection: str, scope: str, key: str) -> str | None:
        """The digest that a document was put with; None if there is none of that key."""
        ...

    def put(
        self,
        collection: str,
        scope: str,
        key: str,
        pieces: Sequence[Piece],
        *,
        model: Model,
        digest: str,
        metadata: Mapping[str, Any],
    ) -> None:
        """Put a document, in the place of the one with its key."""
        ...

    def search(self, query: Query) -> list[Hit]:
        """Find the best chunks, the best first."""
        ...

    def documents(self, collection: str, scope: str | None, limit: int) -> list[Entry]:
        """The documents, the last ones put first."""
        ...

    def delete(
        self, collection: str, *, scope: str | None, key: str | None, filter_: Mapping[str, Any]
    ) -> int:
        """Delete documents: those of a key, of a scope, those with a chunk that passes the filter, or all of them."""
        ...

    def drop(self, collection: str) -> bool:
        """Remove a collection whole, so that another model may be used; tells whether there was one."""
        ...

    def collections(self) -> list[About]:
        """Every collection, by name."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...
