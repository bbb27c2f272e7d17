"""`require` and `spell.include` of files in the notebook's folder."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.session.outcome import Failed, Interrupted

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Notebook, Open


@pytest.fixture
async def cell(open_notebook: Open, tmp_path: Path) -> Notebook:
    """A notebook that may read its folder, with a few modules in it."""
    (tmp_path / "lib" / "deep").mkdir(parents=True)
    (tmp_path / "lib" / "greet.lua").write_text("runs = (runs or 0) + 1\nreturn { name = ..., n = 1 }\n")
    (tmp_path / "lib" / "deep" / "init.lua").write_text("return require('lib.greet').name .. '!'\n")
    (tmp_path / "a.lua").write_text("return require 'b'\n")
    (tmp_path / "b.lua").write_text("return require 'a'\n")
    (tmp_path / "bad.lua").write_text("local x = nil\nreturn x.field\n")
    (tmp_path / "broken.lua").write_text("return return\n")
    return await open_notebook(grant_files="read:.")


async def failure(cell: Notebook, code: str) -> str:
    """Run a cell that must fail; returns its traceback."""
    outcome = await cell.run(code)
    assert isinstance(outcome, Failed), outcome
    return "\n".join([outcome.problem.evalue, *outcome.problem.traceback])


async def test_files_are_modules_that_run_once_until_they_are_let_go(cell: Notebook, tmp_path: Path) -> None:
    await cell.run("local g = require 'lib.greet'; print(require 'lib.deep', g == require 'lib.greet', runs)")
    assert cell.last.out == "lib.greet!\ttrue\t1\n"
    (tmp_path / "lib" / "greet.lua").write_text("runs = runs + 1\nreturn { n = 2 }\n")
    await cell.run("print(require('lib.greet').n, spell.reload('lib.greet').n, require('lib.greet').n, runs)")
    assert cell.last.out == "1\t2\t2\t2\n"
    await cell.run("package.loaded['lib.greet'] = nil; print(require('lib.greet').n, runs)")
    assert cell.last.out == "2\t3\n"
    await cell.run("print(spell.include('lib/greet.lua').n, spell.include('lib/greet.lua').n, runs)")
    assert cell.last.out == "2\t2\t4\n"
    (tmp_path / "lib" / "greet.lua").write_text("error('oops')\n")
    await cell.run("print(pcall(spell.reload, 'lib.greet')); print(require('lib.greet').n)")
    assert cell.last.out == "false\tlib/greet.lua:1: oops\n2\n"


@pytest.mark.parametrize(
    "begin", [b"", b"\xef\xbb\xbf", b"#!/usr/bin/lua\n", b"\xef\xbb\xbf#!/usr/bin/env lua\n"]
)
async def test_what_editors_put_before_a_file_is_passed_over(
    cell: Notebook, tmp_path: Path, begin: bytes
) -> None:
    (tmp_path / "lib" / "begun.lua").write_bytes(begin + b"return 'told ' .. tostring(params.x)")
    await cell.run("params = {x = 5}")
    code = "require 'lib/begun', spell.include('lib/begun.lua'), spell.run('lib/begun.lua', {x = 6})"
    assert await cell.value(code) == '"told 5"\t"told 5"\t"told 6"'
    (tmp_path / "lib" / "wrong.lua").write_bytes(begin + b"error('here')")
    line = 2 if b"#" in begin else 1
    assert f"wrong.lua:{line}: here" in str(await cell.value("pcall(require, 'lib.wrong')"))


async def test_cycles_through_loaders_of_a_spell_are_shown_too(cell: Notebook) -> None:
    await cell.run("""
    package.preload.one = function() return require 'two' end
    package.preload.two = function() return require 'one' end
    table.insert(package.searchers, function(name) return name == 'three' and require(name) end)""")
    assert "a cycle in require: one -> two -> one" in str(await cell.value("pcall(require, 'one')"))
    assert "a cycle in require: three -> three" in str(await cell.value("pcall(require, 'three')"))
    await cell.run("package.preload.one = function(...) return table.concat({...}) end")
    assert await cell.value("require 'two', require 'one'") == '"one:preload:"\t"one:preload:"'


async def test_a_name_that_is_no_text_is_refused(cell: Notebook) -> None:
    shown = str(await cell.value("pcall(require, '\\xff')"))
    assert "bad argument #1 to 'require' (a name is text in UTF-8)" in shown


async def test_mistakes_are_told_with_their_places(cell: Notebook) -> None:
    assert "a -> b -> a" in await failure(cell, "require 'a'")
    assert "a -> b -> a" in await failure(cell, "require 'a'")
    assert "bad.lua:2" in await failure(cell, "require 'bad'")
    assert "broken.lua:1" in await failure(cell, "require 'broken'")
    missing = await failure(cell, "require 'no.such'")
    assert "no file 'no/such.lua'" in missing
    assert "no file 'no/such/init.lua'" in missing
    assert "not found" in await failure(cell, "require '../secret'")
    assert "does not come from a file" in await failure(cell, "spell.reload('json')")
    assert "gone.lua" in await failure(cell, "spell.include('gone.lua')")


async def test_a_folder_that_is_not_granted_is_not_read(open_notebook: Open, tmp_path: Path) -> None:
    (tmp_path / "mine.lua").write_text("return 1\n")
    cell = await open_notebook()
    told = await failure(cell, "require 'mine'")
    assert "not found" in told
    assert "under [grants]" in told


async def test_a_file_of_the_folder_goes_before_a_module_of_ours(cell: Notebook, tmp_path: Path) -> None:
    (tmp_path / "utils.lua").write_text("return { own = true, ours = require('utils') }\n")
    (tmp_path / "logging").mkdir()
    (tmp_path / "logging" / "init.lua").write_text("return { new = function() return 'mine' end }\n")
    await cell.run("print(require('utils').own, require('utils').ours == utils, require('logging').new())")
    assert cell.last.out == "true\ttrue\tmine\n"
    await cell.run("print(require('json') == json, require('string') == string, log ~= require('logging'))")
    assert cell.last.out == "true\ttrue\ttrue\n"
    await cell.run("package.loaded.json = { mine = true } print(require('json').mine)")
    assert cell.last.out == "true\n"


async def test_modules_of_ours_are_there_where_a_task_cannot_wait(cell: Notebook) -> None:
    code = """
    return async.await(async(function()
      local names = { 'b', 'a', 'c' }
      table.sort(names, function(x, y) return require('data').equal(x, x) and x < y end)
      return table.concat(names)
    end))"""
    assert await cell.value(code) == '"abc"'


async def test_a_file_that_may_not_be_read_is_in_nobodys_way(open_notebook: Open, tmp_path: Path) -> None:
    (tmp_path / "utils.lua").write_text("return { own = true }\n")
    cell = await open_notebook()
    assert await cell.value("return require('utils') == utils") == "true"
    assert cell.last.err == ""


async def test_package_is_as_in_any_lua(cell: Notebook, tmp_path: Path) -> None:
    (tmp_path / "lib" / "far.lua").write_text("return 'far'\n")
    code = """
    local made = package.config:sub(1, 1) .. package.cpath .. #package.searchers
    package.path = package.path .. ';./lib/?.lua'
    package.preload.early = function(name, where) return name .. where end
    table.insert(package.searchers, function(name)
      if name == 'virtual' then return function(wanted) return 'made ' .. wanted end end
      return "no such thing"
    end)
    print(made, require('far'), require('early'), require('virtual'))
    print(package.searchpath('far', package.path), (package.searchpath('lib.greet', './?.lua')))
    print((select(2, package.searchpath('none', './?.lua;./?/init.lua'))))"""
    await cell.value(code)
    assert cell.last.out.splitlines() == [
        "/0\tfar\tearly:preload:\tmade virtual",
        "./lib/far.lua\t./lib/greet.lua",
        "no file './none.lua'",
        "\tno file './none/init.lua'",
    ]


async def test_a_library_in_c_is_said_to_be_one(cell: Notebook) -> None:
    assert "'lpeg' is a library in C, of which cells can load none" in await failure(cell, "require 'lpeg'")
    assert "a library in C" in await failure(cell, "require 'socket.http'")


async def test_debug_cannot_be_required_and_it_is_said_why(cell: Notebook) -> None:
    assert "with it a cell could leave its sandbox" in await failure(cell, "require 'debug'")


async def test_a_module_that_two_tasks_require_is_loaded_once(cell: Notebook, tmp_path: Path) -> None:
    (tmp_path / "slow.lua").write_text("slow = (slow or 0) + 1\nasync.sleep(0.05)\nreturn { n = 1 }\n")
    (tmp_path / "fails.lua").write_text("async.sleep(0.05)\nerror('no luck')\n")
    (tmp_path / "p.lua").write_text("async.sleep(0.05)\nreturn require('q')\n")
    (tmp_path / "q.lua").write_text("async.sleep(0.05)\nreturn require('p')\n")
    both = "local function both(name) local a = async(function() return require(name) end)\n"
    both += "local b = async(function() return require(name) end) return a:await(5), b:await(5) end\n"
    await cell.value(both + "local a, b = both('slow') print(a == b, slow, a.n, require('slow') == a)")
    assert cell.last.out == "true\t1\t1\ttrue\n"
    both = both.replace("return a:await(5), b:await(5)", "print(a:await(5)) print(b:await(5))")
    await cell.value(both + "both('fails')")
    assert cell.last.out == "nil\tfails.lua:2: no luck\n" * 2
    crossed = "local a, b = async(require, 'p'), async(require, 'q') "
    await cell.value(crossed + "print(a:await(5)) print(b:await(5))")
    assert cell.last.out == ("nil\ta cycle in require: p -> q -> p\nnil\ta cycle in require: q -> p -> q\n")


async def test_a_load_that_was_stopped_is_begun_again(cell: Notebook, tmp_path: Path) -> None:
    (tmp_path / "hangs.lua").write_text("if hang then async.sleep(60) end\nreturn 'there'\n")
    await cell.value(
        "hang = true local t = async(function() return require('hangs') end) async.sleep(0.05) t:cancel()"
    )
    await cell.value("hang = false print(require('hangs'))")
    assert cell.last.out == "there\n"
    await cell.value("package.loaded.hangs = nil hang = true")
    task = asyncio.create_task(cell.run("require('hangs')"))
    await asyncio.sleep(0.2)
    cell.session.interrupt()
    assert isinstance(await task, Interrupted)
    await cell.value("hang = false print(require('hangs'))")
    assert cell.last.out == "there\n"
