"""The module that the README shows: as a package would bring it, with every example that it has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.bridges.reference import reference
from llmspell_kernel.bridges.registry import installed_bridges
from llmspell_kernel.session.outcome import Failed, Succeeded

if TYPE_CHECKING:
    from .conftest import Install, Notebook, Open

README = Path(__file__).parents[2].joinpath("README.md").read_text("utf-8")
SECTION = README.partition("## Modules of your own\n")[2].partition("\n## ")[0]


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found.group(1)


@pytest.fixture
async def notebook(open_notebook: Open, install: Install) -> Notebook:
    """One where the package is installed that the README shows."""
    project = tomllib.loads(block("toml"))["project"]
    install(
        project["name"], {"llmspell_weather": block("python")}, project["entry-points"]["llmspell.bridges"]
    )
    return await open_notebook()


async def test_every_example_of_the_module_runs(notebook: Notebook) -> None:
    entries = [entry for entry in reference(installed_bridges()) if entry.name.startswith("weather.")]
    assert [entry.name for entry in entries] == ["weather.degrees", "weather.each", "weather.warmer"]
    for entry in entries:
        outcome = await notebook.run(entry.example)
        assert isinstance(outcome, Succeeded), entry.name
        assert notebook.last.out == entry.example.rpartition("--> ")[2] + "\n"


async def test_its_arguments_are_checked_and_its_failures_told(notebook: Notebook) -> None:
    for code, told in (
        ("weather.degrees()", "bad argument #1 to 'weather.degrees' (string expected, got no value)"),
        ("weather.each(1)", "bad argument #1 to 'weather.each' (function expected, got number)"),
        ("weather.warmer('Oslo', {})", "bad argument #2 to 'weather.warmer' (string expected, got table)"),
        ("weather.warmer('Oslo', 'Rome')", "nobody measures in Rome"),
    ):
        outcome = await notebook.run(code)
        assert isinstance(outcome, Failed)
        assert outcome.problem.evalue == told
