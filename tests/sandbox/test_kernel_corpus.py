"""A part of the corpus through a real kernel's sockets: what `test_corpus.py` shows of sessions holds there too.

The whole corpus takes some minutes, most of them waiting for limits. Here every 20th case of each category runs, in one
kernel with one set of limits; the cases that need a setting of their own are left to `test_corpus.py`.
"""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from bench import CANARY, CANARY_SETUP, INTERRUPT_AFTER, LEAKS, SECRET
from corpus import Case, categories, load
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.blocking.client import BlockingKernelClient

EVERY = 20
TIMEOUT = 60.0
SETTINGS = {
    "LLMSPELL_TIME_LIMIT": "3",
    "LLMSPELL_GRACE": "0.4",
    "LLMSPELL_MEMORY_LIMIT": "134217728",
    "LLMSPELL_HISTORY": "off",
}
SHARED = {"TIME_LIMIT", "GRACE", "MEMORY_LIMIT"}
CASES = [
    case
    for category in categories()
    for case in [case for case in load(category) if set(case.settings) <= SHARED][::EVERY]
]


class Client:
    """Runs cells in one kernel."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager = manager
        self._client = client
        self.clean = False

    def run(self, code: str, *, interrupt: bool = False) -> tuple[dict[str, Any], str, str]:
        """Run a cell; returns the reply, the text of its result and everything that it showed."""
        message = self._client.execute(code, allow_stdin=False, store_history=False)
        deadline = time.monotonic() + INTERRUPT_AFTER if interrupt else None
        shown, result, idle = [], "", False
        while not idle:
            if deadline is not None and time.monotonic() >= deadline:
                self._manager.interrupt_kernel()
                deadline = None
            if not self._client.iopub_channel.is_alive() or not self._client.iopub_channel.socket.poll(50):
                continue
            got = self._client.get_iopub_msg(timeout=TIMEOUT)
            if got["parent_header"].get("msg_id") != message:
                continue
            content = got["content"]
            if got["msg_type"] == "execute_result":
                result = content["data"]["text/plain"]
            shown.append(str(content))
            idle = got["msg_type"] == "status" and content["execution_state"] == "idle"
        while True:
            reply = self._client.get_shell_msg(timeout=TIMEOUT)
            if reply["parent_header"].get("msg_id") == message:
                return reply["content"], result, "\n".join(shown)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("kernel")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            patch.setenv(name, str(folder / name.lower()))
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
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


def holds(client: Client, expression: str) -> bool:
    return client.run(f"return {expression}")[1] == "true"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.category}-{case.id}")
def test_case(case: Case, client: Client) -> None:
    if not client.clean:
        assert client.run("%reset")[0]["status"] == "ok"
        assert client.run(CANARY_SETUP)[0]["status"] == "ok"
    client.clean = False
    *before, source = case.sources
    for cell in [case.setup, *before]:
        assert not cell or client.run(cell)[0]["status"] == "ok"
    reply, result, shown = client.run(source, interrupt=case.interrupt)
    assert ("ok" in case.endings) if reply["status"] == "ok" else case.endings - {"ok"}, reply
    told = "\n".join([reply.get("ename", ""), reply.get("evalue", ""), *reply.get("traceback", ())])
    assert not case.says or reply["status"] == "ok" or re.search(case.says, told), told
    assert not case.shows or re.search(case.shows, result), result
    assert SECRET not in shown
    assert case.leaks or not LEAKS.search(shown)
    if "are undone" in told:
        return  # where forks are dear, a checkpoint may be some cells old, and the error says so
    if case.answers:
        assert holds(client, "1 + 1 == 2")
    elif case.canary:
        assert holds(client, CANARY)
    assert not case.after or holds(client, case.after)
    client.clean = not case.fresh
