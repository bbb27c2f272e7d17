"""The running Lua state, as completion and inspection see it: a port that the session implements.

``introspect.lua`` gives these records as plain values; `decode` reads them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

Path: TypeAlias = tuple[str | int, ...]
"""A chain of keys from a global or a session local: ``("cfg", "items", 1)``."""

IdKind: TypeAlias = Literal[
    "model", "provider", "agent", "tool", "state", "module", "file", "stored", "spell", "event"
]


Answer = TypeVar("Answer")


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A name with what it holds: `detail` is parameters, a short value or a type's name."""

    name: str
    type: str
    detail: str = ""
    rows: list[Row] = msgspec.field(default_factory=list["Row"])
    """Fields of a table, in a snapshot only."""


class Fields(msgspec.Struct, frozen=True):
    """What a value answers to by name."""

    type: str
    type_name: str | None = None
    rows: list[Row] = msgspec.field(default_factory=list[Row])
    truncated: bool = False
    dynamic: bool = False
    """Whether a function behind ``__index`` may know more names."""


class Names(msgspec.Struct, frozen=True):
    """Names that a cell can use; the first `locals` of the rows are session locals."""

    rows: list[Row] = msgspec.field(default_factory=list[Row])
    locals: int = 0
    truncated: bool = False


class Metatable(msgspec.Struct, frozen=True):
    """The names in a value's metatable."""

    names: list[str] = msgspec.field(default_factory=list[str])


class Description(msgspec.Struct, frozen=True):
    """What there is to say of one value."""

    type: str
    preview: str
    scope: str = "global"
    type_name: str | None = None
    metatable: Metatable | None = None
    parameters: str = ""
    builtin: bool = False
    chunk: str = ""
    """The chunk that a function was defined in, such as ``cell 3``."""
    line: int = 0
    last_line: int = 0
    upvalues: list[Row] = msgspec.field(default_factory=list[Row])
    rows: list[Row] = msgspec.field(default_factory=list[Row])
    truncated: bool = False
    dynamic: bool = False
    size: int | None = None
    counted: bool = True
    length: int | None = None


class Variable(msgspec.Struct, frozen=True):
    """One variable that the cells have made."""

    name: str
    type: str
    preview: str
    scope: str = "global"
    type_name: str | None = None
    size: int | None = None
    """Bytes of a string, entries of a table."""
    counted: bool = True
    """Whether `size` is all: very large tables are not counted to the end."""
    detail: str = ""


class Variables(msgspec.Struct, frozen=True):
    """The variables that the cells have made, by name."""

    variables: list[Variable] = msgspec.field(default_factory=list[Variable])
    truncated: bool = False


class KnownId(msgspec.Struct, frozen=True):
    """An id that would be right here: a model, a tool, a file."""

    text: str
    doc: str = ""


class LiveState(Protocol):
    """Answers about the state; None where it cannot tell (no such value, or a cell is running)."""

    async def fields(self, path: Path, prefix: str = "", limit: int = 2000) -> Fields | None:
        """What the value at `path` answers to, of names that begin with `prefix`."""
        ...

    async def names(self, prefix: str = "", limit: int = 2000) -> Names | None:
        """The names that a cell can use; while a cell runs, those of the last snapshot."""
        ...

    async def describe(self, path: Path) -> Description | None:
        """What there is to say of the value at `path`."""
        ...

    async def ids(self, kind: IdKind, prefix: str = "") -> Sequence[KnownId] | None:
        """Ids of a kind that begin with `prefix`."""
        ...


class NoState:
    """A state that knows nothing, for reading texts alone."""

    async def fields(self, path: Path, prefix: str = "", limit: int = 2000) -> Fields | None:
        """Nothing."""

    async def names(self, prefix: str = "", limit: int = 2000) -> Names | None:
        """Nothing."""

    async def describe(self, path: Path) -> Description | None:
        """Nothing."""

    async def ids(self, kind: IdKind, prefix: str = "") -> Sequence[KnownId] | None:
        """Nothing."""


class Given(NoState):
    """A state that knows one value, whatever it is called."""

    def __init__(self, description: Description) -> None:
        self._description = description

    async def describe(self, path: Path) -> Description | None:
        """The value."""
        return self._description if path else None


class Hurried:
    """The live state for one request: what it does not answer in time is left unanswered."""

    def __init__(self, live: LiveState, seconds: float) -> None:
        self._live = live
        self._deadline = asyncio.get_running_loop().time() + seconds

    async def _in_time(self, question: Awaitable[Answer | None]) -> Answer | None:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await question
        except TimeoutError:
            return None

    async def fields(self, path: Path, prefix: str = "", limit: int = 2000) -> Fields | None:
        """As the live state, in time."""
        return await self._in_time(self._live.fields(path, prefix, limit))

    async def names(self, prefix: str = "", limit: int = 2000) -> Names | None:
        """As the live state, in time."""
        return await self._in_time(self._live.names(prefix, limit))

    async def describe(self, path: Path) -> Description | None:
        """As the live state, in time."""
        return await self._in_time(self._live.describe(path))

    async def ids(self, kind: IdKind, prefix: str = "") -> Sequence[KnownId] | None:
        """As the live state, in time."""
        return await self._in_time(self._live.ids(kind, prefix))


class Snapshot:
    """Answers from the last snapshot of names, while a cell runs."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def fields(self, path: Path, prefix: str = "", limit: int = 2000) -> Fields | None:
        """The fields that the snapshot kept."""
        row = self._row(path)
        if row is None:
            return None
        wanted = prefix.lower()
        rows = [field for field in row.rows if field.name.lower().startswith(wanted)]
        return Fields(row.type, rows=rows[:limit], truncated=True)

    async def names(self, prefix: str = "", limit: int = 2000) -> Names | None:
        """The names that the snapshot kept."""
        wanted = prefix.lower()
        rows = [row for row in self._names.rows if row.name.lower().startswith(wanted)]
        return Names(rows[:limit], truncated=self._names.truncated)

    async def describe(self, path: Path) -> Description | None:
        """What the snapshot says of a name or of a field of one."""
        row = self._row(path)
        if row is None:
            return None
        parameters = row.detail if row.type == "function" else ""
        preview = row.detail if row.type in ("number", "string", "boolean") else ""
        builtin = row.type == "function" and not parameters
        return Description(row.type, preview, parameters=parameters, builtin=builtin, rows=row.rows)

    async def ids(self, kind: IdKind, prefix: str = "") -> Sequence[KnownId] | None:
        """Nothing: ids are not part of a snapshot."""

    def _row(self, path: Path) -> Row | None:
        rows, found = self._names.rows, None
        for key in path:
            found = next((row for row in rows if row.name == key), None)
            if found is None:
                return None
            rows = found.rows
        return found


Record = TypeVar("Record", Fields, Names, Description, Variables)


def decode(value: Any, record: type[Record]) -> Record | None:
    """Read what ``introspect.lua`` answered; None stays None."""
    return None if value is None else msgspec.convert(value, record)
