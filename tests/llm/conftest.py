"""Fixtures for everything that talks to models."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.llm.catalogue import ProviderInfo
from llmspell_kernel.llm.openai_compatible import OpenAICompatible

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
