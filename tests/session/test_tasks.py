"""Tasks in a real engine: stops reach them, and the session works after every stop."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.session.outcome import Interrupted, Succeeded

if TYPE_CHECKING:
    from conftest import Notebook

    from llmspell_kernel.session.outcome import Outcome

BUSY = [
    "while true do async(math.abs, 1) async.yield() end",
    "while true do local c = channel.make() async(function() c:send(1) end) c:receive() end",
    "while true do promise.all{promise.resolve(1), async(async.sleep, 0)}:await() end",
    "while true do table.sort({3, 2, 1}, function() async.sleep(0) end) end",
    "while true do coroutine.wrap(function() async(coroutine.yield):await() end)() end",
    "while true do pcall(async.await, async(error, 'x')) end",
    "while true do coroutine.wrap(function() end)() end",
]


async def interrupted(notebook: Notebook, code: str, seconds: float) -> Outcome:
    cell = asyncio.create_task(notebook.run(code))
    await asyncio.sleep(seconds)
    notebook.session.interrupt()
    return await cell


@pytest.mark.parametrize("code", BUSY)
async def test_a_stop_breaks_into_everything_and_breaks_nothing(notebook: Notebook, code: str) -> None:
    chance = random.Random(code)
    for _ in range(10):
        assert isinstance(await interrupted(notebook, code, chance.uniform(0.003, 0.03)), Interrupted)
        assert (
            await notebook.value("async(function() async.sleep(0) return 'works' end):await()") == '"works"'
        )


async def test_a_task_that_computes_is_stopped_and_its_cell_is_told(notebook: Notebook) -> None:
    outcome = await interrupted(notebook, "async(function() while true do end end) async.sleep(60)", 0.2)
    assert isinstance(outcome, Interrupted)
    assert notebook.last.err == "task 1 (cell 1:1) was stopped while it ran\n"


async def test_a_stop_reaches_the_cell_that_a_task_holds_up(notebook: Notebook) -> None:
    await notebook.run("busy = true async(function() while busy do async.yield() end end)")
    for _ in range(5):
        assert isinstance(await interrupted(notebook, "while true do end", 0.004), Interrupted)


async def test_a_task_goes_on_between_cells_and_writes_to_its_own(notebook: Notebook) -> None:
    await notebook.run("async(function() for i = 1, 3 do async.sleep(0.03) print('tick', i) end end)")
    first = notebook.last
    assert isinstance(await notebook.run("print('meanwhile')"), Succeeded)
    await asyncio.sleep(0.3)
    assert (first.out, notebook.last.out) == ("tick\t1\ntick\t2\ntick\t3\n", "meanwhile\n")
