"""Tracebacks through Lua, the engine's own Lua or a bridge, and Lua again show both ends, and nothing between."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from llm.scripted_server import text

from llmspell_kernel.session.outcome import Failed

from .spells import server, spells

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Open
    from .spells import Spells

__all__ = ("server", "spells")

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILING = "local function deep(x)\n  return x.y.z\nend\nlocal function fails()\n  local r = deep({})\n  return r\nend\n"
"""Lines 1 to 7 of each cell; the error is in line 2, `fails` calls in line 5."""


def plain(outcome: object) -> str:
    assert isinstance(outcome, Failed), outcome
    return re.sub("\x1b\\[[0-9;]*m", "", "\n".join(outcome.problem.traceback))


CALLS = {
    "tools.execute": "tools.register('failing', 'fails', {type = 'object'}, fails)\n"
    "local function go() local r = tools.execute('failing', {}) return r end go()",
    "tools.pipeline": "tools.register('failing', 'fails', {type = 'object'}, fails)\n"
    "local function go() local r = tools.pipeline({'failing'}) return r end go()",
    "update": "local s = state.create('trace', {defaults = {n = 1}})\n"
    "local function go() local r = s:update('n', fails) return r end go()",
    "parallel.map": "\nlocal function go() local r = parallel.map({1, 2}, fails) return r end go()",
    "async.map": "\nlocal function go() local r = async.map({1, 2}, fails) return r end go()",
    "assert": "\nlocal function go() local r = assert(async(fails):await()) return r end go()",
    "llm.stream_chat": "\nlocal function go() local r = llm.stream_chat('hi', fails) return r end go()",
    "rag.ingest": "\nlocal function go() local r = rag.ingest({'a'}, {on_progress = fails}) return r end go()",
    "hooks": "hooks.before('tools', fails)\n"
    "local function go() local r = tools.execute('calculator', {expression = '1'}) return r end go()",
    "with_span": "\nlocal function go() local r = observability.with_span('s', fails) return r end go()",
    "coroutine": "\nlocal function go() local r = coroutine.wrap(fails)() return r end go()",
    "utils": "\nlocal function go() local r = data.map({1, 2}, fails) return r end go()",
}


@pytest.mark.parametrize("call", CALLS)
async def test_both_ends_of_a_call_back_are_shown(spells: Spells, call: str) -> None:
    spells.script(text("hello"))
    try:
        outcome = await spells.run(FAILING + CALLS[call])
    finally:
        await spells.value("hooks.clear()")
    told = plain(outcome)
    cell = f"cell {spells.count - 1}"
    place = f"{cell}:2 in function 'deep'"
    inner = re.search(rf"^  {cell}:5 in .*local r = deep\(\{{\}}\)$", told, re.MULTILINE)
    outer = re.search(rf"^  {cell}:9 in .*'go'.*$", told, re.MULTILINE)
    assert outer is not None, told
    assert inner is not None, told
    assert outer.start() < inner.start() < told.index(place), told
    if "." in call:
        assert f"calling '{call}'" in outer.group() or call == "coroutine", told
    assert "---> 2 │   return x.y.z" in told
    assert told.splitlines()[0].endswith("attempt to index a nil value (field 'y')")
    for secret in (".py", "llmspell engine", "[llmspell", "tail calls", "'fn'", "'execute'"):
        assert secret not in told, told


async def test_a_listener_that_fails_tells_where(spells: Spells) -> None:
    code = (
        FAILING
        + "local door = events.new() door:on('open', fails)\nlocal function go() door:emit('open') end go()"
    )
    await spells.run(code)
    cell = f"cell {spells.count}"
    assert spells.last.err.splitlines()[:3] == [
        f"a listener of 'open' failed: {cell}:2: attempt to index a nil value (field 'y')",
        f"  {cell}:2 in function 'deep'",
        f"  {cell}:5 in a function",
    ]
    assert f"  {cell}:9 in function 'go'" in spells.last.err


async def test_an_error_that_was_caught_leaves_no_trail_for_another(spells: Spells) -> None:
    code = FAILING + (
        "tools.register('failing', 'fails', {type = 'object'}, function() error('oops', 0) end)\n"
        "pcall(tools.execute, 'failing', {})"
    )
    await spells.value(code)
    told = plain(await spells.run("local function other()\n  error('oops', 0)\nend\nother()"))
    cell = f"cell {spells.count}"
    assert f"{cell}:2 in function 'other'" in told
    assert f"cell {spells.count - 1}" not in told


async def test_an_error_with_a_code_keeps_it_through_a_bridge(spells: Spells) -> None:
    spells.script(text("hello"))
    code = (
        "local ok, err = pcall(llm.stream_chat, 'hi', function() error(errors.new('no_room', 'full')) end)\n"
    )
    assert await spells.shown(code + "print(ok, err, err.code)") == "false\tfull\tno_room\n"


@pytest.mark.asyncio(loop_scope="function")
async def test_lines_of_module_files_are_shown(open_notebook: Open, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "deep.lua").write_text(
        "local M = {}\nfunction M.fail(x)\n  return x.y.z\nend\nreturn M\n"
    )
    (tmp_path / "bad.lua").write_text("local y = nil\n\nreturn y.z\n")
    notebook = await open_notebook(grant_files="read:.")
    told = plain(await notebook.run("local m = require('lib.deep')\nm.fail({})"))
    assert "  cell 1:2 in main chunk   m.fail({})" in told
    assert "lib/deep.lua:3 in function 'fail'" in told
    assert "---> 3 │   return x.y.z" in told
    assert "---> 3 │ return y.z" in plain(await notebook.run("spell.include('bad.lua')"))
    assert "lib/deep.lua" not in notebook.session.sources  # it is no cell: its names are not the notebook's


async def test_a_misspelt_member_of_any_module_is_told_the_right_one(spells: Spells) -> None:
    assert "did you mean `state.create`?" in plain(await spells.run("state.creat('x')"))
    assert "did you mean `async.sleep`?" in plain(await spells.run("async.slep(1)"))
    assert "did you mean `storage.write`?" in plain(await spells.run("storage.wirte('x', 'y')"))


async def test_a_function_is_called_by_the_name_that_the_spell_used(spells: Spells) -> None:
    assert "calling 'json.encode'" in plain(await spells.run("json.encode(print)"))
    assert "calling 'json.stringify'" in plain(await spells.run("json.stringify(print)"))
