"""errors, hooks, events and log in a real session: what their examples do not show."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.session.outcome import Failed, Interrupted

if TYPE_CHECKING:
    from .conftest import Notebook


async def printed(notebook: Notebook, code: str) -> list[str]:
    await notebook.value(code)
    return notebook.last.out.splitlines()


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────


async def test_an_error_object_that_is_raised_shows_its_code_and_suggestion(notebook: Notebook) -> None:
    outcome = await notebook.run("error(errors.new('no_room', 'no room', {suggestion = 'make some'}))")
    assert isinstance(outcome, Failed)
    assert (outcome.problem.ename, outcome.problem.evalue) == ("NoRoom", "no room")


async def test_every_error_object_can_be_wrapped_whoever_made_it(notebook: Notebook) -> None:
    code = "local _, err = json.decode('{') err = err:wrap('the file is broken') return err.cause.code, err:is('x')"
    assert await notebook.value(code) == '"bad_json"\tfalse'


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        ("error('plain')", "error|plain|cell 1:1"),
        ("error('no position', 0)", "error|no position|nil"),
        ("error('127.0.0.1:80: refused', 0)", "error|127.0.0.1:80: refused|nil"),
        ("local x = nil + 1", "error|attempt to perform arithmetic on a nil value|cell 1:1"),
        ("error({1})", "error|{1}|nil"),
        ("error(errors.new('mine', 'it'))", "mine|it|nil"),
    ],
)
async def test_catch_makes_an_error_object_of_whatever_is_raised(
    notebook: Notebook, raised: str, told: str
) -> None:
    code = (
        f"local _, err = errors.catch(function() {raised} end) print(err.code .. '|' .. err.message .. '|' .. "
        "tostring(err.at))"
    )
    (line,) = await printed(notebook, code)
    assert line == told or (told == "error|{1}|nil" and line.startswith("error|table: "))


async def test_try_runs_its_last_function_in_any_case(notebook: Notebook) -> None:
    code = """
    print(errors.try(function() return 1, 2 end, nil, function() print("last") end))
    print(pcall(errors.try, function() error("a", 0) end, nil, function() print("last") end))
    print(pcall(errors.try, function() error("a") end, function() error("b", 0) end, function() print("last") end))
    """
    assert await printed(notebook, code) == ["last", "1\t2", "last", "false\ta", "last", "false\tb"]


async def test_retry_waits_longer_each_time_and_tasks_go_on(notebook: Notebook) -> None:
    code = """
    local ticks = 0
    local clock = async(function() while true do async.sleep(0.01) ticks = ticks + 1 end end)
    local waits = {}
    print(errors.retry(function(n) if n < 4 then return nil, "no " .. n end return "yes " .. n end,
      {times = 9, backoff = 0.02, max = 0.05, on = function(err, n, s) waits[n] = err .. " " .. s end}))
    async.cancel(clock)
    print(table.concat(waits, ", "), ticks > 0)
    """
    assert await printed(notebook, code) == ["yes 4", "no 1 0.02, no 2 0.04, no 3 0.05\ttrue"]


async def test_retry_gives_up_on_what_will_stay_and_when_it_is_told_to(notebook: Notebook) -> None:
    code = """
    local calls = 0
    local final = errors.new("bad_key", "wrong key", {retryable = false})
    print(errors.retry(function() calls = calls + 1 return nil, final end, {backoff = 0}))
    print(pcall(errors.retry, function() calls = calls + 1 error(final) end, {backoff = 0}))
    print(errors.retry(function() calls = calls + 1 return nil, "x" end, {on = function() return false end}))
    local function zero() return 0 end
    print(pcall(errors.retry, function() calls = calls + 1 error("y", 0) end, {times = 2, backoff = zero}))
    print(calls)
    """
    expected = ["nil\twrong key", "false\twrong key", "nil\tx", "false\ty", "5"]
    assert await printed(notebook, code) == expected


async def test_retry_waits_for_promises(notebook: Notebook) -> None:
    code = """
    local function late(n)
      return async(function() async.sleep(0.001) if n < 3 then error("no " .. n, 0) end return "yes " .. n, n end)
    end
    print(errors.retry(late, {backoff = 0.001}))
    print(pcall(errors.retry, late, {times = 2, backoff = 0.001}))
    print(errors.retry(function() return async(function() return nil, "gone" end) end, {times = 2, backoff = 0.001}))
    """
    assert await printed(notebook, code) == ["yes 3\t3", "false\tno 2", "nil\tgone"]


async def test_an_interrupt_ends_a_retry(notebook: Notebook) -> None:
    cell = asyncio.create_task(
        notebook.run("errors.retry(function() while true do end end, {times = 1000, backoff = 0})")
    )
    await asyncio.sleep(0.2)
    notebook.session.interrupt()
    assert isinstance(await asyncio.wait_for(cell, 10), Interrupted)


async def test_a_circuit_breaker_opens_lets_one_call_through_and_closes(notebook: Notebook) -> None:
    code = """
    local ok, calls = false, 0
    local ask = errors.circuit_breaker(function(x) calls = calls + 1 if ok then return x end error("down", 0) end,
      {threshold = 2, reset = 0.05})
    pcall(ask) print(ask.state, ask.failures)
    pcall(ask) print(ask.state, select(2, ask()).code, calls)
    async.sleep(0.06) print(ask.state)
    pcall(ask) print(ask.state, calls)
    async.sleep(0.06) ok = true print(ask(7), ask.state, ask.failures)
    """
    expected = ["closed\t1", "open\tcircuit_open\t2", "half_open", "open\t3", "7\tclosed\t0"]
    assert await printed(notebook, code) == expected


# ── hooks ────────────────────────────────────────────────────────────────────────────────────────────


async def test_hooks_run_by_priority_around_the_call(notebook: Notebook) -> None:
    code = """
    local function say(name) return function(...) print(name, ...) end end
    hooks.before("p", say("late"), -1)
    hooks.before("p", say("early"), 1)
    hooks.around("*", function(call, x) print("in") local r = call(x) print("out") return r end)
    hooks.after("p", say("after"))
    print(hooks.run("p", function(x) print("call", x) return x + 1 end, 1))
    """
    expected = ["early\t1", "late\t1", "in", "call\t1", "out", "after\t2\tnil\t1", "2"]
    assert await printed(notebook, code) == expected


async def test_a_hook_is_not_run_for_its_own_calls_but_for_those_inside_the_call(notebook: Notebook) -> None:
    code = """
    local function call(x) if x > 0 then return hooks.run("p", call, x - 1) end return "end" end
    function again(x) return hooks.run("p", function(y) return y > 0 and again(y - 1) or "end" end, x) end
    hooks.before("p", function() print("before") hooks.run("p", print, "from inside") end)
    hooks.around("p", function(call, x) print("around", x) return call(x) end)
    print(again(1))
    """
    expected = ["before", "around\tfrom inside", "from inside", "around\t1"]
    expected += ["before", "around\tfrom inside", "from inside", "around\t0", "end"]
    assert await printed(notebook, code) == expected


async def test_an_error_in_a_hook_is_the_calls_and_the_hook_runs_again_later(notebook: Notebook) -> None:
    code = """
    hooks.before("p", function() error("no", 0) end)
    print(pcall(hooks.run, "p", print, 1)) print(pcall(hooks.run, "p", print, 1))
    hooks.clear()
    hooks.run("p", print, "free")
    """
    assert await printed(notebook, code) == ["false\tno", "false\tno", "free"]


async def test_repeating_for_ever_is_an_error_and_can_be_interrupted(notebook: Notebook) -> None:
    code = (
        "hooks.after('p', function() return hooks.again() end) print(pcall(hooks.run, 'p', function() end)) "
        "hooks.clear('p')"
    )
    (line,) = await printed(notebook, code)
    assert line.startswith("false\t")
    assert line.endswith("the hooks of 'p' asked for the same call more than 20 times again")


# ── events ───────────────────────────────────────────────────────────────────────────────────────────


async def test_patterns_hear_one_part_or_any_rest(notebook: Notebook) -> None:
    code = """
    local e = events.new()
    for _, p in ipairs{"user.*", "user.**", "*", "**", "user.a", "us%r.*"} do
      e:on(p, function() io.write(p, " ") end)
    end
    for _, name in ipairs{"user.a", "user.a.b", "user"} do e:emit(name) print() end
    """
    expected = ["user.* user.** ** user.a ", "user.** ** ", "* ** "]
    assert await printed(notebook, code) == expected


async def test_an_error_in_one_listener_is_reported_and_the_others_are_called(notebook: Notebook) -> None:
    code = """
    local e = events.new()
    e:on("x", function() error("broken", 0) end):on("x", function() print("called") end)
    e:emit("x")
    e:on("error", function(err, event) print("heard", err, event) error("again", 0) end)
    e:emit("x")
    """
    assert await printed(notebook, code) == ["called", "heard\tbroken\tx", "called"]
    emit = "in main chunk, calling 'emit'\n"
    expected = f"a listener of 'x' failed: broken\n  cell 1:3 in the function of line 3\n  cell 1:4 {emit}"
    expected += (
        f"a listener of 'error' failed: again\n  cell 1:5 in the function of line 5\n  cell 1:6 {emit}"
    )
    assert notebook.last.err == expected


async def test_listeners_may_come_and_go_while_an_event_is_emitted(notebook: Notebook) -> None:
    code = """
    local e = events.new()
    local function second() print("second") end
    e:on("x", function() print("first") e:off("x", second) e:on("x", function() print("new") end) end)
    e:on("x", second)
    e:emit("x") e:emit("x")
    """
    assert await printed(notebook, code) == ["first", "first", "new"]


async def test_waiting_for_an_event_ends_with_it_or_after_some_time(notebook: Notebook) -> None:
    code = """
    local e = events.new()
    async(function() async.sleep(0.01) e:emit("x", 1, 2) end)
    print(events.wait_for(e, "x", 60):await())
    local _, err = events.wait_for(e, "x", 0.01):await()
    print(err.code, e:listener_count("x"))
    """
    started = time.monotonic()
    assert await printed(notebook, code) == ["1\t2", "timeout\t0"]
    assert time.monotonic() - started < 30


# ── log ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_levels_go_to_their_streams_and_can_be_silenced(notebook: Notebook) -> None:
    await notebook.value(
        "log.debug('a') log.info('b', {n = 1, s = 'two words', t = {1}}) log.warn('c') logging.error('d')"
    )
    assert notebook.last.out == 'info  b n=1 s="two words" t={1}\n'
    assert notebook.last.err == "warn  c\nerror d\n"
    await notebook.value("log.set_level('debug') log.debug('a') log.set_level('off') log.error('d')")
    assert (notebook.last.out, notebook.last.err) == ("debug a\n", "")


async def test_a_sink_that_fails_is_told_and_the_line_is_written(notebook: Notebook) -> None:
    await notebook.value("log.configure{sink = function() error('no disk') end} log.info('here')")
    assert notebook.last.out == "info  here\n"
    assert notebook.last.err == "the sink of the log failed: cell 1:1: no disk\n"
    await notebook.value("log.configure{sink = false}")


async def test_a_sink_gets_every_line_and_a_wrong_level_is_told(notebook: Notebook) -> None:
    code = """
    local lines = {}
    log.configure{sink = function(line) lines[#lines + 1] = line.level .. line.message .. line.fields.id end}
    log.with_fields{id = 3}:child{x = 1}:info("m")
    log.configure{sink = false}
    print(lines[1], pcall(log.set_level, "loud"))
    """
    assert (await printed(notebook, code))[1].startswith("info" + "m3\tfalse\t")
