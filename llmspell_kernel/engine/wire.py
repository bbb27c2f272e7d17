"""The frames between the kernel process and an engine: the one place that knows their layout.

A frame is a four-byte big-endian length and a MessagePack array ``[tag, field, …]``. Values that only Lua or only a
bridge understands travel inside as `msgspec.Raw`, so neither end decodes what it merely passes on.

Two sockets join the processes. The *data* socket carries these frames. The *control* socket carries `CONTROL` records
to the engine's watchdog, which reads while Lua runs, and `CHECKPOINT` records back, each with the two sockets of a
freshly forked copy (``SCM_RIGHTS``).
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated

import msgspec

from llmspell_kernel.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FRAME = 1 << 30
"""Bytes; a longer frame is a fault of the peer, never a value."""

_LENGTH = struct.Struct(">I")
CONTROL = struct.Struct(">QBQ")
"""Control record to the engine: the cell it is meant for (0: whatever runs), the `StopReason` that it must stop for (0:
it goes on), and the instructions that count as its own, which a program that it runs has executed elsewhere."""
BETWEEN = (1 << 64) - 1
"""In the place of a cell: what runs now on behalf of none; nothing, if nothing does."""
CHECKPOINT = struct.Struct(">QQQQ")
"""Control record from the engine: the checkpoint's number, its process id (0, and no sockets: it could not be forked),
the nanoseconds of processor time that the fork took and the pages that the engine wrote since the fork before."""


class StopReason(IntEnum):
    """Why a running turn must end."""

    INTERRUPT = 1
    TIME = 2
    OUTPUT = 3
    MEMORY = 4
    INSTRUCTIONS = 5
    CALL_DEPTH = 6


class Frame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Base of every frame."""


# ── kernel process → engine ──────────────────────────────────────────────────────────────────────


class Configure(Frame, frozen=True, tag="configure"):
    """The first frame: what the cells' environment holds. `options` is a map that ``engine.lua`` reads."""

    options: msgspec.Raw


class Execute(Frame, frozen=True, tag="execute"):
    """Run a cell; answered by `Done`."""

    cell: int
    name: str
    """Chunk name that positions in messages show, such as ``cell 3``."""
    code: bytes
    mode: str = "cell"
    """``cell``: session locals are kept; ``expression``: nothing is kept, values come back whole."""


class Answer(Frame, frozen=True, tag="answer"):
    """A bridge call has ended: `value` is the list of its results, or one error map."""

    call: int
    ok: bool
    value: msgspec.Raw


class Invoke(Frame, frozen=True, tag="invoke"):
    """Call a Lua function that Lua passed out; answered by `Returned`, or by nothing if `invocation` is 0."""

    invocation: int
    callback: int
    arguments: msgspec.Raw
    cell: int = 0
    """Where its output goes; 0 is the cell that passed it out."""


class Withdraw(Frame, frozen=True, tag="withdraw"):
    """Nobody waits for what this `Invoke` comes to any more: the task that runs it is cancelled."""

    invocation: int


class Forget(Frame, frozen=True, tag="forget"):
    """The kernel process no longer holds these callbacks."""

    callbacks: list[int]


class Query(Frame, frozen=True, tag="query"):
    """Ask one of the engine's own Lua modules; answered by `Reply`. Never runs user code."""

    query: int
    module: str
    function: str
    arguments: msgspec.Raw


class Checkpoint(Frame, frozen=True, tag="checkpoint"):
    """Fork a sleeping copy; answered by a `CHECKPOINT` record on the control socket."""

    number: int


class Wake(Frame, frozen=True, tag="wake"):
    """To a sleeping copy: you are an engine now; answered by `Ready`."""

    replaces: bool = True
    calm: bool = False
    """Whether its tasks end before they run: of one of them the engine before it had to be killed."""
    """Whether the engine that it was forked from has ended."""


Inbound = Configure | Execute | Answer | Invoke | Withdraw | Forget | Query | Checkpoint | Wake


# ── engine → kernel process ──────────────────────────────────────────────────────────────────────


class Ready(Frame, frozen=True, tag="ready"):
    """The engine can take cells. `layers` tells how it is confined: ``name`` → ``status``."""

    pid: int
    lua: str
    layers: dict[str, str]
    waiting: list[int] = []
    """The bridge calls that a copy which was woken waits for."""


class Output(Frame, frozen=True, tag="output"):
    """Text that a cell wrote: `stream` 1 is stdout, 2 is stderr."""

    cell: int
    stream: int
    data: bytes


class Call(Frame, frozen=True, tag="call"):
    """Lua calls a bridge; answered by `Answer` unless `call` is 0."""

    call: int
    cell: int
    module: str
    function: str
    arguments: msgspec.Raw
    shown: str = ""
    """What the spell called, if that is another function, which passes this one's answer on."""


class Cancel(Frame, frozen=True, tag="cancel"):
    """Nobody in Lua waits for this call any more."""

    call: int


class Returned(Frame, frozen=True, tag="returned"):
    """An `Invoke` has ended: the list of results, or one failure map."""

    invocation: int
    ok: bool
    value: msgspec.Raw


class Reply(Frame, frozen=True, tag="reply"):
    """Answer to `Query`: a value, or a message if not `ok`."""

    query: int
    ok: bool
    value: msgspec.Raw


class Release(Frame, frozen=True, tag="release"):
    """Lua has collected these bridge handles."""

    handles: list[int]


class Done(Frame, frozen=True, tag="done"):
    """A cell has ended.

    `status` is ``ok`` (`value`: list of snapshots), ``failed`` (`value`: a failure map) or ``stopped``
    (`value`: a failure map that tells where it was stopped). `stopped` is a `StopReason` or 0.
    """

    cell: int
    status: str
    value: msgspec.Raw
    stopped: Annotated[int, msgspec.Meta(ge=0, le=6)]
    memory: int
    """Bytes that Lua holds after the cell."""
    instructions: int = 0
    """Lua instructions that it executed, where a limit has them counted."""


class Stopping(Frame, frozen=True, tag="stopping"):
    """The engine stops the running turn on its own account: a limit was reached that only it sees."""

    cell: int
    """0: of no cell's, but of something that ran between them."""
    reason: StopReason


class Spent(Frame, frozen=True, tag="spent"):
    """The running turn has executed so many instructions since it last told, where a limit has them counted."""

    instructions: Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]


Outbound = Ready | Output | Call | Cancel | Returned | Reply | Release | Done | Stopping | Spent

_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
_encoder = msgspec.msgpack.Encoder()
_inbound = msgspec.msgpack.Decoder(Inbound)
_outbound = msgspec.msgpack.Decoder(Outbound)


def encode(frame: Frame) -> bytes:
    """Encode `frame` with its length before it."""
    body = _encoder.encode(frame)
    return _LENGTH.pack(len(body)) + body


def decode_inbound(body: bytes | memoryview) -> Inbound:
    """Decode a frame meant for the engine; raises `ProtocolError`."""
    try:
        return _inbound.decode(body)
    except _UNREADABLE as error:
        raise ProtocolError(f"the engine was sent a frame that it cannot read: {error}") from error


def decode_outbound(body: bytes | memoryview) -> Outbound:
    """Decode a frame that an engine sent; raises `ProtocolError`."""
    try:
        return _outbound.decode(body)
    except _UNREADABLE as error:
        raise ProtocolError(f"the engine sent a frame that cannot be read: {error}") from error


class FrameBuffer:
    """Incremental framing: feed bytes as they come, take whole frame bodies out."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._position = 0

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """Add `data`; yields the body of each frame that is now complete. Raises `ProtocolError`."""
        self._data += data
        while True:
            available = len(self._data) - self._position
            if available < _LENGTH.size:
                break
            (length,) = _LENGTH.unpack_from(self._data, self._position)
            if length > MAX_FRAME:
                raise ProtocolError(f"a frame claims {length} bytes; the limit is {MAX_FRAME}")
            if available < _LENGTH.size + length:
                break
            start = self._position + _LENGTH.size
            self._position = start + length
            yield bytes(memoryview(self._data)[start : self._position])
        if self._position:
            del self._data[: self._position]
            self._position = 0
