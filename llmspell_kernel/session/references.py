"""What crosses by reference between one engine and the bridges: functions of Lua's, and objects that bridges made.

Both are counted at the end that owns them: a reference is let go once the other end has let go of it as often as it was
sent, so nothing is lost that is on its way just then. A copy of the engine knows the counts of the moment when it was
forked; when one is woken, the counts here go back to that moment too. Checkpoints are numbered in the order in which
they were asked for; a number is never used twice. Before one is woken, all those after it are let go.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakValueDictionary

import msgspec

from llmspell_kernel.bridges.declaration import Handle
from llmspell_kernel.engine.values import CallbackRef, Decoder, HandleRef, encode
from llmspell_kernel.errors import SpellError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llmspell_kernel.config import Settings

_log = logging.getLogger("llmspell")

_References: TypeAlias = "WeakValueDictionary[int, CallbackRef]"


class Callbacks:
    """The functions of Lua's that bridges hold.

    When something came is told by the last checkpoint that was asked for before: those after it know of it.
    """

    def __init__(self, forget: Callable[[list[int]], None]) -> None:
        """Make the table; `forget` tells Lua which functions are no longer held."""
        self._forget = forget
        self._moments = [0]
        """The checkpoints that are kept, oldest first, after a beginning."""
        self._taken: dict[int, _References] = {0: WeakValueDictionary()}
        """What came, by the last kept checkpoint before it."""
        self._dropped: list[tuple[int, int]] = []
        self._forgotten: list[tuple[int, int, int]] = []
        """What a kept checkpoint still holds: when it came, when Lua was told to forget it, its number."""
        self._loop: asyncio.AbstractEventLoop | None = None

    def take(self, number: int) -> CallbackRef:
        """Return the reference for a function that Lua has just sent."""
        self._loop = asyncio.get_running_loop()
        reference = CallbackRef(number, partial(self._drop, self._moments[-1]))
        self._taken[self._moments[-1]][id(reference)] = reference
        return reference

    def _drop(self, came: int, number: int) -> None:
        first = not self._dropped
        self._dropped.append((came, number))
        if first and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._flush)

    def _flush(self) -> None:
        dropped, self._dropped = self._dropped, []
        if dropped:
            now = self._moments[-1]
            self._forgotten += [(came, now, number) for came, number in dropped if came < now]
            self._forget([number for _, number in dropped])

    def checkpointed(self, moment: int) -> None:
        """The checkpoint of this number was asked for."""
        self._flush()
        self._moments.append(moment)
        self._taken[moment] = WeakValueDictionary()

    def uncheckpointed(self, moment: int) -> None:
        """That checkpoint is kept no longer."""
        index = self._moments.index(moment)
        del self._moments[index]
        before = self._moments[index - 1]
        self._taken[before].update(self._taken.pop(moment))
        self._forgotten = [
            entry for entry in self._forgotten if any(entry[0] < kept <= entry[1] for kept in self._moments)
        ]

    def rolled_back(self, moment: int) -> None:
        """The checkpoint of this number, the last one kept, is the engine now.

        It never sent what came since, and hears again what it missed.
        """
        _end(self._taken[moment])
        now = self._moments[-1]
        missed = [number for came, number in self._dropped if came < moment]
        missed += [number for came, told, number in self._forgotten if came < moment <= told]
        self._forgotten += [(came, now, number) for came, number in self._dropped if came < moment]
        self._dropped.clear()
        if missed:
            self._forget(missed)

    def lost(self) -> None:
        """The engine is gone, and every function with it."""
        for references in self._taken.values():
            _end(references)
        self._dropped.clear()
        self._forgotten.clear()


def _end(references: _References) -> None:
    for reference in list(references.values()):
        reference.alive = False
    references.clear()


@dataclass(eq=False)
class _Held:
    """A bridge object that Lua knows."""

    object: Handle
    number: int
    sent: int = 0


@dataclass(frozen=True)
class _Past:
    """What a checkpoint knows of an object that changed since."""

    held: _Held
    sent: int


class Handles:
    """The bridge objects that Lua holds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._numbers = count(1)
        self._held: dict[int, _Held] = {}
        self._by_object: dict[int, _Held] = {}
        self._past: dict[int, dict[int, _Past]] = {}
        """For each kept checkpoint, oldest first, what has changed since then (until the next one), as it was."""
        self._closing: set[asyncio.Task[None]] = set()
        self.sent: list[_Held] = []
        """What `refer` has given since this was emptied."""

    def __len__(self) -> int:
        return len(self._held)

    def refer(self, value: Any) -> HandleRef | None:
        """Return the reference that is sent for `value` if it is a `Handle`; counts that it was sent.

        Raises:
            LimitExceeded: Lua holds as many already.
        """
        if not isinstance(value, Handle):
            return None
        held = self._by_object.get(id(value))
        if held is None:
            if len(self._held) >= self._settings.limits.handles:
                raise self._settings.limit_exceeded("handles")
            held = _Held(value, next(self._numbers))
            self._held[held.number] = self._by_object[id(value)] = held
        self._remember(held)
        held.sent += 1
        self.sent.append(held)
        return HandleRef(value.type_name, held.number, _label_of(value))

    def take_back(self) -> None:
        """What `sent` has is not sent after all."""
        for held in self.sent:
            held.sent -= 1
            self._settle(held)
        self.sent.clear()

    def find(self, name: str, number: int) -> Handle | HandleRef:
        """Return the object that Lua refers to, or the reference itself if there is none any more."""
        held = self._held.get(number)
        if held is None or held.object.type_name != name:
            return HandleRef(name, number)
        return held.object

    def release(self, pairs: list[int]) -> None:
        """Lua has collected objects: `pairs` has the number of each and how often Lua had received it."""
        for number, received in zip(pairs[::2], pairs[1::2], strict=False):
            held = self._held.get(number)
            if held is not None:
                self._remember(held)
                held.sent -= received
                self._settle(held)

    def _remember(self, held: _Held) -> None:
        """`held.sent` is about to change: keep what the last checkpoint knows."""
        if self._past:
            self._past[next(reversed(self._past))].setdefault(held.number, _Past(held, held.sent))

    def _settle(self, held: _Held) -> None:
        """Let go of what neither the engine nor any checkpoint holds."""
        unknown = all(past[held.number].sent <= 0 for past in self._past.values() if held.number in past)
        if held.sent <= 0 and unknown:
            self._let_go(held)

    def checkpointed(self, moment: int) -> None:
        """The checkpoint of this number was asked for: it knows what was sent until now."""
        self._past[moment] = {}

    def uncheckpointed(self, moment: int) -> None:
        """That checkpoint is kept no longer."""
        changed = self._past.pop(moment)
        before = max((kept for kept in self._past if kept < moment), default=None)
        for number, past in changed.items():
            if before is not None:
                self._past[before].setdefault(number, past)
            self._settle(past.held)

    def rolled_back(self, moment: int, again: Iterable[_Held]) -> None:
        """The last checkpoint kept, of this number, is the engine now; what `again` has is about to be sent again."""
        changed = self._past[moment]
        self._past[moment] = {}
        for past in changed.values():
            past.held.sent = past.sent
        for held in again:
            self._remember(held)
            held.sent += 1
        for past in changed.values():
            self._settle(past.held)

    def _let_go(self, held: _Held) -> None:
        if self._held.pop(held.number, None) is None:
            return
        self._by_object.pop(id(held.object), None)
        for past in self._past.values():
            past.pop(held.number, None)
        task = asyncio.get_running_loop().create_task(_close(held.object))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Let go of everything, and wait until it is closed."""
        for held in list(self._held.values()):
            self._let_go(held)
        await asyncio.gather(*self._closing)


def _label_of(handle: Handle) -> str:
    """The label of a handle; a fault in it costs no more than that."""
    try:
        return str(handle.label)
    except Exception:
        _log.exception("the label of a %s failed", handle.type_name)
        return ""


async def _close(handle: Handle) -> None:
    try:
        await handle.close()
    except Exception:
        _log.exception("closing a %s failed", handle.type_name)


class References:
    """Both tables of one engine, and the decoder and encoder that fill them."""

    def __init__(self, forget: Callable[[list[int]], None], settings: Settings) -> None:
        """Make the tables; `forget` tells Lua which functions are no longer held."""
        self._settings = settings
        self.callbacks = Callbacks(forget)
        self.handles = Handles(settings)
        self.decoder = Decoder(self.callbacks.take, self.handles.find)

    def encode(self, value: Any) -> msgspec.Raw:
        """Encode what is sent to Lua; `handles.sent` then has the objects in it.

        Raises:
            ConversionError: it cannot cross.
            LimitExceeded: it is too large, or has too many objects.
        """
        self.handles.sent.clear()
        try:
            encoded = encode(value, self.handles.refer)
            if len(encoded) > self._settings.limits.value_bytes:
                raise self._settings.limit_exceeded("value_bytes")
        except SpellError:
            self.handles.take_back()
            raise
        return msgspec.Raw(encoded)

    def checkpointed(self, moment: int) -> None:
        """The checkpoint of this number was asked for."""
        self.callbacks.checkpointed(moment)
        self.handles.checkpointed(moment)

    def uncheckpointed(self, moment: int) -> None:
        """That checkpoint is kept no longer."""
        self.callbacks.uncheckpointed(moment)
        self.handles.uncheckpointed(moment)

    async def lost(self) -> None:
        """The engine is gone, and all that it held and that was held of it."""
        self.callbacks.lost()
        await self.handles.close()
