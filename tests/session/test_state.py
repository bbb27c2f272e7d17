"""`state`: in memory and in the project's file, alone and with others."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from llmspell_kernel.bridges.state_store import Change, StateStore
from llmspell_kernel.errors import WorldError
from llmspell_kernel.session.outcome import RolledBack, Succeeded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Notebook, Open

# each runs on a state in memory and on one in the file, which must not differ
CELLS = [
    ("s:set('a.b[1].c', 5), s:get('a.b[1].c'), json.encode(s:get())", 'true\t5\t"{\\"a\\":{\\"b\\":[{\\"c\\":5}]}}"'),
    ("s:get('a.x', 7), s:get('nothing')", "7\tnil"),
    ("local t = s:get('a'); t.b = 1; return type(s:get('a.b'))", '"table"'),
    ("s:set({'dotted.key', 2}, 'x'), s:get({'dotted.key', 2})", 'true\t"x"'),
    ("s:update('n', function(old) return (old or 1) * 3 end), s:get('n')", "3\t3"),
    ("s:update{n = 4, m = {1}}, s:get('n'), s:get('m[1]')", "true\t4\t1"),
    ("s:compare_and_set('n', 5, 6), s:compare_and_set('n', 4, 6), s:get('n')", "false\ttrue\t6"),
    ("s:compare_and_set('m', {1}, {2}), s:compare_and_set('fresh.x', nil, 1)", "true\ttrue"),
    ("s:increment('count'), s:increment('count', 0.5), s:increment('deep.er', -1)", "1\t1.5\t-1"),
    ("s:append('log', 'a', 'b'), s:append('log', {c = 1}), #s:get('log')", "2\t3\t3"),
    ("s:delete('log[1]'), s:get('log[1]'), s:delete('log.x'), s:delete('nothing')", '"a"\t"b"\tnil\tnil'),
    ("pcall(s.increment, s, 'log')", "'increment' adds to a number, but at 'log' is a table"),
    ("pcall(s.append, s, 'n', 1)", "'append' adds to a list, but at 'n' is a number"),
    ("table.concat(s:keys(), ' '), table.concat(s:keys('deep'), ' ')", '"a count deep dotted.key fresh log m n"\t"er"'),
    ("before = s:snapshot(); s:set('n', 'new'); s:delete('m'); s:set('z', 1);", "None"),
    ("table.concat(data.map(s:diff(before), function(d) return d.path .. ' ' .. d.kind end), ', ')",
     '"m removed, n changed, z added"'),
    ("s:restore(before), #s:diff(before), s:get('n'), s:get('z')", "true\t0\t6\tnil"),
    ("s:transaction(function(t) t:set('x', 1); t:increment('n'); return t:get('n'), 'done' end), s:get('x')", '7\t1'),
    ("pcall(s.transaction, s, function(t) t:set('x', 2); error('no', 0) end), s:get('x')", "1"),
    ("s:set('null', json.null), s:get('null') == json.null, s:set('null'), s:get('null')", "true\ttrue\ttrue\tnil"),
    ("s:set('l', json.array()), json.encode(s:get('l'))", 'true\t"[]"'),
    ("s:set('i', 2), s:set('f', 2.0), s:get('i'), s:get('f'), s:set('bin', '\\xff'), s:get('bin') == '\\xff'",
     "true\ttrue\t2\t2.0\ttrue\ttrue"),
    ("pcall(s.set, s, '', 1)", "the path is empty"),
    ("pcall(s.set, s, 0/0, 1)", "bad argument #1 to 'state:set' (NaN is no key)"),
    ("pcall(s.set, s, {'a', 0/0}, 1)", "bad argument #1 to 'state:set' (list of keys expected"),
    ("pcall(s.restore, s, s)", "bad argument #1 to 'state:restore' (table expected, got state)"),
    ("pcall(s.diff, s, s)", "bad argument #1 to 'state:diff' (table expected, got state)"),
    ("s:set('n', 1), pcall(s.transaction, s, function(t) s:increment('n') end)",
     "inside a transaction its state is changed through what the function gets"),
    ("s:transaction(function(t) t:set('n', s:get('n') + 1) return t:transaction(function(u) u:increment('n') end) end)",
     "None"),
    ("s:get('n'), s:increment('n')", "3\t4"),
    ("function f(t) t:set('n', 0) end s:transaction(f) f(s)", "None"),
    ("pcall(function() s.x = 1 end)", "a state is changed with its methods"),
    ("pcall(s.set, 's', 'x', 1)", "call set with a colon"),
    ("s:clear(), #s:keys()", "true\t0"),
]  # fmt: skip


@pytest.mark.parametrize("persistent", ["false", "true"])
async def test_everything_works_in_memory_and_in_the_file(notebook: Notebook, persistent: str) -> None:
    await notebook.value(f"s = state.create('test', {{persistent = {persistent}}});")
    for code, shown in CELLS:
        assert shown in str(await notebook.value(code)), code


async def test_defaults_are_set_where_there_is_nothing(notebook: Notebook) -> None:
    await notebook.value("state.create('d', {persistent = true, defaults = {n = 1}}):set('n', 5);")
    code = "local s = state.create('d', {persistent = true, defaults = {n = 1, m = 2}}) return s:get('n'), s:get('m')"
    assert await notebook.value(code) == "5\t2"
    assert (
        await notebook.value("tostring(state.create('d')), state.create{x = 1}:get('x')") == '"state: d"\t1'
    )
    assert "what is persistent needs a name" in str(
        await notebook.value("pcall(state.create, nil, {persistent = true})")
    )


async def test_save_and_load(notebook: Notebook) -> None:
    await notebook.value("s = state.create('kept', {defaults = {a = {1, 2}}}); s:save();")
    code = "local t = state.create('kept'); return t:get('a'), t:load(), json.encode(t:get())"
    assert await notebook.value(code) == 'nil\ttrue\t"{\\"a\\":[1,2]}"'
    assert await notebook.value("table.concat(state.list(), ' ')") == '"kept"'
    assert await notebook.value("state.remove('kept'), #state.list()") == "true\t0"


async def test_scopes(notebook: Notebook) -> None:
    await notebook.value("state.save('global', 'k', {1, 2}); state.save('s', 'k', 'other');")
    assert await notebook.value(
        "state.load('global', 'k')[2], state.load('s', 'k'), state.load('s', 'x')"
    ) == ('2\t"other"\tnil')
    assert await notebook.value("table.concat(state.list_keys('global'), ' '), #state.list()") == '"k"\t0'
    assert await notebook.value("state.delete('s', 'k'), state.delete('s', 'k')") == "true\tfalse"


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("s:set('f', print)", "f: a function cannot be kept in persistent state"),
        ("s:set('a.b', {1, {print}})", "a.b[2][1]: a function"),
        ("s:set('c', coroutine.create(print))", "c: a coroutine cannot be kept in persistent state"),
        ("s:update{a = 1, b = {c = channel.make()}}", "b.c: a Channel cannot be kept in persistent state"),
        (
            "local c = {}; c[1] = c; s:transaction(function(t) t:set('q.r', c) end)",
            "q.r[1]: a cycle cannot be kept",
        ),
    ],
)
async def test_what_cannot_be_kept_is_named(notebook: Notebook, code: str, problem: str) -> None:
    await notebook.value("s = state.create('t', {persistent = true});")
    assert problem in str(await notebook.value(f"pcall(function() {code} end)"))


async def test_a_transaction_that_is_interrupted_leaves_everything_as_it_was(notebook: Notebook) -> None:
    await notebook.value("s = state.create('t', {persistent = true, defaults = {n = 1}});")
    running = asyncio.create_task(
        notebook.run("s:transaction(function(t) t:set('n', 2) print('in') while true do end end)")
    )
    while "in" not in notebook.last.out:
        await asyncio.sleep(0.01)
    notebook.session.interrupt()
    assert not isinstance(await running, Succeeded)
    assert (
        await notebook.value("s:get('n'), s:increment('n'), s:transaction(function(t) return 7 end)")
        == "1\t2\t7"
    )


async def test_methods_are_not_taken_for_the_functions_of_a_module(notebook: Notebook) -> None:
    await notebook.value(
        "kept = state.create('kept', {defaults = {a = 1}}) kept:delete('a') kept:save() kept:load()"
    )
    assert notebook.last.err == ""


async def test_two_notebooks_lose_no_update(open_notebook: Open) -> None:
    one, two = await open_notebook(), await open_notebook()
    code = """
    local s = state.create('shared', {persistent = true, defaults = {n = 0}})
    local jobs = {}
    for task = 1, 3 do
      jobs[task] = async(function()
        for _ = 1, 10 do
          assert(s:increment('n'))
          assert(s:append('log', 1))
          s:transaction(function(t) t:set('deep.n', t:get('deep.n', 0) + 1) end)
        end
      end)
    end
    for _, job in ipairs(jobs) do async.await(job) end"""
    await asyncio.gather(one.value(code), two.value(code))
    shown = "local s = state.create('shared', {persistent = true}) return s:get('n'), #s:get('log'), s:get('deep.n')"
    assert await one.value(shown) == "60\t60\t60"


async def test_many_tasks_at_one_value_take_turns(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, commits = StateStore.commit, 0

    async def counted(store: StateStore, *arguments: Any) -> bool:
        nonlocal commits
        commits += 1
        return await commit(store, *arguments)

    monkeypatch.setattr(StateStore, "commit", counted)
    code = """
    local s, jobs = state.create('s', {persistent = true}), {}
    for n = 1, 150 do jobs[n] = async(function() return assert(s:increment('n')) end) end
    for n = 1, 150 do async.await(jobs[n]) end
    return s:get('n')"""
    assert await notebook.value(code) == "150"
    assert commits < 1000  # each against all: some 7,000


async def test_a_turn_ends_though_it_waits_for_what_waits_for_it(notebook: Notebook) -> None:
    code = """
    local s, jobs = state.create('s', {persistent = true}), {}
    local function both(n)
      async.await(async(function() for _ = 1, 5 do assert(s:increment('b')) end end))
      return (n or 0) + 1
    end
    for n = 1, 4 do jobs[n] = async(function() assert(s:update('a', both)) end) end
    jobs[5] = async(function() assert(s:update('a', both)) end)
    async.sleep(0.01)
    jobs[5]:cancel()
    for n = 1, 5 do pcall(async.await, jobs[n]) end
    return s:get('a'), s:get('b') >= 20"""
    shown = await asyncio.wait_for(notebook.value(code), 60)
    assert shown in ("4\ttrue", "5\ttrue")
    assert await notebook.value("state.create('s', {persistent = true}):increment('a') >= 5") == "true"


async def test_tasks_in_one_notebook_lose_no_update(notebook: Notebook) -> None:
    code = """
    local s = state.create()
    local jobs = {}
    for task = 1, 5 do
      jobs[task] = async(function()
        s:update('n', function(n) async.sleep(0.001 * task) return (n or 0) + 1 end)
      end)
    end
    for _, job in ipairs(jobs) do async.await(job) end
    return s:get('n')"""
    assert await notebook.value(code) == "5"


async def test_memory_follows_recovery_and_the_file_stays(notebook: Notebook) -> None:
    await notebook.value("m = state.create('m'); f = state.create('f', {persistent = true}); m:set('n', 1);")
    running = asyncio.create_task(notebook.run("m:set('n', 2); f:set('n', 2); print('set'); async.sleep(60)"))
    while "set" not in notebook.last.out:
        await asyncio.sleep(0.01)
    notebook.session._client.kill()
    assert isinstance(await running, RolledBack)
    assert await notebook.value("m:get('n'), f:get('n')") == "1\t2"


async def test_a_store_that_another_holds_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmspell_kernel.bridges.state_store._BUSY_SECONDS", 0.05)
    store = StateStore(tmp_path / "state.sqlite")
    assert await store.commit("s", [Change(b"k", b"v")])
    holder = sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)
    holder.execute("begin immediate")
    with pytest.raises(WorldError) as caught:
        await store.commit("s", [Change(b"k", b"w")])
    assert (caught.value.code, caught.value.retryable) == ("busy", True)
    assert (await store.read("s", b"k")) is not None
    holder.close()
    await store.close()


def damaged(file: Path) -> None:
    file.write_bytes(b"not a database" * 100)


def newer(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("pragma user_version = 99")


def no_folder(file: Path) -> None:
    file.parent.rmdir()
    file.parent.write_text("a file")


def a_folder(file: Path) -> None:
    file.mkdir()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (damaged, "it is damaged, or no such file at all"),
        (newer, "a newer version of this program has written it"),
        (no_folder, "File exists"),
        (a_folder, "unable to open database file"),
    ],
)
async def test_a_file_that_cannot_be_used_is_told_without_its_place(
    open_notebook: Open, tmp_path: Path, make: Callable[[Path], None], why: str
) -> None:
    (tmp_path / "kept").mkdir()
    make(tmp_path / "kept" / "state.sqlite")
    notebook = await open_notebook(storage_folder=str(tmp_path / "kept"))
    code = (
        "local r, err = state.load('s', 'k') return err.code .. ', ' .. err.message .. ', ' .. err.suggestion"
    )
    shown = str(await notebook.value(code))
    assert shown.startswith(f"\"io_error, the project's state file cannot be used: {why}, ")
    assert "%config storage.folder" in shown
    assert str(tmp_path) not in shown


async def test_a_file_of_the_first_days_is_taken(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "state.sqlite")
    assert await store.commit("s", [Change(b"k", b"v")])
    await store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "state.sqlite")) as database:
        database.execute("pragma user_version = 0")
    again = StateStore(tmp_path / "state.sqlite")
    assert await again.names() == ["s"]
    await again.close()


async def test_a_full_disk_is_told_and_nothing_is_lost(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmspell_kernel.bridges.state_store._LARGEST", 100_000)
    code = """
    local s, count = state.create('s', {persistent = true}), 0
    while true do
      local done, err = s:set('k' .. count + 1, ('x'):rep(10000))
      if not done then return err.code, count > 3, #s:keys() == count, err.suggestion end
      count = count + 1
    end"""
    shown = str(await notebook.value(code))
    assert shown.startswith('"storage_full"\ttrue\ttrue\t"take away what is not needed')


async def test_a_file_that_is_removed_meanwhile_is_made_anew(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "kept" / "state.sqlite")
    assert await store.commit("s", [Change(b"k", b"v")])
    shutil.rmtree(tmp_path / "kept")
    assert await store.read("s", b"k") is None
    assert await store.commit("s", [Change(b"k", b"w")])
    await store.close()
    other = StateStore(tmp_path / "kept" / "state.sqlite")
    assert (await other.read("s", b"k")) is not None
    await other.close()


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("state.create('\\xff', {persistent = true})", "state.create"),
        ("state.remove('\\xff')", "state.remove"),
        ("state.save('\\xff', 'k', 1)", "state.save"),
        ("state.list_keys('\\xff')", "state.list_keys"),
    ],
)
async def test_names_are_text(notebook: Notebook, code: str, name: str) -> None:
    shown = str(await notebook.value(f"pcall(function() return {code} end)"))
    assert f"bad argument #1 to '{name}' (a name is text in UTF-8)" in shown


async def test_changes_are_all_made_or_none(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "state.sqlite")
    assert await store.commit("s", [Change(b"a", b"1", 0), Change(b"b", b"1", 0)])
    assert not await store.commit("s", [Change(b"c", b"2"), Change(b"a", b"2", 0)])
    entries, revision = await store.all("s")
    assert sorted(entries) == [b"a", b"b"]
    assert await store.commit("s", [Change(b"a", None, entries[b"a"].version)], revision)
    assert not await store.commit("s", [], revision)
    assert await store.names() == ["s"]
    await store.close()
