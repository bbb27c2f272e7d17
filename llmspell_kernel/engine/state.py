"""The Lua state: the one place that touches lupa.

Only strings, numbers and booleans cross between Python and Lua. Lua sees no
Python object: ``boot.lua`` wraps the host's functions in Lua closures before
any other Lua runs.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import lupa.lua54 as lua54

from llmspell_kernel.engine import finalizers

Scalar: TypeAlias = bytes | int | float | bool | None

LUA_FOLDER = Path(__file__).parent / "lua"


class Host(Protocol):
    """What the engine's Lua may ask of the process around it."""

    def send(self, kind: bytes, *fields: Scalar) -> None:
        """Send the frame `kind` (its tag in ``wire.py``) to the kernel process, after pending output."""
        ...

    def receive(self, timeout: float | None) -> tuple[Scalar, ...] | None:
        """Wait for one frame, at most `timeout` seconds (None: for ever).

        Returns its tag and fields (values still encoded), or None on timeout or when the turn must stop.
        """
        ...

    def shelter(self, on: bool) -> None:
        """While on, a stop waits for the scheduler to ask `stopping` and does not break into its code."""
        ...

    def write(self, stream: int, cell: int, text: bytes) -> None:
        """Append to a cell's buffered output; stream 1 is stdout, 2 is stderr."""
        ...

    def stopping(self) -> bytes | None:
        """Why the running turn must stop (``interrupt``, ``time`` …), or None."""
        ...

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def cores(self) -> int:
        """How many forks of this process can compute at once."""
        ...

    def fork(self) -> int:
        """Fork this process in the middle of its turn; returns the child's number, 0 in it, -1 if it cannot be."""
        ...

    def leave(self, child: int) -> None:
        """End a child, or (0) this process, which is one."""
        ...

    def stop(self, reason: bytes) -> None:
        """Stop the running turn as an interrupt would, since the limit of that name was reached."""
        ...


@cache
def lua_source(name: str) -> bytes | None:
    """Return the source of the engine's own Lua module `name`, or None if there is none.

    ``codec`` is ``lua/codec.lua``; ``lib.promise`` is ``lua/lib/promise.lua``.
    """
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    file = LUA_FOLDER.joinpath(*parts).with_suffix(".lua")
    return file.read_bytes() if file.is_file() else None


def preload_sources() -> None:
    """Read every one of the engine's own Lua modules, before files are out of reach."""
    for file in LUA_FOLDER.rglob("*.lua"):
        lua_source(".".join(file.relative_to(LUA_FOLDER).with_suffix("").parts))


def _source_of(name: bytes) -> bytes | None:
    return lua_source(name.decode())


_RESERVE = 32 << 20
"""Bytes beyond the limit for the engine's own Lua, which compiles and reports even when cells have filled it."""

_MARGIN = 4 << 20
"""Bytes that a cell may use although those before it have filled the memory: it may be there to free some."""


class LuaState:
    """One Lua 5.4 state with the engine's own modules loaded lazily by ``require``."""

    def __init__(self, host: Host, *, memory_limit: int = 0) -> None:
        """Create the state.

        Args:
            host: the process around it.
            memory_limit: bytes that Lua may allocate; 0 is no limit.
        """
        self._limit = memory_limit
        make: Any = lua54.LuaRuntime  # its stub knows only a part of what it takes
        self._runtime: Any = make(
            encoding=None,
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            max_memory=memory_limit or None,
        )
        self._load: Any = self._runtime.eval(
            b"function(name, source, ...) return assert(load(source, name, 't'))(...) end"
        )
        self._entry: Any = self._load(
            b"=[llmspell boot]",
            lua_source("boot"),
            _source_of,
            host.send,
            host.receive,
            host.shelter,
            host.write,
            host.stopping,
            host.now,
            self._bound,
            host.stop,
            host.cores,
            host.fork,
            host.leave,
            finalizers.rename(self._runtime),
        )
        self._bound(False)

    def _bound(self, cell: bool) -> int:
        """Say whether the cell's code runs now, which the limit is for, or the engine's own; returns the bytes."""
        if not self._limit:
            return 0
        most = self._limit + _RESERVE
        if cell:
            most = min(most - _RESERVE // 2, max(self._limit, self.memory_used + _MARGIN))
        self._runtime.set_max_memory(most)
        return most

    def call(self, module: str, function: str, *arguments: Scalar) -> Any:
        """Call `function` of the engine's Lua module `module`; returns its scalar results."""
        return self._entry(module.encode(), function.encode(), *arguments)

    def run(self, source: str, *arguments: Scalar) -> Any:
        """Run `source` in the engine's own environment (never a cell's); returns its scalar results."""
        return self._load(b"=[llmspell run]", source.encode(), *arguments)

    @property
    def memory_used(self) -> int:
        """Bytes that Lua holds now."""
        return self._runtime.get_memory_used() or 0
