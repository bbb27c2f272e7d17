"""Whole spells in the shapes of go-llmspell's and rs-llmspell's examples, each in a session of its own kind.

They assert what their authors would expect; nothing in them may find a nil value.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from llm.scripted_server import ScriptedServer, text

from llmspell_kernel.config import Places, Settings
from llmspell_kernel.session.session import Session

from .conftest import Notebook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPELLS = {
    path.stem: path.read_text() for path in sorted((Path(__file__).parent.parent / "spells").glob("*.lua"))
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def notebook(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Notebook]:
    """A notebook whose model always gives the same answer, and that may write into its folder."""
    folder = tmp_path_factory.mktemp("older")
    places = Places(config=folder / "config.toml", data=folder / "data")
    work = folder / "work"
    work.mkdir()
    with ScriptedServer(models=("tiny-chat",)) as server:
        server.script(text("An ", "answer."))
        environ = {"OPENAI_BASE_URL": server.base_url, "LLMSPELL_GRANT_FILES": f"write:{work}"}
        session = Session(Settings.load(folder, environ, places))
        await session.start()
        notebook = Notebook(session)
        await notebook.value(f"params = {{ folder = [[{work}]] }}")
        yield notebook
        await session.close()


@pytest.mark.parametrize("spell", SPELLS)
async def test_spells_of_others_run_unmodified(notebook: Notebook, spell: str) -> None:
    await notebook.value(SPELLS[spell])
    assert "nil value" not in notebook.last.err
