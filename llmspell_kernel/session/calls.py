"""Serving the bridge calls of one engine: tasks that run, answers that a woken checkpoint must hear again."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmspell_kernel.bridges.registry import CallContext, Registry, Surface, current_call
from llmspell_kernel.engine import values, wire
from llmspell_kernel.errors import Cancelled, ConversionError, SpellError

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from llmspell_kernel.session.references import References

_log = logging.getLogger("llmspell")


class BridgeCalls:
    """Runs calls as asyncio tasks and sends their answers.

    A checkpoint remembers the calls that were under way when it was taken, and they what they were answered: a copy
    that is woken still waits for them, so it is told again what became of them.
    """

    def __init__(
        self,
        registry: Registry,
        references: References,
        surface_of: Callable[[int], Surface],
        send: Callable[[wire.Frame], None],
        warned: set[str],
    ):
        self._registry = registry
        self._references = references
        self._surface_of = surface_of
        self._send = send
        self._warned = warned
        self._running: dict[int, UnderWay] = {}
        self._asked: dict[int, list[UnderWay]] = {}
        """What the checkpoints that are being made wait for, by number."""

    def serve(self, frame: wire.Call) -> None:
        """Start the call that `frame` asks for."""
        called = f"{frame.module}.{frame.function}"
        context = CallContext(frame.cell, self._surface_of(frame.cell), self._warned, called, frame.shown)
        if not frame.call:
            self._post(frame, context)
            return
        call = UnderWay(frame.call)
        self._running[frame.call] = call
        for waited in self._asked.values():
            waited.append(call)
        call.task = asyncio.create_task(self._run(call, frame, context))
        call.task.add_done_callback(lambda _: self._ended(call))

    def _ended(self, call: UnderWay) -> None:
        if self._awaited(call):
            del self._running[call.number]

    def _awaited(self, call: UnderWay) -> bool:
        """Whether the engine waits for this call: a copy that was woken gives its number to another."""
        return self._running.get(call.number) is call

    def _post(self, frame: wire.Call, context: CallContext) -> None:
        """Run a call that has no answer to its end now, so that displays keep their place among the output."""
        current = current_call.set(context)
        arguments = self._references.decoder.list(bytes(frame.arguments))
        step = self._registry.call(frame.module, frame.function, arguments)
        try:
            step.send(None)
        except StopIteration:
            pass
        except SpellError as error:
            context.surface.stream("stderr", f"{error.message}\n")
        finally:
            step.close()
            current_call.reset(current)

    async def _run(self, call: UnderWay, frame: wire.Call, context: CallContext) -> None:
        current_call.set(context)
        handles = self._references.handles
        try:
            arguments = self._references.decoder.list(bytes(frame.arguments))
            results = await self._registry.call(frame.module, frame.function, arguments)
            del arguments  # functions among them are forgotten before the caller goes on
            answer = wire.Answer(frame.call, True, self._encoded(frame, results))
        except SpellError as error:
            handles.sent.clear()
            told = _told(error)
            told["message"] = context.named(error.message)
            answer = wire.Answer(frame.call, False, values.encode_raw(told))
        except (Exception, GeneratorExit):
            _log.exception("the call of %s.%s could not be served", frame.module, frame.function)
            handles.sent.clear()
            fault = SpellError(
                "the kernel could not serve this call; its log has the details", code="internal"
            )
            answer = wire.Answer(frame.call, False, values.encode_raw(_told(fault)))
        if not self._awaited(call):
            return
        call.answer, call.handles = answer, handles.sent.copy()
        try:
            self._send(answer)
        except SpellError:
            pass  # the engine died meanwhile: a woken copy hears it from `rolled_back`

    def _encoded(self, frame: wire.Call, results: list[Any]) -> msgspec.Raw:
        try:
            return self._references.encode(results)
        except ConversionError as error:
            place = error.message.removeprefix("value[0]").lstrip(".: ")
            raise ConversionError(
                f"{frame.module}.{frame.function} returned what Lua cannot be given: {place}"
            ) from error

    def cancel(self, number: int) -> None:
        """Cancel a call that nobody waits for."""
        call = self._running.get(number)
        if call is not None:
            call.cancel()

    @property
    def pending(self) -> int:
        """How many calls are under way."""
        return len(self._running)

    def checkpointed(self, moment: int) -> list[UnderWay]:
        """The checkpoint of this number was asked for; returns the calls that it waits for.

        Until `forked` is told that it was made, calls are added to them that it may wait for; which they are it tells.
        """
        self._references.checkpointed(moment)
        waited = self._asked[moment] = list(self._running.values())
        return waited

    def forked(self, moment: int) -> None:
        """The checkpoint of this number was made, or will never be."""
        self._asked.pop(moment, None)

    def rolled_back(self, moment: int, known: list[UnderWay], waiting: list[int]) -> None:
        """That checkpoint is the engine now: end what it never asked, tell it again what it missed.

        `waiting` are the calls that it waits for, of those `known` and of some that nobody had heard of yet when it was
        asked for. The engine before it gave higher numbers to all that came later.
        """
        waited = {call.number: call for call in [*self._running.values(), *known]}
        known = [waited[number] for number in waiting if number in waited]
        for call in [call for call in self._running.values() if call not in known]:
            del self._running[call.number]
            call.cancel()
        for number in {*waiting}.difference(call.number for call in known):
            self._send(UnderWay(number).lost())
        missed = [call for call in known if call.answer is not None]
        self._references.handles.rolled_back(moment, (held for call in missed for held in call.handles))
        self._references.callbacks.rolled_back(moment)
        for call in missed:
            assert call.answer is not None
            self._send(call.answer)

    async def cancel_all(self) -> None:
        """Cancel everything and wait until it has ended."""
        calls = list(self._running.values())
        self._running.clear()
        for call in calls:
            call.cancel()
        await asyncio.gather(*(call.task for call in calls if call.task), return_exceptions=True)


@dataclass(eq=False)
class UnderWay:
    """A bridge call that Lua waits for, or waited for when a checkpoint was taken."""

    number: int
    task: asyncio.Task[None] | None = None
    answer: wire.Answer | None = None
    handles: list[Any] = field(default_factory=list[Any])
    """The handles that the answer refers to."""

    def cancel(self) -> None:
        """End it; a copy that still waits for it hears that."""
        if self.task is not None:
            self.task.cancel()
        if self.answer is None:
            self.answer = self.lost()

    def lost(self) -> wire.Answer:
        """What is answered where there is no answer any more."""
        fault = Cancelled("this call was cancelled by a cell that was undone")
        return wire.Answer(self.number, False, values.encode_raw(_told(fault)))


def _told(error: SpellError) -> dict[str, Any]:
    """What ``bridge.lua`` makes an error of: ``raise`` says that Lua raises instead of returning ``nil, err``."""
    fields = {key: value for key, value in error.fields().items() if value is not None}
    fields["raise"] = not error.returned_in_lua
    if error.code == "bad_argument":
        del fields["code"]
    return fields
