"""The iopub channel on the kernel's own loop.

ipykernel gives iopub a thread, because Python code blocks its loop. Ours is never blocked, and each message handed to
a thread costs a struggle for the GIL: without it a trivial cell's round trip is a quarter shorter.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import zmq
from tornado.ioloop import IOLoop
from zmq.eventloop.zmqstream import ZMQStream

if TYPE_CHECKING:
    from llmspell_kernel.kernel.foundation import Loop, Signer

_SUBSCRIBED = 1


class LoopIOPub:
    """What `Session.send` takes as iopub: sends at once on its own thread, through the loop from others."""

    def __init__(self, socket: zmq.Socket[bytes], session: Signer) -> None:
        """Take over a bound XPUB `socket`; belongs to the calling thread."""
        self._socket = socket
        self._session = session
        self._home = threading.get_ident()
        self._loop: Loop | None = None

    def attach(self) -> None:
        """Welcome subscribers from now on (JEP 65); called when the loop is there."""
        self._loop = cast("Loop", IOLoop.current())
        self._stream = ZMQStream(self._socket)
        self._stream.on_recv(self._welcome)

    def send_multipart(self, parts: list[Any], **options: Any) -> None:
        """Send one message."""
        if threading.get_ident() == self._home or self._loop is None:
            self._send(parts, options)
        else:
            self._loop.add_callback(self._send, parts, options)

    def _send(self, parts: list[Any], options: dict[str, Any]) -> None:
        if self._socket.closed:
            return
        self._socket.send_multipart(parts, **options)
        # a send may swallow the wake-up of a subscription that came with it
        while self._socket.poll(0, zmq.POLLIN):
            self._welcome(self._socket.recv_multipart())

    def _welcome(self, frames: list[bytes]) -> None:
        for frame in frames:
            if not frame or frame[0] != _SUBSCRIBED:
                continue
            topic = frame[1:].decode("utf-8", "replace")
            message = self._session.msg("iopub_welcome", {"subscription": topic})
            parts = self._session.serialize(message)
            self._socket.send_multipart([frame[1:], *parts] if topic else parts)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
