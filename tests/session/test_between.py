"""What runs between cells, callbacks and timers, can be stopped as cells can, and costs nobody a variable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.errors import EngineError
from llmspell_kernel.session.outcome import RolledBack

from .test_references import Held

if TYPE_CHECKING:
    from .conftest import Notebook, Offer, Open

SETUP = "keep = {n = 41} local hidden = 7 function reveal() return hidden end turns = 0"
HOLDS = "return keep.n == 41 and reveal() == 7"
ENDLESS = "turns = turns + 1 while true do pcall(function() while true do end end) end"
STUCK = "turns = turns + 1 string.find(('a'):rep(3000), '.-.-.-.-.-b')"


@pytest.fixture
async def planted(open_notebook: Open) -> Notebook:
    notebook: Notebook = await open_notebook(grace="0.3")
    await notebook.run(SETUP)
    return notebook


async def answers(notebook: Notebook) -> bool:
    try:
        await asyncio.wait_for(notebook.session._client.query("engine", "reused"), 0.3)
    except TimeoutError:
        return False
    return True


async def timer(notebook: Notebook, body: str) -> None:
    """Have `body`, which keeps the engine busy, run after the cell has ended."""
    await notebook.run(f"async(function() async.sleep(0.05) {body} end);")
    while await answers(notebook):
        await asyncio.sleep(0.02)


async def settled(notebook: Notebook) -> None:
    while notebook.session._stopping._asking is not None:
        await asyncio.sleep(0.01)


async def test_an_interrupt_ends_a_timer_that_never_ends(planted: Notebook) -> None:
    engine = planted.session._client.pid
    await timer(planted, ENDLESS)
    planted.session.interrupt()
    await settled(planted)
    assert await planted.value(HOLDS) == "true"
    assert await planted.value("turns") == "1"
    assert planted.session._client.pid == engine


async def test_an_interrupt_ends_a_callback_that_never_ends(open_notebook: Open, offer: Offer) -> None:
    offer(Held)
    notebook: Notebook = await open_notebook(grace="0.3")
    await notebook.run(f"{SETUP} held.keep('f', function() {ENDLESS} end)")
    engine = notebook.session._client.pid
    call = asyncio.create_task(notebook.session.invoke(Held.last.functions["f"]))
    await asyncio.sleep(0.1)
    notebook.session.interrupt()
    with pytest.raises(EngineError, match="stopped by an interrupt"):
        await asyncio.wait_for(call, 10)
    await settled(notebook)
    assert await notebook.value(HOLDS) == "true"
    assert await notebook.value("turns") == "1"
    assert notebook.session._client.pid == engine


async def test_what_hears_no_interrupt_between_cells_is_killed_after_the_grace(planted: Notebook) -> None:
    engine = planted.session._client.pid
    await timer(planted, STUCK)
    planted.session.interrupt()
    await settled(planted)
    assert await planted.value(HOLDS) == "true"
    assert planted.session._client.pid != engine


async def test_a_second_interrupt_between_cells_does_not_wait(open_notebook: Open) -> None:
    notebook: Notebook = await open_notebook(grace="60")
    await notebook.run(SETUP)
    await timer(notebook, STUCK)
    notebook.session.interrupt()
    await asyncio.sleep(0.05)
    notebook.session.interrupt()
    await asyncio.wait_for(settled(notebook), 10)
    assert await notebook.value(HOLDS) == "true"


async def test_a_cell_behind_it_is_rolled_back_with_it(planted: Notebook) -> None:
    await timer(planted, STUCK)
    planted.session.interrupt()
    outcome = await asyncio.wait_for(planted.run("keep.n = 0"), 20)
    assert isinstance(outcome, RolledBack)
    assert await planted.value(HOLDS) == "true"


async def test_the_time_limit_is_for_timers_too(open_notebook: Open) -> None:
    notebook: Notebook = await open_notebook(grace="0.3", time_limit="1")
    await notebook.run(SETUP)
    engine = notebook.session._client.pid
    await timer(notebook, ENDLESS)
    while not await answers(notebook):
        pass
    assert await notebook.value(HOLDS) == "true"
    assert notebook.session._client.pid == engine
    await timer(notebook, STUCK)
    while not notebook.session._stopping.runaway:
        await asyncio.sleep(0.02)
    assert await notebook.value(HOLDS) == "true"
    assert notebook.session._client.pid != engine


async def test_an_interrupt_while_nothing_runs_changes_nothing(planted: Notebook) -> None:
    engine = planted.session._client.pid
    for _ in range(3):
        planted.session.interrupt()
        await asyncio.sleep(0.02)
    await settled(planted)
    assert await planted.value(HOLDS) == "true"
    assert planted.session._client.pid == engine
