"""Earlier cells, kept in SQLite across restarts, as Jupyter's history_request finds them."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

Row: TypeAlias = tuple[int, int, Any]
"""Session number, cell number, and the input or (input, output)."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (session INTEGER PRIMARY KEY AUTOINCREMENT, started TEXT DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE IF NOT EXISTS cells (
    session INTEGER NOT NULL, line INTEGER NOT NULL, source TEXT NOT NULL, output TEXT, PRIMARY KEY (session, line)
);
"""
_SELECT = "SELECT session, line, source, output FROM cells "


class History:
    """The cells of this session and of those before it.

    Where the file cannot be used (a full disk, a read-only home) history is kept in memory for this session.
    """

    def __init__(self, path: Path | None) -> None:
        """Open or create the database at `path`; None keeps it in memory."""
        self._lock = threading.Lock()
        self._database = self._open(path)
        with self._lock, self._database:
            self._session = self._database.execute("INSERT INTO sessions DEFAULT VALUES").lastrowid or 1

    def _open(self, path: Path | None) -> sqlite3.Connection:
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                return self._prepared(str(path))
            except (OSError, sqlite3.Error):
                pass
        return self._prepared(":memory:")

    def _prepared(self, name: str) -> sqlite3.Connection:
        database = sqlite3.connect(name, check_same_thread=False, timeout=2)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.executescript(_SCHEMA)
        return database

    def store(self, line: int, source: str, output: str | None) -> None:
        """Keep cell number `line` of this session."""
        try:
            with self._lock, self._database:
                self._database.execute(
                    "INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?)",
                    (self._session, line, source.encode("utf-8", "replace").decode(), output),
                )
        except sqlite3.Error:
            pass  # losing a line of history must not fail the cell

    def find(
        self,
        hist_access_type: str,
        output: bool = False,
        *,
        session: int = 0,
        start: int = 0,
        stop: int | None = None,
        n: int | None = None,
        pattern: str | None = None,
        unique: bool = False,
        **_: Any,
    ) -> list[Row]:
        """Return cells as the messaging specification asks for them ("History").

        Args:
            hist_access_type: ``tail``, ``range`` or ``search``.
            output: whether to return (input, output) pairs.
            session: for ``range``; 0 is this session, -1 the one before it.
            start: first line of a ``range``.
            stop: line before which a ``range`` ends; None is the end.
            n: how many cells of a ``tail`` or ``search``.
            pattern: glob for ``search``, with ``*`` and ``?``.
            unique: for ``search``, the last of equal inputs only.
        """
        match hist_access_type:
            case "range":
                number = session if session > 0 else self._session + session
                rows = self._select(
                    "WHERE session = ? AND line >= ? AND line < ? ORDER BY line",
                    number,
                    start,
                    stop or 1 << 62,
                )
            case "search":
                where = "WHERE source GLOB ?"
                if unique:
                    where += " AND rowid IN (SELECT max(rowid) FROM cells GROUP BY source)"
                rows = self._last(where, n, pattern or "*")
            case _:
                rows = self._last("", n if n is not None else 10)
        return [(s, line, (source, shown) if output else source) for s, line, source, shown in rows]

    def _last(self, where: str, count: int | None, *values: Any) -> list[Any]:
        limit = -1 if count is None else count
        return self._select(f"{where} ORDER BY session DESC, line DESC LIMIT ?", *values, limit)[::-1]

    def _select(self, condition: str, *values: Any) -> list[Any]:
        try:
            with self._lock:
                return self._database.execute(_SELECT + condition, values).fetchall()
        except sqlite3.Error:
            return []

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()
