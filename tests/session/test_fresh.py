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


# ── a state is used once, whatever became of it ──────────────────────────────────────────────────

PROBE = """
local found = {}
for name in pairs(_G) do found[#found + 1] = name end
for _, library in ipairs{"string", "table", "math", "coroutine", "os", "utf8", "package"} do
  for name, value in pairs(_G[library]) do
    found[#found + 1] = library .. "." .. name .. " " .. (type(value) == "string" and value or type(value))
  end
end
for name in pairs(package.loaded) do found[#found + 1] = "loaded " .. name end
for _, value in ipairs{"", print, pcall, coroutine.create(print), llm, async, 1, true} do
  found[#found + 1] = tostring(getmetatable(value)) -- of what all values of a type share
end
found[#found + 1] = tostring(n) .. tostring(#params) .. tostring(mine) .. (("x").mine or "")
local tasks = 0
for _ in pairs(async.tasks()) do tasks = tasks + 1 end
found[#found + 1] = "tasks " .. tasks
found[#found + 1] = tostring(collectgarbage("isrunning"))
found[#found + 1] = select(2, pcall(error, "x", 0)) .. tostring(select(2, pcall(coroutine.wrap, print)) ~= nil)
table.sort(found)
return table.concat(found, "; ")
"""

POISON = [
    "n = 1 local m = 2 string.mine = print math.pi = 3 coroutine.wrap = nil os.time = nil",
    "setmetatable(_G, {__index = function() return 'poison' end, __newindex = function() error('no') end})",
    "for name in pairs(_G) do _G[name] = nil end",
    "pcall(function() getmetatable('').__index = {mine = 'poison'} end) pcall(rawset, string, 'len', print)",
    "package.loaded.string = {} package.loaded.mine = 1 package.path = 'poison' params[1] = 1",
    "for _ = 1, 50 do async(function() async.sleep(60) n = 1 end) end",
    "async(function() async.sleep(0.01) while true do end end)",
    "async(function() error('unseen') end)",
    "collectgarbage('generational') collectgarbage('step') math.randomseed(7)",
    "local kept = {} for i = 1, 2e4 do kept[i] = coroutine.create(print) end hold = kept",
    "local t = {} for i = 1, 3e5 do t[i] = i end hold = t",
    "local keep = {} for i = 1, 50 do keep[i] = channel.make() end hold = keep",
    "pcall(tools.register, {name = 'mine', description = 'x', parameters = {}, execute = function() end})",
    "local close <close> = setmetatable({}, {__close = function() error('closing') end})",
    "os.exit(3)",
    "local function deep() return 1 + deep() end pcall(deep)",
]


async def test_nothing_of_a_state_reaches_the_next(notebook: Notebook) -> None:
    async with notebook.session.fresh() as program:
        clean = await shown(program, PROBE)
    for poison in POISON:
        async with notebook.session.fresh() as program:
            await program.execute(poison, Recorder(), "spell.lua")
        async with notebook.session.fresh() as program:
            assert await shown(program, PROBE) == clean, poison
    await notebook.session.reset()
    assert await notebook.value(PROBE) == clean


async def test_a_copy_that_is_gone_before_it_is_used_does_no_harm(notebook: Notebook) -> None:
    async with notebook.session.fresh():
        pass
    prepared = notebook.session._template._prepared
    assert prepared is not None
    os.kill((await prepared).pid, signal.SIGKILL)
    async with notebook.session.fresh() as program:
        assert await shown(program, "return 1") == "1"


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
    assert asyncio.get_running_loop().time() - began < 30
