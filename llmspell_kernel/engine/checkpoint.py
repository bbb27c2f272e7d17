"""Checkpoints: forked copies of the engine, asleep on sockets of their own.

A copy is an ordinary engine that waits for a frame. The kernel process holds the other ends: it closes them to let the
copy go, or sends it `wire.Wake` to make it the session. If the kernel process dies the copy reads the end of its
socket and exits, so nothing outlives it.
"""

from __future__ import annotations

import os
import socket
import sys
from time import thread_time_ns

from llmspell_kernel.engine import wire

if sys.platform != "win32":
    import resource


class Forks:
    """Forks copies of this engine, and measures what they cost."""

    def __init__(self) -> None:
        """Begin; imports are made here, before files are out of reach."""
        self._faults = 0

    def fork(
        self, number: int, control: socket.socket, data: socket.socket
    ) -> tuple[socket.socket, socket.socket] | None:
        """Fork a copy and send the kernel process its sockets over `control` with `number`.

        A copy that the system refuses is told as one without sockets: the engine goes on. One that is made falls asleep
        at once: whatever it touched before would cost it a page, and a cell that follows its time.

        Args:
            number: The checkpoint's number.
            control: The engine's control socket.
            data: The engine's data socket.

        Returns:
            None in the engine that goes on; in the copy, once it is woken, its own data and control sockets.
        """
        data_kernel, data_copy = socket.socketpair()
        control_kernel, control_copy = socket.socketpair()
        began = thread_time_ns()
        try:
            pid = os.fork()
        except OSError:
            pid = -1
        if pid == 0:
            for end in (
                data_kernel,
                control_kernel,
                data,
                control,
            ):  # else nobody would see the other end close
                end.close()
            _sleep(data_copy)
            self._faults = 0
            return data_copy, control_copy
        took = thread_time_ns() - began
        data_copy.close()
        control_copy.close()
        if pid < 0:
            control.sendall(wire.CHECKPOINT.pack(number, 0, 0, 0))
        else:
            record = wire.CHECKPOINT.pack(number, pid, took, self._pages_written())
            socket.send_fds(control, [record], [data_kernel.fileno(), control_kernel.fileno()])
        data_kernel.close()
        control_kernel.close()
        return None

    def _pages_written(self) -> int:
        """Pages that this process wrote for the first time since the last fork: a copy keeps the old ones."""
        if sys.platform == "win32":
            return 0
        faults, before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, self._faults
        self._faults = faults
        return faults - before


def _sleep(data: socket.socket) -> None:
    """Wait until the kernel process has something to say, or end with it."""
    try:
        woken = data.recv(1, socket.MSG_PEEK)
    except OSError:
        woken = b""
    if not woken:
        os._exit(0)
