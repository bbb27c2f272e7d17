"""The kernel process's side of an engine: send frames, await answers, keep checkpoints, recover."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from typing import TYPE_CHECKING, Any, Protocol, cast

from llmspell_kernel.engine import values, wire
from llmspell_kernel.engine.process import Endpoint, EngineOptions, launch
from llmspell_kernel.errors import EngineDied, EngineError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

_WAKE_SECONDS = 10.0
"""A copy that has not woken by then never will."""

_QUERY_SECONDS = 5.0
"""What asks is help while a person types: an engine that takes longer is not worth waiting for."""

_log = logging.getLogger("llmspell")


class EngineListener(Protocol):
    """Who hears what an engine does of its own accord."""

    def on_output(self, frame: wire.Output) -> None:
        """A cell wrote text."""
        ...

    def on_call(self, frame: wire.Call) -> None:
        """Lua calls a bridge."""
        ...

    def on_cancel(self, frame: wire.Cancel) -> None:
        """Lua no longer waits for a call."""
        ...

    def on_release(self, frame: wire.Release) -> None:
        """Lua has collected handles."""
        ...

    def on_stopping(self, frame: wire.Stopping) -> None:
        """The engine stops the running cell, which must end soon."""
        ...

    def on_spent(self, frame: wire.Spent) -> None:
        """The running cell has executed more instructions, where a limit has them counted."""
        ...

    def on_died(self, error: EngineDied) -> None:
        """The engine is gone; what waited for it was told already."""
        ...


class _Link(asyncio.Protocol):
    """Frames over one data socket."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client
        self._buffer = wire.FrameBuffer()

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._buffer.feed(data):
                self._client.receive(self, wire.decode_outbound(body))
        except ProtocolError as error:
            self._client.lost(self, str(error))
        except Exception:
            _log.exception("a frame of the engine's could not be served")
            self._client.lost(self, "the engine sent a frame that has no place in the conversation")
        self._client.heard = asyncio.get_running_loop().time()

    def connection_lost(self, exc: Exception | None) -> None:
        _log.debug("the connection to the engine has ended: %s", exc)  # which tells a person nothing
        self._client.lost(self, "")


class EngineClient:
    """One engine and its sleeping copies. Belongs to the event loop that `start` ran in."""

    def __init__(self, listener: EngineListener, options: EngineOptions) -> None:
        self._listener = listener
        self._options = options
        self._endpoint: Endpoint | None = None
        self._transport: asyncio.Transport | None = None
        self._link: _Link | None = None
        self._ready: asyncio.Future[wire.Ready] | None = None
        self._woken: Callable[[wire.Ready], None] | None = None
        self._done: dict[int, asyncio.Future[wire.Done]] = {}
        self._group = 0
        """The process group that ends with this client, which launched its first engine; 0 if there is none."""
        self._kin = 0
        """The process group of the engine and all its forks, 0 if it is the kernel process's too."""
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._returns: dict[int, asyncio.Future[Any]] = {}
        self._next_id = 0
        self._checkpoints: dict[int, asyncio.Future[Endpoint]] = {}
        self._plain = values.Decoder()
        self.decoder = self._plain
        """Reads what the functions return that `invoke` calls."""
        self.heard = 0.0
        """When the engine was last heard, by the clock of the event loop: when all that it had said was read."""
        self.layers: dict[str, str] = {}
        """How the engine is confined, as it told when it started."""

    # ── life ─────────────────────────────────────────────────────────────────────────────────────

    @property
    def alive(self) -> bool:
        """Whether an engine is connected."""
        return self._link is not None

    @property
    def pid(self) -> int:
        """Process id of the engine, 0 if there is none."""
        return self._endpoint.pid if self._endpoint else 0

    async def start(self, endpoint: Endpoint | None = None) -> wire.Ready:
        """Attach to `endpoint` (already launched), or launch an engine; returns when it is ready.

        Raises:
            EngineDied: it ended before it was ready.
        """
        return await self._attach(endpoint or launch(self._options))

    async def _attach(
        self,
        endpoint: Endpoint,
        *,
        wake: wire.Wake | None = None,
        woken: Callable[[wire.Ready], None] | None = None,
    ) -> wire.Ready:
        loop = asyncio.get_running_loop()
        self._endpoint = endpoint
        self._ready, self._woken = loop.create_future(), woken
        link = self._link = _Link(self)
        endpoint.data.setblocking(False)
        endpoint.control.setblocking(False)
        self._transport, _ = await loop.create_connection(lambda: link, sock=endpoint.data)
        loop.add_reader(endpoint.control.fileno(), self._on_control, endpoint.control)
        if not wake:
            info = await self._ready
            self.layers = info.layers
            self._group = self._kin = _own_group(endpoint.pid)
            return info
        self._kin = _own_group(endpoint.pid)
        self.send(wake)
        try:
            return await asyncio.wait_for(self._ready, _WAKE_SECONDS)
        except TimeoutError:
            raise EngineDied("the copy of the engine did not wake") from None

    async def recover(
        self, copy: Endpoint, woken: Callable[[wire.Ready], None], *, calm: bool = False
    ) -> wire.Ready:
        """Make the sleeping `copy` the engine, its tasks ended if it is to be `calm`; the one before it is killed.

        `woken` is called before anything else is heard of it.
        """
        self.kill()
        await self._detach()
        return await self._attach(copy, wake=wire.Wake(calm=calm), woken=woken)

    async def branch(self, copy: Endpoint) -> wire.Ready:
        """Make `copy`, of an engine that goes on, this client's engine; the one before it is killed."""
        self.kill()
        await self._detach()
        return await self._attach(copy, wake=wire.Wake(replaces=False))

    async def close(self) -> None:
        """Let the engine end and wait for it."""
        self.kill()
        self._kill_group()
        await self._detach()

    async def _detach(self) -> None:
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is None:
            return
        self._fail_waiting("the engine was replaced")
        self._link = None
        asyncio.get_running_loop().remove_reader(endpoint.control.fileno())
        if self._transport is not None:
            self._transport.abort()
        endpoint.close()
        await asyncio.to_thread(_reap, endpoint)
        self._reap_orphans()

    def kill(self) -> None:
        """End the engine at once, whatever it does."""
        if self._endpoint is not None:
            try:
                os.kill(self._endpoint.pid, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
            except OSError:
                pass  # it is gone already

    def _kill_group(self) -> None:
        """End the engine's forks too; it itself has not been reaped yet, so that the group is still its own."""
        if self._endpoint is not None and self._group and _group_of(self._endpoint.pid) == self._group:
            with contextlib.suppress(OSError):  # all of it is gone
                os.killpg(self._group, signal.SIGKILL)
        self._group = 0

    def lost(self, link: _Link, why: str) -> None:
        """React to the end of `link`: its engine died or spoke nonsense."""
        if link is not self._link:
            return
        self._link = None
        self.kill()
        if self._endpoint is not None:
            self._read_last_checkpoints(self._endpoint.control)
            asyncio.get_running_loop().remove_reader(self._endpoint.control.fileno())
        error = self._fail_waiting(why)
        self._listener.on_died(error)

    def _read_last_checkpoints(self, control: socket.socket) -> None:
        """Take the copies that the engine announced before it died."""
        waiting = len(self._checkpoints) + 1
        while self._checkpoints and len(self._checkpoints) < waiting:
            waiting = len(self._checkpoints)
            self._on_control(control)

    def _fail_waiting(self, why: str) -> EngineDied:
        error = EngineDied(why or "the engine process ended")
        waiting: list[asyncio.Future[Any]] = [
            *self._done.values(),
            *self._replies.values(),
            *self._returns.values(),
            *self._checkpoints.values(),
        ]
        if self._ready is not None:
            waiting.append(self._ready)
        for future in waiting:
            if not future.done():
                future.set_exception(error)
                future.exception()  # some nobody awaits
        for table in (self._done, self._replies, self._returns, self._checkpoints):
            table.clear()
        return error

    # ── frames ───────────────────────────────────────────────────────────────────────────────────

    def send(self, frame: wire.Frame) -> None:
        """Send one frame; raises `EngineDied` if there is no engine."""
        if self._link is None or self._transport is None:
            raise EngineDied("the engine is not running")
        self._transport.write(wire.encode(frame))

    def receive(self, link: _Link, frame: wire.Outbound) -> None:
        """Take one frame from the engine behind `link`."""
        if link is not self._link:
            return
        match frame:
            case wire.Output():
                self._listener.on_output(frame)
            case wire.Call():
                self._listener.on_call(frame)
            case wire.Cancel():
                self._listener.on_cancel(frame)
            case wire.Release():
                self._listener.on_release(frame)
            case wire.Done():
                _resolve(self._done, frame.cell, frame)
            case wire.Reply():
                _resolve_value(self._replies, frame.query, frame.ok, frame.value, self._plain)
            case wire.Returned():
                _resolve_value(self._returns, frame.invocation, frame.ok, frame.value, self.decoder)
            case wire.Stopping():
                self._listener.on_stopping(frame)
            case wire.Spent():
                self._listener.on_spent(frame)
            case wire.Ready():
                if self._ready is not None and not self._ready.done():
                    if self._woken is not None:
                        self._woken(frame)
                    self._ready.set_result(frame)

    async def execute(self, cell: int, name: str, code: bytes, mode: str) -> wire.Done:
        """Run a cell; raises `EngineDied` if the engine ends in the middle."""
        future = self._done[cell] = asyncio.get_running_loop().create_future()
        self.send(wire.Execute(cell, name, code, mode))
        return await future

    async def query(self, module: str, function: str, *arguments: Any) -> Any:
        """Ask one of the engine's own Lua modules; only while no cell runs."""
        self._next_id += 1
        future = self._replies[self._next_id] = asyncio.get_running_loop().create_future()
        self.send(wire.Query(self._next_id, module, function, values.encode_raw(list(arguments))))
        try:
            return await asyncio.wait_for(future, _QUERY_SECONDS)
        except TimeoutError:
            raise EngineError(f"the engine did not answer within {_QUERY_SECONDS:g} seconds") from None

    async def invoke(self, callback: int, arguments: msgspec.Raw, cell: int = 0) -> list[Any]:
        """Call a Lua function by its callback id, with the list `arguments`; returns its results.

        What it writes goes to `cell`, or to the cell that passed it out if that is 0. Cancelled, it
        cancels the function in Lua as well.

        Raises:
            EngineError: it raised in Lua; ``details`` holds the failure map.
        """
        self._next_id += 1
        future = self._returns[self._next_id] = asyncio.get_running_loop().create_future()
        invocation = self._next_id
        self.send(wire.Invoke(invocation, callback, arguments, cell))
        try:
            return await future
        except asyncio.CancelledError:
            self._returns.pop(invocation, None)
            if self.alive:
                self.send(wire.Withdraw(invocation))
            raise

    def notify(self, callback: int, arguments: msgspec.Raw) -> None:
        """Call a Lua function and wait for nothing; what it raises is shown in the cell that passed it out."""
        self.send(wire.Invoke(0, callback, arguments, 0))

    # ── control ──────────────────────────────────────────────────────────────────────────────────

    def stop(self, cell: int, reason: wire.StopReason) -> None:
        """Ask the running cell to stop softly."""
        self._control(cell, reason, 0)

    def charge(self, cell: int, instructions: int) -> None:
        """Count what was executed elsewhere on behalf of `cell` as its own, if that runs still."""
        self._control(cell, 0, instructions)

    def _control(self, cell: int, reason: int, instructions: int) -> None:
        if self._endpoint is not None:
            try:
                self._endpoint.control.send(wire.CONTROL.pack(cell, reason, instructions))
            except OSError:
                pass  # it died: whoever awaits the cell hears that

    def checkpoint(self) -> asyncio.Future[Endpoint]:
        """Have the engine fork a sleeping copy of itself before any frame sent after this call.

        Returns:
            The copy's sockets, once it is there; fails with `EngineDied`.
        """
        self._next_id += 1
        future = self._checkpoints[self._next_id] = asyncio.get_running_loop().create_future()
        self.send(wire.Checkpoint(self._next_id))
        return future

    def release(self, copy: Endpoint) -> None:
        """Let a sleeping copy go."""
        copy.close()
        self._reap_orphans()

    def _reap_orphans(self) -> None:
        """Reap forks that outlived the engine which made them: until then they count among its processes."""
        if self._kin:
            with contextlib.suppress(ChildProcessError):  # none is left; a living engine reaps its own
                while os.waitpid(-self._kin, os.WNOHANG)[0]:
                    pass

    def _on_control(self, control: socket.socket) -> None:
        try:
            record, fds, _, _ = socket.recv_fds(control, wire.CHECKPOINT.size, 2)
        except OSError:
            return
        if len(record) < wire.CHECKPOINT.size or len(fds) not in (0, 2):
            asyncio.get_running_loop().remove_reader(control.fileno())
            return
        number, pid, nanoseconds, pages = wire.CHECKPOINT.unpack(record)
        future = self._checkpoints.pop(number, None)
        if not fds:
            if future is not None and not future.done():
                future.set_exception(EngineError("the system refused to fork the engine"))
            return
        data, control = socket.socket(fileno=fds[0]), socket.socket(fileno=fds[1])
        copy = Endpoint(data, control, pid, None, nanoseconds / 1e9, pages)
        if future is None or future.done():
            copy.close()
        elif self._group and _group_of(pid) != self._group:
            copy.close()  # it will be killed by that number some day, so an engine gone bad must not choose it
            future.set_exception(EngineError("the copy of the engine is gone"))
        else:
            future.set_result(copy)


def _group_of(pid: int) -> int:
    """The process group of `pid`, 0 if it is gone or where there are none."""
    if os.name != "posix":
        return 0
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _own_group(pid: int) -> int:
    """The process group of `pid`, 0 if it is gone or in the one of this process."""
    group = _group_of(pid)
    return group if group != _group_of(0) else 0


def _resolve(table: dict[int, asyncio.Future[Any]], key: int, value: Any) -> None:
    future = table.pop(key, None)
    if future is not None and not future.done():
        future.set_result(value)


def _resolve_value(
    table: dict[int, asyncio.Future[Any]], key: int, ok: bool, raw: msgspec.Raw, decoder: values.Decoder
) -> None:
    future = table.pop(key, None)
    if future is None or future.done():
        return
    value = decoder.value(bytes(raw))
    if ok:
        future.set_result(value)
    else:
        told = cast("dict[str, Any]", value) if isinstance(value, dict) else {"message": value}
        future.set_exception(EngineError(str(told.get("message", "")), details={"failure": told}))


def _reap(endpoint: Endpoint) -> None:
    if endpoint.process is not None:
        endpoint.process.wait()
        return
    try:
        os.waitpid(endpoint.pid, 0)
    except ChildProcessError:
        pass  # not ours to reap: where there is no subreaper, init does it
