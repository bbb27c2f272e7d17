"""The kernel application: ipykernel's, without the parts that only a Python kernel needs."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, ClassVar

import zmq
from traitlets import Type

from llmspell_kernel.kernel.foundation import BaseApp
from llmspell_kernel.kernel.iopub import LoopIOPub
from llmspell_kernel.kernel.kernel import LLMSpellKernel

if TYPE_CHECKING:
    from llmspell_kernel.kernel.launch import EarlyEngine


class LLMSpellApp(BaseApp):
    """Sockets, heartbeat and loops are ipykernel's; Python's shell, debugger and output capture are left out."""

    name = "llmspell-kernel"
    kernel_class = Type(LLMSpellKernel, klass="ipykernel.kernelbase.Kernel")
    engine: ClassVar[EarlyEngine | None] = None

    def initialize(self, argv: list[str] | None = None) -> None:
        """Prepare everything; records that no handler takes are not even made (three in each cell)."""
        super().initialize(argv)
        self.log.setLevel(self.log_level)

    def _ip_default(self) -> str:
        """The loopback address, without asking every network interface: whoever launches the kernel says it anyway."""
        return "127.0.0.1" if self.transport == "tcp" else super()._ip_default()

    def init_control(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Bind the control channel; there is no shell thread, for the kernel never blocks its loop."""
        super().init_control(context)
        self.shell_channel_thread = None

    def init_iopub(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Bind iopub; it is served by the kernel's own loop."""
        socket = context.socket(zmq.XPUB)
        socket.linger = 1000
        self._apply_curve_server_options(socket)
        self.iopub_port = self._bind_socket(socket, self.iopub_port)
        self.configure_tornado_logger()
        self.iopub_socket = LoopIOPub(socket, self.session)

    def close(self) -> None:
        """Close the channels."""
        if self.iopub_socket is not None:
            self.iopub_socket.close()
        super().close()

    def init_pdb(self) -> None:
        """Python's debugger has nothing to do here."""

    def init_path(self) -> None:
        """The notebook's folder stays out of ``sys.path``: what lies there must not be imported."""

    def init_io(self) -> None:
        """Leave Python's own streams alone: cells write through their request's surface."""
        self.displayhook = SimpleNamespace()
        self.patch_io()

    def reset_io(self) -> None:
        """Nothing was redirected."""
        sys.displayhook = sys.__displayhook__
