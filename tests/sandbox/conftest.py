"""Benches for the corpus, and the figures it gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from bench import SECRET, Bench, Judged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from corpus import Case

_judged: list[Judged] = []


@pytest.fixture(scope="module", autouse=True)
def _planted_secret() -> object:
    """A key in the kernel process's environment, which nothing may show."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_TEST_API_KEY", SECRET)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def judge() -> AsyncIterator[Callable[[Case], Awaitable[None]]]:
    """Judge a case on a bench with its settings; benches live as long as the module."""
    benches: dict[str, Bench] = {}

    async def judge_case(case: Case) -> None:
        key = json.dumps(case.settings, sort_keys=True)
        if key not in benches:
            for name in list(benches):  # one engine at a time
                await benches.pop(name).close()
            benches[key] = Bench(case.settings)
            await benches[key].start()
        try:
            _judged.append(await benches[key].judge(case))
        except BaseException:
            await benches.pop(key).close()
            raise

    yield judge_case
    for bench in benches.values():
        await bench.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _judged:
        return
    attacks = [judged for judged in _judged if judged.case.category != "benign"]
    kinds = {"stopped": "soft stops", "rolled back": "hard kills"}
    stopping = {
        ending: sorted(
            (judged.stopping or 0, judged.case.id) for judged in attacks if judged.ending == ending
        )
        for ending in kinds
    }
    terminalreporter.section("sandbox corpus")
    terminalreporter.line(f"{len(attacks)} attacks held, {len(_judged) - len(attacks)} benign pieces ran")
    for ending, times in stopping.items():
        if times:
            (median, _), (longest, name) = times[len(times) // 2], times[-1]
            terminalreporter.line(
                f"{len(times)} {kinds[ending]}: median {median * 1000:.0f} ms, longest {longest * 1000:.0f} ms ({name})"
            )
    slowest = max(_judged, key=lambda judged: judged.seconds)
    terminalreporter.line(f"slowest: {slowest.case.category}/{slowest.case.id}, {slowest.seconds:.2f} s")
