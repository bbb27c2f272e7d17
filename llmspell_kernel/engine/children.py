"""Forks of the engine that each compute a part of ``parallel.map``.

A child is a copy of the engine in the middle of its turn. It has one socket, to the engine that forked it: its output
and its result come over it as frames, and it ends when it reads the end of it. It reaches nothing else.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from llmspell_kernel.engine import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RECEIVE_BYTES = 1 << 18

Ended = tuple[bytes, int, bool, bytes]
"""What Lua is told of a child: ``child``, its number, whether it has a result, and that."""


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Children:
    """The children that live, and what they send."""

    def __init__(self) -> None:
        self.cores = _cores() if hasattr(os, "fork") else 1
        """How many can compute at once; counted before the engine is confined."""
        self._next = 0
        self._ends: dict[socket.socket, tuple[int, wire.FrameBuffer]] = {}

    @property
    def ends(self) -> list[socket.socket]:
        """Sockets that are worth listening to."""
        return list(self._ends)

    def fork(self) -> tuple[int, socket.socket | None]:
        """Fork a child; returns its number, which is -1 if the system refused, and in the child 0 and its socket."""
        if not hasattr(os, "fork"):
            return -1, None
        mine, its = socket.socketpair()
        try:
            pid = os.fork()
        except OSError:
            pid = -1
        if pid == 0:
            mine.close()
            self.abandon()
            return 0, its
        its.close()
        if pid < 0:
            mine.close()
            return -1, None
        self._next += 1
        self._ends[mine] = (self._next, wire.FrameBuffer())
        return self._next, None

    def read(
        self, end: socket.socket, write: Callable[[int, int, bytes], None], charge: Callable[[int], None]
    ) -> Iterator[Ended]:
        """Read what has come from one child; yields its end if that has come.

        Its output goes to `write`, and how many instructions it has executed to `charge`.
        """
        number, buffer = self._ends[end]
        try:
            data = end.recv(_RECEIVE_BYTES)
        except OSError:
            data = b""
        if not data:
            self._close(end)
            yield b"child", number, False, b""
            return
        for body in buffer.feed(data):
            match wire.decode_outbound(body):
                case wire.Output(cell, stream, text):
                    write(stream, cell, text)
                case wire.Spent(instructions):
                    charge(instructions)
                case wire.Returned(_, _, value):
                    self._close(end)
                    yield b"child", number, True, bytes(value)
                    return
                case _:
                    pass  # nobody here has asked for it

    def let_go(self, number: int) -> None:
        """End a child whose result nobody wants."""
        for end, (known, _) in list(self._ends.items()):
            if known == number:
                self._close(end)

    def abandon(self) -> list[Ended]:
        """In a copy, whose children these are not: returns their ends, as they are to be told there."""
        lost = [(b"child", number, False, b"") for number, _ in self._ends.values()]
        for end in self.ends:
            self._close(end)
        return lost

    def _close(self, end: socket.socket) -> None:
        del self._ends[end]
        end.close()
