"""The gallery and the widgets, looked at and worked in a real JupyterLab, in its light and its dark theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from tests.browser.conftest import NotebookPage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import Lab

GALLERY = (
    """return { { name = "Mercury", radius = 2439.7, moons = 0 }, { name = "Jupiter", radius = 69911.0 } }""",
    """plot.line({ a = { 1, 4, 9, 16 }, b = { 2, 4, 6, 8 } }, { title = "Growth", picture = false })""",
    """for i in progress(1000, "adding") do end""",
)
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
    """interact(function(x) return "twice is " .. 2 * x end, { x = { 0, 10 } })""",
    """while clicks < 2 do async.sleep(0.05) end; "clicked while it ran\"""",
)


def test_a_gallery_shows_in_light_and_in_dark(lab: Lab, page: Page, tmp_path: Path) -> None:
    page.goto(lab.notebook("g.ipynb", *GALLERY))
    notebook = NotebookPage(page)
    notebook.wait_until_ready()
    grid = notebook.run(0)
    expect(grid.locator("table")).to_contain_text("Jupiter")
    chart = notebook.run(1)
    expect(chart.locator("canvas, svg").first).to_be_visible()
    expect(notebook.run(2)).to_contain_text("1,000 of 1,000")
    light = grid.locator("table").evaluate("e => getComputedStyle(e).color")
    page.screenshot(path=tmp_path / "light.png")
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.locator(".lm-Menu-itemLabel").get_by_text("Theme", exact=True).click()
    page.locator(".lm-Menu-itemLabel").get_by_text("JupyterLab Dark", exact=True).click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    dark = grid.locator("table").evaluate("e => getComputedStyle(e).color")
    page.screenshot(path=tmp_path / "dark.png")
    assert light != dark


def test_a_slider_a_button_and_an_interact_call_lua(lab: Lab, page: Page, tmp_path: Path) -> None:
    page.goto(lab.notebook("w.ipynb", *WIDGETS))
    notebook = NotebookPage(page)
    notebook.wait_until_ready()
    for number in range(3):
        notebook.run(number)
    slider, button, interact = (
        notebook.cells.nth(number).locator(".jp-OutputArea").first for number in range(3)
    )
    slider.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_contain_text("n is now\t4")
    button.get_by_role("button", name="Click me").click()
    expect(button).to_contain_text("clicked\t1")
    expect(interact).to_contain_text("twice is 10")
    interact.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    expect(interact).to_contain_text("twice is 12")
    running = notebook.start(3)
    notebook.wait_until_running(running)
    button.get_by_role("button", name="Click me").click()
    notebook.wait_until_done(running)
    expect(running).to_contain_text("clicked while it ran")
    page.screenshot(path=tmp_path / "widgets.png")
