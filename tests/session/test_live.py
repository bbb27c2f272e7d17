"""The snapshot of names is taken when the engine is quiet, and never in the way of a cell."""

from __future__ import annotations

import asyncio
from typing import Any

from llmspell_kernel.language.live import KnownId
from llmspell_kernel.session import live as live_module
from llmspell_kernel.session.live import EngineLive


class Engine:
    """Answers with one name, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.busy = False

    async def query(self, module: str, function: str, *arguments: Any) -> Any:
        if self.busy:
            return None
        self.asked.append(function)
        return {"rows": [["seen", "number", "1"]], "locals": 0, "truncated": False}

    async def ids(self, kind: str, prefix: str) -> list[KnownId]:
        return []


async def test_a_cell_that_follows_at_once_is_not_kept_waiting(monkeypatch: Any) -> None:
    monkeypatch.setattr(live_module, "_SNAPSHOT_DELAY_SECONDS", 0.0)
    engine = Engine()
    live = EngineLive(engine.query, lambda: engine.busy, engine.ids)
    for _ in range(100):
        live.settle()
        live.forget()  # the next cell begins
    await asyncio.sleep(0.02)
    assert engine.asked == []


async def test_while_a_cell_runs_the_snapshot_answers_and_the_engine_is_left_alone(monkeypatch: Any) -> None:
    monkeypatch.setattr(live_module, "_SNAPSHOT_DELAY_SECONDS", 0.0)
    engine = Engine()
    live = EngineLive(engine.query, lambda: engine.busy, engine.ids)
    live.settle()
    while not engine.asked:
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    engine.busy = True
    names = await live.names("se")
    assert names is not None
    assert [row.name for row in names.rows] == ["seen"]
    assert engine.asked == ["snapshot"]
