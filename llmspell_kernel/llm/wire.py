"""The calls themselves, made by pydantic-ai and the OpenAI client underneath it.

Importing this module takes one to two seconds and 60 MB: `openai_compatible` does it late and off the event
loop.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
from openai import AsyncOpenAI
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from llmspell_kernel.llm import protocol, translation
from llmspell_kernel.llm.catalogue import KNOWN, ProviderInfo, is_embedding_model
from llmspell_kernel.llm.failures import Place, translate, unreadable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_COMPATIBLE = OpenAIModelProfile(
    # Only OpenAI itself knows these two; other servers refuse them or, worse, ignore them.
    openai_supports_strict_tool_definition=False,
    openai_chat_supports_max_completion_tokens=False,
    # It forbids all properties that a schema does not list; a schema goes out as it was written.
    json_schema_transformer=None,
    # Without this a connection that is cut between two events looks like the end of the answer.
    openai_chat_streaming_requires_finish_reason=True,
)


class Wire:
    """One provider's connections.

    Args:
        info: Who is asked and where.
        api_key: The key; empty for servers that need none.
        patience: Seconds to wait for the next bytes of an answer.
    """

    def __init__(self, info: ProviderInfo, api_key: str, patience: float) -> None:
        self._info = info
        self._api_key = api_key
        local = urlsplit(info.base_url).hostname in _LOOPBACK
        # A proxy from the environment is for the outside world; it must not see what stays on this machine.
        self._http = httpx2.AsyncClient(timeout=httpx2.Timeout(patience, connect=5), trust_env=not local)
        self._client = AsyncOpenAI(
            base_url=info.base_url, api_key=api_key or "none", http_client=self._http, max_retries=0
        )
        self._is_openai = info.base_url == KNOWN["openai"].base_url
        if not self._is_openai:
            # The client reads these from the environment; they are nobody else's business.
            self._client.organization = None
            self._client.project = None

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.close()

    def _model(self, name: str) -> OpenAIChatModel:
        if self._is_openai:
            return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=self._client))
        provider = OpenAICompatibleProvider(self._info.name, openai_client=self._client, profile=_COMPATIBLE)
        return OpenAIChatModel(name, provider=provider)

    @contextmanager
    def _border(self, model: str) -> Generator[None]:
        """Turns foreign errors into ours."""
        place = Place(self._info, model)
        try:
            yield
        except Exception as error:
            ours = translate(error, place, self._api_key)
            if ours is error:
                raise
            raise ours from error

    async def complete(self, request: protocol.Request) -> protocol.Response:
        """Answer, whole."""
        with self._border(request.model):
            response = await model_request(
                self._model(request.model),
                translation.to_messages(request.messages),
                model_settings=translation.to_settings(request),
                model_request_parameters=translation.to_parameters(request),
                instrument=False,
            )
            return translation.from_response(response, self._info.name, request.model)

    async def stream(self, request: protocol.Request) -> AsyncGenerator[protocol.Delta, None]:
        """Answer piece by piece."""
        with self._border(request.model):
            async with model_request_stream(
                self._model(request.model),
                translation.to_messages(request.messages),
                model_settings=translation.to_settings(request),
                model_request_parameters=translation.to_parameters(request),
                instrument=False,
            ) as streamed:
                async for event in streamed:
                    if (delta := translation.from_event(event)) is not None:
                        yield delta
                response = streamed.get()
        yield protocol.Finished(response=translation.from_response(response, self._info.name, request.model))

    async def embed(self, texts: Sequence[str], model: str) -> protocol.Embeddings:
        """Turn texts into vectors."""
        with self._border(model):
            answer = await self._client.embeddings.create(
                model=model, input=list(texts), encoding_format="float"
            )
            vectors = tuple(tuple(entry.embedding) for entry in sorted(answer.data, key=lambda e: e.index))
            if len(vectors) != len(texts):
                raise unreadable(Place(self._info, model), f"{len(vectors)} vectors for {len(texts)} texts")
            usage = protocol.Usage(prompt_tokens=answer.usage.prompt_tokens if answer.usage else 0)
            return protocol.Embeddings(
                vectors=vectors, model=answer.model or model, provider=self._info.name, usage=usage
            )

    async def models(self) -> tuple[protocol.ModelInfo, ...]:
        """The models on offer."""
        with self._border(""):
            names = [entry.id async for entry in self._client.models.list(timeout=30)]
        return tuple(
            protocol.ModelInfo(
                id=name,
                provider=self._info.name,
                kind="embedding" if is_embedding_model(name) else "chat",
            )
            for name in names
        )
