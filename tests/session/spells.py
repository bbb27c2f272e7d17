"""One session for the many short spells of a test module, whose model is a scripted server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from llm.scripted_server import ScriptedServer

from llmspell_kernel.config import Places, Settings
from llmspell_kernel.session.session import Session

from .conftest import Notebook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from llm.scripted_server import Reply


class Spells(Notebook):
    """A notebook and the server that answers it."""

    def __init__(self, session: Session, server: ScriptedServer) -> None:
        super().__init__(session)
        self.server = server

    def script(self, *replies: Reply) -> None:
        """Answer the next questions so, and forget those before."""
        self.server.requests.clear()
        self.server.most_at_once = 0
        self.server.script(*replies)

    async def shown(self, code: str) -> str:
        """Run a cell that must succeed; returns what it printed."""
        await self.value(code)
        return self.last.out


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(models=("tiny-chat", "tiny-coder")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def spells(server: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Spells]:
    """A session that lasts for the whole module."""
    folder = tmp_path_factory.mktemp("spells")
    places = Places(config=folder / "config.toml", data=folder / "data")
    session = Session(Settings.load(folder, {"OPENAI_BASE_URL": server.base_url}, places))
    await session.start()
    yield Spells(session, server)
    await session.close()
