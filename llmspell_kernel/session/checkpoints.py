"""Which sleeping copies of the engine are kept, and when a new one is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.errors import EngineError

if TYPE_CHECKING:
    import asyncio

    from llmspell_kernel.engine.client import EngineClient
    from llmspell_kernel.engine.process import Endpoint


class Checkpoints:
    """Keeps one fresh copy of the engine while no cell runs.

    The copy for the next cell is forked as soon as a cell ends, while the person reads, so that a cell waits for it
    only when it follows at once. Anything that runs in the engine in between makes it stale.
    """

    def __init__(self, client: EngineClient, *, enabled: bool) -> None:
        self._client = client
        self.enabled = enabled
        self._copy: asyncio.Future[Endpoint] | None = None
        self._fresh = False

    def take(self) -> bool:
        """Ask the engine for a copy if there is no fresh one; returns whether it was asked."""
        if not self.enabled or (self._fresh and self._copy is not None):
            return False
        self.drop()
        self._copy = self._client.checkpoint()
        self._copy.add_done_callback(_retrieve)
        self._fresh = True
        return True

    def mark_stale(self) -> None:
        """The engine has changed since the copy was taken."""
        self._fresh = False

    def drop(self) -> None:
        """Let the copy go."""
        copy, self._copy = self._copy, None
        self._fresh = False
        if copy is None:
            return
        if copy.done():
            self._release(copy)
        else:
            copy.add_done_callback(self._release)

    def _release(self, copy: asyncio.Future[Endpoint]) -> None:
        if not copy.cancelled() and copy.exception() is None:
            self._client.release(copy.result())

    async def claim(self) -> Endpoint | None:
        """Hand over the copy to wake, None if there is none."""
        copy, self._copy = self._copy, None
        self._fresh = False
        if copy is None:
            return None
        try:
            return await copy
        except EngineError:
            return None


def _retrieve(copy: asyncio.Future[Endpoint]) -> None:
    if not copy.cancelled():
        copy.exception()
