"""The module that the README shows: as a package would bring it, with every example that it has."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.bridges.reference import reference
from llmspell_kernel.bridges.registry import installed_bridges
from llmspell_kernel.config import Places, Settings
from llmspell_kernel.session.outcome import Failed, Succeeded
from llmspell_kernel.session.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

README = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
SECTION = README.partition("## Modules of your own\n")[2].partition("\n## ")[0]


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found.group(1)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What pip makes of the two files that the README shows."""
    project = tomllib.loads(block("toml"))["project"]
    described = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    described.mkdir()
    (tmp_path / "llmspell_weather.py").write_text(block("python"))
    metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (described / "METADATA").write_text(metadata)
    points = project["entry-points"]["llmspell.bridges"].items()
    lines = [f"{name} = {value}\n" for name, value in points]
    (described / "entry_points.txt").write_text("[llmspell.bridges]\n" + "".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("llmspell_weather", None)


class Surface:
    """Keeps what a cell wrote."""

    out = ""

    def stream(self, _name: str, text: str) -> None:
        self.out += text

    def display(self, *_shown: object) -> None:
        pass

    def clear(self, _wait: bool) -> None:
        pass

    async def ask(self, _prompt: str, _password: bool) -> str:
        return ""


@pytest.fixture
async def session(package: None, tmp_path: Path) -> AsyncIterator[Session]:
    opened = Session(
        Settings.load(tmp_path, {}, Places(config=tmp_path / "config.toml", data=tmp_path / "data"))
    )
    await opened.start()
    yield opened
    await opened.close()


async def test_every_example_of_the_module_runs(session: Session) -> None:
    entries = [entry for entry in reference(installed_bridges()) if entry.name.startswith("weather.")]
    assert [entry.name for entry in entries] == ["weather.degrees", "weather.each", "weather.warmer"]
    for entry in entries:
        surface = Surface()
        outcome = await session.execute(entry.example, surface, "cell 1")
        assert isinstance(outcome, Succeeded), entry.name
        assert surface.out == entry.example.rpartition("--> ")[2] + "\n"


async def test_its_arguments_are_checked_and_its_failures_told(session: Session) -> None:
    for code, told in (
        ("weather.degrees()", "bad argument #1 to 'weather.degrees' (string expected, got no value)"),
        ("weather.each(1)", "bad argument #1 to 'weather.each' (function expected, got number)"),
        ("weather.warmer('Oslo', {})", "bad argument #2 to 'weather.warmer' (string expected, got table)"),
        ("weather.warmer('Oslo', 'Rome')", "nobody measures in Rome"),
    ):
        outcome = await session.execute(code, Surface(), "cell 1")
        assert isinstance(outcome, Failed)
        assert outcome.problem.evalue == told
