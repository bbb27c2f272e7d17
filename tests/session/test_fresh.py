"""Fresh states: after a reset, and for programs that must not touch the session."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from llmspell_kernel.errors import SpellError
from llmspell_kernel.session.outcome import RolledBack, Succeeded
from llmspell_kernel.session.session import Session

from .conftest import Notebook, Open, Recorder


async def shown(session: Session, code: str) -> Any:
    outcome = await session.execute(code, Recorder(), "spell.lua")
    assert isinstance(outcome, Succeeded), outcome
    return outcome.bundle["text/plain"] if outcome.bundle else None


async def test_a_reset_begins_again_with_nothing(notebook: Notebook) -> None:
    await notebook.run("x = 1 local n = 2 string.mine = true async.spawn(function() async.sleep(9) end)")
    for _ in range(2):
        await notebook.session.reset()
        assert await notebook.value("x == nil, n == nil, string.mine") == "true\ttrue\tnil"
        await notebook.run("x = 2")
    assert notebook.session._template._client.alive  # it was not started anew
    with pytest.raises(SpellError):
        await notebook.session.undo(5)
    await notebook.session.undo()
    assert await notebook.value("x") is None


async def test_fresh_states_share_nothing_and_no_random_numbers(notebook: Notebook) -> None:
    await notebook.run("x = 'the session'")
    numbers: set[str] = set()
    for _ in range(3):
        async with notebook.session.fresh() as program:
            assert await shown(program, "return x") is None
            numbers.add(await shown(program, "x = 'a program' return math.random(1 << 60)"))
    assert len(numbers) == 3
    assert await notebook.value("x") == '"the session"'


async def test_many_programs_at_once(notebook: Notebook) -> None:
    async def run(number: int) -> Any:
        async with notebook.session.fresh() as program:
            return await shown(program, f"n = {number} async.sleep(0.05) return n")

    assert await asyncio.gather(*map(run, range(8))) == [str(number) for number in range(8)]


async def test_a_program_that_breaks_its_engine_leaves_the_session_and_the_next_program_alone(
    notebook: Notebook,
) -> None:
    await notebook.run("x = 1")
    async with notebook.session.fresh() as program:
        cell = asyncio.create_task(program.execute("while true do end", Recorder(), "spell.lua"))
        await asyncio.sleep(0.1)
        os.kill(program._client.pid, signal.SIGKILL)
        assert isinstance(await cell, RolledBack)
    async with notebook.session.fresh() as program:
        assert await shown(program, "return 1") == "1"
    assert await notebook.value("x") == "1"


async def test_a_program_has_the_grants_of_now_and_widens_nobodys(open_notebook: Open) -> None:
    notebook = await open_notebook(grant_env="HOME,LANG")
    notebook.session.narrow({"env": ["HOME"]})
    has = "return grants.has('env', 'HOME'), grants.has('env', 'LANG')"
    async with notebook.session.fresh() as program:
        assert await shown(program, has) == "true\tfalse"
        await shown(program, "grants.drop('env')")
        assert await shown(program, has) == "false\tfalse"
    assert await notebook.value(has) == "true\tfalse"


async def test_displays_after_going_back_do_not_update_those_before(notebook: Notebook) -> None:
    await notebook.run("x = 1")
    await notebook.run("display('a')")
    (first,) = [identity for _, identity, _ in notebook.last.shown]
    await notebook.session.undo()
    await notebook.run("display('b')")
    (second,) = [identity for _, identity, _ in notebook.last.shown]
    assert first != second


async def test_without_checkpoints_there_are_fresh_states_too(open_notebook: Open) -> None:
    notebook = await open_notebook(checkpoints="off")
    await notebook.run("x = 1")
    async with notebook.session.fresh() as program:
        assert await shown(program, "return x") is None
    await notebook.session.reset()
    assert await notebook.value("x") is None
