"""The reference is complete and true: everything that modules have is documented, and every example runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from llm.scripted_server import ScriptedServer, text

from llmspell_kernel.bridges.lua_documentation import documentation
from llmspell_kernel.bridges.reference import reference
from llmspell_kernel.bridges.registry import installed_bridges
from llmspell_kernel.config import Places, Settings
from llmspell_kernel.session.outcome import Succeeded
from llmspell_kernel.session.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from llmspell_kernel.language.documentation import Documented

BRIDGES = [bridge for bridge in installed_bridges() if not bridge.internal]
ENTRIES = reference(BRIDGES)
CALLABLE = [entry for entry in ENTRIES if entry.is_callable]
EXAMPLES = [entry for entry in ENTRIES if entry.example]

module_loop = pytest.mark.asyncio(loop_scope="module")


def test_no_two_things_have_one_name() -> None:
    """`State:save` of an object and `State.save` of a module would hide each other."""
    found: dict[str, set[str]] = {}
    for bridge in BRIDGES:
        for part in (bridge.lua_part, *bridge.lua_more):
            for entry in documentation(bridge.module, part) if part else ():
                if entry.is_callable:
                    found.setdefault(entry.name.replace(":", "."), set()).add(entry.name)
    assert {name: names for name, names in found.items() if len(names) > 1} == {}


class Surface:
    """Keeps what a cell wrote."""

    def __init__(self) -> None:
        self.out = self.err = ""

    def stream(self, name: str, text: str) -> None:
        if name == "stdout":
            self.out += text
        else:
            self.err += text

    def display(self, *shown: Any) -> None:
        pass

    def clear(self, wait: bool) -> None:
        pass

    async def ask(self, prompt: str, password: bool) -> str:
        return "an answer"


@pytest.fixture(scope="module")
def model() -> Any:
    """A model that answers every question with a JSON object, which is a text too."""
    with ScriptedServer() as server:
        server.script(text('{"name": "Paris"}'))
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(tmp_path_factory: pytest.TempPathFactory, model: ScriptedServer) -> AsyncIterator[Session]:
    """One session for all examples, in a folder that it may write to."""
    folder: Path = tmp_path_factory.mktemp("examples")
    environ = {
        "OPENAI_BASE_URL": model.base_url,
        "LLMSPELL_GRANT_FILES": f"write:{folder}",
    }
    opened = Session(
        Settings.load(folder, environ, Places(config=folder / "config.toml", data=folder / "data"))
    )
    await opened.start()
    yield opened
    await opened.close()


@pytest.mark.parametrize("entry", CALLABLE, ids=lambda entry: entry.name)
def test_every_function_tells_what_it_does_takes_and_gives_with_an_example(entry: Documented) -> None:
    assert entry.doc
    assert entry.example or "The same as `" in entry.doc
    assert all(one.type for one in (*entry.parameters, *entry.returns)), entry


def test_modules_and_types_tell_what_they_are() -> None:
    silent = [entry.name for entry in ENTRIES if entry.kind in ("module", "type") and not entry.doc]
    assert silent == []


@module_loop
async def test_everything_that_modules_have_is_documented(session: Session) -> None:
    written = {entry.name for entry in ENTRIES}
    surface, missing = Surface(), list[str]()
    for module in (*(bridge.module for bridge in BRIDGES), "display"):
        code = f"for name, value in pairs({module}) do print(name, type(value)) end"
        assert await session.execute(code, surface, "names") == Succeeded()
        members = [line.split("\t") for line in surface.out.splitlines()]
        missing += [f"{module}.{name}" for name, kind in members if kind == "function"]
        surface.out = ""
    assert [name for name in missing if name not in written] == []


@module_loop
@pytest.mark.parametrize("entry", EXAMPLES, ids=lambda entry: entry.name)
async def test_the_example_runs_and_prints_what_it_says(entry: Documented, session: Session) -> None:
    said = re.findall(r"--> ?(.*)$", entry.example, re.MULTILINE)
    surface = Surface()
    outcome = await session.execute(entry.example, surface, "example")
    assert isinstance(outcome, Succeeded), outcome
    assert "warning" not in surface.err
    if said:
        assert surface.out.splitlines() == said
