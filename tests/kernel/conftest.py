"""The kernel as a client sees it: a real process behind real sockets."""

from __future__ import annotations

import queue
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from pathlib import Path

    from jupyter_client.blocking.client import BlockingKernelClient

TIMEOUT = 30.0


@dataclass
class Ran:
    """What one execution sent."""

    reply: dict[str, Any]
    messages: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Contents of the iopub messages of one type."""
        return [m["content"] for m in self.messages if m["msg_type"] == kind]

    def text(self, name: str = "stdout") -> str:
        """All text written to one stream."""
        return "".join(c["text"] for c in self.of("stream") if c["name"] == name)

    @property
    def result(self) -> str | None:
        """Plain text of the execute_result."""
        results = self.of("execute_result")
        return results[0]["data"]["text/plain"] if results else None


class Console:
    """A client that runs cells and keeps every message."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.overheard: Callable[[dict[str, Any]], object] = lambda _message: None
        """Gets the messages of others that came while a cell was waited for."""

    def start(self, code: str, **options: Any) -> str:
        """Send a cell without waiting."""
        return self.client.execute(code, **options)

    def finish(
        self, message_id: str, hear: Callable[[dict[str, Any]], object] = lambda _message: None
    ) -> Ran:
        """Wait for the reply and for idle; `hear` gets each message as it comes."""
        messages: list[dict[str, Any]] = []
        while True:
            message = self.client.get_iopub_msg(timeout=TIMEOUT)
            if message["parent_header"].get("msg_id") != message_id:
                self.overheard(message)
                continue
            messages.append(message)
            hear(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        while True:
            reply = self.client.get_shell_msg(timeout=TIMEOUT)
            if reply["parent_header"].get("msg_id") == message_id:
                return Ran(reply["content"], messages)

    def run(self, code: str, **options: Any) -> Ran:
        """Run a cell to its end."""
        return self.finish(self.start(code, **options))

    def quiet(self) -> bool:
        """Whether nothing more arrives on iopub."""
        try:
            self.client.get_iopub_msg(timeout=0.2)
        except queue.Empty:
            return True
        return False


Open = Callable[..., Console]


@pytest.fixture
def open_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Start kernels in an empty folder, with private Jupyter folders and given variables."""
    consoles: list[Console] = []
    for name in (
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "JUPYTER_CONFIG_DIR",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
    ):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))

    def opened(**environ: str) -> Console:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        manager = KernelManager()
        manager._kernel_spec = KernelSpec(
            argv=[sys.executable, "-P", "-m", "llmspell_kernel", "-f", "{connection_file}"],
            display_name="LLMSpell Lua",
            language="lua",
            interrupt_mode="message",
        )
        manager.start_kernel(cwd=str(tmp_path))
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=TIMEOUT)
        consoles.append(Console(manager, client))
        return consoles[-1]

    yield opened
    for console in consoles:
        console.client.stop_channels()
        console.manager.shutdown_kernel(now=True)
        console.manager.context.destroy(linger=0)


@pytest.fixture
def console(open_kernel: Open) -> Console:
    """A kernel under default settings."""
    return open_kernel()
