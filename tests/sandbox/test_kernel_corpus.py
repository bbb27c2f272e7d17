"""The whole corpus through a real kernel's sockets: what a person's notebook shows, and what it keeps.

`test_corpus.py` runs it through sessions too, and measures there how fast what runs was stopped.
"""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from bench import CANARY, CANARY_SETUP, INTERRUPT_AFTER, SECRET, check_shown
from corpus import Case, categories, load
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jupyter_client.blocking.client import BlockingKernelClient

TIMEOUT = 60.0
STAYS = "what the cell did until then stays"
ROLLED_BACK = re.compile("the session is as it was before|are undone")
CASES = [case for category in categories() for case in load(category)]


@dataclass
class Ran:
    """What a kernel said of a cell."""

    reply: dict[str, Any] = field(default_factory=dict[str, Any])
    plain: str = ""
    """Its result as plain text."""
    printed: str = ""
    bundles: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """All that it displayed."""

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """Take what came over iopub."""
        if kind == "stream":
            self.printed += content["text"]
        elif "data" in content:
            self.bundles.append(content["data"])
            if kind == "execute_result":
                self.plain = content["data"]["text/plain"]

    @property
    def ok(self) -> bool:
        return self.reply["status"] == "ok"

    @property
    def problem(self) -> str:
        """Its error as the notebook shows it."""
        told = self.reply
        return "" if self.ok else "\n".join([told["ename"], told["evalue"], *told["traceback"]])

    @property
    def ending(self) -> str:
        """How it ended, by the names of the corpus."""
        if self.ok:
            return "ok"
        if ROLLED_BACK.search(self.problem):
            return "rolled back"
        return "stopped" if STAYS in self.problem else "error"


class Client:
    """Runs cells in one kernel."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager = manager
        self._client = client
        self.clean = False

    def run(self, code: str, *, interrupt: bool = False) -> Ran:
        """Run a cell."""
        message = self._client.execute(code, allow_stdin=False, store_history=False)
        began = time.monotonic()
        ran, idle = Ran(), False
        while not idle:
            if interrupt and time.monotonic() - began >= INTERRUPT_AFTER:
                self._manager.interrupt_kernel()
                interrupt = False
            assert time.monotonic() - began < TIMEOUT, "the kernel does not answer"
            if not self._client.iopub_channel.socket.poll(50):
                continue
            got = self._client.get_iopub_msg(timeout=TIMEOUT)
            if got["parent_header"].get("msg_id") == message:
                ran.take(got["msg_type"], got["content"])
                idle = got["content"].get("execution_state") == "idle"
        while True:
            reply = self._client.get_shell_msg(timeout=TIMEOUT)
            if reply["parent_header"].get("msg_id") == message:
                ran.reply = reply["content"]
                return ran


@contextmanager
def kernel(folder: Path, settings: dict[str, str]) -> Iterator[Client]:
    """A kernel under these settings, in folders of its own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            patch.setenv(name, str(folder / name.lower()))
        for name, value in {"HISTORY": "off", **settings}.items():
            patch.setenv(f"LLMSPELL_{name}", value)
        patch.setenv("SANDBOX_TEST_API_KEY", SECRET)
        manager = KernelManager()
        manager._kernel_spec = KernelSpec(
            argv=[sys.executable, "-P", "-m", "llmspell_kernel", "-f", "{connection_file}"],
            display_name="LLMSpell Lua",
            language="lua",
            interrupt_mode="message",
        )
        manager.start_kernel(cwd=str(folder))
        blocking = manager.blocking_client()
        blocking.start_channels()
        blocking.wait_for_ready(timeout=TIMEOUT)
        yield Client(manager, blocking)
        blocking.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.context.destroy(linger=0)


@pytest.fixture(scope="module")
def client_for(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Case], Client]]:
    """The kernel under the settings of a case: one at a time, for as long as the cases that follow have the same."""
    with ExitStack() as stack:
        running: dict[str, Client] = {}

        def find(case: Case) -> Client:
            key = json.dumps(case.settings, sort_keys=True)
            if key not in running:
                running.clear()
                stack.close()
                running[key] = stack.enter_context(kernel(tmp_path_factory.mktemp("kernel"), case.settings))
            return running[key]

        yield find


def holds(client: Client, expression: str) -> bool:
    return client.run(f"return {expression}").plain == "true"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.category}-{case.id}")
def test_case(case: Case, client_for: Callable[[Case], Client]) -> None:
    client = client_for(case)
    if not client.clean:
        assert client.run("%reset").ok
        assert client.run(CANARY_SETUP).ok
    client.clean = False
    *before, source = case.sources
    for cell in [case.setup, *before]:
        assert not cell or client.run(cell).ok
    ran = client.run(source, interrupt=case.interrupt)
    assert ran.ending in case.endings, f"ended {ran.ending}: {ran.problem[:2000] or ran.plain[:2000]}"
    check_shown(case, ran.plain, ran.problem, ran.printed, ran.bundles)
    undone = (
        "are undone" in ran.problem
    )  # where forks are dear, a checkpoint may be some cells old: the error says so
    if case.answers or undone:
        assert holds(client, "1 + 1 == 2")
    elif case.canary:
        assert holds(client, CANARY)
    assert undone or not case.after or holds(client, case.after)
    client.clean = not (case.fresh or undone)
