"""ipykernel as this package sees it: the one place that knows its untyped classes.

What is declared here exists in ipykernel 7; at run time these names *are* ipykernel's classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    import logging
    from collections.abc import Awaitable, Callable
    from typing import Any, ClassVar, Protocol

    import zmq

    Message = dict[str, Any]
    Handler = Callable[[Any, list[bytes], Message], Awaitable[None]]

    class Loop(Protocol):
        """tornado's IOLoop over asyncio."""

        asyncio_loop: asyncio.AbstractEventLoop

        def add_callback(self, callback: Callable[..., object], *args: object) -> None: ...

    class ShellStream(Protocol):
        """A ZMQStream."""

        def flush(self) -> None: ...

    class Signer(Protocol):
        """jupyter_client's Session: signs and sends messages."""

        def send(
            self,
            stream: Any,
            kind: str,
            content: Message,
            parent: Message | None = None,
            *,
            ident: Any = None,
            metadata: Message | None = None,
            buffers: list[bytes] | None = None,
        ) -> Message: ...

        def recv(self, socket: Any) -> tuple[list[bytes] | None, Message | None]: ...

        def msg(self, kind: str, content: Message) -> Message: ...

        def serialize(self, message: Message) -> list[bytes]: ...

    class IOPubSocket(Protocol):
        """What takes iopub messages."""

        def attach(self) -> None: ...

        def close(self) -> None: ...

    class BaseKernel:
        """ipykernel.kernelbase.Kernel."""

        implementation: ClassVar[str]
        implementation_version: ClassVar[str]
        log: logging.Logger
        session: Signer
        io_loop: Loop
        shell_stream: ShellStream
        stdin_socket: zmq.Socket[bytes]
        iopub_socket: IOPubSocket
        shell_handlers: dict[str, Handler]
        control_handlers: dict[str, Handler]
        execution_count: int
        stop_on_error_timeout: float
        comm_manager: object
        _aborting: bool
        _main_asyncio_lock: asyncio.Lock

        def __init__(self, **kwargs: Any) -> None: ...

        def start(self) -> None: ...

        def get_parent(self) -> Message: ...

        async def dispatch_shell(self, msg: list[Any], /) -> None: ...

        def _publish_execute_input(self, code: str, parent: Message, execution_count: int) -> None: ...

        def _topic(self, topic: str) -> bytes: ...

    class BaseApp:
        """ipykernel.kernelapp.IPKernelApp."""

        session: Signer
        iopub_port: int
        iopub_socket: IOPubSocket | None
        shell_channel_thread: object | None
        displayhook: object
        transport: str
        log: logging.Logger
        log_level: int

        def initialize(self, argv: list[str] | None = None) -> None: ...

        def _ip_default(self) -> str: ...

        @classmethod
        def launch_instance(cls) -> None: ...

        def init_control(self, context: zmq.Context[zmq.Socket[bytes]]) -> None: ...

        def close(self) -> None: ...

        def patch_io(self) -> None: ...

        def configure_tornado_logger(self) -> None: ...

        def _apply_curve_server_options(self, socket: zmq.Socket[bytes]) -> None: ...

        def _bind_socket(self, socket: zmq.Socket[bytes], port: int) -> int: ...

else:
    from ipykernel.kernelapp import IPKernelApp as BaseApp
    from ipykernel.kernelbase import Kernel as BaseKernel

    Message = dict

__all__ = ["BaseApp", "BaseKernel", "Message"]
