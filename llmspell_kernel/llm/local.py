"""The local model as a provider: weights of ours, in a child process of ours, asked over loopback."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import msgspec

from llmspell_kernel.errors import NotFound
from llmspell_kernel.llm.assets import MINILM, asset_called
from llmspell_kernel.llm.catalogue import LOCAL, ProviderInfo
from llmspell_kernel.llm.embeddings import OfflineEmbeddings
from llmspell_kernel.llm.local_process import Address, LocalProcess, ServerOptions
from llmspell_kernel.llm.openai_compatible import OpenAICompatible, load_wire
from llmspell_kernel.llm.progress import Tell, untold
from llmspell_kernel.llm.protocol import Delta, Embeddings, ModelInfo, Request, Response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from pathlib import Path

    from llmspell_kernel.llm.weights import Weights, WeightStore

MOST_TOKENS = 512
"""Of an answer whose request sets no limit: a model this small may not stop once it has begun to ramble."""


class LocalModel:
    """A `llmspell_kernel.llm.protocol.Provider`.

    Args:
        store: The weights.
        environ: The kernel's environment.
        options: How the model runs.
        tell: Told about starting and ending.
    """

    def __init__(
        self,
        store: WeightStore,
        *,
        environ: Mapping[str, str],
        options: ServerOptions | None = None,
        tell: Tell = untold,
    ) -> None:
        self._store = store
        self._environ = environ
        self._options = options or ServerOptions()
        self._tell = tell
        self._embeddings = OfflineEmbeddings(store)
        self._running: dict[Path, _Running] = {}

    @property
    def name(self) -> str:
        """The provider's name."""
        return LOCAL

    def available(self) -> str | None:
        """The name of the model that would answer, or None if there is none or it cannot run here."""
        if find_spec("xllamacpp") is None:
            return None
        try:
            return self._store.find().name
        except NotFound:
            return None

    @property
    def pids(self) -> list[int]:
        """The process ids of the children that are running."""
        return [pid for running in self._running.values() if (pid := running.process.pid) is not None]

    async def complete(self, request: Request) -> Response:
        """Answer, whole."""
        request = self._bounded(request)
        async with self._asking(request.model) as client:
            return await client.complete(request)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Answer piece by piece."""
        request = self._bounded(request)
        async with self._asking(request.model) as client, aclosing(client.stream(request)) as deltas:
            async for delta in deltas:
                yield delta

    async def embed(self, texts: Sequence[str], model: str) -> Embeddings:
        """Turn texts into vectors. There is one model for it here, whichever is named for chatting."""
        if model and asset_called(model) is not MINILM:
            raise NotFound(
                f"the local model '{model}' chats; it makes no vectors",
                provider=LOCAL,
                suggestion=f"leave the model out, or name '{MINILM.name}'",
            )
        return await self._embeddings.embed(texts)

    async def models(self) -> tuple[ModelInfo, ...]:
        """What has been pulled."""
        return tuple(
            ModelInfo(
                id=weights.name,
                provider=LOCAL,
                kind=weights.kind,
                description=weights.title or str(weights.path),
                bytes=weights.bytes,
            )
            for weights in self._store.list()
        )

    async def aclose(self) -> None:
        """End the child processes."""
        running, self._running = list(self._running.values()), {}
        for one in running:
            await one.aclose()

    def _bounded(self, request: Request) -> Request:
        limit = request.max_tokens if request.max_tokens is not None else MOST_TOKENS
        return msgspec.structs.replace(request, max_tokens=limit)

    @asynccontextmanager
    async def _asking(self, model: str) -> AsyncGenerator[OpenAICompatible]:
        """The client of the model's child, which is started if need be; others that are idle make room."""
        weights = self._store.find(model)
        if weights.path not in self._running:
            for path, other in list(self._running.items()):
                if not other.process.in_use:
                    del self._running[path]
                    await other.aclose()
            self._running.setdefault(weights.path, _Running(self._process_for(weights)))
        running = self._running[weights.path]
        # Both take a second or more at first, on different processors.
        loading = asyncio.create_task(load_wire())
        try:
            async with running.process.use() as address:
                await loading
                yield await running.client_at(address)
        finally:
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)

    def _process_for(self, weights: Weights) -> LocalProcess:
        return LocalProcess(weights.name, weights.path, self._options, environ=self._environ, tell=self._tell)


class _Running:
    """A model's child process, and the client that asks it."""

    def __init__(self, process: LocalProcess) -> None:
        self.process = process
        self._client: OpenAICompatible | None = None

    async def client_at(self, address: Address) -> OpenAICompatible:
        """The client for the address, which changes with every start of the process."""
        if self._client is None or self._client.info.base_url != address.url:
            old = self._client
            info = ProviderInfo(name=LOCAL, title="the local model", base_url=address.url)
            # It may think for long; that it is still there is watched otherwise.
            self._client = OpenAICompatible(info, address.key, patience=3600)
            if old is not None:
                await old.aclose()
        return self._client

    async def aclose(self) -> None:
        """Close the connections and end the process."""
        if self._client is not None:
            await self._client.aclose()
        await self.process.aclose()
