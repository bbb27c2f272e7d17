"""Comms: the messages between widgets in the page and their models here (messaging specification, "Custom Messages").

A model that changes a thousand times a second must not flood the page: updates that follow each other quickly are
joined, one message per model and interval. Every other message sends what is pending first, so that order is kept.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import comm
from comm.base_comm import BaseComm, CommManager

if TYPE_CHECKING:
    from llmspell_kernel.kernel.foundation import BaseKernel, Message

INTERVAL = 0.04
"""Seconds between two updates of one model."""
KINDS = ("comm_open", "comm_msg", "comm_close")


class Comms:
    """The comms of one kernel."""

    def __init__(self, kernel: BaseKernel) -> None:
        """Become what creates and finds comms in this process, and answer `kernel`'s comm messages."""
        self._kernel = kernel
        self._updates: dict[str, _Update] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.cell: Message | None = None
        """The request whose cell runs now: a client that runs notebooks takes only what belongs to it."""
        self.manager = CommManager()
        self.manager.register_target("jupyter.widget.control", self._control_opened)
        comm.get_comm_manager = lambda: self.manager
        comm.create_comm = self._create
        kernel.comm_manager = self.manager
        for kind in KINDS:
            kernel.shell_handlers[kind] = self._handler(kind)

    def _handler(self, kind: str) -> Any:
        take = getattr(self.manager, kind)

        async def handle(stream: Any, ident: list[bytes], message: Message) -> None:
            take(stream, ident, message)

        return handle

    def _create(self, **options: Any) -> BaseComm:
        return _Comm(self, **options)

    def _control_opened(self, control: BaseComm, message: Message) -> None:
        """A page was loaded and asks for the state of all widgets; ipywidgets need not be loaded to say none."""
        from llmspell_kernel.bridges.widget_models import take_control

        take_control(control, message)

    # ── sending ──────────────────────────────────────────────────────────────────────────────────

    def publish(self, kind: str, sender: BaseComm, message: _Message) -> None:
        """Send a comm's message, or let it wait for more of its kind."""
        data = message.content["data"]
        if kind != "comm_msg" or data.get("method") != "update" or message.buffers:
            self.flush()
            self._send(kind, message)
        elif self._timer is None:
            self._send(kind, message)
            self._wait()
        elif sender.comm_id in self._updates:
            self._updates[sender.comm_id].join(data)
        else:
            self._updates[sender.comm_id] = _Update(message)

    def flush(self) -> None:
        """Send the updates that are pending."""
        updates, self._updates = self._updates, {}
        for update in updates.values():
            self._send("comm_msg", update.message)

    def _wait(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # at the interpreter's end
            return
        self._timer = loop.call_later(INTERVAL, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._updates:
            self.flush()
            self._wait()

    def parent(self) -> Message:
        """The request on whose behalf a message is sent: that of the cell whose bridge call runs, if one does."""
        from llmspell_kernel.bridges.registry import current_call

        call = current_call.get(None)
        of_cell = getattr(call.surface, "parent", None) if call else None
        request = of_cell or self._kernel.get_parent()
        return request if request else self.cell or {}

    def _send(self, kind: str, message: _Message) -> None:
        kernel = self._kernel
        kernel.session.send(
            kernel.iopub_socket,
            kind,
            message.content,
            message.parent,
            ident=message.topic,
            metadata=message.metadata,
            buffers=message.buffers,
        )


class _Message:
    def __init__(
        self,
        content: dict[str, Any],
        parent: Message,
        topic: bytes,
        metadata: dict[str, Any],
        buffers: list[bytes],
    ) -> None:
        self.content = content
        self.parent = parent
        self.topic = topic
        self.metadata = metadata
        self.buffers = buffers


class _Update:
    """Updates of one model that wait to be sent as one."""

    def __init__(self, message: _Message) -> None:
        data = message.content["data"]
        message.content["data"] = {**data, "state": dict(data["state"])}
        self.message = message

    def join(self, data: dict[str, Any]) -> None:
        self.message.content["data"]["state"].update(data["state"])


class _Comm(BaseComm):
    def __init__(self, comms: Comms, **options: Any) -> None:
        self._comms = comms
        super().__init__(**options)

    def publish_msg(
        self,
        msg_type: str,
        data: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        buffers: list[bytes] | None = None,
        **keys: Any,
    ) -> None:
        content = {"data": data or {}, "comm_id": self.comm_id, **keys}
        message = _Message(content, self._comms.parent(), self.topic, metadata or {}, buffers or [])
        self._comms.publish(msg_type, self, message)
