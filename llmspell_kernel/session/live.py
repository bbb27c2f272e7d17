"""The live state as completion and inspection ask for it (`language.live.LiveState`), over the engine's queries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from llmspell_kernel.language.live import (
    Description,
    Fields,
    IdKind,
    KnownId,
    LiveState,
    Names,
    NoState,
    Path,
    Snapshot,
    Variables,
    decode,
)

_SNAPSHOT_DELAY_SECONDS = 0.2

Query = Callable[..., Awaitable[Any]]
"""``query(module, function, *arguments)``; None while a cell runs."""
Ids = Callable[[IdKind, str], Awaitable[Sequence[KnownId]]]


class EngineLive:
    """Asks the engine between cells; while one runs, the names of the last pause are all there is."""

    def __init__(self, query: Query, busy: Callable[[], bool], ids: Ids) -> None:
        self._query = query
        self._busy = busy
        self._ids = ids
        self._snapshot: LiveState = NoState()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None

    def settle(self) -> None:
        """A cell has ended: look at the names once the engine has been quiet for a moment."""
        self.forget()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_SNAPSHOT_DELAY_SECONDS, self._look)

    def forget(self) -> None:
        """A cell begins: do not disturb it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._task = asyncio.ensure_future(self._take_snapshot())

    async def _take_snapshot(self) -> None:
        names = decode(await self._query("introspect", "snapshot"), Names)
        if names is not None:
            self._snapshot = Snapshot(names)

    async def fields(self, path: Path, prefix: str = "", limit: int = 2000) -> Fields | None:
        """What the value at `path` answers to, of names that begin with `prefix`."""
        if self._busy():
            return await self._snapshot.fields(path, prefix, limit)
        return decode(await self._query("introspect", "fields", list(path), prefix, limit), Fields)

    async def names(self, prefix: str = "", limit: int = 2000) -> Names | None:
        """The names that a cell can use; while a cell runs, those of the last snapshot."""
        if self._busy():
            return await self._snapshot.names(prefix, limit)
        return decode(await self._query("introspect", "names", prefix, limit), Names)

    async def describe(self, path: Path) -> Description | None:
        """What there is to say of the value at `path`."""
        if self._busy():
            return await self._snapshot.describe(path)
        return decode(await self._query("introspect", "describe", list(path)), Description)

    async def variables(self) -> Variables | None:
        """The variables that the cells have made; None while a cell runs."""
        return decode(await self._query("introspect", "variables"), Variables)

    async def ids(self, kind: IdKind, prefix: str = "") -> Sequence[KnownId] | None:
        """Ids of one kind that begin with `prefix`."""
        return await self._ids(kind, prefix)
