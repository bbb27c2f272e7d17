"""Limits in a real engine: each is reached, says its name, its value and how to raise it, and the session goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.bridges import installed
from llmspell_kernel.bridges.declaration import export
from llmspell_kernel.errors import BadArgument
from llmspell_kernel.session.outcome import Failed, Interrupted, RolledBack

from .test_references import Held as References

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Notebook, Open

    from llmspell_kernel.session.outcome import Outcome


class Held(References):
    """Also makes large answers."""

    @export(returns="string")
    async def text(self, length: int) -> str:
        """Make a text."""
        return "x" * length


WATCHED = {"instructions_limit": "3000000", "call_depth_limit": "500", "coroutines_limit": "2000"}


def said(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed | Interrupted | RolledBack), outcome
    return "\n".join([outcome.problem.ename, outcome.problem.evalue, *outcome.problem.traceback])


@pytest.fixture
async def watched(open_notebook: Open) -> Notebook:
    notebook: Notebook = await open_notebook(**WATCHED, grant_files="read:.")
    await notebook.run("keep = 41")
    return notebook


@pytest.mark.parametrize(
    "code",
    [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "coroutine.wrap(function() while true do end end)()",
        "while true do coroutine.wrap(function() end)() end",
        "table.sort({3, 2, 1}, function() while true do end end)",
        "async(function() while true do end end):await()",
    ],
)
async def test_instructions_are_counted_wherever_they_run(watched: Notebook, code: str) -> None:
    outcome = await watched.run(f"made = 1 {code}")
    assert isinstance(outcome, Interrupted)
    assert outcome.problem.evalue == "instructions limit reached (3,000,000)"
    assert "LLMSPELL_INSTRUCTIONS_LIMIT=6000000" in said(outcome)
    assert await watched.value("return keep + made") == "42"


ELSEWHERE = (
    "for i = 1, 100 do spell.run('busy') end",
    "for i = 1, 100 do async(spell.run, 'busy') end async.sleep(30)",
    "spell.run('outer')",
    "for i = 1, 100 do async.timeout(0.5, spell.run, 'busy') end",
    "for i = 1, 100 do parallel.run({busy, busy}) end",
    "local many = {} for i = 1, 100 do many[i] = i end parallel.map(many, busy, {chunk = 1})",
    "parallel.run({function() while true do end end, busy})",
)


@pytest.mark.parametrize("code", ELSEWHERE)
async def test_instructions_count_that_are_executed_elsewhere(
    watched: Notebook, code: str, tmp_path: Path
) -> None:
    (tmp_path / "busy.lua").write_text("for i = 1, 800000 do end")
    (tmp_path / "outer.lua").write_text("for i = 1, 100 do spell.run('busy') end")
    outcome = await watched.run(f"function busy() for i = 1, 800000 do end end {code}")
    assert isinstance(outcome, Interrupted)
    assert outcome.problem.evalue == "instructions limit reached (3,000,000)"
    assert watched.session.used.instructions < 20_000_000  # without a limit it would be 80,000,000
    assert await watched.value("return keep") == "41"


async def test_what_is_executed_elsewhere_is_counted_once(watched: Notebook, tmp_path: Path) -> None:
    (tmp_path / "busy.lua").write_text("for i = 1, 800000 do end")
    await watched.value("for i = 1, 1e6 do end spell.run('busy')")
    assert 1_800_000 < watched.session.used.instructions < 1_950_000
    await watched.value("for i = 1, 1e6 do end parallel.run({function() for i = 1, 8e5 do end end, print})")
    assert 1_800_000 < watched.session.used.instructions < 1_950_000


async def test_each_cell_has_its_own_instructions(watched: Notebook) -> None:
    for _ in range(3):
        assert await watched.value("for i = 1, 1500000 do end return keep") == "41"
    assert 1_000_000 < watched.session.used.instructions < 3_000_000


@pytest.mark.parametrize(
    "code",
    [
        "local function f() return 1 + f() end f()",
        "coroutine.wrap(function() local function f() return 1 + f() end f() end)()",
        "pcall(function() local function f() return 1 + f() end f() end) while true do end",
    ],
)
async def test_calls_nest_only_so_deep(watched: Notebook, code: str) -> None:
    outcome = await watched.run(code)
    assert isinstance(outcome, Interrupted)
    assert outcome.problem.evalue == "call_depth limit reached (500)"
    assert "LLMSPELL_CALL_DEPTH_LIMIT=1000" in said(outcome)
    assert (
        await watched.value("local function f(n) if n > 0 then return 1 + f(n - 1) end return 0 end f(400)")
        == "400"
    )


async def test_without_a_limit_a_full_stack_is_an_error_that_can_be_caught(notebook: Notebook) -> None:
    deep = "local function f() return 1 + f() end"
    outcome = await notebook.run(f"{deep} f()")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == "stack overflow"
    assert await notebook.value(f"{deep} return (pcall(f))") == "false"
    outcome = await notebook.run(
        "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k .. 1] end return t.x"
    )
    assert "C stack overflow" in said(outcome)


async def test_only_so_many_coroutines_are_alive(watched: Notebook) -> None:
    outcome = await watched.run("t = {} for i = 1, 1e9 do t[i] = coroutine.create(print) end")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == "coroutines limit reached (2,000)"
    assert "LLMSPELL_COROUTINES_LIMIT=4000" in said(outcome)
    assert await watched.value("return #t, pcall(coroutine.wrap, print)") is not None
    await watched.run("t = nil")
    assert await watched.value("for i = 1, 5000 do coroutine.wrap(function() end)() end return keep") == "41"


async def test_only_so_many_functions_and_objects_are_held(open_notebook: Open) -> None:
    notebook: Notebook = await open_notebook(
        callbacks_limit="5", handles_limit="3", value_bytes_limit="65536"
    )
    assert await notebook.value("return pcall(llm.chat, ('x'):rep(70000))") is not None
    assert "value_bytes limit reached (64 KiB)" in said(await notebook.run("llm.chat(('x'):rep(70000))"))
    assert "callbacks limit reached (5)" in said(
        await notebook.run("local t = {} for i = 1, 9 do t[i] = function() return i end end llm.chat(t)")
    )
    assert (await notebook.session.usage())[0]["callbacks"] == "0 held"


async def test_only_so_many_objects_are_held(open_notebook: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "find", lambda: installed.Installed([Held], []))
    notebook: Notebook = await open_notebook(
        handles_limit="3", value_bytes_limit="65536", checkpoints_undo="0"
    )
    assert await notebook.value("t = {} for i = 1, 3 do t[i] = held.counter('c' .. i) end return #t") == "3"
    outcome = await notebook.run("held.counter('c4')")
    assert "handles limit reached (3)" in said(outcome)
    assert "LLMSPELL_HANDLES_LIMIT=6" in said(outcome)
    assert "handles limit" in said(await notebook.run("t[3] = nil collectgarbage() held.counters()"))
    await notebook.run("t = nil collectgarbage()")
    assert await notebook.value("return held.counters().list[1]:add(1)") == "1"
    await notebook.run("held.keep('large', function() return ('x'):rep(70000) end)")
    assert "value_bytes limit" in said(await notebook.run("held.call('large')"))
    large = "held.keep('f', function(x) return 1 end) held.call('f', held.text(70000))"
    assert "value_bytes limit" in said(await notebook.run(large))


async def test_what_a_cell_used_is_told(watched: Notebook) -> None:
    await watched.run("print('0123456789') for i = 1, 3 do coroutine.wrap(print)() end")
    used, _ = await watched.session.usage()
    assert used["output"] == "14 bytes"
    assert used["coroutines"] == "3 made, 0 alive"
    assert used["handles"] == "0 held"
    assert int(used["instructions"].replace(",", "")) < 100_000
    assert set(used) <= {row.key.removeprefix("limits.") for row in watched.session.settings.explain()}


async def test_memory_that_is_refused_again_and_again_ends_the_cell(open_notebook: Open) -> None:
    notebook: Notebook = await open_notebook(memory_limit="134217728")
    outcome = await notebook.run(
        "keep = 41 full = {} while true do pcall(function() full[#full + 1] = {} end) end"
    )
    assert "memory limit reached (128 MiB)" in said(outcome)
    assert "LLMSPELL_MEMORY_LIMIT=268435456" in said(outcome)
    assert await notebook.value("full = nil collectgarbage() return keep") == "41"
    caught = (
        "local n = 0 for i = 1, 100 do if not pcall(string.rep, 'x', 1e9) then n = n + 1 end end return n"
    )
    assert await notebook.value(caught) == "100"


async def test_a_cell_tightens_the_limits_that_are_watched_here_and_takes_that_back(
    open_notebook: Open,
) -> None:
    notebook = await open_notebook(time_limit="60")
    await notebook.run("keep = 41")
    notebook.session.tighten({"time": "0.3", "output": "2kB"})
    outcome = await notebook.run("while true do end")
    assert isinstance(outcome, Interrupted)
    assert outcome.problem.evalue == "time limit reached (0.3 s)"
    assert "%limits --reset" in said(outcome)
    await notebook.run("print(('x'):rep(5000))")
    assert len(notebook.last.out) <= 2000
    for looser in ({"time": "0.4"}, {"time": "none"}, {"output": "1MB"}):
        with pytest.raises(BadArgument, match="a cell cannot loosen it"):
            notebook.session.tighten(looser)
    notebook.session.untighten()
    assert notebook.session.settings.limits.time == 60
    assert await notebook.value("return keep") == "41"


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"memory": "200MB"}, "a cell can tighten time, grace, output"),
        ({"nothing": "1"}, "a cell can tighten time, grace, output"),
        ({"time": "soon"}, "expected seconds"),
        ({"output": "3"}, "at least 1 KiB"),
        ({"time": "1", "grace": "9"}, "grace is 1 s here"),
    ],
)
async def test_what_a_cell_cannot_tighten_changes_nothing(
    notebook: Notebook, limits: dict[str, str], told: str
) -> None:
    before = notebook.session.settings
    with pytest.raises(BadArgument, match=told):
        notebook.session.tighten(limits)
    assert notebook.session.settings is before
