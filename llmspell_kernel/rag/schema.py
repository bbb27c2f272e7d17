"""The tables of a project's file, and how it is opened."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llmspell_kernel.errors import WorldError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

VERSION = 1
_BUSY_SECONDS = 10.0

# Vectors have a table of their own, so that reading them all does not read every text. The numbers of chunks are
# never used again: whoever has read up to one knows that what is new is above it.
_TABLES = """
CREATE TABLE collection (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    dimensions INTEGER NOT NULL,
    removals INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE document (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collection ON DELETE CASCADE,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    metadata TEXT NOT NULL,
    added REAL NOT NULL,
    UNIQUE (collection, scope, key)
);
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL,
    document INTEGER NOT NULL REFERENCES document ON DELETE CASCADE,
    scope TEXT NOT NULL,
    text TEXT NOT NULL,
    metadata TEXT NOT NULL
);
CREATE INDEX chunk_document ON chunk (document);
CREATE INDEX chunk_scope ON chunk (collection, scope);
CREATE TABLE field (
    owner INTEGER NOT NULL REFERENCES chunk ON DELETE CASCADE,
    name TEXT NOT NULL,
    value NOT NULL,
    PRIMARY KEY (owner, name, value)
) WITHOUT ROWID;
CREATE INDEX field_value ON field (name, value);
CREATE TABLE vector (
    id INTEGER PRIMARY KEY REFERENCES chunk ON DELETE CASCADE,
    collection INTEGER NOT NULL,
    row BLOB NOT NULL
);
CREATE INDEX vector_collection ON vector (collection, id);
CREATE VIRTUAL TABLE word USING fts5(
    text, content = 'chunk', content_rowid = 'id', tokenize = "porter unicode61 remove_diacritics 2"
);
CREATE TRIGGER chunk_added AFTER INSERT ON chunk BEGIN
    INSERT INTO word (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER chunk_gone AFTER DELETE ON chunk BEGIN
    INSERT INTO word (word, rowid, text) VALUES ('delete', old.id, old.text);
END;
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, and make it and its tables if there is none.

    Raises:
        WorldError: It cannot be opened, or is of a newer version.
    """
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        opened = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _prepare(opened, path)
        except BaseException:
            opened.close()
            raise
        return opened


def _prepare(opened: sqlite3.Connection, path: Path) -> None:
    opened.execute("PRAGMA journal_mode = WAL")
    opened.execute("PRAGMA synchronous = NORMAL")
    opened.execute("PRAGMA foreign_keys = ON")
    with writing(opened):
        (version,) = opened.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise WorldError(
                f"{path} was written by a newer version of LLMSpell Lua",
                code="newer_store",
                suggestion="update llmspell-kernel, or move the file away",
            )
        if version == 0:
            for statement in _statements(_TABLES):
                opened.execute(statement)
            opened.execute(f"PRAGMA user_version = {VERSION}")


def _statements(script: str) -> list[str]:
    """The statements of a script one by one: `executescript` would end the transaction."""
    statements: list[str] = []
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements


@contextmanager
def writing(opened: sqlite3.Connection) -> Generator[None]:
    """A transaction that holds from its begin what other kernels must not write to meanwhile."""
    opened.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        opened.execute("ROLLBACK")
        raise
    opened.execute("COMMIT")


@contextmanager
def told(path: Path) -> Generator[None]:
    """Turn what SQLite and the system refuse into errors that say what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        busy = "locked" in str(error)
        raise WorldError(
            f"{path} cannot be used now: {error}",
            code="storage",
            retryable=busy,
            suggestion="another kernel is writing to it; try again"
            if busy
            else "look at the disk's free space",
        ) from error
    except sqlite3.DatabaseError as error:
        raise WorldError(
            f"{path} is damaged: {error}",
            code="storage",
            suggestion="move the file away and ingest again",
        ) from error
    except OSError as error:
        raise WorldError(f"{path} cannot be used: {error.strerror}", code="storage") from error
