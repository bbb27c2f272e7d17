"""Ending what runs in the engine: softly at first, by killing it when that does not help."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llmspell_kernel.engine import wire
from llmspell_kernel.errors import EngineDied, EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmspell_kernel.config.sections import Limits
    from llmspell_kernel.engine.client import EngineClient

_STEPS = 4
"""Parts of the grace: an engine that was heard in the last part is answering, only faster than this process reads."""

_MOST_STEPS = 20
"""Parts that an engine is given which never stops talking."""


class Stopping:
    """Stops cells, and what callbacks and timers run between them."""

    def __init__(self, client: EngineClient, limits: Callable[[], Limits]) -> None:
        """Stop what runs in the engine of `client`; `limits` are asked for each time, for they may be tightened."""
        self._client = client
        self._limits = limits
        self.cell = 0
        """The running cell, 0 between cells."""
        self.reason: wire.StopReason | None = None
        """Why the running cell, or the last one, was to stop."""
        self.killed = False
        """Whether the engine was killed under that cell."""
        self.runaway = False
        """Whether the engine was killed under a callback or a timer, which a copy of it may hold too."""
        self._expecting = False
        self._timer: asyncio.TimerHandle | None = None
        self._killer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None

    def expect(self) -> None:
        """A cell waits for its engine."""
        self._expecting, self.reason, self.killed = True, None, False

    def begin(self, cell: int) -> None:
        """The cell runs from here on."""
        self._expecting, self.cell = False, cell
        limit = self._limits().time
        if limit is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(limit, self.softly, wire.StopReason.TIME)
        if self.reason is not None:
            self.softly(self.reason)

    def end(self) -> None:
        """The cell has ended."""
        self.cell = 0
        for timer in (self._timer, self._killer):
            if timer is not None:
                timer.cancel()
        self._timer = self._killer = None

    def close(self) -> None:
        """Stop nothing any more."""
        self.end()
        if self._asking is not None:
            self._asking.cancel()

    # ── asking ───────────────────────────────────────────────────────────────────────────────────

    def interrupt(self) -> None:
        """End what runs; the second time at once."""
        again = self.reason is wire.StopReason.INTERRUPT
        if self.cell and again:
            self._kill()
        elif self.cell:
            self.softly(wire.StopReason.INTERRUPT)
        elif self._expecting:
            self.reason = wire.StopReason.INTERRUPT
        elif self._asking is not None:
            self.runaway = True
            self._client.kill()
        else:
            self._client.stop(wire.BETWEEN, wire.StopReason.INTERRUPT)
            self._see_that_it_answers()

    def softly(self, reason: wire.StopReason) -> None:
        """Ask the running cell to stop, and see that it does."""
        self.reason = reason
        self._client.stop(self.cell, reason)
        if self._killer is None:
            self._after_grace(0)

    def heard(self, frame: wire.Stopping) -> None:
        """The engine stops something on its own account: it has the same grace as any other."""
        if frame.cell and frame.cell == self.cell:
            self.softly(frame.reason)
        elif not frame.cell and self._asking is None:
            self._see_that_it_answers()

    # ── the grace ────────────────────────────────────────────────────────────────────────────────

    def _after_grace(self, step: int) -> None:
        grace = self._limits().grace
        seconds = grace / _STEPS if step else grace
        self._killer = asyncio.get_running_loop().call_later(seconds, self._grace_over, step)

    def _grace_over(self, step: int) -> None:
        if self._talks and step < _MOST_STEPS:
            self._after_grace(step + 1)
        else:
            self._kill()

    @property
    def _talks(self) -> bool:
        return asyncio.get_running_loop().time() - self._client.heard < self._limits().grace / _STEPS

    def _kill(self) -> None:
        self.killed = True
        self._client.kill()

    def _see_that_it_answers(self) -> None:
        self._asking = asyncio.get_running_loop().create_task(self._ask())

    async def _ask(self) -> None:
        """Kill the engine unless what runs between cells lets it answer within the grace."""
        asked = self._client.pid
        try:
            await asyncio.wait_for(self._client.query("engine", "reused"), self._limits().grace)
        except EngineDied:
            pass  # the next cell notices
        except (EngineError, TimeoutError):
            if self._client.pid == asked and not (self.cell and self._talks):
                self.runaway = True
                self._kill()
        finally:
            self._asking = None
