"""The engine process: one Lua state, one thread, two sockets to the kernel process.

It is started with an empty environment, confines itself before the first cell, and dies with the kernel process.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import lupa.lua54 as lua54
import msgspec

from llmspell_kernel.engine import checkpoint, confine, wire
from llmspell_kernel.engine.children import Children
from llmspell_kernel.engine.interrupt import Counted, LuaHooks, Watchdog
from llmspell_kernel.engine.state import LuaState, Scalar, preload_sources

if TYPE_CHECKING:
    from collections.abc import Callable

_RECEIVE_BYTES = 1 << 18
_OUTPUT_PENDING_MAX = 1 << 18
"""Bytes of output held before the writer itself must wait for the kernel process."""

_PIECES_PENDING_MAX = 1 << 16
"""Writes held."""

_SEGMENTS_MAX = 64
"""Changes between streams that are kept of what is written between two flushes. What changes more often, thousands of
times a second, is put together by stream: each change is a message to the front end, which could not keep up."""

_NIL = msgspec.Raw(b"\xc0")

_Fields: TypeAlias = tuple[Scalar, ...]


def _text(value: Scalar) -> str:
    assert isinstance(value, bytes)
    return value.decode("utf-8", "replace")


def _raw(value: Scalar) -> msgspec.Raw:
    assert isinstance(value, bytes)
    return msgspec.Raw(value)


def _call(
    call: int, cell: int, module: bytes, function: bytes, arguments: bytes, shown: bytes = b""
) -> wire.Frame:
    return wire.Call(call, cell, _text(module), _text(function), _raw(arguments), _text(shown))


def _returned(invocation: int, ok: bool, value: bytes) -> wire.Frame:
    return wire.Returned(invocation, ok, _raw(value))


def _release(*handles: int) -> wire.Frame:
    return wire.Release(list(handles))


_OUTGOING: dict[bytes, Callable[..., wire.Frame]] = {
    b"call": _call,
    b"cancel": wire.Cancel,
    b"returned": _returned,
    b"release": _release,
}


class Worker:
    """Serves frames until the kernel process goes away."""

    def __init__(
        self,
        data: socket.socket,
        control: socket.socket,
        memory_limit: int,
        counted: Counted,
        between_seconds: float,
        parent: int,
    ) -> None:
        self._parent = parent
        self._data = data
        self._control = control
        self._buffer = wire.FrameBuffer()
        self._frames: deque[wire.Inbound] = deque()
        self._later: deque[wire.Inbound] = deque()
        self._output: list[tuple[tuple[int, int], list[bytes]]] = []
        self._segments: dict[tuple[int, int], list[bytes]] = {}
        self._output_size = self._pieces = 0
        self._sending = threading.Lock()
        self._buffering = threading.Lock()  # taken inside the other, so that no fork finds it taken
        self._timer: float | None = None
        self._forks = checkpoint.Forks()
        self._children = Children()
        self._told: deque[_Fields] = deque()
        self._lost: list[_Fields] = []
        self._state = LuaState(self, memory_limit=memory_limit)
        main, seed = self._state.call("engine", "addresses")
        self._hooks = LuaHooks(lua54.__file__, main, seed, counted)
        self._watchdog = Watchdog(control, self._hooks, self.flush, between_seconds)
        self._hooks.on_limit = self._stop
        self._hooks.on_spent = self._spent

    # ── what Lua asks of its host (state.Host) ───────────────────────────────────────────────────

    def send(self, kind: bytes, *fields: Scalar) -> None:
        """Send the frame `kind` after all output before it."""
        if kind == b"returned":
            self._hooks.settle()  # who waits for a child hears no more of it
        self._send(_OUTGOING[kind](*fields))

    def receive(self, timeout: float | None) -> _Fields | None:
        """Wait for a frame that the running turn may act on; others wait for the turn's end."""
        deadline = None if timeout is None else self.now() + timeout
        while not self._watchdog.reason:
            if self._told:
                return self._told.popleft()
            while self._frames:
                fields = _fields_for_lua(frame := self._frames.popleft())
                if fields is not None:
                    return fields
                self._later.append(frame)
            left = None if deadline is None else max(0.0, deadline - self.now())
            if not self._wait(left, self._watchdog.woken):
                return None
        self._watchdog.drain()
        return None

    def _wait(self, timeout: float | None, *more: socket.socket) -> bool:
        """Read what comes within `timeout` seconds; returns whether anything did, on `more` too."""
        ready, _, _ = select.select([self._data, *more, *self._children.ends], [], [], timeout)
        if self._data in ready:
            self._read()
        for end in self._children.ends:
            if end in ready:
                self._told.extend(self._children.read(end, self.write, self._hooks.charge_child))
        return bool(ready)

    def shelter(self, on: bool) -> None:
        """See `Watchdog.shelter`."""
        self._watchdog.shelter(on)

    def write(self, stream: int, cell: int, text: bytes) -> None:
        """Buffer output; the watchdog sends it a few times a second."""
        key = cell, stream
        with self._buffering:
            first = not self._output
            segment = self._segments.get(key)
            if segment is None or (segment is not self._output[-1][1] and len(self._output) < _SEGMENTS_MAX):
                segment = self._segments[key] = []
                self._output.append((key, segment))
            segment.append(text)
            self._output_size += len(text)
            self._pieces += 1
        if first:
            self._watchdog.expect_output()
        if self._output_size > _OUTPUT_PENDING_MAX or self._pieces > _PIECES_PENDING_MAX:
            self.flush()

    def stopping(self) -> bytes | None:
        """The name of the `wire.StopReason` of this turn, or None."""
        reason = self._watchdog.reason
        return wire.StopReason(reason).name.lower().encode() if reason else None

    def now(self) -> float:
        """Monotonic seconds."""
        return monotonic()

    def stop(self, reason: bytes) -> None:
        """Stop the running turn: the limit of that name was reached."""
        self._stop(wire.StopReason[reason.decode().upper()])

    def cores(self) -> int:
        """How many children can compute at once."""
        return self._children.cores

    def fork(self) -> int:
        """Fork a child in the middle of this turn; returns its number, 0 in the child, -1 if the system refused."""
        self.flush()
        with self._sending:  # so that the watchdog is not in the middle of a frame
            number, end = self._children.fork()
        if end is not None:
            self._sending = threading.Lock()
            self._data.close()
            self._control.close()
            self._data = self._control = end
            self._forget_frames()
            self._hooks.forked()
            self._watchdog.carry_on(end)
        return number

    def leave(self, child: int) -> None:
        """End a child, or (0) this process, which is one."""
        if child:
            self._children.let_go(child)
            return
        self.flush()
        os._exit(0)

    def _stop(self, reason: wire.StopReason) -> None:
        if self._watchdog.ask(reason):
            self._send(wire.Stopping(self._watchdog.cell, reason))

    def _spent(self, instructions: int) -> None:
        self._send(wire.Spent(instructions))

    # ── frames ───────────────────────────────────────────────────────────────────────────────────

    def _send(self, frame: wire.Frame) -> None:
        self.flush()
        with self._sending:
            self._write(frame)

    def flush(self) -> None:
        """Send buffered output."""
        with self._sending:
            with self._buffering:
                pending, self._output, self._segments = self._output, [], {}
                self._output_size = self._pieces = 0
            self._write(*(wire.Output(*key, b"".join(texts)) for key, texts in pending))

    def _write(self, *frames: wire.Frame) -> None:
        try:
            self._data.sendall(b"".join(map(wire.encode, frames)))
        except OSError:
            os._exit(0)  # nobody is there to hear it

    def _read(self) -> None:
        try:
            data = self._data.recv(_RECEIVE_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            os._exit(0)  # the kernel process has let this engine go
        for body in self._buffer.feed(data):
            self._frames.append(wire.decode_inbound(body))

    def serve(self) -> None:
        """Take frames one by one, and Lua's own timers between them."""
        while True:
            if self._told:
                self._turn("event", *self._told.popleft())
                continue
            if not self._later and not self._frames:
                left = None if self._timer is None else max(0.0, self._timer - self.now())
                if not self._wait(left):
                    self._turn("tick")
                continue
            self._handle((self._later or self._frames).popleft())

    def _handle(self, frame: wire.Inbound) -> None:
        match frame:
            case wire.Execute():
                self._execute(frame)
            case wire.Query():
                self._query(frame)
            case wire.Checkpoint(number):
                self._checkpoint(number)
            case wire.Wake(replaces, calm):
                if replaces:
                    confine.adopt_parent(self._parent)
                self._told.extend(self._lost)
                self.announce({})
                if calm:
                    self._turn("calm")
            case wire.Configure(options):
                self._state.call("engine", "configure", bytes(options))
            case _:
                fields = _fields_for_lua(frame)
                assert fields is not None
                self._turn("event", *fields)

    # ── turns: the only times at which Lua runs ──────────────────────────────────────────────────

    def _turn(self, function: str, *arguments: Scalar) -> None:
        self._timer = self._watched(0, function, *arguments)[0][-1]

    def _execute(self, frame: wire.Execute) -> None:
        ended, reason = self._watched(
            frame.cell, "execute", frame.cell, frame.name.encode(), frame.code, frame.mode.encode()
        )
        status, value, memory, self._timer = ended
        self._hooks.settle()
        self._send(wire.Done(frame.cell, _text(status), _raw(value), reason, memory, self._hooks.count))
        self._state.call("engine", "settle")

    def _watched(self, cell: int, function: str, *arguments: Scalar) -> tuple[tuple[Any, ...], int]:
        """Run one turn; returns what Lua returned and the reason it was stopped for, 0 if it was not."""
        try:
            with self._watchdog.turn(cell):
                return _tuple(self._state.call("engine", function, *arguments)), 0
        except lua54.LuaError:
            reason = self._watchdog.acknowledge()
            if not reason:
                raise
            return _tuple(self._state.call("engine", "stopped")), reason

    def _query(self, frame: wire.Query) -> None:
        ok, value = self._state.call(
            "engine", "query", frame.module.encode(), frame.function.encode(), bytes(frame.arguments)
        )
        self._send(wire.Reply(frame.query, ok, _raw(value)))

    def _checkpoint(self, number: int) -> None:
        with self._sending:  # so that the watchdog is not in the middle of a frame
            copy = self._forks.fork(number, self._control, self._data)
        if copy is not None:
            self._sending = threading.Lock()
            self._data, self._control = copy
            self._lost = [*self._told, *self._children.abandon()]
            self._forget_frames()
            self._watchdog.move(self._control)

    def _forget_frames(self) -> None:
        """In a copy: what had been read already was meant for the engine that goes on."""
        self._buffer = wire.FrameBuffer()
        self._frames.clear()
        self._later.clear()
        self._told.clear()

    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors that the engine lives by."""
        return (self._data.fileno(), self._control.fileno(), *self._watchdog.descriptors())

    def announce(self, layers: dict[str, str]) -> None:
        """Tell the kernel process that cells may come."""
        waiting = self._state.call("engine", "waiting")
        self._send(wire.Ready(os.getpid(), ".".join(map(str, lua54.LUA_VERSION)), layers, _numbers(waiting)))


def _numbers(results: Any) -> list[int]:
    return [] if results is None else list(_tuple(results))


def _tuple(results: Any) -> tuple[Any, ...]:
    return cast("tuple[Any, ...]", results) if isinstance(results, tuple) else (results,)


def _fields_for_lua(frame: wire.Inbound) -> _Fields | None:
    match frame:
        case wire.Answer(call, ok, value):
            return b"answer", call, ok, bytes(value)
        case wire.Invoke(invocation, callback, arguments, cell):
            return b"invoke", invocation, callback, bytes(arguments), cell
        case wire.Withdraw(invocation):
            return b"withdraw", invocation
        case wire.Forget(callbacks):
            return (b"forget", *callbacks)
        case _:
            return None


def _sockets(options: dict[str, object]) -> tuple[socket.socket, socket.socket]:
    if sys.platform == "win32":
        received = [sys.stdin.buffer.read(int.from_bytes(sys.stdin.buffer.read(4), "big")) for _ in range(2)]
        return socket.fromshare(received[0]), socket.fromshare(received[1])
    data, control = options["data"], options["control"]
    assert isinstance(data, int)
    assert isinstance(control, int)
    return socket.socket(fileno=data), socket.socket(fileno=control)


def main(options: dict[str, object]) -> None:
    """Run an engine; `options` is what `process.launch` wrote."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the kernel process's to act on
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # checkpoints that end are reaped by the system
    data, control = _sockets(options)
    memory_limit, instructions, call_depth = (
        options[name] for name in ("memory_limit", "instructions", "call_depth")
    )
    assert isinstance(memory_limit, int)
    assert isinstance(instructions, int)
    assert isinstance(call_depth, int)
    preload_sources()
    parent = options["parent"]
    assert isinstance(parent, int)
    between_seconds = options["between_seconds"]
    assert isinstance(between_seconds, float | int)
    worker = Worker(data, control, memory_limit, Counted(instructions, call_depth), between_seconds, parent)
    layers: dict[str, str] = {}
    if options["confine"]:
        limits = confine.Limits(parent=parent, keep=worker.descriptors(), memory=memory_limit or None)
        layers = confine.confine(limits).statuses()
    gc.collect()
    gc.freeze()  # fewer pages that a collection after a fork would touch
    gc.disable()
    worker.announce(layers)
    worker.serve()
