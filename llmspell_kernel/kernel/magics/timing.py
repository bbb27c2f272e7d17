"""``%time`` and ``%timeit``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llmspell_kernel.kernel.magics.table import Call, magic
from llmspell_kernel.session.outcome import Failed, Outcome, Succeeded

if TYPE_CHECKING:
    from llmspell_kernel.session.session import Session


@magic("%time code", "run code once and say how long it took; %%time times the whole cell")
async def _time(session: Session, call: Call) -> Outcome:
    started = time.perf_counter()
    outcome = await session.execute(
        call.body if call.body is not None else call.argument, call.surface, call.chunk
    )
    call.surface.stream("stdout", f"wall time: {_duration(time.perf_counter() - started)}\n")
    return outcome


_TIMED_SECONDS = 0.8


@magic("%timeit code", "run code many times and say how long one run takes")
async def _timeit(session: Session, call: Call) -> Outcome:
    code = (call.body if call.body is not None else call.argument).strip()
    outcome, form = await _timed(session, call, f"return {code}", 1), "return {}"
    if isinstance(outcome, Failed) and outcome.problem.ename == "LuaSyntaxError":
        outcome, form = await _timed(session, call, code, 1), "{}"
    loops, best, total = 1, float("inf"), 0.0
    while isinstance(outcome, float):
        best, total = min(best, outcome / loops), total + outcome
        if total >= _TIMED_SECONDS:
            call.surface.stream(
                "stdout", f"{_duration(best)} per run (best of several times {loops:,} runs)\n"
            )
            return Succeeded()
        if outcome < _TIMED_SECONDS / 8:
            loops, best = loops * 10, float("inf")
        outcome = await _timed(session, call, form.format(code), loops)
    assert not isinstance(outcome, int | float)
    return outcome


async def _timed(session: Session, call: Call, body: str, loops: int) -> float | Outcome:
    """Run `body` so many times; returns the CPU seconds that all runs took, or how it failed."""
    code = (
        f"local function timed() {body}\nend local begun = os.clock() "
        f"for _ = 1, {loops} do timed() end return string.format('%.9f', os.clock() - begun)"
    )
    outcome = await session.evaluate(code, call.surface)
    if isinstance(outcome, Succeeded) and outcome.bundle:
        return float(str(outcome.bundle["text/plain"]).strip('"'))
    return outcome


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
