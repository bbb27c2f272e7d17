"""A real session over a real engine process, with a surface that records."""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llmspell_kernel.bridges import Bridge, installed
from llmspell_kernel.config import Places, Settings
from llmspell_kernel.errors import SpellError
from llmspell_kernel.session.outcome import Outcome, Succeeded
from llmspell_kernel.session.session import Session


@dataclass
class Recorder:
    """A surface that keeps what a cell did; `answers` are what the person would type."""

    out: str = ""
    err: str = ""
    shown: list[tuple[dict[str, Any], str | None, bool]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    clears: int = 0

    def stream(self, name: str, text: str) -> None:
        if name == "stdout":
            self.out += text
        else:
            self.err += text

    def display(
        self, bundle: dict[str, Any], metadata: dict[str, Any], display_id: str | None, update: bool
    ) -> None:
        self.shown.append((bundle, display_id, update))

    def clear(self, wait: bool) -> None:
        self.clears += 1

    async def ask(self, prompt: str, password: bool) -> str:
        self.asked.append(prompt)
        if not self.answers:
            raise SpellError("nobody answers here")
        return self.answers.pop(0)


@dataclass
class Notebook:
    """Runs cells one after the other, numbered as a front end numbers them."""

    session: Session
    count: int = 0
    last: Recorder = field(default_factory=Recorder)

    async def run(self, code: str, *, answers: list[str] | None = None) -> Outcome:
        """Run a cell; `last` holds what it wrote."""
        self.count += 1
        self.last = Recorder(answers=list(answers or []))
        return await self.session.execute(code, self.last, f"cell {self.count}")

    async def value(self, code: str) -> str | None:
        """Run a cell that must succeed; returns the text of its result, None if it shows nothing."""
        outcome = await self.run(code)
        assert isinstance(outcome, Succeeded), outcome
        return outcome.bundle["text/plain"] if outcome.bundle else None


Open = Callable[..., Any]
Offer = Callable[..., None]
Install = Callable[[str, Mapping[str, str], Mapping[str, str]], None]


@pytest.fixture
async def open_notebook(tmp_path: Path) -> AsyncIterator[Open]:
    """Open notebooks under given environment settings; all are closed at the end."""
    sessions: list[Session] = []

    async def opened(**environ: str) -> Notebook:
        names = {key if key.isupper() else f"LLMSPELL_{key.upper()}": value for key, value in environ.items()}
        places = Places(config=tmp_path / "config.toml", data=tmp_path / "data")
        session = Session(Settings.load(tmp_path, names, places))
        sessions.append(session)
        await session.start()
        return Notebook(session)

    yield opened
    for session in sessions:
        await session.close()


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Offer bridges, besides those that there are, to the notebooks that are opened from now on."""

    def offered(*bridges: type[Bridge]) -> None:
        known = installed.find().bridges
        monkeypatch.setattr(installed, "find", lambda: installed.Installed([*known, *bridges], []))

    return offered


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install packages as pip does, from the sources of their modules and their entry points for bridges."""
    imported: list[str] = []

    def installs(name: str, modules: Mapping[str, str], points: Mapping[str, str]) -> None:
        target = tmp_path / "site-packages"
        described = target / f"{name.replace('-', '_')}-1.0.dist-info"
        described.mkdir(parents=True)
        for module, source in modules.items():
            (target / f"{module}.py").write_text(source)
        (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "".join(f"{point} = {value}\n" for point, value in points.items())
        (described / "entry_points.txt").write_text(f"[{installed.ENTRY_POINTS}]\n{lines}")
        monkeypatch.syspath_prepend(str(target))
        importlib.invalidate_caches()
        imported.extend(modules)

    yield installs
    for module in imported:
        sys.modules.pop(module, None)


@pytest.fixture
async def notebook(open_notebook: Open) -> Notebook:
    """A notebook under default settings."""
    return await open_notebook()
