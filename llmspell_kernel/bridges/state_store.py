"""State that outlives a session: one SQLite file for a project, which several notebooks may use at once.

Each entry of a store carries the store's revision at which it was written. A change says which versions it was made
from, and is refused if another notebook was faster; the caller reads again and repeats it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from llmspell_kernel.errors import WorldError

FILE = "state.sqlite"
"""In the project's storage folder."""
_BUSY_SECONDS = 10.0
_LARGEST = 2**30
"""Bytes of the whole file."""
_PAGE = 4096
_VERSION = 1
"""Of the tables, kept in the file; files of the first days say 0."""
_SCHEMA = f"""
pragma user_version = {_VERSION};
create table if not exists stores (name text primary key, revision integer not null) without rowid;
create table if not exists entries (
    store text not null, key blob not null, value blob not null, version integer not null, primary key (store, key)
);
"""

Result = TypeVar("Result")


class Entry(msgspec.Struct, frozen=True):
    """A value, and the revision at which it was written."""

    value: bytes
    version: int


class Change(msgspec.Struct, frozen=True):
    """What is to become of an entry.

    Attributes:
        key: Its key.
        value: Its new value; None takes it away.
        version: The version that it must have still, 0 if it must not exist; None for any.
    """

    key: bytes
    value: bytes | None
    version: int | None = None


class StateStore:
    """The file; made when something is written first. Its connection lives in a thread of its own."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="state")
        self._opened: sqlite3.Connection | None = None
        self._identity = os.stat_result(range(10))

    async def read(self, store: str, key: bytes) -> Entry | None:
        """Return an entry, None if there is none."""
        return await self._run(lambda db: _entry(db, store, key))

    async def all(self, store: str) -> tuple[dict[bytes, Entry], int]:
        """Return every entry of a store, and its revision (0: there is no such store)."""
        return await self._run(lambda db: _all(db, store))

    async def commit(self, store: str, changes: list[Change], revision: int | None = None) -> bool:
        """Make all changes, or none: False if a version, or the whole store's `revision`, is no longer as expected."""
        return await self._run(lambda db: _commit(db, store, changes, revision), "begin immediate")

    async def names(self) -> list[str]:
        """Return the names of all stores that hold anything, in order."""
        rows = await self._run(
            lambda db: db.execute("select distinct store from entries order by store").fetchall()
        )
        return [str(row[0]) for row in rows]

    async def close(self) -> None:
        """Close the file; waits for what is under way."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[sqlite3.Connection], Result], begin: str = "begin") -> Result:
        """Do `work` in the thread, as one transaction."""
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._transaction, work, begin)
        except (sqlite3.Error, OSError) as error:
            raise _told(error) from error

    def _transaction(self, work: Callable[[sqlite3.Connection], Result], begin: str) -> Result:
        database = self._connection()
        database.execute(begin)
        try:
            result = work(database)
            database.execute("commit")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                database.execute("rollback")
            raise
        return result

    def _connection(self) -> sqlite3.Connection:
        if self._opened is not None and not self._is_in_place():
            self._close()
        if self._opened is None:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            database = sqlite3.connect(
                self._file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                version = database.execute("pragma user_version").fetchone()[0]
                if version > _VERSION:
                    raise _unusable("a newer version of this program has written it")
                database.execute("pragma trusted_schema = off")
                database.execute("pragma journal_mode = wal")
                database.execute("pragma synchronous = normal")
                database.execute(f"pragma max_page_count = {_LARGEST // _PAGE}")
                if version < _VERSION:
                    database.executescript(_SCHEMA)
                self._identity = self._file.stat()
            except BaseException:
                database.close()
                raise
            self._opened = database
        return self._opened

    def _is_in_place(self) -> bool:
        """Tell whether the file that is open is the one that is there: what goes into a removed one is lost."""
        try:
            return os.path.samestat(self._file.stat(), self._identity)
        except OSError:
            return False

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _told(error: sqlite3.Error | OSError) -> WorldError:
    """Say in our words what the system or SQLite says; where the file is, the person may see and the spell need not."""
    if isinstance(error, OSError):
        return _unusable(os.strerror(error.errno or 0))
    text = str(error)
    if "locked" in text or "busy" in text:
        return WorldError(
            "another notebook holds the project's state file for too long", code="busy", retryable=True
        )
    if "full" in text:
        return WorldError(
            f"the project's state file is full (limit {_LARGEST >> 20} MB), or the disk is",
            code="storage_full",
            suggestion="take away what is not needed: state.remove(name), s:delete(path)",
        )
    if isinstance(error, sqlite3.OperationalError):
        return _unusable(text)
    return _unusable("it is damaged, or no such file at all")


def _unusable(why: str) -> WorldError:
    return WorldError(
        f"the project's state file cannot be used: {why}",
        code="io_error",
        suggestion=f"it is {FILE} in the folder that `%config storage.folder` shows; "
        "moved away, it begins anew without what it holds",
    )


def _entry(db: sqlite3.Connection, store: str, key: bytes) -> Entry | None:
    row = db.execute(
        "select value, version from entries where store = ? and key = ?", (store, key)
    ).fetchone()
    return Entry(*row) if row else None


def _all(db: sqlite3.Connection, store: str) -> tuple[dict[bytes, Entry], int]:
    rows = db.execute("select key, value, version from entries where store = ?", (store,)).fetchall()
    return {row[0]: Entry(row[1], row[2]) for row in rows}, _revision(db, store)


def _revision(db: sqlite3.Connection, store: str) -> int:
    row = db.execute("select revision from stores where name = ?", (store,)).fetchone()
    return int(row[0]) if row else 0


def _commit(db: sqlite3.Connection, store: str, changes: list[Change], revision: int | None) -> bool:
    before = _revision(db, store)
    if revision is not None and revision != before:
        return False
    for change in changes:
        if change.version is not None:
            entry = _entry(db, store, change.key)
            if change.version != (entry.version if entry else 0):
                return False
    db.execute("insert or replace into stores values (?, ?)", (store, before + 1))
    for change in changes:
        if change.value is None:
            db.execute("delete from entries where store = ? and key = ?", (store, change.key))
        else:
            row = (store, change.key, change.value, before + 1)
            db.execute("insert or replace into entries values (?, ?, ?, ?)", row)
    return True
