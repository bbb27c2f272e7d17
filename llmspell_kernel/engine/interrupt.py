"""Stopping Lua from outside: late-armed hooks and the watchdog thread that arms them.

While Lua runs, no Python signal handler does, and a count hook that is always on costs a tight loop more than half its
speed. So the main chunk runs without any hook; when a stop is asked for, the watchdog installs one whose function is
Lua's own ``luaL_error`` and whose period is one instruction. No jump crosses a Python frame. Coroutines have hooks of
their own, which a new one inherits from its creator: they carry a slow count hook that looks at the same flag.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import threading
from collections.abc import Callable
from types import TracebackType

from llmspell_kernel.engine import wire

_MASK_COUNT = 1 << 3
_COROUTINE_PERIOD = 1_000_000
"""Instructions between two looks at the flag inside a coroutine: about ten milliseconds."""

_FLUSH_SECONDS = 0.04
_REARM_SECONDS = 0.005

_Hook = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


class LuaHooks:
    """``lua_sethook`` of the shared object that lupa loaded.

    Every call here holds the GIL, so arming cannot interleave with a host function that Lua calls.
    """

    def __init__(self, library: str, main: int, coroutine_seed: int) -> None:
        """Find the C API in `library`; `main` and `coroutine_seed` are addresses of ``lua_State``.

        New coroutines are created from the one at `coroutine_seed` and so inherit its hook.
        Raises `AttributeError` where the symbols are not exported.
        """
        api = ctypes.PyDLL(library)
        self._sethook = api.lua_sethook
        self._sethook.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
        self._sethook.restype = None
        self._raise = ctypes.cast(api.luaL_error, ctypes.c_void_p)
        self._main = main
        self.stopping = False
        self._look = _Hook(self._on_count)
        self._sethook(coroutine_seed, ctypes.cast(self._look, ctypes.c_void_p), _MASK_COUNT, _COROUTINE_PERIOD)

    def _on_count(self, state: int, _activation: int) -> None:
        if self.stopping:
            self._sethook(state, self._raise, _MASK_COUNT, 1)

    def arm(self) -> None:
        """Make the main chunk raise at its next instruction, and at each one after it."""
        self._sethook(self._main, self._raise, _MASK_COUNT, 1)

    def disarm(self) -> None:
        """Let the main chunk run freely again."""
        self._sethook(self._main, None, 0, 0)


class Watchdog:
    """Lives while a turn of Lua runs: flushes output and turns a `wire.STOP` record into a stop.

    A fork copies one thread only, so the thread exists during turns and at no other time.
    """

    def __init__(self, control: socket.socket, hooks: LuaHooks, flush: Callable[[], None]) -> None:
        self.reason = 0
        """The `wire.StopReason` of the running turn, 0 while there is none."""
        self._control = control
        self._hooks = hooks
        self._flush = flush
        self._sheltered = False
        self._cell = 0
        self._thread: threading.Thread | None = None
        self._make_sockets()

    def _make_sockets(self) -> None:
        self._finish, self._finished = socket.socketpair()
        self._wake, self.woken = socket.socketpair()
        self.woken.setblocking(False)

    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors that the watchdog lives by."""
        return tuple(end.fileno() for end in (self._finish, self._finished, self._wake, self.woken))

    def move(self, control: socket.socket) -> None:
        """Serve another process: after a fork, the copy's own control socket."""
        for mine in (self._finish, self._finished, self._wake, self.woken):
            mine.close()
        self._control = control
        self._make_sockets()

    def turn(self, cell: int) -> Watchdog:
        """Watch one turn on behalf of `cell` (0: none in particular); use in a ``with`` statement."""
        self._cell = cell
        return self

    def __enter__(self) -> None:
        self.reason = 0
        self._sheltered = False
        self._hooks.stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish.send(b"x")
        assert self._thread is not None
        self._thread.join()
        self._thread = None
        self._finished.recv(1)
        self._hooks.disarm()
        self._hooks.stopping = False

    def acknowledge(self) -> int:
        """The turn has been stopped: return why, and let Lua run again to say so."""
        reason, self.reason = self.reason, 0
        self.drain()
        return reason

    def shelter(self, on: bool) -> None:
        """Keep stops out of the scheduler's own code while `on`; arms on leaving if one came meanwhile."""
        self._sheltered = on
        if self.reason:
            if on:
                self._hooks.disarm()
            else:
                self._hooks.arm()

    def drain(self) -> None:
        """Forget a wake-up that has been seen."""
        try:
            self.woken.recv(64)
        except BlockingIOError:
            pass

    def _run(self) -> None:
        interval = _FLUSH_SECONDS
        while True:
            ready, _, _ = select.select([self._control, self._finished], [], [], interval)
            if self._control in ready:
                self._read_control()
            self._flush()
            if self._finished in ready:
                return
            if self.reason:
                interval = _REARM_SECONDS
                if not self._sheltered:
                    self._hooks.arm()

    def _read_control(self) -> None:
        record = self._control.recv(wire.STOP.size, socket.MSG_WAITALL)
        if len(record) < wire.STOP.size:
            os._exit(0)  # the kernel process is gone, and with it every reason to go on
        cell, reason = wire.STOP.unpack(record)
        if cell in (0, self._cell) or not self._cell:
            self._hooks.stopping = True
            self.reason = reason
            self._wake.send(b"x")
