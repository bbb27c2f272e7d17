"""Stopping Lua from outside: late-armed hooks and the watchdog thread that arms them.

While Lua runs, no Python signal handler does, and a count hook that is always on costs a tight loop more than half its
speed. So the main chunk runs without any hook; when a stop is asked for, the watchdog installs one whose function is
Lua's own ``luaL_error`` and whose period is one instruction. No jump crosses a Python frame. Coroutines have hooks of
their own, which a new one inherits from its creator: they carry a slow count hook that looks at the same flag.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import select
import socket
import threading
from dataclasses import dataclass
from time import monotonic, sleep
from typing import TYPE_CHECKING

from llmspell_kernel.engine import wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_MASK_COUNT = 1 << 3
_COROUTINE_PERIOD = 1_000_000
"""Instructions between two looks at the flag inside a coroutine: about ten milliseconds."""

_FLUSH_SECONDS = 0.04
_REARM_SECONDS = 0.005

_START_SECONDS = 5.0
_START_PAUSE = 0.005

_SHORTEST_PERIOD, _LONGEST_PERIOD = 100, 100_000
_RECORD_BYTES = 256
"""More than a ``lua_Debug`` has."""

_Hook = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


@dataclass(frozen=True)
class Counted:
    """Limits that are watched by counting instructions all the time, which costs what it costs; 0: no limit.

    Both are looked at once in a period, so a turn may pass them by a hundredth or so.
    """

    instructions: int = 0
    """That a turn may execute."""
    call_depth: int = 0
    """Calls inside one another."""

    @property
    def period(self) -> int:
        """Instructions between two looks; 0 if there is nothing to look at."""
        wanted = [self.instructions // 100] if self.instructions else []
        wanted += [self.call_depth] if self.call_depth else []
        return min(_LONGEST_PERIOD, max(_SHORTEST_PERIOD, min(wanted))) if wanted else 0


class LuaHooks:
    """``lua_sethook`` of the shared object that lupa loaded.

    Every call here holds the GIL, so arming cannot interleave with a host function that Lua calls.
    """

    def __init__(self, library: str, main: int, coroutine_seed: int, counted: Counted | None = None) -> None:
        """Find the C API in `library`; `main` and `coroutine_seed` are addresses of ``lua_State``.

        New coroutines are created from the one at `coroutine_seed` and so inherit its hook.
        Raises `AttributeError` where the symbols are not exported.
        """
        api = ctypes.PyDLL(library)
        self._sethook = api.lua_sethook
        self._sethook.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
        self._sethook.restype = None
        self._getstack = api.lua_getstack
        self._getstack.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
        self._getstack.restype = ctypes.c_int
        self._record = ctypes.create_string_buffer(_RECORD_BYTES)
        self._raise = ctypes.cast(api.luaL_error, ctypes.c_void_p)
        self._main = main
        self._seed = coroutine_seed
        self.stopping = False
        self._own = self._elsewhere = self._told = 0
        self.on_limit: Callable[[wire.StopReason], None] = _ignore
        """Called when one of the counted limits is reached."""
        self.on_spent: Callable[[int], None] = _ignore
        """Called a hundred times on the way to the limit: with the instructions since the last time."""
        self._counted = counted = counted or Counted()
        self._period = counted.period
        self._callback = _Hook(self._on_count)  # which Lua calls as long as this object lives
        self._look = ctypes.cast(self._callback, ctypes.c_void_p)
        self._sethook(coroutine_seed, self._look, _MASK_COUNT, self._period or _COROUTINE_PERIOD)
        self.disarm()

    @property
    def count(self) -> int:
        """Instructions of this turn, where they are counted: its own, and what counts as its own."""
        return self._own + self._elsewhere

    def begin_turn(self) -> None:
        """Count from nothing, and let Lua run."""
        self.stopping = False
        self._own = self._elsewhere = self._told = 0

    def charge(self, instructions: int) -> None:
        """Count what another engine has executed on behalf of this turn; called by the watchdog's thread."""
        self._elsewhere += instructions
        self._tell_and_judge()

    def charge_child(self, instructions: int) -> None:
        """Count what a child has executed; called by Lua's thread."""
        self._own += instructions
        self._tell_and_judge()

    def forked(self) -> None:
        """In a child: what was executed before is its parent's to tell, but counts towards the limit here too."""
        self._told = self.count

    def settle(self) -> None:
        """Tell what has been executed since it was told last."""
        if self._counted.instructions and (untold := self.count - self._told) > 0:
            self._told += untold
            self.on_spent(untold)

    def _tell_and_judge(self) -> None:
        limit = self._counted.instructions
        if limit and (self.count - self._told) * 100 >= limit:
            self.settle()
        if not self.stopping and 0 < limit < self.count:
            self.on_limit(wire.StopReason.INSTRUCTIONS)

    def _on_count(self, state: int, _activation: int) -> None:
        if self._period:
            self._watch(state)
        # the main chunk is armed by who knows whether it is sheltered; the seed outlives every stop, and what is
        # created from it inherits its hook
        if self.stopping and state not in (self._seed, self._main):
            self._sethook(state, self._raise, _MASK_COUNT, 1)

    def _watch(self, state: int) -> None:
        self._own += self._period
        self._tell_and_judge()
        depth = self._counted.call_depth
        if depth and not self.stopping and self._getstack(state, depth, self._record):
            self.on_limit(wire.StopReason.CALL_DEPTH)

    def arm(self) -> None:
        """Make the main chunk raise at its next instruction, and at each one after it."""
        self._sethook(self._main, self._raise, _MASK_COUNT, 1)

    def disarm(self) -> None:
        """Let the main chunk run freely again, but for what is counted."""
        if self._period:
            self._sethook(self._main, self._look, _MASK_COUNT, self._period)
        else:
            self._sethook(self._main, None, 0, 0)


def _ignore(_what: int) -> None:
    pass


class Watchdog:
    """A thread that flushes output and acts on `wire.CONTROL` records, most of which stop the running turn.

    It is started by the first turn and then sleeps in ``select`` unless there is something to do: starting a thread
    for each turn cost a millisecond. A fork copies only the thread that forks, which must hold what the watchdog could
    hold (see `Worker`); a copy starts its own when it runs its first turn.
    """

    def __init__(
        self, control: socket.socket, hooks: LuaHooks, flush: Callable[[], None], between_seconds: float = 0
    ) -> None:
        self._between_seconds = between_seconds
        """How long a turn on behalf of no cell may last, 0 if for ever: the kernel process does not see those."""
        self._deadline: float | None = None
        self.reason = 0
        """The `wire.StopReason` of the running turn, 0 while there is none."""
        self._control = control
        self._hooks = hooks
        self._flush = flush
        self._lock = threading.Lock()
        self._running = False
        self._sheltered = False
        self.cell = 0
        """The cell that the running turn is on behalf of, 0 if of none in particular."""
        self._early: tuple[int, int] | None = None
        self._started = False
        self._make_sockets()

    def _make_sockets(self) -> None:
        self._kick, self._kicked = socket.socketpair()
        self._wake, self.woken = socket.socketpair()
        self.woken.setblocking(False)

    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors that the watchdog lives by."""
        return tuple(end.fileno() for end in (self._kick, self._kicked, self._wake, self.woken))

    def move(self, control: socket.socket) -> None:
        """Serve another process: after a fork, the copy's own control socket and no thread yet."""
        for mine in (self._kick, self._kicked, self._wake, self.woken):
            mine.close()
        self._control = control
        self._lock = threading.Lock()
        self._started = False
        self._make_sockets()

    def carry_on(self, control: socket.socket) -> None:
        """Serve a child that was forked in the middle of a turn: as `move`, and watch that turn there too."""
        self.move(control)
        self._sheltered = False
        self._start()

    def _start(self) -> None:
        """Start the thread; where the engine has all the processes that it may have, wait for one to end.

        Raises:
            RuntimeError: none has ended. The engine must not run anything that it could not stop.
        """
        give_up = monotonic() + _START_SECONDS
        while True:
            try:
                _thread.start_new_thread(self._run, ())
            except RuntimeError:
                if monotonic() > give_up:
                    raise
                sleep(_START_PAUSE)
            else:
                self._started = True
                return

    # ── the turn's side ──────────────────────────────────────────────────────────────────────────

    def turn(self, cell: int) -> Watchdog:
        """Watch one turn on behalf of `cell` (0: none in particular); use in a ``with`` statement."""
        self.cell = cell
        return self

    def __enter__(self) -> None:
        if not self._started:
            self._start()
        self.reason = 0
        self._sheltered = False
        self._hooks.begin_turn()
        with self._lock:
            self._running = True
            early, self._early = self._early, None
            if early is not None:
                self._stop(*early)
        bounded = self._between_seconds and not self.cell
        self._deadline = monotonic() + self._between_seconds if bounded else None
        if self.reason or bounded:
            self._kick.send(b"x")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadline = None
        with self._lock:
            self._running = False
            self._hooks.disarm()
            self._hooks.stopping = False

    def acknowledge(self) -> int:
        """The turn has been stopped: return why, and let Lua run again to say so."""
        reason, self.reason = self.reason, 0
        self.drain()
        return reason

    def ask(self, reason: int) -> bool:
        """Stop the running turn on the engine's own account; returns whether it was not being stopped already."""
        with self._lock:
            if not self._running or self.reason:
                return False
            self._stop(0, reason)
            if not self._sheltered:
                self._hooks.arm()
        self._kick.send(b"x")  # so that it is armed again until it has ended
        return True

    def shelter(self, on: bool) -> None:
        """Keep stops out of the scheduler's own code while `on`; arms on leaving if one came meanwhile."""
        with self._lock:
            self._sheltered = on
            if self.reason and on:
                self._hooks.disarm()
            elif self.reason:
                self._hooks.arm()

    def expect_output(self) -> None:
        """There is output to flush soon."""
        self._kick.send(b"x")

    def drain(self) -> None:
        """Forget a wake-up that has been seen."""
        try:
            self.woken.recv(64)
        except BlockingIOError:
            pass

    # ── the thread's side ────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._control, self._kicked], [], [], self._patience())
            if self._control in ready:
                self._read_control()
            if self._kicked in ready:
                self._kicked.recv(64)
                if self._control_waits(_FLUSH_SECONDS):
                    self._read_control()
                self._flush()
            deadline = self._deadline
            if deadline is not None and monotonic() >= deadline:
                self._deadline = None
                self._hooks.on_limit(wire.StopReason.TIME)
            self._arm()

    def _control_waits(self, seconds: float) -> bool:
        return bool(select.select([self._control], [], [], seconds)[0])

    def _patience(self) -> float | None:
        if self.reason:
            return _REARM_SECONDS
        deadline = self._deadline
        return None if deadline is None else max(0.0, deadline - monotonic())

    def _arm(self) -> None:
        with self._lock:
            if self._running and self.reason and not self._sheltered:
                self._hooks.arm()

    def _read_control(self) -> None:
        record = self._control.recv(wire.CONTROL.size, socket.MSG_WAITALL)
        if len(record) < wire.CONTROL.size:
            os._exit(0)  # the kernel process is gone, and with it every reason to go on
        cell, reason, instructions = wire.CONTROL.unpack(record)
        if instructions and self._running and cell == self.cell:
            self._hooks.charge(instructions)
        if not reason:
            return
        with self._lock:
            if cell == wire.BETWEEN:
                if self._running and not self.cell:
                    self._stop(0, reason)
            elif self._running:
                self._stop(cell, reason)
            else:
                self._early = cell, reason  # its cell may be on its way

    def _stop(self, cell: int, reason: int) -> None:
        if cell in (0, self.cell) or not self.cell:
            if cell and not self.cell:
                self._early = cell, reason  # a task held its cell up: both are to stop
            self._hooks.stopping = True
            self.reason = reason
            self._wake.send(b"x")
