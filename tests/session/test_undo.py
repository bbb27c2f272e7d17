"""Going back: before the last cells, to a named checkpoint, and after an engine that died."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from llmspell_kernel.errors import SpellError
from llmspell_kernel.kernel.magics import Magics
from llmspell_kernel.session.outcome import RolledBack, Succeeded

from .conftest import Notebook, Offer, Open, Recorder
from .test_references import Counter, Held, collected


@pytest.fixture
async def held(open_notebook: Open, offer: Offer) -> Notebook:
    offer(Held)
    Counter.closed = []
    return await open_notebook()


def cells_of(notebook: Notebook) -> list[list[str]]:
    return [point.cells for point in notebook.session.checkpoints.points]


async def test_undo_takes_back_globals_locals_closures_and_coroutines(notebook: Notebook) -> None:
    await notebook.run("x = 1 local n = 10 function up() n = n + 1 return n end")
    await notebook.run("gen = coroutine.wrap(function() for i = 1, 9 do coroutine.yield(i) end end)")
    assert await notebook.value("x, n, gen()") == "1\t10\t1"
    await notebook.run("x = 2 up() gen()")
    await notebook.run("y = 'new' local n = 99")
    undone = await notebook.session.undo(2)
    assert undone.cells == ("cell 4", "cell 5")
    assert await notebook.value("x, n, up(), gen(), y") == "1\t10\t11\t2\tnil"


async def test_undo_goes_on_step_by_step_and_then_says_that_there_is_no_more(notebook: Notebook) -> None:
    for value in range(4):
        await notebook.run(f"x = {value}")
    assert (await notebook.session.undo()).cells == ("cell 4",)
    assert (await notebook.session.undo()).cells == ("cell 3",)
    await notebook.run("x = x + 10")
    assert await notebook.value("x") == "11"
    assert (await notebook.session.undo(3)).cells == ("cell 2", "cell 5", "cell 6")
    with pytest.raises(SpellError, match="right before the last 2 cells") as caught:
        await notebook.session.undo(2)
    assert caught.value.suggestion is not None
    assert "the last 1" in caught.value.suggestion
    await notebook.session.undo()
    with pytest.raises(SpellError, match="no cell has run"):
        await notebook.session.undo()
    assert await notebook.value("x") is None


async def test_as_many_cells_can_be_undone_as_the_settings_say(open_notebook: Open) -> None:
    notebook = await open_notebook(checkpoints_undo="2")
    for value in range(5):
        await notebook.run(f"x = {value}")
    await asyncio.sleep(0.1)
    assert cells_of(notebook) == [["cell 4"], ["cell 5"], []]
    await notebook.session.undo(2)
    assert await notebook.value("x") == "2"


async def test_checkpoints_keep_within_their_memory(open_notebook: Open) -> None:
    notebook = await open_notebook(checkpoints_memory="8MB")
    await notebook.run("t = {} for i = 1, 200000 do t[i] = i end")
    for value in range(4):
        await notebook.run(f"for i = 1, #t do t[i] = i + {value} end")
        await asyncio.sleep(0.05)
    assert len(cells_of(notebook)) < 5
    await notebook.session.undo()
    assert await notebook.value("t[1]") == "3"


async def test_a_named_checkpoint_stays_until_it_is_let_go(notebook: Notebook) -> None:
    session = notebook.session
    await notebook.run("x = 'first'")
    await session.keep("one")
    for value in range(3):
        await notebook.run(f"x = {value}")
        undone = await session.restore("one")
        assert undone.cells == (f"cell {notebook.count}",)
        assert await notebook.value("x") == '"first"'
        await session.undo()
    await notebook.run("x = nil")
    await session.keep("two")
    assert (await session.restore("one")).names == ("two",)
    with pytest.raises(SpellError, match="there is no checkpoint 'two'"):
        await session.restore("two")
    assert session.checkpoints.unname("one")
    assert not session.checkpoints.unname("one")


async def test_a_name_is_kept_beyond_the_number_of_undos(open_notebook: Open) -> None:
    notebook = await open_notebook(checkpoints_undo="1")
    await notebook.run("x = 1")
    await notebook.session.keep("early")
    for value in range(4):
        await notebook.run(f"x = {value + 10}")
    undone = await notebook.session.restore("early")
    assert undone.cells == ("cell 2", "cell 3", "cell 4", "cell 5")
    assert await notebook.value("x") == "1"


async def test_functions_and_objects_of_undone_cells_are_gone_and_earlier_ones_are_back(
    held: Notebook,
) -> None:
    await held.run("old = held.counter('old') held.keep('f', function() return 'kept' end)")
    await held.run("new = held.counter('new') held.keep('g', function() return 'undone' end)")
    await held.run("old = nil held.drop('f') collectgarbage()")
    await held.session.undo(2)
    await asyncio.sleep(0.01)
    assert Counter.closed == ["new"]
    assert await held.value("old:add(), new") == "1\tnil"
    with pytest.raises(SpellError, match="was undone"):
        await Held.last.host.invoke(Held.last.functions["g"])
    await held.run("held.keep('h', function() return 'later' end)")
    assert await held.value("held.call('h')") == '"later"'


async def test_an_object_is_closed_once_it_cannot_come_back(open_notebook: Open, held: Notebook) -> None:
    await held.run("c = held.counter('c')")
    await held.run("c = nil")
    await collected(held)
    assert Counter.closed == []
    for _ in range(12):
        await held.run("x = 1")
    await asyncio.sleep(0.1)
    assert Counter.closed == ["c"]


async def test_a_call_under_way_goes_on_or_ends_with_the_cell_that_made_it(notebook: Notebook) -> None:
    await notebook.run("early = async.spawn(function() async.sleep(0.3) return 'early' end)")
    await notebook.run("done = {} async.spawn(function() async.sleep(0.1) done[1] = 'late' end)")
    await notebook.session.undo()
    assert await notebook.value("early:await(), done") == '"early"\tnil'


async def test_help_and_variables_follow_undo(notebook: Notebook) -> None:
    await notebook.run("alpha_one = 1")
    await notebook.run("alpha_two = 2")
    await notebook.session.undo()
    assert list(notebook.session.sources) == ["cell 1"]
    found = await notebook.session.complete("alpha_", 6, {})
    assert found.matches == ["alpha_one"]
    variables = await notebook.session.variables()
    assert variables is not None
    assert [variable.name for variable in variables.variables] == ["alpha_one"]


async def test_what_happened_outside_is_told(notebook: Notebook) -> None:
    await notebook.run("x = 1")
    notebook.session.acted("POST https://example.org/a")
    await notebook.run("x = 2")
    notebook.session.acted("POST https://example.org/b")
    notebook.session.acted("POST https://example.org/b")
    undone = await notebook.session.undo()
    assert undone.acts == (("POST https://example.org/b", 2),)


async def test_the_magics_say_what_was_undone_and_what_was_not(notebook: Notebook) -> None:
    magics = Magics(notebook.session)

    async def magic(code: str) -> str:
        surface = Recorder()
        outcome = await magics.run(code, surface, "cell 9")
        assert isinstance(outcome, Succeeded)
        return surface.out + (outcome.bundle["text/plain"] if outcome.bundle else "")

    await notebook.run("x = 1")
    assert await magic("%checkpoint start") == "kept as 'start'; %restore start goes back to it\n"
    await notebook.run("x = 2")
    notebook.session.acted("wrote out.txt")
    await notebook.run("x = 3")
    assert [line.split("  ")[0] for line in (await magic("%checkpoints")).splitlines()] == [
        "before cell 1",
        "before cell 2",
        "before cell 3",
    ]
    assert await magic("%undo 2") == (
        "back before cell 2: cell 2 and cell 3 are undone\n"
        "not undone, for it happened outside the session:\n  wrote out.txt\n"
    )
    assert await magic("%restore start") == "back; no cell had run since\n"
    assert await notebook.value("x") == "1"
    await magic("%checkpoint --delete start")
    for wrong in ("%undo x", "%undo 0", "%checkpoint", "%checkpoint a b", "%restore start", "%restore 'x"):
        with pytest.raises(SpellError):
            await magic(wrong)


async def test_nothing_is_undone_while_a_cell_runs(notebook: Notebook) -> None:
    cell = asyncio.create_task(notebook.run("while true do end"))
    await asyncio.sleep(0.1)
    with pytest.raises(SpellError, match="a cell is running"):
        await notebook.session.undo()
    notebook.session.interrupt()
    await cell


async def test_recovery_falls_back_to_an_older_checkpoint_where_the_last_is_dead(notebook: Notebook) -> None:
    await notebook.run("x = 1")
    await notebook.run("x = 2")
    await asyncio.sleep(0.1)
    last = notebook.session.checkpoints.points[-1]
    os.kill((await last.copy).pid, signal.SIGKILL)
    os.kill(notebook.session._client.pid, signal.SIGKILL)
    await asyncio.sleep(0.1)
    assert await notebook.value("x") == "1"
    assert "ended between two cells; undone with it: cell 2" in notebook.last.err


async def test_cells_that_share_a_checkpoint_are_rolled_back_together_and_say_so(notebook: Notebook) -> None:
    await notebook.run("x = 1")
    notebook.session.checkpoints.fork_seconds = 1.0  # as of a very large state
    await notebook.run("x = 2")
    await notebook.run("x = 3")
    cell = asyncio.create_task(notebook.run("while true do end"))
    await asyncio.sleep(0.1)
    os.kill(notebook.session._client.pid, signal.SIGKILL)
    outcome = await cell
    assert isinstance(outcome, RolledBack)
    assert (
        "the session is as it was before cell 1: cell 1, cell 2, cell 3 and cell 4 are undone"
        in outcome.problem.traceback[1]
    )
    assert await notebook.value("x") is None


async def test_without_checkpoints_undo_says_so(open_notebook: Open) -> None:
    notebook = await open_notebook(checkpoints="off")
    await notebook.run("x = 1")
    with pytest.raises(SpellError, match="there are no checkpoints here"):
        await notebook.session.undo()
