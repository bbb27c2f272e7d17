"""A confined process that does what it is told, natively: the hostile code that no Lua sandbox would let in.

It imports what the engine imports, confines itself, and then forks once for every piece of Python it is sent.
The forks inherit the confinement, so one process serves a whole test module.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

FOLDER = Path(__file__).parent


class Confined:
    """The process, seen from outside."""

    def __init__(
        self,
        *,
        uid: int | None = None,
        without: Collection[str] = (),
        environment: dict[str, str] | None = None,
        **limits: Any,
    ) -> None:
        """Start it.

        Args:
            uid: become this user before confinement, which needs to be the superuser now.
            without: names of layers to leave off, so that another can be seen to hold alone.
            environment: what it is started with.
            limits: fields of `confine.Limits`.
        """
        mine, its = socket.socketpair()
        self._socket = mine
        told = {
            "path": [*sys.path, str(FOLDER)],
            "socket": its.fileno(),
            "parent": os.getpid(),
            "limits": limits,
            "uid": uid,
            "without": list(without),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BOOT, json.dumps(told)],
            env=environment or {},
            pass_fds=[its.fileno(), *limits.get("keep", ())],
            cwd="/",
        )
        its.close()
        started = json.loads(_receive(mine))
        self.layers: dict[str, list[str]] = started.get("layers", {})
        self.milliseconds: float = started.get("milliseconds", 0.0)
        self.error: str | None = started.get("error")

    def run(self, source: str) -> Any:
        """Run `source` in a fork; returns its ``result``, ``"signal N"`` if killed, or its traceback."""
        self.send(source)
        return json.loads(_receive(self._socket))

    def send(self, source: str) -> None:
        """Have `source` run, without waiting for its end."""
        _send(self._socket, source.encode())

    def close(self) -> None:
        self._socket.close()
        self.process.wait(5)


_BOOT = (
    "import sys, json; told = json.loads(sys.argv[1]); sys.path[:] = told['path']; "
    "import confined; confined.main(told)"
)


def _send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(struct.pack("=I", len(data)) + data)


def _receive(connection: socket.socket) -> bytes:
    (size,) = struct.unpack("=I", connection.recv(4, socket.MSG_WAITALL))
    return connection.recv(size, socket.MSG_WAITALL) if size else b""


# ── inside ───────────────────────────────────────────────────────────────────────────────────────


def main(told: dict[str, Any]) -> None:
    import lupa.lua54 as lua54
    import msgspec

    from llmspell_kernel.engine import confine
    from llmspell_kernel.engine.confine.syscalls import HERE
    from llmspell_kernel.errors import EngineStartError

    if told["without"]:
        _leave_off(told["without"])
    libc = ctypes.CDLL(None, use_errno=True)
    tools: dict[str, Any] = {
        "call": lambda name, *arguments: _call(getattr(libc, name), *arguments),
        "syscall": lambda *arguments: _call(libc.syscall, *map(ctypes.c_long, arguments)),
        "numbers": HERE.numbers if HERE else {},
        "parent": told["parent"],
        "libc": libc,
        "lua54": lua54,
        "lua_api": ctypes.PyDLL(lua54.__file__),
        "msgspec": msgspec,
        "confine": confine,
        "callback": ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda number: number + 1),
    }
    for module in (ctypes, errno, json, os, select, signal, socket, struct, sys, threading, time, traceback):
        tools[module.__name__] = module
    connection = socket.socket(fileno=told["socket"])
    if told["uid"] is not None:
        os.setgroups([])
        os.setresgid(*[told["uid"]] * 3)
        os.setresuid(*[told["uid"]] * 3)
        libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which a change of user takes away and an exec gives back
    began = time.perf_counter()
    limits = {"keep": (), "parent": told["parent"], **told["limits"]}
    limits["keep"] = (*limits["keep"], told["socket"], 2)
    try:
        report = confine.confine(confine.Limits(**limits))
    except EngineStartError as error:
        _send(connection, json.dumps({"error": str(error)}).encode())
        return
    spent = (time.perf_counter() - began) * 1000
    layers = {layer.name: [layer.status, layer.detail, layer.fix] for layer in report.layers}
    _send(connection, json.dumps({"layers": layers, "milliseconds": spent}).encode())
    while True:
        try:
            source = _receive(connection)
        except struct.error:
            return
        _send(connection, json.dumps(_in_fork(source, tools)).encode())


def _leave_off(names: Collection[str]) -> None:
    from llmspell_kernel.engine.confine import layers, linux

    def attempt(name: str, put_on: Any, fix: str = "") -> layers.Layer:
        return (
            layers.Layer(name, "unavailable", "left off")
            if name in names
            else layers.attempt(name, put_on, fix)
        )

    linux.attempt = attempt


def _call(function: Any, *arguments: Any) -> Any:
    """Call into the C library; the name of the error, or the result."""
    function.restype = ctypes.c_long if function.__name__ in ("syscall", "mmap") else ctypes.c_int
    ctypes.set_errno(0)
    result = function(*arguments)
    return errno.errorcode[ctypes.get_errno()] if result == -1 else result


def _in_fork(source: bytes, tools: dict[str, Any]) -> Any:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            names = dict(tools)
            exec(compile(source, "<hostile>", "exec"), names)
            outcome = names.get("result")
        except BaseException:
            outcome = traceback.format_exc()
        os.write(writing, json.dumps(outcome).encode())
        os._exit(0)
    os.close(writing)
    parts: list[bytes] = []
    while part := os.read(reading, 65536):
        parts.append(part)
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return json.loads(b"".join(parts))
