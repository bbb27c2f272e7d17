"""spell: results are shown, and ending it ends the cell, never the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.session.outcome import Failed, Succeeded

if TYPE_CHECKING:
    from .conftest import Notebook


async def test_an_output_is_shown_and_kept(notebook: Notebook) -> None:
    await notebook.value("spell.output({1, 2}) spell.output('hi', 'greeting')")
    assert [bundle["text/plain"] for bundle, _, _ in notebook.last.shown] == ["{1, 2}", '"hi"']
    assert await notebook.value("spell.outputs()[1][2], spell.outputs().greeting") == '2\t"hi"'


async def test_exit_ends_the_cell_and_no_more(notebook: Notebook) -> None:
    assert isinstance(await notebook.run("x = 1 spell.exit(0, 'nothing to do') x = 2"), Succeeded)
    assert notebook.last.out == "nothing to do\n"
    outcome = await notebook.run("pcall(spell.exit, 3, 'no room') x = 3")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == "exit code 3"
    assert notebook.last.err == "no room\n"
    assert await notebook.value("x") == "1"


async def test_a_plain_notebook_has_empty_parameters(notebook: Notebook) -> None:
    assert await notebook.value("next(params), ARGS == params, arg == params") == "nil\ttrue\ttrue"
