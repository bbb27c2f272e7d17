"""What crosses by reference between one engine and the bridges: functions of Lua's, and objects that bridges made.

Both are counted at the end that owns them: a reference is let go once the other end has let go of it as often as it was
sent, so nothing is lost that is on its way just then. A copy of the engine knows the counts of the moment when it was
forked; when one is woken, the counts here go back to that moment too.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from llmspell_kernel.bridges.declaration import Handle
from llmspell_kernel.engine.values import CallbackRef, Decoder, HandleRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_log = logging.getLogger("llmspell")


class Callbacks:
    """The functions of Lua's that bridges hold."""

    def __init__(self, forget: Callable[[list[int]], None]) -> None:
        """Make the table; `forget` tells Lua which functions are no longer held."""
        self._forget = forget
        self._moment = 0
        """Number of the last checkpoint."""
        self._recent: WeakValueDictionary[int, CallbackRef] = WeakValueDictionary()
        """Those that came since the last checkpoint."""
        self._older: WeakValueDictionary[int, CallbackRef] = WeakValueDictionary()
        self._dropped: list[tuple[int, int]] = []
        self._forgotten: list[int] = []
        """Told since the last checkpoint, of those that came before it."""
        self._loop: asyncio.AbstractEventLoop | None = None

    def take(self, number: int) -> CallbackRef:
        """Return the reference for a function that Lua has just sent."""
        self._loop = asyncio.get_running_loop()
        reference = CallbackRef(number, partial(self._drop, self._moment))
        self._recent[id(reference)] = reference
        return reference

    def _drop(self, moment: int, number: int) -> None:
        first = not self._dropped
        self._dropped.append((moment, number))
        if first and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._flush)

    def _flush(self) -> None:
        dropped, self._dropped = self._dropped, []
        if dropped:
            self._forgotten += [number for moment, number in dropped if moment < self._moment]
            self._forget([number for _, number in dropped])

    def checkpointed(self) -> None:
        """A checkpoint was asked for."""
        self._flush()
        self._moment += 1
        self._older.update(self._recent)
        self._recent.clear()
        self._forgotten.clear()

    def rolled_back(self) -> None:
        """The last checkpoint is the engine now: it never sent what came since, and hears again what it missed."""
        _end(self._recent)
        old = [number for moment, number in self._dropped if moment < self._moment]
        self._dropped.clear()
        if self._forgotten or old:
            self._forgotten += old
            self._forget(self._forgotten)

    def lost(self) -> None:
        """The engine is gone, and every function with it."""
        _end(self._recent)
        _end(self._older)
        self._dropped.clear()
        self._forgotten.clear()


def _end(references: WeakValueDictionary[int, CallbackRef]) -> None:
    for reference in list(references.values()):
        reference.alive = False
    references.clear()


@dataclass(eq=False)
class _Held:
    """A bridge object that Lua knows."""

    object: Handle
    number: int
    sent: int = 0
    known: int = 0
    """`sent`, at the last checkpoint."""


class Handles:
    """The bridge objects that Lua holds."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._held: dict[int, _Held] = {}
        self._by_object: dict[int, _Held] = {}
        self._changed: dict[int, _Held] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.sent: list[_Held] = []
        """What `refer` has given since this was emptied."""

    def __len__(self) -> int:
        return len(self._held)

    def refer(self, value: Any) -> HandleRef | None:
        """Return the reference that is sent for `value` if it is a `Handle`; counts that it was sent."""
        if not isinstance(value, Handle):
            return None
        held = self._by_object.get(id(value))
        if held is None:
            held = _Held(value, next(self._numbers))
            self._held[held.number] = self._by_object[id(value)] = held
        held.sent += 1
        self._changed[held.number] = held
        self.sent.append(held)
        return HandleRef(value.type_name, held.number, value.label)

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
                held.sent -= received
                self._changed[number] = held
                if held.sent <= 0 and held.known == 0:
                    self._let_go(held)

    def checkpointed(self) -> None:
        """A checkpoint was asked for: it knows what was sent until now."""
        for held in list(self._changed.values()):
            held.known = held.sent
            if held.sent <= 0:
                self._let_go(held)
        self._changed.clear()

    def rolled_back(self, again: Iterable[_Held]) -> None:
        """The last checkpoint is the engine now, and what `again` has is about to be sent to it again."""
        for held in self._changed.values():
            held.sent = held.known
        for held in again:
            held.sent += 1
        for held in list(self._changed.values()):
            if held.sent <= 0:
                self._let_go(held)

    def _let_go(self, held: _Held) -> None:
        if self._held.pop(held.number, None) is None:
            return
        self._by_object.pop(id(held.object), None)
        self._changed.pop(held.number, None)
        task = asyncio.get_running_loop().create_task(_close(held.object))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Let go of everything, and wait until it is closed."""
        for held in list(self._held.values()):
            self._let_go(held)
        await asyncio.gather(*self._closing)


async def _close(handle: Handle) -> None:
    try:
        await handle.close()
    except Exception:
        _log.exception("closing a %s failed", handle.type_name)


class References:
    """Both tables of one engine, and the decoder that fills them."""

    def __init__(self, forget: Callable[[list[int]], None]) -> None:
        """Make the tables; `forget` tells Lua which functions are no longer held."""
        self.callbacks = Callbacks(forget)
        self.handles = Handles()
        self.decoder = Decoder(self.callbacks.take, self.handles.find)

    def checkpointed(self) -> None:
        """A checkpoint was asked for."""
        self.callbacks.checkpointed()
        self.handles.checkpointed()

    async def lost(self) -> None:
        """The engine is gone, and all that it held and that was held of it."""
        self.callbacks.lost()
        await self.handles.close()
