"""A project's chunks in one SQLite file: texts, FTS5's index of their words, and their vectors."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from llmspell_kernel.errors import BadArgument, NotFound
from llmspell_kernel.rag import narrowing, schema
from llmspell_kernel.rag.filters import ALL_AT_ONCE, compile_filter, fields_of
from llmspell_kernel.rag.fusion import fuse
from llmspell_kernel.rag.keywords import match_of
from llmspell_kernel.rag.values import About, Entry, Hit, Model, Piece, Query

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from llmspell_kernel.rag.vectors import Vectors

_CANDIDATES = 50
"""Chunks that each ranking brings to the fusion, at least."""
_FIRST_LOOK = 2000
"""Neighbours that a filter is tried on before it is tried on everything."""


class SqliteStore:
    """The file of one project; made when something is first put or looked for.

    Several kernels may use it at once. Each keeps the vectors of the collections that it searched in memory, and
    reads what others have added since.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._opened: sqlite3.Connection | None = None
        self._vectors: dict[int, tuple[int, Vectors]] = {}

    def model(self, collection: str) -> Model | None:
        """See `Store`."""
        with self._reading() as opened:
            return _model(opened, collection)

    def digest(self, collection: str, scope: str, key: str) -> str | None:
        """See `Store`."""
        asked = """SELECT digest FROM document d JOIN collection c ON c.id = d.collection
                   WHERE c.name = ? AND d.scope = ? AND d.key = ?"""
        with self._reading() as opened:
            found = opened.execute(asked, (collection, scope, key)).fetchone()
        return found[0] if found else None

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
        """See `Store`."""
        packed = self._packed(pieces, model)
        with self._writing() as opened:
            number = _collection_for(opened, collection, model)
            _delete(opened, number, "scope = ? AND key = ?", (scope, key))
            document = opened.execute(
                "INSERT INTO document (collection, scope, key, digest, metadata, added) VALUES (?, ?, ?, ?, ?, ?)",
                (number, scope, key, digest, _json(metadata), time.time()),
            ).lastrowid
            for piece, row in zip(pieces, packed, strict=True):
                about = {**metadata, **piece.metadata}
                chunk = opened.execute(
                    "INSERT INTO chunk (collection, document, scope, text, metadata) VALUES (?, ?, ?, ?, ?)",
                    (number, document, scope, piece.text, _json(about)),
                ).lastrowid
                fields = ((chunk, name, value) for name, value in fields_of(about))
                opened.executemany("INSERT OR IGNORE INTO field VALUES (?, ?, ?)", fields)
                if row:
                    opened.execute("INSERT INTO vector VALUES (?, ?, ?)", (chunk, number, row))

    def search(self, query: Query) -> list[Hit]:
        """See `Store`."""
        with self._reading() as opened:
            found = opened.execute("SELECT id FROM collection WHERE name = ?", (query.collection,)).fetchone()
            if found is None:
                raise _no_collection(query.collection)
            most = max(4 * query.k, _CANDIDATES)
            narrowed = bool(query.filter) or query.scope is not None
            few = narrowing.few(opened, found[0], query) if narrowed else None
            near: list[tuple[int, float]] = []
            if query.mode != "keyword" and query.vector:
                near = self._nearest(opened, found[0], query, most, few)
            words: list[int] = []
            if query.mode != "vector":
                words = _by_words(opened, found[0], query, most, few)
            return _hits(opened, query, near, words)

    def documents(self, collection: str, scope: str | None, limit: int) -> list[Entry]:
        """See `Store`."""
        asked = """SELECT d.key, d.metadata, d.scope, d.added,
                          (SELECT count(*) FROM chunk WHERE document = d.id)
                   FROM document d JOIN collection c ON c.id = d.collection
                   WHERE c.name = ? AND (? IS NULL OR d.scope = ?) ORDER BY d.id DESC LIMIT ?"""
        with self._reading() as opened:
            rows = opened.execute(asked, (collection, scope, scope, limit)).fetchall()
        return [
            Entry(id=key, metadata=json.loads(metadata), scope=where, added=added, chunks=chunks)
            for key, metadata, where, added, chunks in rows
        ]

    def delete(
        self, collection: str, *, scope: str | None, key: str | None, filter_: Mapping[str, Any]
    ) -> int:
        """See `Store`."""
        condition, parameters = compile_filter(filter_, ALL_AT_ONCE)
        where = f"""(? IS NULL OR scope = ?) AND (? IS NULL OR key = ?)
                    AND (? OR id IN (SELECT document FROM chunk WHERE collection = ? AND {condition}))"""
        with self._writing() as opened:
            found = opened.execute("SELECT id FROM collection WHERE name = ?", (collection,)).fetchone()
            if found is None:
                return 0
            values = (scope, scope, key, key, not filter_, found[0], *parameters)
            return _delete(opened, found[0], where, values)

    def drop(self, collection: str) -> bool:
        """See `Store`."""
        with self._writing() as opened:
            found = opened.execute("SELECT id FROM collection WHERE name = ?", (collection,)).fetchone()
            if found is None:
                return False
            _delete(opened, found[0], "1", ())
            opened.execute("DELETE FROM collection WHERE id = ?", found)
            self._vectors.pop(found[0], None)
            return True

    def collections(self) -> list[About]:
        """See `Store`."""
        asked = """SELECT name, model, dimensions, (SELECT count(*) FROM document WHERE collection = c.id),
                          (SELECT count(*) FROM chunk WHERE collection = c.id)
                   FROM collection c ORDER BY name"""
        with self._reading() as opened:
            rows = opened.execute(asked).fetchall()
        return [
            About(name=name, model=Model(model, dimensions), documents=documents, chunks=chunks)
            for name, model, dimensions, documents, chunks in rows
        ]

    def close(self) -> None:
        """See `Store`."""
        with self._lock:
            self._vectors.clear()
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    # ── vectors ──────────────────────────────────────────────────────────────────────────────────

    def _packed(self, pieces: Sequence[Piece], model: Model) -> list[bytes]:
        if not model.name:
            return [b""] * len(pieces)
        return [self._numbers.pack(piece.vector) for piece in pieces]

    @cached_property
    def _numbers(self) -> Any:
        """The part that needs numpy, which a search by keywords alone does without."""
        try:
            return import_module("llmspell_kernel.rag.vectors")
        except ImportError as error:
            raise NotFound(
                f"searching by meaning needs the package {error.name}, which is not installed",
                code="not_installed",
                suggestion='pip install "llmspell-kernel[local]", or search with mode = "keyword"',
            ) from error

    def _nearest(
        self,
        opened: sqlite3.Connection,
        collection: int,
        query: Query,
        most: int,
        few: Sequence[int] | None,
    ) -> list[tuple[int, float]]:
        """The nearest that pass; `few` are all that do, if they are few."""
        vectors = self._loaded(opened, collection)
        if few is not None:
            return vectors.nearest(query.vector, most, few)
        if not query.filter and query.scope is None:
            return vectors.nearest(query.vector, most)
        first = vectors.nearest(query.vector, _FIRST_LOOK)
        kept = narrowing.best(opened, collection, query, [number for number, _ in first], most)
        if len(kept) >= most or len(first) < _FIRST_LOOK:
            cosines = dict(first)
            return [(number, cosines[number]) for number in kept]
        where, parameters = _condition(query, collection, ALL_AT_ONCE)
        asked = f"SELECT id FROM chunk WHERE {where} ORDER BY id"
        among = [number for (number,) in opened.execute(asked, parameters)]
        return vectors.nearest(query.vector, most, among)

    def _loaded(self, opened: sqlite3.Connection, collection: int) -> Vectors:
        """The collection's vectors, with what was added since they were last used."""
        asked = "SELECT removals, dimensions FROM collection WHERE id = ?"
        removals, dimensions = opened.execute(asked, (collection,)).fetchone()
        known = self._vectors.get(collection)
        if known is None or known[0] != removals:
            known = (removals, self._numbers.Vectors(dimensions))
            self._vectors[collection] = known
        vectors: Vectors = known[1]
        asked = "SELECT id, row FROM vector WHERE collection = ? AND id > ? ORDER BY id"
        cursor = opened.execute(asked, (collection, vectors.last))
        while rows := cursor.fetchmany(10_000):
            vectors.append([number for number, _ in rows], [row for _, row in rows])
        return vectors

    # ── the file ─────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        """The connection, in a transaction that sees one state of the file."""
        with self._lock, schema.told(self.path):
            opened = self._connection()
            opened.execute("BEGIN")
            try:
                yield opened
            finally:
                opened.execute("COMMIT")

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        with self._lock, schema.told(self.path):
            opened = self._connection()
            with schema.writing(opened):
                yield opened

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = schema.connect(self.path)
        return self._opened


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), ensure_ascii=False)


def _model(opened: sqlite3.Connection, collection: str) -> Model | None:
    asked = "SELECT model, dimensions FROM collection WHERE name = ?"
    found = opened.execute(asked, (collection,)).fetchone()
    return Model(*found) if found else None


def _collection_for(opened: sqlite3.Connection, name: str, model: Model) -> int:
    """The number of a collection, made if need be; vectors of two models never come together."""
    known = _model(opened, name)
    if known is None:
        insert = "INSERT INTO collection (name, model, dimensions) VALUES (?, ?, ?)"
        opened.execute(insert, (name, model.name, model.dimensions))
    elif known != model:
        raise other_model(name, known, model)
    return opened.execute("SELECT id FROM collection WHERE name = ?", (name,)).fetchone()[0]


def other_model(collection: str, known: Model, given: Model) -> BadArgument:
    """The error for vectors of another model than the collection's."""

    def told(model: Model) -> str:
        return f"{model.name} ({model.dimensions} dimensions)" if model.name else "keywords alone"

    return BadArgument(
        f"the collection '{collection}' was made with {told(known)}; it cannot be mixed with {told(given)}",
        code="embedding_mismatch",
        suggestion=f"leave the model out, use another collection, or remove this one first: "
        f"rag.drop_collection('{collection}')",
    )


def _no_collection(name: str) -> NotFound:
    return NotFound(
        f"there is no collection '{name}'",
        suggestion="put something into it with rag.ingest; rag.collections() lists those there are",
    )


def _delete(opened: sqlite3.Connection, collection: int, where: str, values: Sequence[Any]) -> int:
    asked = f"DELETE FROM document WHERE collection = ? AND {where}"
    count = opened.execute(asked, (collection, *values)).rowcount
    if count:
        opened.execute("UPDATE collection SET removals = removals + 1 WHERE id = ?", (collection,))
    return count


def _condition(query: Query, collection: int, form: str) -> tuple[str, list[Any]]:
    passes, parameters = compile_filter(query.filter, form)
    if query.scope is None:
        return f"chunk.collection = ? AND {passes}", [collection, *parameters]
    return f"chunk.collection = ? AND chunk.scope = ? AND {passes}", [collection, query.scope, *parameters]


def _by_words(
    opened: sqlite3.Connection, collection: int, query: Query, most: int, few: Sequence[int] | None
) -> list[int]:
    match = match_of(opened, query.text, every=query.mode == "keyword")
    if not match or few == []:
        return []
    if not query.filter and query.scope is None:
        asked = """SELECT word.rowid FROM word JOIN chunk ON chunk.id = word.rowid
                   WHERE word MATCH ? AND chunk.collection = ? ORDER BY rank LIMIT ?"""
        return [number for (number,) in opened.execute(asked, (match, collection, most))]
    asked = "SELECT rowid FROM word WHERE word MATCH ? ORDER BY rank"
    ranked = [number for (number,) in opened.execute(asked, (match,))]
    if few is None:
        return narrowing.best(opened, collection, query, ranked, most)
    passed = set(few)
    return [number for number in ranked if number in passed][:most]


def _hits(
    opened: sqlite3.Connection, query: Query, near: Sequence[tuple[int, float]], words: Sequence[int]
) -> list[Hit]:
    similar = dict(near)
    if query.mode == "vector":
        scored = [(number, max(0.0, cosine)) for number, cosine in near[: query.k]]
    else:
        rankings = [ranking for ranking in ([number for number, _ in near], list(words)) if ranking]
        scored = fuse(rankings, query.k)
    asked = """SELECT chunk.text, chunk.metadata, document.key, document.scope, document.added
               FROM chunk JOIN document ON document.id = chunk.document WHERE chunk.id = ?"""
    hits: list[Hit] = []
    for number, score in scored:
        text, metadata, key, scope, added = opened.execute(asked, (number,)).fetchone()
        hits.append(
            Hit(
                id=number,
                text=text,
                metadata=json.loads(metadata),
                key=key,
                scope=scope,
                added=added,
                score=round(score, 4),
                similarity=round(similar[number], 4) if number in similar else None,
            )
        )
    return hits
