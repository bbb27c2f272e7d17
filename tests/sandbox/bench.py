"""Runs a case in a real kernel, over its Jupyter sockets, and judges what came of it."""

from __future__ import annotations

import re
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corpus import Case
    from jupyter_client.blocking.client import BlockingKernelClient

SECRET = "sk-planted-0123456789"

CANARY_SETUP = """
keep = {n = 41}
local hidden = 7
function reveal() return hidden end
canary_gen = coroutine.wrap(function() while true do coroutine.yield("held") end end)
"""
CANARY = 'keep.n == 41 and reveal() == 7 and canary_gen() == "held"'

INTERRUPT_AFTER = 0.1
SLACK = 10.0
"""Seconds that a case may take on a busy machine beyond its limits; what stopping took is told at the end."""

LEAKS = re.compile(
    r"site-packages|Traceback \(most recent call last\)|\blupa\b|worker\.py|llmspell boot|llmspell_kernel/"
)
LIVE_MARKUP = re.compile(r"<script>PWNED|<img[^>]*onerror=PWNED")

PLAIN_MAX, MARKUP_MAX, PROBLEM_MAX = 1_000_000, 4_000_000, 300_000

READY_SECONDS = 60.0
STAYS = "what the cell did until then stays"
ROLLED_BACK = re.compile("the session is as it was before|are undone")


@dataclass
class Judged:
    """What a case came to, for the figures at the end."""

    case: Case
    ending: str
    seconds: float
    stopping: float | None
    """Seconds from the interrupt until the kernel was idle."""


@dataclass
class Ran:
    """What a kernel said of a cell."""

    reply: dict[str, Any] = field(default_factory=dict[str, Any])
    plain: str = ""
    """Its result as plain text."""
    printed: str = ""
    bundles: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """All that it displayed."""
    seconds: float = 0.0
    stopping: float | None = None
    """Seconds from the interrupt to the end, None if there was none."""

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """Take what came over iopub."""
        if kind == "stream":
            self.printed += content["text"]
        elif "data" in content:
            self.bundles.append(content["data"])
            if kind == "execute_result":
                self.plain = content["data"]["text/plain"]

    @property
    def problem(self) -> str:
        """Its error as the notebook shows it."""
        told = self.reply
        return "" if self.ending == "ok" else "\n".join([told["ename"], told["evalue"], *told["traceback"]])

    @property
    def ending(self) -> str:
        """How it ended, by the names of the corpus."""
        if self.reply["status"] == "ok":
            return "ok"
        traceback = "\n".join(self.reply["traceback"])
        if ROLLED_BACK.search(traceback):
            return "rolled back"
        return "stopped" if STAYS in traceback else "error"


@contextmanager
def kernel(folder: Path, settings: dict[str, str]) -> Iterator[Bench]:
    """Start a kernel under these settings, in folders of its own."""
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
        client = manager.blocking_client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=READY_SECONDS)
            yield Bench(
                manager, client, float(settings.get("GRACE", 1)) + float(settings.get("TIME_LIMIT", 0))
            )
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.context.destroy(linger=0)


class Bench:
    """One kernel that serves the cases of one group, and is reset when a case has spoilt it."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient, limits: float) -> None:
        """Serve cases; what runs is to end by itself `limits` seconds after it began, or was interrupted."""
        self._manager = manager
        self._client = client
        self._patience = limits + SLACK
        self._clean = False

    def judge(self, case: Case) -> Judged:
        """Run one case; raises `AssertionError` where it does not hold."""
        if not self._clean:
            self._must("%reset", "the session could not be reset")
            self._must(CANARY_SETUP, "the canary could not be set up")
        self._clean = False
        *before, source = case.sources
        for cell in [case.setup, *before]:
            self._must(cell, f"a cell before failed: {cell}")
        ran = self._run(source, interrupt=case.interrupt)
        assert ran.ending in case.endings, f"ended {ran.ending}: {ran.problem[:2000] or ran.plain[:2000]}"
        check_shown(case, ran.plain, ran.problem, ran.printed, ran.bundles)
        undone = (
            "are undone" in ran.problem
        )  # with it cells before this one, and what they made: the error says so
        if case.answers or undone:
            self._expect("1 + 1 == 2", "the session does not compute any more")
        elif case.canary:
            self._expect(CANARY, "values of earlier cells are lost")
        if case.after and not undone:
            self._expect(case.after, "what must hold afterwards does not")
        self._clean = not (case.fresh or undone)
        return Judged(case, ran.ending, ran.seconds, ran.stopping)

    def _must(self, source: str, complaint: str) -> Ran:
        ran = self._run(source) if source else Ran({"status": "ok"})
        assert ran.ending == "ok", f"{complaint}: {ran.problem}"
        return ran

    def _expect(self, expression: str, complaint: str) -> None:
        shown = self._must(f"return {expression}", complaint).plain
        assert shown == "true", f"{complaint}: {expression} is {shown}"

    def _run(self, code: str, *, interrupt: bool = False) -> Ran:
        message = self._client.execute(code, allow_stdin=False, store_history=False)
        began = time.monotonic()
        interrupted = None
        ran, idle = Ran(), False
        while not idle:
            if interrupt and interrupted is None and time.monotonic() - began >= INTERRUPT_AFTER:
                interrupted = time.monotonic()
                self._manager.interrupt_kernel()
            assert time.monotonic() - (interrupted or began) < self._patience, "the kernel does not answer"
            if not self._client.iopub_channel.socket.poll(10):
                continue
            got = self._client.get_iopub_msg(timeout=SLACK)
            if got["parent_header"].get("msg_id") == message:
                ran.take(got["msg_type"], got["content"])
                idle = got["content"].get("execution_state") == "idle"
        ended = time.monotonic()
        ran.seconds, ran.stopping = ended - began, interrupted and ended - interrupted
        while True:
            reply = self._client.get_shell_msg(timeout=SLACK)
            if reply["parent_header"].get("msg_id") == message:
                ran.reply = reply["content"]
                return ran


def check_shown(case: Case, plain: str, problem: str, printed: str, bundles: list[dict[str, Any]]) -> None:
    """Check what a case showed: its result as plain text, its error, its output, and all its bundles."""
    for name, text, pattern in (
        ("shows", plain, case.shows),
        ("says", problem, case.says),
        ("prints", printed, case.prints),
    ):
        assert not pattern or re.search(pattern, text), f"{name} {text[:2000]!r}, not {pattern!r}"
    everything = "\n".join([printed, problem, *(str(part) for bundle in bundles for part in bundle.values())])
    assert not case.never or not re.search(case.never, everything), f"{case.never!r} appears"
    assert SECRET not in everything, "a secret of the kernel process appears"
    if not case.leaks:
        leak = LEAKS.search(everything)
        assert not leak, (
            f"something of the inside shows: {everything[max(0, leak.start() - 100) : leak.end() + 100]!r}"
        )
    _check_sizes(bundles, problem)


def _check_sizes(bundles: list[dict[str, Any]], problem: str) -> None:
    for bundle in bundles:
        assert len(bundle.get("text/plain", "")) <= PLAIN_MAX
        for kind in ("text/html", "text/markdown"):
            assert len(bundle.get(kind, "")) <= MARKUP_MAX
        live = LIVE_MARKUP.search(bundle.get("text/html", ""))
        assert not live, f"markup of the cell is live: {live}"
    assert len(problem) <= PROBLEM_MAX, f"an error of {len(problem)} characters"
