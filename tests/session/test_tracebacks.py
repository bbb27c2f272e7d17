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


def go(expression: str, setup: str = "") -> str:
    """Lines 8 and 9 of a cell."""
    return f"{setup}\nlocal function go() local r = {expression} return r end go()"


FAILING_TOOL = "tools.register('failing', 'fails', {type = 'object'}, fails)"
CALLS = {
    "tools.execute": go("tools.execute('failing', {})", FAILING_TOOL),
    "tools.pipeline": go("tools.pipeline({'failing'})", FAILING_TOOL),
    "update": go("s:update('n', fails)", "local s = state.create('trace', {defaults = {n = 1}})"),
    "parallel.map": go("parallel.map({1, 2}, fails)"),
    "parallel.map of one item": go("parallel.map({1}, fails)"),
    "parallel.map by one worker": go("parallel.map({1, 2}, fails, {workers = 1})"),
    "parallel.run": go("parallel.run({fails, fails})"),
    "async.map": go("async.map({1, 2}, fails)"),
    "async.await": go("async.await(async(fails))"),
    "assert": go("assert(async(fails):await())"),
    "assert of async.timeout": go("assert(async.timeout(60, fails))"),
    "assert of next": go("assert(promise.resolve(1):next(fails):next(print):await())"),
    "assert of catch": go("assert(promise.reject('x'):catch(fails):await())"),
    "assert of finally": go("assert(promise.resolve(1):finally(fails):await())"),
    "assert of promise.new": go("assert(promise.new(fails):await())"),
    "assert of promise.all": go("assert(promise.all({async(fails)}):await())"),
    "channel.select": go("channel.select({'|<-', c, fails})", "local c = channel.make(1) c:send(1)"),
    "llm.stream_chat": go("llm.stream_chat('hi', fails)"),
    "rag.ingest": go("rag.ingest({'a'}, {on_progress = fails})"),
    "hooks.run": go("hooks.run('point', fails)"),
    "hooks.run, before": go("hooks.run('point', print)", "hooks.before('point', fails)"),
    "hooks.run, after": go("hooks.run('point', print)", "hooks.after('point', fails)"),
    "hooks.run, around": go("hooks.run('point', print)", "hooks.around('point', fails)"),
    "tools.execute, hook": go(
        "tools.execute('calculator', {expression = '1'})", "hooks.before('tools', fails)"
    ),
    "observability.with_span": go("observability.with_span('s', fails)"),
    "traced": go("traced()", "local traced = observability.trace(fails, 's')"),
    "coroutine.wrap": go("coroutine.wrap(fails)()"),
    "coroutine in a coroutine": go(
        "outer()", "local outer = coroutine.wrap(function() local r = coroutine.wrap(fails)() return r end)"
    ),
    "assert of coroutine.resume": go("assert(coroutine.resume(coroutine.create(fails)))"),
    "data.map": go("data.map({1, 2}, fails)"),
    "data.filter": go("data.filter({1, 2}, fails)"),
    "data.reduce": go("data.reduce({1, 2}, fails)"),
    "data.sort_by": go("data.sort_by({1, 2}, fails)"),
    "table.sort": go("table.sort({1, 2, 3}, fails)"),
    "string.gsub": go("string.gsub('abc', 'b', fails)"),
    "__index": go("t.field", "local t = setmetatable({}, {__index = fails})"),
    "__add": go("t + 1", "local t = setmetatable({}, {__add = fails})"),
    "__call": go("t()", "local t = setmetatable({}, {__call = fails})"),
    "tostring": go("tostring(t)", "local t = setmetatable({}, {__tostring = fails})"),
    "errors.retry": go("errors.retry(fails, {times = 2, backoff = 0.001})"),
    "errors.try": go("errors.try(fails)"),
    "errors.try, on_error": go("errors.try(error, fails)"),
    "errors.try, at last": go("errors.try(fails, nil, function() pcall(error, 'x') end)"),
    "errors.try, raised again": go("errors.try(fails, function(err) error(err) end)"),
    "errors.catch": go("error(select(2, errors.catch(fails)))"),
    "wrapped": go("error(select(2, errors.catch(fails)):wrap('more'))"),
    "fallback": go("either()", "local either = errors.fallback(function() error('x') end, fails)"),
    "breaker": go("breaker()", "local breaker = errors.circuit_breaker(fails)"),
    "xpcall": go("error(select(2, xpcall(fails, function(m) return m end)), 0)"),
    "testing.describe": go("testing.describe('group', fails)"),
    "spell.cache": go("spell.cache('trace', fails)"),
    "an iterator": go("0 for x in log.progress(fails) do r = x end"),
}


SECRETS = (".py", "llmspell engine", "[llmspell", "tail calls", "'fn'", "'execute'", "[C]")


def found_out(told: str) -> list[str]:
    """What a traceback tells that is ours alone."""
    return [secret for secret in SECRETS if secret in told]


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
    if "." in call and not call.startswith("assert"):
        assert f"calling '{call.split()[0].rstrip(',')}'" in outer.group() or "coroutine" in call, told
    assert "---> 2 │   return x.y.z" in told
    assert told.splitlines()[0].endswith("attempt to index a nil value (field 'y')")
    assert told.count("attempt to index") == 1
    assert not found_out(told), told


TOLD = {
    "a listener": "local door = events.new() door:on('open', fails)\nlocal function go() door:emit('open') end go()",
    "a listener for once": "events.once('open', fails)\nlocal function go() events.emit('open') end go()",
    "a task": "\nlocal function go() async(fails) end go() async.sleep(0.01)",
    "a handler": "\nlocal function go() promise.resolve(1):next(fails) end go() async.sleep(0.01)",
}


@pytest.mark.parametrize("what", TOLD)
async def test_an_error_that_ends_no_cell_is_told_with_both_ends(spells: Spells, what: str) -> None:
    await spells.value(FAILING + TOLD[what])
    cell, told = f"cell {spells.count}", spells.last.err
    assert told.count("attempt to index a nil value (field 'y')") == 1
    inner, outer = told.index(f"{cell}:2 in function 'deep'"), told.index(f"{cell}:9")
    assert inner < told.index(f"{cell}:5 in the function of line 4") < outer
    assert not found_out(told), told


TESTS = {
    "a test": "testing.it('t', function()\n  fails()\nend)",
    "one with a deadline": "testing.it('t', function()\n  fails()\nend, {timeout = 60})",
    "what prepares": "testing.before_each(function()\n  fails()\nend) testing.it('t', function() end)",
}


@pytest.mark.parametrize("what", TESTS)
async def test_a_test_that_fails_in_a_helper_shows_the_calls(spells: Spells, what: str) -> None:
    outcome = await spells.run(f"{FAILING}testing.describe('group', function() {TESTS[what]} end)")
    assert isinstance(outcome, Failed)
    cell = f"cell {spells.count}"
    told = str(spells.last.shown[0][0]["text/plain"])
    assert told.splitlines()[2:6] == [
        f"      {cell}:2: attempt to index a nil value (field 'y')",
        f"        {cell}:2 in function 'deep'",
        f"        {cell}:5 in function 'fails'",
        f"        {cell}:9 in the function of line 8",
    ]
    assert not found_out(told), told


async def test_the_calls_of_a_test_end_with_it(spells: Spells) -> None:
    code = (
        "testing.it('t', function() error('flat') end)\n"
        "print(testing.run({raise = false}).tests[1].traceback)\n"
        "local function helper() error('deep') end\n"
        "testing.it('t', function() helper() end)\n"
        "print(testing.run({raise = false}).tests[1].traceback)\n"
    )
    shown = (await spells.shown(code)).splitlines()
    cell = f"cell {spells.count}"
    assert shown == ["nil", f"  {cell}:3 in function 'helper'", f"  {cell}:4 in the function of line 4"]


async def test_an_error_raised_again_later_shows_both_places(spells: Spells) -> None:
    told = plain(await spells.run(FAILING + "local _, err = errors.catch(fails)\n\nerror(err)"))
    cell = f"cell {spells.count}"
    again = told.index("which raises again what was raised here:")
    assert told.index(f"{cell}:10 in main chunk") < again < told.index(f"{cell}:8 in main chunk")
    assert told.index(f"{cell}:5 in the function of line 4") < told.index(f"{cell}:2 in function 'deep'")


async def test_an_error_raised_anew_is_not_taken_for_an_earlier_one(spells: Spells) -> None:
    code = (
        "local function raises() error('same') end\n"
        "local function first() raises() end\n"
        "pcall(errors.try, first)\n"
        "coroutine.resume(coroutine.create(first))\n"
        "local function second() raises() end\n"
        "second()"
    )
    told = plain(await spells.run(code))
    assert "'second'" in told
    assert "'first'" not in told
    assert "again" not in told


async def test_a_listener_that_fails_tells_where(spells: Spells) -> None:
    code = (
        FAILING
        + "local door = events.new() door:on('open', fails)\nlocal function go() door:emit('open') end go()"
    )
    await spells.run(code)
    cell = f"cell {spells.count}"
    assert spells.last.err.splitlines()[:3] == [
        "a listener of 'open' failed: attempt to index a nil value (field 'y')",
        f"  {cell}:2 in function 'deep'",
        f"  {cell}:5 in the function of line 4",
    ]
    assert f"  {cell}:9 in function 'go'" in spells.last.err


MISUSED = ("pcall()", "load()", "load({})", "coroutine.resume()", "coroutine.resume(1)", "coroutine.close()")


@pytest.mark.parametrize("call", MISUSED)
async def test_a_misused_function_of_lua_is_called_by_its_name(spells: Spells, call: str) -> None:
    name = call.split("(")[0].split(".")[-1]
    shown = await spells.shown(f"print(select(2, pcall(function() {call} end)))")
    assert shown.startswith(f"cell {spells.count}:1: bad argument #1 to '{name}' ("), shown


async def test_what_cannot_be_called_in_a_child_is_named_by_what_the_spell_called(spells: Spells) -> None:
    told = plain(await spells.run("parallel.map({1, 2}, function() return (state.save('a', 'b', 'c')) end)"))
    assert "cannot be called inside parallel.map" in told
    assert "calling 'state.save'" in told
    assert "state_files" not in told


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


MISSPELT = {
    "local c = channel.make() c:recieve()": "did you mean `c:receive`?",
    "channel.make():snd(nil, 'x', {})": "did you mean `:send`?",
    "local p = promise.resolve(1) p:awiat()": "did you mean `p:await`?",
    "events.new():onn('x', print)": "did you mean `:on`?",
    "state.create('misspelt'):gett('a')": "did you mean `:get`?",
    "log.create('x'):inof('a')": "did you mean `:info`?",
    "http.response{body = '{}'}:jsn()": "did you mean `:json`?",
    "errors.circuit_breaker(print):rest()": "did you mean `:reset`?",
    "testing.mock():retruns(5)": "did you mean `:returns`?",
    "agent.create{name = 'a'}:runn('x')": "did you mean `:run`?",
    "local d = display('x') d:updat(3)": "did you mean `d:update`?",
    "local own = setmetatable({}, {__index = {speak = print}}) own:speek()": "did you mean `own:speak`?",
    "local own = {speak = print} own:speek()": "did you mean `own:speak`?",
    "('x'):uper()": "did you mean `:upper`?",
    "coroutine.wrap(function() channel.make():recieve() end)()": "did you mean `:receive`?",
    "async.await(async(function() channel.make():recieve() end))": "did you mean `:receive`?",
    "promise.resolve(1):xyzzy()": "there are the methods `andThen`, `await`, `cancel`, `catch`, `finally`, `next`, "
    "`onError`, `onFinally`",
}


@pytest.mark.parametrize("code", MISSPELT)
async def test_a_method_that_is_not_there_is_answered_with_the_nearest(spells: Spells, code: str) -> None:
    assert plain(await spells.run(f"{code} local _")).splitlines()[-1] == MISSPELT[code]


@pytest.mark.parametrize(
    "code",
    [
        "setmetatable({}, {__index = function() end}):foo()",
        "({}):foo()",
        "error(\"attempt to call a nil value (method 'recieve')\")",
    ],
)
async def test_where_nothing_is_known_of_the_methods_nothing_is_told(spells: Spells, code: str) -> None:
    assert "did you" not in (told := plain(await spells.run(f"local _ = nil {code} _ = 1"))), told
    assert "attempt to call a nil value" in told.splitlines()[0]
    assert "there are" not in told
