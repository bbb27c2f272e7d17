"""Any server with an OpenAI-compatible API, near or far."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from llmspell_kernel.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    NotFound,
    RateLimited,
    SpellError,
    WorldError,
)
from llmspell_kernel.llm.catalogue import KNOWN, ProviderInfo, first_chat_model, nearest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from llmspell_kernel.llm.protocol import Delta, Embeddings, ModelInfo, Request, Response
    from llmspell_kernel.llm.wire import Wire

T = TypeVar("T")

_WIRE = "llmspell_kernel.llm.wire"
ATTEMPTS = 3
"""How often a request is sent that fails for a reason which passes by itself."""
LONGEST_WAIT = 60.0
"""Seconds; who is asked to wait longer hears about it instead."""


async def load_wire() -> Any:
    """The module that speaks to providers.

    Its import runs for more than a second, in a thread, so that the kernel stays alive meanwhile. Who expects
    to need it soon can call this before.
    """
    module = sys.modules.get(_WIRE)
    # Listed is not yet loaded: another task's thread may be at it.
    if not hasattr(module, "Wire"):
        module = await asyncio.to_thread(import_module, _WIRE)
    return module


class OpenAICompatible:
    """A `llmspell_kernel.llm.protocol.Provider`.

    Args:
        info: Who is asked and where.
        api_key: The key; empty for servers that need none.
        on_wait: Told the seconds and the reason before every wait.
        patience: Seconds to wait for a model's next words.
        backoff: Seconds before the second attempt where the server does not say how long to wait.
    """

    def __init__(
        self,
        info: ProviderInfo,
        api_key: str = "",
        *,
        on_wait: Callable[[float, str], None] | None = None,
        patience: float = 120.0,
        backoff: float = 0.5,
    ) -> None:
        self.info = info
        self._api_key = api_key
        self._on_wait = on_wait
        self._patience = patience
        self._backoff = backoff
        self._wire: Wire | None = None
        self._first_model = ""

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.info.name

    async def complete(self, request: Request) -> Response:
        """Answer, whole."""
        wire = await self._connect()
        request = await self._with_model(request)
        try:
            return await self._persist(lambda: wire.complete(request))
        except NotFound as error:
            raise await self._with_nearest(error, request.model) from error

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Answer piece by piece; once a piece has come, a failure is final."""
        wire = await self._connect()
        request = await self._with_model(request)

        async def first() -> tuple[AsyncGenerator[Delta, None], Delta]:
            deltas = wire.stream(request)
            try:
                return deltas, await anext(deltas)
            except BaseException:
                await deltas.aclose()
                raise

        try:
            deltas, delta = await self._persist(first)
        except NotFound as error:
            raise await self._with_nearest(error, request.model) from error
        async with aclosing(deltas):
            yield delta
            async for delta in deltas:
                yield delta

    async def embed(self, texts: Sequence[str], model: str) -> Embeddings:
        """Turn texts into vectors."""
        wire = await self._connect()
        try:
            return await self._persist(lambda: wire.embed(texts, model))
        except NotFound as error:
            raise await self._with_nearest(error, model) from error

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models on offer."""
        wire = await self._connect()
        return await self._persist(wire.models)

    async def aclose(self) -> None:
        """Close every connection."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.aclose()

    async def _connect(self) -> Wire:
        info = self.info
        usual = KNOWN.get(info.name)
        if usual is not None and usual.base_url == info.base_url and info.key_variable and not self._api_key:
            raise AuthenticationFailed(
                f"{info.title} needs a key, and {info.key_variable} is not set",
                code="no_key",
                provider=info.name,
                suggestion=f"set {info.key_variable} (get a key at {info.key_page}) and restart the kernel",
            )
        if self._wire is None:
            module = await load_wire()
            if self._wire is None:
                self._wire = module.Wire(info, self._api_key, self._patience)
        assert self._wire is not None
        return self._wire

    async def _with_model(self, request: Request) -> Request:
        """The request with the server's first model, if it names none."""
        if request.model:
            return request
        if not self._first_model:
            offered = [model.id for model in await self.models()]
            self._first_model = first_chat_model(offered) or ""
        if not self._first_model:
            raise NotFound(
                f"{self.info.base_url} offers no model that can chat", code="no_model", provider=self.name
            )
        return msgspec.structs.replace(request, model=self._first_model)

    async def _persist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try again where the failure passes by itself, waiting as long as the server asked to."""
        for number in range(1, ATTEMPTS + 1):
            try:
                return await attempt()
            except WorldError as error:
                wait = _wait_before_next(error, self._backoff * 2 ** (number - 1))
                if wait is None or number == ATTEMPTS:
                    raise
                if self._on_wait is not None:
                    self._on_wait(wait, error.message)
            await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    async def _with_nearest(self, error: NotFound, model: str) -> SpellError:
        """The same error, with the names that look like the unknown one."""
        try:
            async with asyncio.timeout(3):
                offered = [info.id for info in await (await self._connect()).models()]
        except (SpellError, TimeoutError):
            return error
        alike = nearest(model, offered) or sorted(offered)[:3]
        if alike:
            names = ", ".join(f"'{name}'" for name in alike)
            error.suggestion = f"nearest models there: {names}"
            error.details["nearest"] = alike
        return error


def _wait_before_next(error: WorldError, backoff: float) -> float | None:
    """Seconds until the next attempt, None if there should be none."""
    if isinstance(error, RateLimited):
        wait = error.retry_after if error.retry_after is not None else 4 * backoff
        return wait if wait <= LONGEST_WAIT else None
    if isinstance(error, ConnectionFailed):
        return None if error.code == "connection_refused" else backoff
    return backoff if error.code in ("overloaded", "server_error") else None
