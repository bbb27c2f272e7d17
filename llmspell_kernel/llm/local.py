"""The local model as a provider: weights of ours, in a child process of ours, asked over loopback."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import msgspec

from llmspell_kernel.errors import NotFound
from llmspell_kernel.llm.assets import MINILM, asset_called
from llmspell_kernel.llm.catalogue import LOCAL, ProviderInfo
from llmspell_kernel.llm.embeddings import OfflineEmbeddings
from llmspell_kernel.llm.local_process import LocalProcess, ServerOptions
from llmspell_kernel.llm.openai_compatible import OpenAICompatible
from llmspell_kernel.llm.progress import Tell, untold
from llmspell_kernel.llm.protocol import Delta, Embeddings, ModelInfo, Request, Response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from llmspell_kernel.llm.weights import WeightStore

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
        self._process: LocalProcess | None = None
        self._client: OpenAICompatible | None = None

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
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._process.pid if self._process is not None else None

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
        """End the child process."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
        if self._process is not None:
            await self._process.aclose()

    def _bounded(self, request: Request) -> Request:
        limit = request.max_tokens if request.max_tokens is not None else MOST_TOKENS
        return msgspec.structs.replace(request, max_tokens=limit)

    @asynccontextmanager
    async def _asking(self, model: str) -> AsyncGenerator[OpenAICompatible]:
        """The client of the running child, which is started, or exchanged for another model's, if need be."""
        weights = self._store.find(model)
        if self._process is None or self._process.path != weights.path:
            await self.aclose()
            self._process = LocalProcess(
                weights.name, weights.path, self._options, environ=self._environ, tell=self._tell
            )
        async with self._process.use() as address:
            if self._client is None or self._client.info.base_url != address.url:
                if self._client is not None:
                    await self._client.aclose()
                self._client = OpenAICompatible(
                    ProviderInfo(name=LOCAL, title="the local model", base_url=address.url), address.key
                )
            yield self._client
