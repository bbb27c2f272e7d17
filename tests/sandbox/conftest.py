"""Benches for the corpus, and the figures it gives."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from bench import Bench, Judged, kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corpus import Case

_judged: list[Judged] = []


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Case], None]]:
    """Judge a case in a kernel with its settings; one kernel at a time lives as long as the cases have the same."""
    benches: dict[str, Bench] = {}
    with ExitStack() as stack:

        def judge_case(case: Case) -> None:
            key = json.dumps(case.settings, sort_keys=True)
            if key not in benches:
                benches.clear()
                stack.close()
                benches[key] = stack.enter_context(kernel(tmp_path_factory.mktemp("kernel"), case.settings))
            try:
                _judged.append(benches[key].judge(case))
            except BaseException:
                benches.clear()
                raise

        yield judge_case


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
