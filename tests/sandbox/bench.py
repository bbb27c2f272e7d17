"""Runs a case through a session and judges what came of it."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmspell_kernel.config import Settings
from llmspell_kernel.errors import SpellError
from llmspell_kernel.session.outcome import Failed, Interrupted, RolledBack, Succeeded
from llmspell_kernel.session.session import Session

if TYPE_CHECKING:
    from corpus import Case

    from llmspell_kernel.session.outcome import Outcome

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

ENDINGS = {Succeeded: "ok", Failed: "error", Interrupted: "stopped", RolledBack: "rolled back"}


@dataclass
class Page:
    """A surface that keeps what a cell showed. Nobody answers questions."""

    text: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)

    def stream(self, name: str, text: str) -> None:
        if len(self.text) < 2_000_000:
            self.text += text

    def display(
        self, bundle: dict[str, Any], metadata: dict[str, Any], display_id: str | None, update: bool
    ) -> None:
        if len(self.shown) < 5_000:
            self.shown.append(bundle)

    def clear(self, wait: bool) -> None:
        pass

    async def ask(self, prompt: str, password: bool) -> str:
        raise SpellError("nobody answers here")


@dataclass
class Judged:
    """What a case came to, for the figures at the end."""

    case: Case
    ending: str
    seconds: float
    stopping: float | None
    """Seconds from the interrupt to the end."""


class Bench:
    """One session that serves the cases of one group, and is begun again when a case has spoilt it."""

    def __init__(self, settings: dict[str, str]) -> None:
        environment = {f"LLMSPELL_{name}": value for name, value in settings.items()}
        self.session = Session(Settings.load(None, environment))
        self._clean = False

    async def start(self) -> None:
        """Start the engine."""
        await self.session.start()

    async def close(self) -> None:
        """End it."""
        await self.session.close()

    async def judge(self, case: Case) -> Judged:
        """Run one case; raises `AssertionError` where it does not hold."""
        if not self._clean:
            await self._begin()
        self._clean = False
        if case.setup:
            await self._must(case.setup, "the setup failed")
        *before, source = case.sources
        for cell in before:
            await self._must(cell, f"a cell before failed: {cell}")
        page = Page()
        judged, outcome = await self._run(case, source, page)
        _check(case, judged, outcome, page)
        await self._check_after(case)
        self._clean = not case.fresh
        return judged

    async def _begin(self) -> None:
        await self.session.reset()
        await self._must(CANARY_SETUP, "the canary could not be set up")

    async def _must(self, source: str, complaint: str) -> Succeeded:
        page = Page()
        outcome = await self.session.execute(source, page, "cell")
        assert isinstance(outcome, Succeeded), f"{complaint}: {outcome}"
        return outcome

    async def _run(self, case: Case, source: str, page: Page) -> tuple[Judged, Outcome]:
        began = time.monotonic()
        task = asyncio.ensure_future(self.session.execute(source, page, "cell"))
        interrupted = None
        if case.interrupt:
            await asyncio.wait([task], timeout=INTERRUPT_AFTER)
            if not task.done():
                interrupted = time.monotonic()
                self.session.interrupt()
        limits = self.session.settings.limits
        patience = limits.grace + (limits.time or 0) + SLACK
        done, _ = await asyncio.wait([task], timeout=patience)
        if not done:
            await self.session.close()
            raise AssertionError(f"no answer in {patience} s")
        ended = time.monotonic()
        outcome = task.result()
        stopping = None if interrupted is None else ended - interrupted
        return Judged(case, ENDINGS[type(outcome)], ended - began, stopping), outcome

    async def _check_after(self, case: Case) -> None:
        if case.answers:
            await self._expect("1 + 1 == 2", "the session does not compute any more")
        elif case.canary:
            await self._expect(CANARY, "values of earlier cells are lost")
        if case.after:
            await self._expect(case.after, "what must hold afterwards does not")

    async def _expect(self, expression: str, complaint: str) -> None:
        outcome = await self._must(f"return {expression}", complaint)
        shown = outcome.bundle["text/plain"] if outcome.bundle else "nothing"
        assert shown == "true", f"{complaint}: {expression} is {shown}"


def _check(case: Case, judged: Judged, outcome: Outcome, page: Page) -> None:
    bundles = list(page.shown)
    problem = ""
    if isinstance(outcome, Succeeded):
        bundles += [outcome.bundle] if outcome.bundle else []
    else:
        problem = "\n".join([outcome.problem.ename, outcome.problem.evalue, *outcome.problem.traceback])
    plain = outcome.bundle.get("text/plain", "") if isinstance(outcome, Succeeded) and outcome.bundle else ""
    assert judged.ending in case.endings, f"ended {judged.ending}: {problem[:2000] or plain[:2000]}"
    check_shown(case, plain, problem, page.text, bundles)


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
