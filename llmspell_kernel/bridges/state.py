"""``state``: named values. What they are and how they change is Lua (``lib/state.lua``); here is what keeps them."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.registry import Host, Results
from llmspell_kernel.bridges.state_store import FILE, Change, StateStore
from llmspell_kernel.engine import values
from llmspell_kernel.engine.values import CallbackRef
from llmspell_kernel.errors import BadArgument


class StateBridge(Bridge):
    """State: values under paths, with transactions, snapshots, and files that notebooks share."""

    module: ClassVar[str] = "state"
    lua_part: ClassVar[str | None] = "lib.state"

    def __init__(self, host: Host) -> None:
        """Nothing of `host` is needed."""


class StateFiles(Bridge):
    """Internal: the state that is kept in a file."""

    module: ClassVar[str] = "state_files"
    internal: ClassVar[bool] = True

    def __init__(self, host: Host) -> None:
        self._host = host
        self._opened: StateStore | None = None

    @property
    def _store(self) -> StateStore:
        if self._opened is None:
            self._opened = StateStore(self._host.settings.storage.folder / FILE)
        return self._opened

    async def close(self) -> None:
        """Close the file."""
        if self._opened is not None:
            await self._opened.close()

    @export()
    async def read(self, store: str, key: Any) -> Any:
        """Return whether there is an entry, its value, and its version."""
        entry = await self._store.read(store, values.encode(key))
        return Results(
            (entry is not None, values.decode(entry.value) if entry else None, entry.version if entry else 0)
        )

    @export()
    async def all(self, store: str) -> Any:
        """Return every entry, and the store's revision."""
        entries, revision = await self._store.all(store)
        found = {values.decode(key): values.decode(entry.value) for key, entry in entries.items()}
        return Results((found, revision))

    @export()
    async def commit(self, store: str, changes: list[Any], revision: int | None = None) -> Any:
        """Make all of the changes ``{ key, value, version }`` or none; returns whether they were made."""
        described = cast("list[dict[str, Any]]", changes)
        made = await self._store.commit(store, [_change(change) for change in described], revision)
        if made:
            self._host.acted(f"changed the persistent state '{store}'")
        return made

    @export()
    async def names(self) -> Any:
        """Return the names of the stores that hold anything."""
        return await self._store.names()


def _change(change: dict[str, Any]) -> Change:
    value = None
    if "value" in change:
        _check(change["value"], str(change["key"]))
        value = values.encode(change["value"])
    return Change(values.encode(change["key"]), value, change.get("version"))


def _check(value: Any, path: str) -> None:
    """Raise `BadArgument`, naming the place, for what is gone when the session ends."""
    if isinstance(value, CallbackRef):
        raise BadArgument(f"{path}: a function cannot be kept in persistent state")
    if isinstance(value, dict):
        for key, item in cast("dict[Any, Any]", value).items():
            _check(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value), 1):
            _check(item, f"{path}[{index}]")
