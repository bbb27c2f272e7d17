"""Fixtures for everything that talks to models."""

from __future__ import annotations

import asyncio
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest

from llmspell_kernel.llm.catalogue import ProviderInfo
from llmspell_kernel.llm.openai_compatible import OpenAICompatible
from llmspell_kernel.llm.weights import WeightStore

from .scripted_server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
async def provider(server: ScriptedServer) -> AsyncIterator[OpenAICompatible]:
    """A provider that asks the scripted server; afterwards neither a task nor a connection may be left."""
    info = ProviderInfo(name="scripted", title="Scripted", base_url=server.base_url)
    asked = OpenAICompatible(info, backoff=0.01)
    yield asked
    await asked.aclose()
    # Generators that a failure left half read are closed by tasks of one or two turns.
    await asyncio.sleep(0.01)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left
    assert server.wait_until_idle()


@pytest.fixture(scope="session")
def weights() -> WeightStore:
    """The weights that `llmspell models pull` has put into the cache."""
    store = WeightStore(Path(platformdirs.user_cache_dir("llmspell")) / "models")
    missing = None
    if find_spec("xllamacpp") is None:
        missing = "xllamacpp is not installed"
    elif not store.list():
        missing = f"no weights in {store.folder}: run `llmspell models pull`"
    if missing and os.environ.get("LLMSPELL_TEST_REQUIRE_ALL") == "1":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    return store
