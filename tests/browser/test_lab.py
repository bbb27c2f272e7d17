"""The real JupyterLab, driven as a person would."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from llm.scripted_server import ScriptedServer, text
from playwright.sync_api import Locator, Page, expect

from .conftest import TOKEN, Lab, NotebookPage

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS = """\
local spells = {
  { name = "Lumos", level = 1 },
  { name = "Accio", level = 4 },
}
return spells"""
STREAM = 'answer = llm.chat{ prompt = "Who is there?", stream = true }'
PIECES = ("It ", "is ", "an ", "owl ", "with ", "a ", "letter.")
TYPO = "local wand = {}\nwand.core.length = 9"


def test_a_kernel_is_picked_and_a_notebook_worked_in(lab: Lab, page: Page, model: ScriptedServer) -> None:
    _pick_the_kernel_in_the_launcher(lab, page)
    address = lab.notebook(
        "spells.ipynb",
        RECORDS,
        STREAM,
        "string.fo",
        "string.format",
        "while true do end",
        'llm.chat("Think for ever.")',
        "print(#spells, answer)",
        TYPO,
    )
    page.goto(address)
    notebook = NotebookPage(page)
    notebook.wait_until_ready()
    _records_are_shown_as_a_grid(notebook.run(0))
    _an_answer_grows_while_it_comes(notebook, 1, model)
    _tab_completes(notebook, 2)
    _shift_tab_explains(notebook, 3)
    _stopped(notebook, 4, lambda: page.locator("[data-command='notebook:interrupt-kernel']").click())
    model.script(text("never", delay=600))
    _stopped(notebook, 5, lambda: _kernel_menu(page, "Interrupt Kernel"))
    expect(notebook.run(6)).to_have_text(["2\tIt is an owl with a letter.\n"])
    _an_error_shows_its_place(notebook.run(7))


def _pick_the_kernel_in_the_launcher(lab: Lab, page: Page) -> None:
    page.goto(f"{lab.url}/lab?token={TOKEN}&reset")
    page.locator(".jp-LauncherCard[data-category='Notebook'][title*='LLMSpell Lua']").click()
    notebook = NotebookPage(page)
    notebook.wait_until_ready()
    notebook.edit(0)
    page.keyboard.type("6 * 7")
    page.keyboard.press("Shift+Enter")
    expect(notebook.cells.first.locator(".jp-OutputArea-output")).to_have_text("42")


def _records_are_shown_as_a_grid(output: Locator) -> None:
    grid = output.locator("table")
    expect(grid.locator("thead th")).to_contain_text(["#", "level", "name"])
    expect(grid.locator("tbody tr")).to_contain_text(["Lumos", "Accio"])


def _an_answer_grows_while_it_comes(notebook: NotebookPage, number: int, model: ScriptedServer) -> None:
    steps = threading.Semaphore(0)
    model.script(text(*PIECES, steps=steps))
    cell = notebook.start(number)
    output = cell.locator(".jp-OutputArea-output")
    for count in range(1, len(PIECES)):
        # the model says no more before this is seen
        beginning = re.escape("".join(PIECES[:count]).rstrip())
        expect(output.last).to_have_text(re.compile(rf"{beginning}\s*$"))
        steps.release()
    steps.release(len(PIECES))
    notebook.wait_until_done(cell)
    expect(output.filter(has_text="It is an owl with a letter.")).to_have_count(1)


def _tab_completes(notebook: NotebookPage, number: int) -> None:
    cell = notebook.edit(number)
    notebook.page.keyboard.press("Tab")
    expect(notebook.page.locator(".jp-Completer-item")).to_contain_text(["format"])
    notebook.page.keyboard.press("Enter")
    expect(cell.locator(".cm-content")).to_have_text("string.format")


def _shift_tab_explains(notebook: NotebookPage, number: int) -> None:
    notebook.edit(number)
    notebook.page.keyboard.press("Shift+Tab")
    expect(notebook.page.locator(".jp-Tooltip")).to_contain_text("format")
    notebook.page.keyboard.press("Escape")
    expect(notebook.page.locator(".jp-Tooltip")).to_have_count(0)


def _stopped(notebook: NotebookPage, number: int, stop: Callable[[], None]) -> None:
    cell = notebook.start(number)
    notebook.wait_until_running(cell)
    stop()
    notebook.wait_until_done(cell)
    expect(cell.locator(".jp-OutputArea-output")).to_contain_text([re.compile("Interrupted")])


def _kernel_menu(page: Page, item: str) -> None:
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name=item).click()


def _an_error_shows_its_place(output: Locator) -> None:
    expect(output).to_contain_text(
        [re.compile(r"LuaError: attempt to index a nil value \(field 'core'\).*cell \d+:2.*\^", re.DOTALL)]
    )
