"""The one door to language models: everything above `llm/` asks here.

`Models` reads the names that a spell uses, chooses where it uses none, keeps one provider for each place it
asks, and says once which model answers.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from llmspell_kernel.errors import ConnectionFailed, SpellError
from llmspell_kernel.llm.assets import MINILM
from llmspell_kernel.llm.calls import Asked, Interceptor, chain, stopped
from llmspell_kernel.llm.catalogue import KNOWN, LOCAL
from llmspell_kernel.llm.choose import Choice, Chooser, Origin
from llmspell_kernel.llm.directory import Directory, Preferences
from llmspell_kernel.llm.local import LocalModel
from llmspell_kernel.llm.openai_compatible import OpenAICompatible, load_wire
from llmspell_kernel.llm.progress import Progress, Tell, untold
from llmspell_kernel.llm.protocol import Finished, Usage
from llmspell_kernel.llm.structured import Structured, structured
from llmspell_kernel.llm.telemetry import operation
from llmspell_kernel.llm.tokens import estimate_request, estimate_tokens
from llmspell_kernel.llm.usage import Clock, Ledger, Meter, Terms
from llmspell_kernel.llm.weights import WeightStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
    from pathlib import Path

    from llmspell_kernel.llm.local_process import ServerOptions
    from llmspell_kernel.llm.protocol import Delta, Embeddings, ModelInfo, Provider, Request, Response
    from llmspell_kernel.llm.recording import Recorder


class Models:
    """Language models, by name.

    Args:
        preferences: What the configuration says.
        weights: The folder of pulled weights.
        announce: Told each choice the first time it is used, to say so to the person.
        tell: Told about slow things: a local model that starts, a wait that a provider asks for.
        local: How the local model runs.
        recorder: Records and replays.
        label: Says what a call is for, such as the cell that is running.
        permit: Called right before a provider is asked, and never for what is replayed; raises what forbids it.

    Attributes:
        ledger: What every call took.
        meter: Keeps the budget.
        recorder: Records and replays, if it was given.
        store: The weights on this machine.
    """

    def __init__(
        self,
        preferences: Preferences,
        weights: Path,
        *,
        announce: Callable[[Choice], None] = lambda _: None,
        tell: Tell = untold,
        local: ServerOptions | None = None,
        recorder: Recorder | None = None,
        label: Callable[[], str] = str,
        permit: Callable[[Choice], Awaitable[None]] | None = None,
    ) -> None:
        self.preferences = preferences
        self.store = WeightStore(weights)
        self.ledger = Ledger(label)
        self.meter = Meter(self._terms, preferences.budget)
        self.recorder = recorder
        self._announce = announce
        self._permit = permit
        self._tell = tell
        self._local = LocalModel(self.store, environ=preferences.environ, options=local, tell=tell)
        self._directory = Directory(preferences)
        self._chooser = Chooser(preferences, self._directory, self._local.available)
        self._providers: dict[tuple[str, str], Provider] = {(LOCAL, ""): self._local}
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._announced: set[Choice] = set()
        self._interceptors: list[Interceptor] = []
        self._listed: dict[str, None] = {}
        self._core = chain([self.meter.around], self._ask)

    def intercept(self, interceptor: Interceptor) -> Callable[[], None]:
        """Put `interceptor` around every question from now on; the last one put is outermost.

        Returns:
            A function that takes it away.
        """
        self._interceptors.insert(0, interceptor)
        return lambda: self._interceptors.remove(interceptor)

    async def warm(self) -> None:
        """Load what the first question will need, before somebody waits for it."""
        await load_wire()

    def lent(self, permit: Callable[[Choice], Awaitable[None]]) -> Models:
        """The same models for somebody else, whose questions `permit` judges and no interceptor of ours sees.

        Connections, the ledger and the budget stay these; who lent them closes them.
        """
        lent = copy(self)
        lent._permit = permit
        lent._interceptors = []
        return lent

    def use(self, provider: Provider, base_url: str) -> None:
        """Let `provider` answer for the configured provider of its name at that address."""
        self._providers[provider.name, base_url] = provider

    async def choose(self, model: str = "", provider: str = "") -> Choice:
        """The model that would answer a call which names `model` and `provider`, either of them maybe empty.

        Raises:
            NotFound: The provider is unknown, or nothing here can answer.
        """
        return await self._chooser.choose(model, provider)

    async def complete(
        self, request: Request, *, provider: str = "", budget: float | None = None
    ) -> Response:
        """Answer, whole. `request.model` may be empty, a model's name, or ``provider:model``."""
        async with aclosing(self._answer(Asked(request, provider, budget=budget))) as deltas:
            async for delta in deltas:
                if isinstance(delta, Finished):
                    return delta.response
        raise AssertionError("an answer without an end")

    def stream(
        self, request: Request, *, provider: str = "", budget: float | None = None
    ) -> AsyncGenerator[Delta, None]:
        """Answer piece by piece; the last delta is `Finished`. Use it with `contextlib.aclosing`."""
        return self._answer(Asked(request, provider, stream=True, budget=budget))

    async def listen(
        self, request: Request, on_delta: Callable[[Delta], Awaitable[bool]], *, provider: str = ""
    ) -> Response:
        """Answer piece by piece to `on_delta`, which answers True to stop.

        Stopped so, what has come by then is the answer, with the finish reason ``stopped``: it is recorded
        and counted like any other, which a stream that is just closed is not.
        """
        asked = Asked(request, provider, stream=True)
        seen: list[Delta] = []
        async with aclosing(self._answer(asked)) as deltas:
            async for delta in deltas:
                seen.append(delta)
                if isinstance(delta, Finished):
                    await on_delta(delta)
                    return delta.response
                if await on_delta(delta):
                    asked.reading.enough = True
                    break
        return stopped(asked, seen)

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
        # MiniLM always gives the same and needs neither key nor network: there is nothing to record.
        offline = self._directory.split(model, provider=provider)[0] == LOCAL
        name = f"{provider}:{model}" if provider else model
        with operation("embeddings", name, request__model=name):
            if self.recorder is None or offline:
                return await self._embed(texts, model, provider)
            return await self.recorder.embed(texts, name, lambda: self._embed(texts, model, provider))

    async def _embed(self, texts: Sequence[str], model: str, provider: str) -> Embeddings:
        began = time.monotonic()
        choice = await self._chooser.choose(model, provider)
        await self._permitted(choice)
        async with self._slot(choice.provider):
            answer = await self._provider(choice).embed(texts, choice.model)
        usage = await self.meter.book(answer.provider, answer.model, answer.usage)
        self.ledger.add_embedding(answer.provider, answer.model, usage, time.monotonic() - began)
        return msgspec.structs.replace(answer, usage=usage)

    def count_tokens(self, asked: str | Request) -> int:
        """Tokens of a text, or of everything that a provider would read, estimated (see `tokens`)."""
        return estimate_tokens(asked) if isinstance(asked, str) else estimate_request(asked)

    async def cost_estimate(self, request: Request, *, provider: str = "") -> float | None:
        """What a question may cost at most, in US dollars; None if no price is known.

        Without `max_tokens` the answer is taken to be as long as the question, or 500 tokens.
        """
        choice = await self._chooser.choose(request.model, provider)
        prompt = estimate_request(request)
        usage = Usage(prompt_tokens=prompt, completion_tokens=request.max_tokens or max(prompt, 500))
        return await self.meter.price(choice.provider, choice.model, usage)

    async def list(self, provider: str = "") -> tuple[ModelInfo, ...]:
        """The models that `provider` offers; without one, those of every provider that answers right now."""
        if provider:
            choice = await self._chooser.choose(provider=provider)
            await self._permitted(choice)
            offered = await self._provider(choice).models()
            self._listed.update(dict.fromkeys(info.full_name for info in offered))
            return offered
        answers = await asyncio.gather(*(self._offered(name) for name in self._directory.names))
        return tuple(info for answer in answers for info in answer)

    async def look_around(self) -> None:
        """Look for a model server on this machine, once; `at_hand` knows its models then."""
        await self._chooser.found()

    def at_hand(self) -> list[str]:
        """Names of models that are known without asking anybody, the likeliest first."""
        found = self._chooser.last_found
        served = [f"{found.provider}:{name}" for name in found.models] if found is not None else []
        pulled = [f"{LOCAL}:{weights.name}" for weights in self.store.list()]
        wanted = (self.preferences.model, self.preferences.embedding)
        return [*dict.fromkeys([*(name for name in wanted if name), *served, *pulled, *self._listed])]

    async def aclose(self) -> None:
        """Close every connection and end the local model."""
        await asyncio.gather(*(provider.aclose() for provider in self._providers.values()))

    def _answer(self, asked: Asked) -> AsyncGenerator[Delta, None]:
        """From the outside in: the clock, the hooks, the recorder, then whatever costs money."""
        recorder = [self.recorder.around] if self.recorder is not None else []
        return chain([Clock(self.ledger).around, *self._interceptors, *recorder], self._choose)(asked)

    async def _choose(self, asked: Asked) -> AsyncGenerator[Delta, None]:
        """Choose the model, say so once, and go on to it."""
        choice = await self._chooser.choose(asked.request.model, asked.provider)
        await self._permitted(choice)
        if choice not in self._announced:
            self._announced.add(choice)
            if choice.origin is not Origin.CALL:
                self._announce(choice)
        asked.reading.choice = choice
        request = msgspec.structs.replace(asked.request, model=choice.model)
        try:
            async with aclosing(self._core(replace(asked, request=request))) as deltas:
                async for delta in deltas:
                    yield delta
        except ConnectionFailed:
            if choice.origin is Origin.FOUND:
                self._chooser.forget()
            raise

    async def _ask(self, asked: Asked) -> AsyncGenerator[Delta, None]:
        """Ask the provider, when it is this question's turn."""
        choice = asked.reading.choice
        assert choice is not None
        provider = self._provider(choice)
        async with self._slot(choice.provider):
            if not asked.stream:
                yield Finished(response=await provider.complete(asked.request))
                return
            async with aclosing(provider.stream(asked.request)) as deltas:
                async for delta in deltas:
                    yield delta

    async def _permitted(self, choice: Choice) -> None:
        if self._permit is not None:
            await self._permit(choice)

    def _slot(self, provider: str) -> asyncio.Semaphore:
        return self._slots.setdefault(provider, asyncio.Semaphore(self.preferences.concurrency))

    def _terms(self, provider: str) -> Terms:
        """How a provider charges: nothing on this machine, by its list at its own address."""
        if provider == LOCAL:
            return "free"
        info = self._directory.get(provider)
        if urlsplit(info.base_url).hostname in ("127.0.0.1", "localhost", "::1"):
            return "free"
        usual = KNOWN.get(provider)
        return "listed" if usual is not None and usual.base_url == info.base_url else "unknown"

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

    def _lacks_key(self, name: str) -> bool:
        """Whether a provider at its own address would refuse us; a server of one's own may want no key."""
        if name == LOCAL or name not in KNOWN or not self._directory.get(name).key_variable:
            return False
        usual = KNOWN[name].base_url == self._directory.get(name).base_url
        return usual and not self._directory.key(name)

    async def _offered(self, name: str) -> tuple[ModelInfo, ...]:
        """What a provider offers, nothing if it needs a key that is not set or does not answer at once."""
        if self._lacks_key(name):
            return ()
        try:
            async with asyncio.timeout(5):
                return await self.list(name)
        except (SpellError, TimeoutError):
            return ()
