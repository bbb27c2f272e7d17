"""Fresh states in milliseconds: a copy of the engine that was taken before any cell ran, and its own copies."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from llmspell_kernel.engine.client import EngineClient
from llmspell_kernel.errors import EngineError

if TYPE_CHECKING:
    from llmspell_kernel.engine import wire
    from llmspell_kernel.engine.process import Endpoint, EngineOptions
    from llmspell_kernel.errors import EngineDied


class Template:
    """An engine in which no cell ever runs; each of its copies is a fresh state, used once.

    It sleeps, as checkpoints do, until the first copy is asked for. From then on one is always forked in advance.
    """

    def __init__(self, options: EngineOptions) -> None:
        self._client = EngineClient(_Deaf(), options)
        self._asleep: asyncio.Future[Endpoint] | None = None
        self._waking = asyncio.Lock()
        self._prepared: asyncio.Future[Endpoint] | None = None

    def take(self, client: EngineClient) -> None:
        """Have the engine behind `client`, in which nothing has run yet, leave a copy as the template."""
        self._asleep = client.checkpoint()
        self._asleep.add_done_callback(_retrieve)

    async def copy(self) -> Endpoint:
        """Return a sleeping copy in a fresh state; raises `EngineError` if there is none to be had."""
        async with self._waking:
            if not self._client.alive:
                asleep, self._asleep = self._asleep, None
                if asleep is None:
                    raise EngineError("there is no engine to copy")
                await self._client.branch(await asleep)
        prepared, self._prepared = self._prepared, None
        copy = await (prepared or self._client.checkpoint())
        self._prepare()
        return copy

    def _prepare(self) -> None:
        """Have the next copy forked, while the last one is at work."""
        if self._prepared is None and self._client.alive:
            self._prepared = self._client.checkpoint()
            self._prepared.add_done_callback(_retrieve)

    async def _discard(self) -> None:
        """Let the copy go that is prepared."""
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            with contextlib.suppress(EngineError):  # it could not be made
                self._client.release(await prepared)

    async def teach(self, pieces: list[Any]) -> None:
        """Have it compile what a copy of it had to, so that later copies need not; see ``engine.lua``, `teach`."""
        if pieces and self._client.alive:
            with contextlib.suppress(EngineError):  # then they compile it themselves
                await self._client.query("engine", "teach", pieces)
                await self._discard()  # which knows nothing of them
                self._prepare()

    async def close(self) -> None:
        """Let it go."""
        asleep, self._asleep = self._asleep, None
        await self._discard()
        await self._client.close()
        if asleep is not None:
            try:
                self._client.release(await asleep)
            except EngineError:
                pass  # the engine ended before it could leave one


class _Deaf:
    """Hears nothing: no cell runs in a template."""

    def on_output(self, frame: wire.Output) -> None:
        """Drop it."""

    def on_call(self, frame: wire.Call) -> None:
        """Drop it."""

    def on_cancel(self, frame: wire.Cancel) -> None:
        """Drop it."""

    def on_release(self, frame: wire.Release) -> None:
        """Drop it."""

    def on_stopping(self, frame: wire.Stopping) -> None:
        """Drop it."""

    def on_spent(self, frame: wire.Spent) -> None:
        """Drop it."""

    def on_died(self, error: EngineDied) -> None:
        """The next copy that is asked for cannot be had."""


def _retrieve(copy: asyncio.Future[Endpoint]) -> None:
    if not copy.cancelled():
        copy.exception()  # whoever needs the copy hears of it
