"""Checkpoints: forked copies of the engine, asleep on sockets of their own.

A copy is an ordinary engine that waits for a frame. The kernel process holds the other ends: it closes them to let the
copy go, or sends it `wire.Wake` to make it the session. If the kernel process dies the copy reads the end of its
socket and exits, so nothing outlives it.
"""

from __future__ import annotations

import os
import socket

from llmspell_kernel.engine import wire


def fork(number: int, control: socket.socket) -> tuple[socket.socket, socket.socket] | None:
    """Fork a copy and send the kernel process its sockets over `control` with `number`.

    Returns:
        None in the engine that goes on; in the copy, its own data and control sockets.
    """
    data_kernel, data_copy = socket.socketpair()
    control_kernel, control_copy = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        data_kernel.close()
        control_kernel.close()
        return data_copy, control_copy
    data_copy.close()
    control_copy.close()
    record = wire.CHECKPOINT.pack(number, pid)
    socket.send_fds(control, [record], [data_kernel.fileno(), control_kernel.fileno()])
    data_kernel.close()
    control_kernel.close()
    return None
