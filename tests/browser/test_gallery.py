"""The gallery and the widgets, looked at and worked in a real JupyterLab, in its light and its dark theme."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llm.scripted_server import ScriptedServer, calls, text
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NotebookPage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import Lab

GALLERY = (
    """return { { name = "Mercury", radius = 2439.7, moons = 0 }, { name = "Jupiter", radius = 69911.0 } }""",
    """plot.line({ a = { 1, 4, 9, 16 }, b = { 2, 4, 6, 8 } }, { title = "Growth", picture = false })""",
    """for i in progress(1000, "adding") do end""",
    """agent.create("clerk", { tools = { "calculator" } }):run({ prompt = "What is 17 × 23?" })""",
    """
local function step() async.sleep(0.05) return 1 end
local both = workflow.parallel("both"):add_step("left", step):add_step("right", step):build()
local flow = workflow.sequential("report"):add_step("first", step):add_step{ name = "then", workflow = both }:build()
flow:show():execute();""",
    """llm.usage()""",
    """
local s = state.create("demo", { defaults = { n = 1 } })
local before = s:snapshot()
s:set("n", 2)
s:diff(before)""",
)
SHOWN = (
    ("table", "Jupiter"),
    ("canvas, svg", ""),
    (".ls-progress", "1,000 of 1,000"),
    (".ls-turns", "It is 391."),
    (".ls-flow >> nth=0", "right"),
    (".llmspell", "2 calls"),
    (".ls-diff", "n"),
)
"""Of each output, the part to look at and a text in it."""
WIDGETS = (
    """
s = widgets.IntSlider{ min = 0, max = 10, value = 3, description = "n" }
s:observe(function(change) print("n is now", change.new) end)
s""",
    """
clicks = 0
local b = widgets.Button{ description = "Click me" }
b:on_click(function() clicks = clicks + 1; print("clicked", clicks) end)
b""",
    """twice = nil; interact(function(x) twice = 2 * x; return "twice is " .. twice end, { x = { 0, 10 } })""",
    """while clicks < 2 or s.value < 5 or twice < 14 do async.sleep(0.05) end; "worked while it ran\"""",
)


def test_a_gallery_shows_in_light_and_in_dark(
    lab: Lab, page: Page, model: ScriptedServer, tmp_path: Path
) -> None:
    model.script(calls(("calculator", {"expression": "17*23"})), text("It is **391**."))
    page.goto(lab.notebook("g.ipynb", *GALLERY))
    notebook = NotebookPage(page)
    notebook.wait_until_ready()
    outputs = [notebook.run(number) for number in range(len(GALLERY))]
    light = _looks(outputs)
    page.screenshot(path=tmp_path / "light.png")
    _menu(page, "Settings", "Theme")
    page.locator(".lm-Menu-itemLabel").get_by_text("JupyterLab Dark", exact=True).click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    dark = _looks(outputs)
    page.screenshot(path=tmp_path / "dark.png")
    for number in (0, 3, 4, 5, 6):
        assert light[number] != dark[number], GALLERY[number]


def _looks(outputs: list[Locator]) -> list[str]:
    """The colours of the texts; each output has to be there and whole."""
    colours: list[str] = []
    for output, (part, holds) in zip(outputs, SHOWN, strict=True):
        shown = output.locator(part).first
        expect(shown).to_be_visible()
        expect(shown).to_contain_text(holds)
        colours.append(shown.evaluate("e => getComputedStyle(e).color"))
    return colours


def test_a_slider_a_button_and_an_interact_call_lua(lab: Lab, page: Page, tmp_path: Path) -> None:
    page.goto(lab.notebook("w.ipynb", *WIDGETS))
    notebook = NotebookPage(page)
    notebook.wait_until_ready()
    for number in range(3):
        notebook.run(number)
    slider, button, interact = (
        notebook.cells.nth(number).locator(".jp-OutputArea").first for number in range(3)
    )

    def work(times: int) -> None:
        """Move both sliders by one and click; Lua's answers are below them."""
        for area in (slider, interact):
            area.locator(".noUi-handle").focus()
            page.keyboard.press("ArrowRight")
        button.get_by_role("button", name="Click me").click()
        expect(slider).to_contain_text(f"n is now\t{3 + times}")
        expect(interact).to_contain_text(f"twice is {10 + 2 * times}")
        expect(button).to_contain_text(f"clicked\t{times}")

    expect(interact).to_contain_text("twice is 10")
    work(1)
    running = notebook.start(3)
    notebook.wait_until_running(running)
    work(2)
    notebook.wait_until_done(running)
    expect(running).to_contain_text("worked while it ran")
    work(3)
    page.screenshot(path=tmp_path / "widgets.png")


def test_a_saved_notebook_shows_its_widgets_without_their_kernel(
    lab: Lab, page: Page, tmp_path: Path
) -> None:
    address = lab.notebook("s.ipynb", WIDGETS[0])
    page.goto(address)
    notebook = NotebookPage(page)
    notebook.wait_until_ready()
    _menu(page, "Settings", "Save Widget State Automatically")
    slider = notebook.run(0)
    slider.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    expect(notebook.cells.first).to_contain_text("n is now\t4")
    page.keyboard.press("Control+s")
    file = lab.folder / "s.ipynb"
    names = _saved_models(page, file)
    assert {"IntSliderModel", "VBoxModel", "OutputModel"} <= names
    _menu(page, "Kernel", "Shut Down Kernel")
    expect(page.locator("#jp-main-statusbar")).to_contain_text("No Kernel")
    page.goto(address)
    notebook.wait_until_ready()
    expect(notebook.cells.first.locator(".noUi-handle")).to_be_visible()
    expect(notebook.cells.first).to_contain_text("n is now\t4")
    page.screenshot(path=tmp_path / "restored.png")


def _menu(page: Page, menu: str, item: str) -> None:
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.locator(".lm-Menu-itemLabel").get_by_text(item, exact=True).click()


def _saved_models(page: Page, file: Path) -> set[str]:
    """The names of the models in the file, once it is written."""
    for _ in range(100):
        widgets = json.loads(file.read_text())["metadata"].get("widgets", {})
        states = widgets.get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
        if states:
            return {state["model_name"] for state in states.values()}
        page.wait_for_timeout(100)
    return set()
