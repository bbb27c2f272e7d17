"""The sleeping copies of the engine: when one is taken, which are kept, and what going back to one undoes."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmspell_kernel.errors import SpellError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from llmspell_kernel.config import Settings
    from llmspell_kernel.engine.client import EngineClient
    from llmspell_kernel.engine.process import Endpoint
    from llmspell_kernel.session.calls import UnderWay

_DEAR_SECONDS = 0.03
"""A fork that takes longer is not made between two cells that follow each other at once, unless …"""

_RISK_FACTOR = 10
"""… the cells since the last one took so many times as long."""

_MOST_POINTS = 40
"""Copies at once, whatever the settings say: the engine may have 64 processes and threads."""

_MOST_NAMED = 20
_PAGE_BYTES = 4096


@dataclass(frozen=True)
class Noted:
    """What the session remembers of its own side of a point."""

    calls: list[UnderWay]
    """The bridge calls that the copy waits for."""
    sources: dict[str, str]
    warned: frozenset[str]


@dataclass(eq=False)
class Point:
    """A moment to which the session can go back."""

    number: int
    copy: asyncio.Future[Endpoint]
    noted: Noted
    memory: int
    """Bytes that Lua held then."""
    names: list[str] = field(default_factory=list[str])
    """What the person called it."""
    cells: list[str] = field(default_factory=list[str])
    """The cells that began after it and before the next point."""
    acts: Counter[str] = field(default_factory=Counter[str])
    """What happened outside the session meanwhile, and how often."""
    seconds: float = 0.0
    """How long those cells ran."""
    bytes: int = 0
    """About how much memory only this copy still holds."""


@dataclass(frozen=True)
class Undone:
    """What going back to a point undid, and what it could not."""

    cells: tuple[str, ...]
    acts: tuple[tuple[str, int], ...]
    """What happened outside the session in those cells, and stays; with how often."""
    names: tuple[str, ...]
    """Named checkpoints that were taken later, and are gone."""


class Checkpoints:
    """Keeps the copies that recovery, ``%undo`` and ``%restore`` wake, oldest first.

    The copy for the next cell is forked as soon as a cell ends, while the person reads, so that a cell waits for it
    only when it follows at once. What runs in the engine in between makes it stale. Where a fork takes long, cells
    that follow at once share a point.
    """

    def __init__(
        self,
        client: EngineClient,
        settings: Settings,
        note: Callable[[int], Noted],
        forked: Callable[[int], None],
        forget: Callable[[int], None],
    ) -> None:
        """Begin without any.

        Args:
            client: forks them.
            settings: how many, and how much memory they may hold.
            note: notes the session's own side of the point with this number.
            forked: is told that the copy of that number is there, or never will be.
            forget: drops what was noted of it.
        """
        self._client = client
        self._most = min(settings.checkpoints.undo, _MOST_POINTS - _MOST_NAMED)
        self._budget = settings.checkpoints.memory
        self._note = note
        self._forked = forked
        self._forget = forget
        self.enabled = settings.checkpoints.enabled and hasattr(os, "fork")
        self.points: list[Point] = []
        self.fork_seconds = 0.0
        """What the last fork took in the engine."""
        self._count = 0
        self._fresh = False

    # ── taking ───────────────────────────────────────────────────────────────────────────────────

    def take(self, memory: int) -> None:
        """Ask the engine for a copy, unless it has not changed since the last; Lua holds `memory` bytes."""
        if not self.enabled or (self._fresh and self.points):
            return
        self._drop_unused()
        self._count += 1
        noted = self._note(self._count)
        point = Point(self._count, self._client.checkpoint(), noted, memory)
        self.points.append(point)
        point.copy.add_done_callback(lambda copy: self._taken(point, copy))
        self._fresh = True

    def begin_cell(self, name: str, memory: int) -> None:
        """A cell begins: it gets a point of its own, if that is worth its while."""
        last = self.points[-1] if self.points else None
        dear = self.fork_seconds > _DEAR_SECONDS
        if last is None or not dear or last.seconds > _RISK_FACTOR * self.fork_seconds:
            self.take(memory)
        if self.points and name:
            self.points[-1].cells.append(name)

    def end_cell(self, seconds: float) -> None:
        """A cell has ended, after so many seconds."""
        self._fresh = False
        if self.points:
            self.points[-1].seconds += seconds

    @property
    def idle_delay(self) -> float:
        """Seconds after a cell's reply at which a copy is taken.

        A fork that costs little begins at once, while the kernel process is busy with the reply and the next request;
        one that costs more, once no cell has followed at once.
        """
        return 2 * self.fork_seconds if self.fork_seconds > _DEAR_SECONDS else 0.0

    def mark_stale(self) -> None:
        """The engine has changed since the last copy was taken."""
        self._fresh = False

    def acted(self, what: str) -> None:
        """Something happened outside the session."""
        if self.points:
            self.points[-1].acts[what] += 1

    def _taken(self, point: Point, copy: asyncio.Future[Endpoint]) -> None:
        self._forked(point.number)
        if self._drop_failed(point, copy):
            return
        taken = copy.result()
        self.fork_seconds = taken.fork_seconds
        if point in self.points and (index := self.points.index(point)):
            before = self.points[index - 1]
            before.bytes = max(0, taken.pages * _PAGE_BYTES - max(0, point.memory - before.memory))
        self._evict()

    def _drop_failed(self, point: Point, copy: asyncio.Future[Endpoint]) -> bool:
        failed = copy.cancelled() or copy.exception() is not None
        if failed and point in self.points and point.copy is copy:
            self._drop(point)
            self._fresh = False
        return failed

    # ── dropping ─────────────────────────────────────────────────────────────────────────────────

    def _drop_unused(self) -> None:
        """Let the last point go if no cell began after it: a fresher one takes its place."""
        if self.points and not (self.points[-1].cells or self.points[-1].names):
            self._drop(self.points[-1])

    def _evict(self) -> None:
        """Keep within the settings; the last point is what recovery needs."""
        unnamed = [point for point in self.points[:-1] if not point.names]
        held = sum(point.bytes for point in self.points)
        surplus = len(unnamed) - self._most
        for point in unnamed:
            if surplus <= 0 and held <= self._budget:
                return
            surplus -= 1
            held -= point.bytes
            self._drop(point)

    def _drop(self, point: Point) -> None:
        self._forget_point(point)
        self._release(point.copy)

    def _forget_point(self, point: Point) -> None:
        index = self.points.index(point)
        del self.points[index]
        if index:  # its cells can only be undone with those before them
            before = self.points[index - 1]
            before.cells += point.cells
            before.acts += point.acts
            before.seconds += point.seconds
            before.bytes += point.bytes
        self._forget(point.number)

    def _release(self, copy: asyncio.Future[Endpoint]) -> None:
        if not copy.done():
            copy.add_done_callback(self._release)
        elif not copy.cancelled() and copy.exception() is None:
            self._client.release(copy.result())

    def drop(self) -> None:
        """Let all of them go."""
        for point in reversed(self.points.copy()):
            self._drop(point)
        self._fresh = False

    # ── names ────────────────────────────────────────────────────────────────────────────────────

    def name(self, name: str) -> None:
        """Call the last point, which must be fresh, by this name; an earlier one loses it."""
        self._need_enabled()
        if sum(len(point.names) for point in self.points) >= _MOST_NAMED and self._named(name) is None:
            raise SpellError(
                f"there are {_MOST_NAMED} named checkpoints already",
                code="checkpoint_limit",
                suggestion="%checkpoint --delete NAME lets one go",
            )
        self.unname(name)
        self.points[-1].names.append(name)

    def unname(self, name: str) -> bool:
        """Take a name away; returns whether there was one."""
        point = self._named(name)
        if point is None:
            return False
        point.names.remove(name)
        self._evict()
        return True

    def _named(self, name: str) -> Point | None:
        return next((point for point in self.points if name in point.names), None)

    def named(self, name: str) -> Point:
        """Return the point of that name.

        Raises:
            SpellError: there is none.
        """
        self._need_enabled()
        point = self._named(name)
        if point is None:
            known = [name for point in self.points for name in point.names]
            raise SpellError(
                f"there is no checkpoint '{name}'",
                code="not_found",
                suggestion=f"there are: {', '.join(known)}" if known else "%checkpoint NAME makes one",
            )
        return point

    # ── going back ───────────────────────────────────────────────────────────────────────────────

    def before(self, count: int) -> Point:
        """Return the point right before the last `count` cells.

        Raises:
            SpellError: there is none; the suggestion says which counts there are.
        """
        self._need_enabled()
        reach, counts = 0, list[int]()
        for point in reversed(self.points):
            reach += len(point.cells)
            if reach == count and point.cells:
                return point
            if point.cells:
                counts.append(reach)
        if not counts:
            raise SpellError("no cell has run that could be undone", code="nothing_to_undo")
        told = ", ".join(map(str, counts))
        raise SpellError(
            f"there is no checkpoint right before the last {count} cells",
            code="no_checkpoint",
            suggestion=f"what can be undone: the last {told} (checkpoints.undo and checkpoints.memory set how many)",
        )

    def leave_for(self, point: Point) -> Undone:
        """Forget what came after `point`, which is about to be woken; returns what that undoes."""
        later = self.points[self.points.index(point) + 1 :]
        for each in reversed(later):
            self._drop(each)  # what it holds goes to the one before, at last to `point`
        names = tuple(name for each in later for name in each.names)
        return Undone(tuple(point.cells), tuple(point.acts.items()), names)

    def renew(self, point: Point) -> None:
        """`point` was woken and is the engine now: have it leave another copy behind, before anything changes."""
        point.cells, point.acts, point.seconds, point.bytes = [], Counter(), 0.0, 0
        point.copy = self._client.checkpoint()
        point.copy.add_done_callback(lambda copy: self._drop_failed(point, copy))
        self._fresh = True

    def abandon(self, point: Point) -> None:
        """`point` could not be woken: what is left of its copy is the client's."""
        self._forget_point(point)

    def _need_enabled(self) -> None:
        if not self.enabled:
            why = "this platform cannot fork" if not hasattr(os, "fork") else "checkpoints.enabled is off"
            raise SpellError(f"there are no checkpoints here: {why}", code="no_checkpoints")
