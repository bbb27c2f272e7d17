"""spell: results are shown, and ending it ends the cell, never the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.session.outcome import Failed, Succeeded

from .spells import server, spells

if TYPE_CHECKING:
    from .conftest import Notebook
    from .spells import Spells

__all__ = ("server", "spells")

module_loop = pytest.mark.asyncio(loop_scope="module")


async def test_an_output_is_shown_and_kept(notebook: Notebook) -> None:
    await notebook.value("spell.output({1, 2}) spell.output('hi', 'greeting')")
    assert [bundle["text/plain"] for bundle, _, _ in notebook.last.shown] == ["{1, 2}", '"hi"']
    assert await notebook.value("spell.outputs()[1][2], spell.outputs().greeting") == '2\t"hi"'


async def test_exit_ends_the_cell_and_no_more(notebook: Notebook) -> None:
    assert isinstance(await notebook.run("x = 1 spell.exit(0, 'nothing to do') x = 2"), Succeeded)
    assert notebook.last.out == "nothing to do\n"
    outcome = await notebook.run("pcall(spell.exit, 3, 'no room') x = 3")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == "exit code 3"
    assert notebook.last.err == "no room\n"
    assert await notebook.value("x") == "1"


LEAVING = [
    "async(function() spell.exit(5) end):await()",
    "pcall(async.await, async(function() pcall(spell.exit, 5) end))",
    "promise.new(function() spell.exit(5) end)",
    "for i = 1, 200 do async(function() if i == 3 then os.exit(5) end end) end async.sleep(600)",
    "table.sort({2, 1}, function() async.sleep(0) spell.exit(5) end)",
    "local e = events.create_emitter() e:on('x', function() spell.exit(5) end) e:emit('x')",
    "errors.retry(function() async.sleep(0) spell.exit(5) end)",
    "coroutine.wrap(function() spell.exit(5) end)()",
]


@module_loop
@pytest.mark.parametrize("code", LEAVING)
async def test_exit_ends_the_cell_wherever_it_is_called_in_it(spells: Spells, code: str) -> None:
    outcome = await spells.run(f"{code} print('not reached')")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == "exit code 5"
    assert (spells.last.out, spells.last.err) == ("", "")


@module_loop
async def test_a_task_that_has_outlived_its_cell_ends_alone(spells: Spells) -> None:
    await spells.run("gate = channel.make() async(function() gate:receive() spell.exit(5, 'no room') end)")
    first = spells.last
    assert await spells.shown("gate:send(1) async.sleep(0.01) print('goes on')") == "goes on\n"
    assert first.err.startswith("no room\n")
    assert "exit code 5" in first.err
    await spells.run("async(function() gate:receive() spell.exit() end)")
    first = spells.last
    assert await spells.shown("gate:send(1) async.sleep(0.01) print('goes on')") == "goes on\n"
    assert (first.out, first.err) == ("", "")


CACHED = """
local calls, gate = 0, channel.make()
local function make() calls = calls + 1 gate:receive() if calls == 1 then error("first", 0) end return calls end
local tasks = {}
for i = 1, 4 do tasks[i] = async(function() return spell.cache("shared", make) end) end
gate:send(1) gate:send(2)
local all = promise.all_settled(tasks):await()
print(all[1].reason, all[2].value, all[3].value, all[4].value, calls)
print(spell.cache("none", function() return nil, "why" end))
print(spell.cache("own", function() return spell.cache("own", function() return "inner" end) end))
"""


@module_loop
async def test_tasks_that_ask_the_cache_at_once_share_one_call(spells: Spells) -> None:
    assert await spells.shown(CACHED) == "first\t2\t2\t2\t2\nnil\twhy\ninner\n"


async def test_a_plain_notebook_has_empty_parameters(notebook: Notebook) -> None:
    assert await notebook.value("next(params), ARGS == params, arg == params") == "nil\ttrue\ttrue"
