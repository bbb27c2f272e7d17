"""The one door to language models: everything above `llm/` asks here.

`Models` reads the names that a spell uses, chooses where it uses none, keeps one provider for each place it
asks, and says once which model answers.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from llmspell_kernel.errors import SpellError
from llmspell_kernel.llm.assets import MINILM
from llmspell_kernel.llm.catalogue import LOCAL
from llmspell_kernel.llm.choose import Choice, Chooser, Origin
from llmspell_kernel.llm.directory import Directory, Preferences
from llmspell_kernel.llm.local import LocalModel
from llmspell_kernel.llm.openai_compatible import OpenAICompatible
from llmspell_kernel.llm.progress import Progress, Tell, untold
from llmspell_kernel.llm.structured import Structured, structured
from llmspell_kernel.llm.weights import WeightStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from pathlib import Path

    from llmspell_kernel.llm.local_process import ServerOptions
    from llmspell_kernel.llm.protocol import Delta, Embeddings, ModelInfo, Provider, Request, Response


class Models:
    """Language models, by name.

    Args:
        preferences: What the configuration says.
        weights: The folder of pulled weights.
        announce: Told each choice the first time it is used, to say so to the person.
        tell: Told about slow things: a local model that starts, a wait that a provider asks for.
        local: How the local model runs.
    """

    def __init__(
        self,
        preferences: Preferences,
        weights: Path,
        *,
        announce: Callable[[Choice], None] = lambda _: None,
        tell: Tell = untold,
        local: ServerOptions | None = None,
    ) -> None:
        self.preferences = preferences
        self.store = WeightStore(weights)
        self._announce = announce
        self._tell = tell
        self._local = LocalModel(self.store, environ=preferences.environ, options=local, tell=tell)
        self._directory = Directory(preferences)
        self._chooser = Chooser(preferences, self._directory, self._local.available)
        self._providers: dict[tuple[str, str], Provider] = {(LOCAL, ""): self._local}
        self._announced: set[Choice] = set()

    async def choose(self, model: str = "", provider: str = "") -> Choice:
        """The model that would answer a call which names `model` and `provider`, either of them maybe empty.

        Raises:
            NotFound: The provider is unknown, or nothing here can answer.
        """
        return await self._chooser.choose(model, provider)

    async def complete(self, request: Request, *, provider: str = "") -> Response:
        """Answer, whole. `request.model` may be empty, a model's name, or ``provider:model``."""
        asked, request = await self._resolve(request, provider)
        return await asked.complete(request)

    async def stream(self, request: Request, *, provider: str = "") -> AsyncGenerator[Delta, None]:
        """Answer piece by piece; the last delta is `Finished`. Use it with `contextlib.aclosing`."""
        asked, request = await self._resolve(request, provider)
        async with aclosing(asked.stream(request)) as deltas:
            async for delta in deltas:
                yield delta

    async def structured(self, request: Request, *, provider: str = "", corrections: int = 2) -> Structured:
        """A value that follows `request.schema`, checked here whatever the provider promises."""
        return await structured(
            lambda question: self.complete(question, provider=provider), request, corrections=corrections
        )

    async def embed(self, texts: Sequence[str], model: str = "", *, provider: str = "") -> Embeddings:
        """Turn texts into vectors: by the model named, else the configured one, else offline by MiniLM."""
        if not (model or provider):
            model = self.preferences.embedding
        if not (model or provider) or (provider == LOCAL and not model):
            model = f"{LOCAL}:{MINILM.name}"
        choice = await self._chooser.choose(model, provider)
        return await self._provider(choice).embed(texts, choice.model)

    async def list(self, provider: str = "") -> tuple[ModelInfo, ...]:
        """The models that `provider` offers; without one, those of every provider that answers right now."""
        if provider:
            choice = await self._chooser.choose(provider=provider)
            return await self._provider(choice).models()
        answers = await asyncio.gather(*(self._offered(name) for name in self._directory.names))
        return tuple(info for answer in answers for info in answer)

    async def aclose(self) -> None:
        """Close every connection and end the local model."""
        await asyncio.gather(*(provider.aclose() for provider in self._providers.values()))

    async def _resolve(self, request: Request, provider: str) -> tuple[Provider, Request]:
        choice = await self._chooser.choose(request.model, provider)
        if choice not in self._announced:
            self._announced.add(choice)
            if choice.origin is not Origin.CALL:
                self._announce(choice)
        return self._provider(choice), msgspec.structs.replace(request, model=choice.model)

    def _provider(self, choice: Choice) -> Provider:
        place = (choice.provider, choice.base_url)
        if place not in self._providers:
            info = self._directory.get(choice.provider)
            key = self._directory.key(choice.provider)
            self._providers[place] = OpenAICompatible(
                info, key, on_wait=self._waiting, patience=self.preferences.timeout
            )
        return self._providers[place]

    def _waiting(self, seconds: float, reason: str) -> None:
        self._tell(Progress(text=f"Waiting {seconds:.0f} s: {reason}"))

    async def _offered(self, name: str) -> tuple[ModelInfo, ...]:
        """What a provider offers, nothing if it needs a key that is not set or does not answer at once."""
        if name != LOCAL and self._directory.get(name).key_variable and not self._directory.key(name):
            return ()
        try:
            async with asyncio.timeout(5):
                return await self.list(name)
        except (SpellError, TimeoutError):
            return ()
