"""`require` and `spell.include` of files in the notebook's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.session.outcome import Failed

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
