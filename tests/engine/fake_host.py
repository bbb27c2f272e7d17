"""The process around a Lua state, as the specs of the engine's own Lua fake it."""

from __future__ import annotations

import time
from collections import deque
from typing import Any


class FakeHost:
    """Records what Lua sends; answers `receive` from a queue."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.incoming: deque[tuple[Any, ...]] = deque()
        self.written: list[tuple[int, int, bytes]] = []
        self.reason: bytes | None = None
        """Why Lua is to stop."""

    def send(self, kind: bytes, *fields: Any) -> None:
        self.sent.append((kind, *fields))

    def receive(self, timeout: float | None) -> tuple[Any, ...] | None:
        if not self.incoming and timeout:
            time.sleep(timeout)
        return self.incoming.popleft() if self.incoming else None

    def stop(self, reason: bytes) -> None:
        self.reason = reason

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
        return self.reason

    def now(self) -> float:
        return time.monotonic()
