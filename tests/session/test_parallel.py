"""parallel.map in a real engine: ordered, bounded, and gone when it is stopped."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.session.outcome import Failed, Interrupted, RolledBack, Succeeded

if TYPE_CHECKING:
    from .conftest import Notebook

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


async def printed(notebook: Notebook, code: str) -> list[str]:
    await notebook.value(code)
    return notebook.last.out.splitlines()


def engine(notebook: Notebook) -> int:
    return notebook.session._client.pid


def states(notebook: Notebook) -> str:
    """A letter for each process in the engine's group; Z: it has ended, and nobody has reaped it."""
    group, found = os.getpgid(engine(notebook)), ""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            found += fields[0] if int(fields[2]) == group else ""
    return found


def engines(notebook: Notebook) -> int:
    """How many processes there are in the engine's group, checkpoints among them."""
    found = states(notebook)
    return len(found) - found.count("Z") - found.count("X")


async def test_there_is_one_result_and_a_second_where_errors_are_collected(notebook: Notebook) -> None:
    assert await notebook.value("parallel.map({1, 2}, tostring)") == '{"1", "2"}'
    code = "select('#', parallel.map({1}, print)), select('#', parallel.map({1}, type, {errors = 'collect'}))"
    assert await notebook.value(code) == "1\t2"


async def test_results_are_in_order_and_functions_see_every_variable(notebook: Notebook) -> None:
    code = """
    local factor, seen = 10, {}
    local list = {} for i = 1, 100 do list[i] = i end
    local results = parallel.map(list, function(n, index)
      seen[#seen + 1] = n
      return {n * factor, index, ("x"):rep(n)}
    end, {workers = 3})
    local right = true
    for i, r in ipairs(results) do right = right and r[1] == i * 10 and r[2] == i and #r[3] == i end
    print(#results, right, #seen)
    print(#parallel.map({}, print), parallel.map({5}, function(n) return n end)[1])
    print(parallel.map(list, function(n) if n < 100 then return nil end return n end, {workers = 2})[100])
    """
    assert await printed(notebook, code) == ["100\ttrue\t0", "0\t5", "100"]


async def test_every_value_that_is_data_comes_back(notebook: Notebook) -> None:
    code = """
    local values = {1, 1.0, -0.0, math.mininteger, math.huge, "\\xff\\0", true, false, {}, {1, {2}}, {x = {y = 1}}}
    local back = parallel.map(values, function(v) return v end, {workers = 2, chunk = 1})
    for i, v in ipairs(values) do
      testing.expect(back[i]):to_equal(v)
      testing.expect(math.type(back[i])):to_be(math.type(v))
    end
    """
    assert isinstance(await notebook.run(code), Succeeded), notebook.last


async def test_the_first_error_is_raised_with_its_index(notebook: Notebook) -> None:
    code = """
    local function work(n) if n == 3 then error("no " .. n) end return n end
    local ok, err = pcall(parallel.map, {1, 2, 3, 4}, work, {workers = 2})
    print(ok, err.index, err.message, err.at)
    local results, errs = parallel.map({1, 2, 3, 4}, work, {workers = 2, errors = "collect"})
    print(results[1], results[3], results[4], #errs, errs[1].message)
    print(select(2, pcall(parallel.map, {1, 2}, function() error(errors.new("bad", "very")) end, {workers = 2})).code)
    """
    assert await printed(notebook, code) == [
        "false\t3\titem 3: no 3\tcell 1:2",
        "1\tnil\t4\t1\titem 3: no 3",
        "bad",
    ]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return print", "item [12]: the result cannot be sent back: a function cannot leave parallel.map"),
        ("return {a = {print}}", r"sent back: result.a\[1\]: a function cannot leave parallel.map"),
        ("return {channel.make()}", r"sent back: result\[1\]: a Channel cannot leave parallel.map"),
        ("return json.encode(n) and math.huge or 1", None),
        ("return data.parse_yaml('a: 1')", "cannot be called inside parallel.map"),
        ("os.exit(0)", "item [12]: it was ended"),
        ("local t = {} while true do t[#t + 1] = ('x'):rep(1 << 20) .. #t end", "not enough memory"),
        ("return async.timeout(1, function() async.sleep(0.01) return 1 end)", None),
    ],
)
async def test_what_a_process_of_its_own_cannot_do_is_told(
    notebook: Notebook, body: str, says: str | None
) -> None:
    outcome = await notebook.run(
        f"parallel.map({{1, 2}}, function(n) {body} end, {{workers = 2, chunk = 1}})"
    )
    if says is None:
        assert isinstance(outcome, Succeeded), outcome
    else:
        assert isinstance(outcome, Failed)
        assert re.search(says, outcome.problem.evalue)
    assert await notebook.value("1 + 1") == "2"


async def test_what_is_printed_there_is_shown_here_once(notebook: Notebook) -> None:
    lines = await printed(
        notebook,
        "io.write('before\\n') parallel.map({1, 2, 3}, function(n) print('item', n) end, {workers = 3, chunk = 1})",
    )
    assert lines[0] == "before"
    assert sorted(lines[1:]) == ["item\t1", "item\t2", "item\t3"]


async def test_tasks_go_on_meanwhile_and_none_of_them_runs_twice(notebook: Notebook) -> None:
    code = """
    local ticks = 0
    local clock = async(function() while true do async.sleep(0.005) ticks = ticks + 1 io.write(".") end end)
    async.sleep(0.02)
    parallel.map({1, 2}, function() local t = os.clock() while os.clock() - t < 0.1 do end async.sleep(0.03) end,
      {workers = 2, chunk = 1})
    async.cancel(clock)
    async.sleep(0.02)
    print() print(ticks)
    """
    dots, ticks = await printed(notebook, code)
    assert len(dots) == int(ticks)
    assert int(ticks) > 5


async def test_it_can_run_in_a_task_that_outlives_its_cell(notebook: Notebook) -> None:
    await notebook.value(
        "job = async(function() return parallel.map({1, 2, 3}, function(n) async.sleep(0.1) return n * n end, "
        "{workers = 3}) end)"
    )
    assert await notebook.value("table.concat(job:await(), ' ')") == '"1 4 9"'


async def test_an_interrupt_leaves_no_process_behind(notebook: Notebook) -> None:
    await notebook.value("x = 1")
    await asyncio.sleep(0.1)
    before = engines(notebook)
    for body in (
        "while true do end",
        "async.sleep(100)",
        "('a'):rep(40):find(('a?'):rep(40) .. ('a'):rep(40))",
    ):
        cell = asyncio.create_task(
            notebook.run(
                f"x = 2 parallel.map({{1, 2, 3}}, function() {body} end, {{workers = 2, chunk = 1}})"
            )
        )
        await asyncio.sleep(0.3)
        assert engines(notebook) >= before + 2
        notebook.session.interrupt()
        assert isinstance(await asyncio.wait_for(cell, 20), Interrupted), body
        assert await notebook.value("x") == "2"  # it was not rolled back
        deadline = time.monotonic() + 10
        while engines(notebook) > before + 4 and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
    await notebook.session.reset()
    await notebook.value("x = 1")
    assert engines(notebook) <= before + 2


async def test_a_process_that_dies_is_an_error_of_its_first_item(notebook: Notebook) -> None:
    def kill_newest_child() -> None:
        engine = notebook.session._client.pid  # pyright: ignore[reportPrivateUsage]
        children = Path(f"/proc/{engine}/task/{engine}/children")
        os.kill(max(int(pid) for pid in children.read_text().split()), 9)

    async def kill_children() -> None:
        await asyncio.sleep(0.5)
        kill_newest_child()

    killer = asyncio.create_task(kill_children())
    outcome = await notebook.run(
        "parallel.map({1, 2}, function() async.sleep(60) end, {workers = 2, chunk = 1})"
    )
    await killer
    assert isinstance(outcome, Failed)
    assert "its process ended before it was done" in outcome.problem.evalue


async def test_an_undone_map_does_not_wait_for_ever(notebook: Notebook) -> None:
    await notebook.value(
        "job = async(function() return parallel.map({1, 2}, function() async.sleep(0.4) end) end)"
    )
    await notebook.value("y = 1")
    await notebook.session.undo()
    outcome = await notebook.run("print(job:await(5))")
    assert isinstance(outcome, Succeeded)
    assert "its process ended before it was done" in notebook.last.out


async def test_random_numbers_differ_between_the_parts(notebook: Notebook) -> None:
    code = "local r = parallel.map({1, 2, 3}, function() return math.random(1 << 40) end, {workers = 3, chunk = 1}) "
    assert await notebook.value(code + "return r[1] ~= r[2] and r[2] ~= r[3]") == "true"
    seeded = "math.randomseed(7) " + code + "return r[1], r[2], r[3]"
    assert await notebook.value(seeded) == await notebook.value(seeded)


async def test_one_inside_the_other_works_in_order(notebook: Notebook) -> None:
    code = """
    local rows = parallel.map({1, 2}, function(row)
      return parallel.map({1, 2}, function(column) return row * 10 + column end)
    end, {workers = 2})
    return rows[1][1], rows[2][2]
    """
    assert await notebook.value(code) == "11\t22"


async def test_run_calls_functions_side_by_side_in_order(notebook: Notebook) -> None:
    code = """
    local seen = 40
    local results = parallel.run({function() return seen + 2 end, function() return {"hi"} end, function() end})
    print(results[1], results[2][1], results[3])
    local ok, err = pcall(parallel.run, {function() return 1 end, function() error("no") end})
    print(ok, err.index, err.message)
    print(select(2, pcall(parallel.run, {print, 1})))
    """
    assert await printed(notebook, code) == [
        "42\thi\tnil",
        "false\t2\titem 2: no",
        "cell 1:7: bad argument #1 to 'parallel.run' (a list of functions expected, item 2 is a number)",
    ]


async def test_it_takes_the_memory_of_its_workers_and_not_of_the_list(notebook: Notebook) -> None:
    code = """
    local list = {} for i = 1, 200000 do list[i] = i end
    local before = collectgarbage("count")
    local sum = 0
    for _, n in ipairs(parallel.map(list, function(n) return n + 1 end, {workers = 2})) do sum = sum + n end
    collectgarbage()
    print(sum, collectgarbage("count") - before < 12 * 1024)
    """
    assert await printed(notebook, code) == [f"{sum(range(1, 200001)) + 200000}\ttrue"]


async def test_no_process_is_left_when_it_has_ended(notebook: Notebook) -> None:
    await notebook.value("x = 1")
    await asyncio.sleep(0.1)
    before = engines(notebook)
    await notebook.value("parallel.map({1, 2, 3, 4}, function(n) return n end, {workers = 2, chunk = 1})")
    await notebook.run("parallel.map({1, 2, 3, 4}, function(n) error(n) end, {workers = 2, chunk = 1})")
    deadline = time.monotonic() + 10
    while engines(notebook) > before + 2 and time.monotonic() < deadline:  # two cells: two checkpoints more
        await asyncio.sleep(0.05)
    assert engines(notebook) <= before + 2


async def test_processes_that_outlive_a_killed_engine_are_reaped(notebook: Notebook) -> None:
    await notebook.value("x = 1")
    for _ in range(3):
        busy = "parallel.map({1, 2}, function() while true do end end, {workers = 2, chunk = 1})"
        cell = asyncio.create_task(notebook.run(busy))
        deadline = time.monotonic() + 20
        while states(notebook).count("R") < 2 and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        os.kill(engine(notebook), signal.SIGKILL)
        assert isinstance(await cell, RolledBack)
    await notebook.session.reset()  # which lets every checkpoint go
    deadline = time.monotonic() + 20
    while "Z" in states(notebook) and time.monotonic() < deadline:
        await notebook.value("x = 2")
    assert "Z" not in states(notebook)


async def test_an_error_of_a_task_there_is_told_and_one_of_here_only_once(notebook: Notebook) -> None:
    await notebook.run(
        "async(function() error('mine') end) async.yield()\n"
        "parallel.map({1, 2}, function(n) async(function() error('lost ' .. n) end) async.yield() end, {workers = 2})"
    )
    for lost in ("mine", "lost 1", "lost 2"):
        assert notebook.last.err.count(f"which nothing has waited for yet: {lost}\n") == 1, notebook.last.err
