"""A Lua state without a process around it, for the specs of the engine's own Lua."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import pytest

from llmspell_kernel.engine.state import LuaState


class FakeHost:
    """Records what Lua sends; answers `receive` from a queue."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.incoming: deque[tuple[Any, ...]] = deque()
        self.written: list[tuple[int, int, bytes]] = []
        self.stop: bytes | None = None

    def send(self, kind: bytes, *fields: Any) -> None:
        self.sent.append((kind, *fields))

    def receive(self, timeout: float | None) -> tuple[Any, ...] | None:
        if not self.incoming and timeout:
            time.sleep(timeout)
        return self.incoming.popleft() if self.incoming else None

    def stop(self, reason: bytes) -> None:
        self.asked_to_stop = reason

    def shelter(self, on: bool) -> None:
        pass

    def write(self, stream: int, cell: int, text: bytes) -> None:
        self.written.append((stream, cell, text))

    def cores(self) -> int:
        return 1

    def fork(self) -> int:
        return -1

    def leave(self, child: int) -> None:
        pass

    def stopping(self) -> bytes | None:
        return self.stop

    def now(self) -> float:
        return time.monotonic()


class LuaHarness:
    """Runs Lua in the engine's own environment, where `require` gives its modules."""

    def __init__(self) -> None:
        self.host = FakeHost()
        self.state = LuaState(self.host)

    def run(self, source: str, *arguments: Any) -> Any:
        """Run `source` with `arguments` as its varargs; returns what it returns."""
        return self.state.run(source, *arguments)


@pytest.fixture
def lua() -> LuaHarness:
    return LuaHarness()
