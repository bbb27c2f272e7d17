"""Fresh states: after a reset, and for programs that must not touch the session."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from llmspell_kernel.errors import SpellError
from llmspell_kernel.session.outcome import RolledBack, Succeeded
from llmspell_kernel.session.reuse import Reuse
from llmspell_kernel.session.session import Session

from .conftest import Notebook, Open, Recorder

if TYPE_CHECKING:
    from pathlib import Path


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


# ── what was compiled once ───────────────────────────────────────────────────────────────────────


async def test_cells_and_modules_that_ran_before_are_not_compiled_again(
    open_notebook: Open, tmp_path: Path
) -> None:
    (tmp_path / "large.lua").write_text(f"runs = (runs or 0) + 1 -- {'x' * 400}\nreturn {{ f = error }}\n")
    notebook = await open_notebook(grant_files="read:.")
    for runs in range(1, 4):
        assert await notebook.value("package.loaded.large = nil; require('large'); return runs") == str(runs)
    reuse = await notebook.session.reuse()
    assert (reuse.parses, reuse.chunks) == ((2, 1), (4, 2))
    (tmp_path / "large.lua").write_text(f"error('other') -- {'x' * 400}\n")
    await notebook.run("package.loaded.large = nil; print(pcall(require, 'large'))")
    assert notebook.last.out == "false\tlarge.lua:1: other\n"
    await notebook.run(f"load('error(7) --' .. {'x' * 400!r}, '=a')()")
    await notebook.run(f"load('error(7) --' .. {'x' * 400!r}, '=b')()")
    assert (await notebook.session.reuse()).chunks == (5, 7)


async def test_a_program_that_ran_before_is_not_compiled_again(open_notebook: Open, tmp_path: Path) -> None:
    (tmp_path / "large.lua").write_text(f"return {{ seen = ... }} -- {'x' * 400}\n")
    notebook = await open_notebook(grant_files="read:.")
    program = "local n = require('large').seen return n .. '!'"
    for _ in range(3):
        async with notebook.session.fresh() as state:
            assert await shown(state, program) == '"large!"'
    assert notebook.session.programs == Reuse((2, 1), (4, 2))
    async with notebook.session.fresh() as state:
        await shown(state, "return 1")
        state._client.kill()
    assert notebook.session.programs.parses == (2, 1)


async def test_a_program_that_still_runs_when_it_ends_is_not_waited_for(notebook: Notebook) -> None:
    began = asyncio.get_running_loop().time()
    async with notebook.session.fresh() as program:
        await shown(program, "async(function() async.sleep(0.01) while true do end end);")
        await asyncio.sleep(0.1)
    assert asyncio.get_running_loop().time() - began < 4
