"""Finding one's way in JupyterLab: the completer with types, the tooltip with documentation, also while a cell runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from .conftest import Lab, NotebookPage

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ACCOUNT = """\
--- Puts money in.
---@param amount number how much
function deposit(amount) return amount end
account = { owner = "ada", deposit = deposit, ["two words"] = 2 }"""


def test_names_complete_with_types_and_documentation(lab: Lab, page: Page) -> None:
    page.goto(lab.notebook("way.ipynb", ACCOUNT, "account.", "llm.chat{ te", "deposit", "while true do end"))
    notebook = NotebookPage(page)
    notebook.wait_until_ready()
    notebook.run(0)
    items = _completer(notebook, 1)
    expect(_item(items, ".deposit")).to_contain_text("function")
    expect(_item(items, ".owner")).to_contain_text("string")
    expect(_item(items, '["two words"]')).to_be_visible()
    page.keyboard.press("Escape")
    _options_complete(notebook)
    tooltip = _tooltip(notebook, 3)
    expect(tooltip).to_contain_text(re.compile(r"deposit\(amount\).*Puts money in\..*how much", re.DOTALL))
    page.screenshot(path=lab.folder / "tooltip.png")
    page.keyboard.press("Escape")
    notebook.wait_until_running(notebook.start(4))
    expect(_item(_completer(notebook, 1), ".deposit")).to_contain_text("function")
    page.screenshot(path=lab.folder / "busy.png")
    page.keyboard.press("Escape")
    expect(_tooltip(notebook, 3)).to_contain_text("Puts money in.")
    page.locator("[data-command='notebook:interrupt-kernel']").click()


def _completer(notebook: NotebookPage, number: int) -> Locator:
    notebook.edit(number)
    notebook.page.keyboard.press("Tab")
    items = notebook.page.locator(".jp-Completer .jp-Completer-item")
    expect(items.first).to_be_visible()
    return items


def _item(items: Locator, text: str) -> Locator:
    return items.filter(
        has=items.page.locator(".jp-Completer-match", has_text=re.compile(f"^{re.escape(text)}$"))
    )


def _options_complete(notebook: NotebookPage) -> None:
    option = _item(_completer(notebook, 2), "temperature = ")
    expect(option).to_contain_text("number")
    notebook.page.keyboard.press("Enter")
    cell = notebook.cells.nth(2)
    expect(cell.locator(".cm-content")).to_have_text("llm.chat{ temperature = ")


def _tooltip(notebook: NotebookPage, number: int) -> Locator:
    notebook.edit(number)
    notebook.page.keyboard.press("Shift+Tab")
    return notebook.page.locator(".jp-Tooltip")
