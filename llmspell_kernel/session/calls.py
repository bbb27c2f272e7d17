"""Serving the bridge calls of one engine: tasks that run, answers that a woken checkpoint must hear again."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmspell_kernel.bridges.registry import CallContext, Registry, Surface, current_call
from llmspell_kernel.engine import values, wire
from llmspell_kernel.errors import SpellError

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmspell_kernel.session.references import References

_log = logging.getLogger("llmspell")


class BridgeCalls:
    """Runs calls as asyncio tasks and sends their answers.

    Answers are kept until the next checkpoint: a copy woken from the last one still waits for the calls that were
    under way when it was taken, so it is told again what became of them.
    """

    def __init__(
        self,
        registry: Registry,
        references: References,
        surface_of: Callable[[int], Surface],
        send: Callable[[wire.Frame], None],
    ):
        self._registry = registry
        self._references = references
        self._surface_of = surface_of
        self._send = send
        self._running: dict[int, asyncio.Task[None]] = {}
        self._answers: list[_Answered] = []
        self._latest = 0
        self._latest_at_checkpoint = 0

    def serve(self, frame: wire.Call) -> None:
        """Start the call that `frame` asks for."""
        self._latest = max(self._latest, frame.call)
        context = CallContext(frame.cell, self._surface_of(frame.cell))
        if not frame.call:
            self._post(frame, context)
            return
        task = asyncio.create_task(self._run(frame, context))
        self._running[frame.call] = task
        task.add_done_callback(lambda _: self._running.pop(frame.call, None))

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

    async def _run(self, frame: wire.Call, context: CallContext) -> None:
        current_call.set(context)
        handles = self._references.handles
        try:
            arguments = self._references.decoder.list(bytes(frame.arguments))
            results = await self._registry.call(frame.module, frame.function, arguments)
            del arguments  # functions among them are forgotten before the caller goes on
            handles.sent.clear()
            answer = wire.Answer(frame.call, True, values.encode_raw(results, handles.refer))
        except SpellError as error:
            handles.sent.clear()
            answer = wire.Answer(frame.call, False, values.encode_raw(_told(error)))
        except Exception:
            _log.exception("the call of %s.%s could not be served", frame.module, frame.function)
            handles.sent.clear()
            fault = SpellError(
                "the kernel could not serve this call; its log has the details", code="internal"
            )
            answer = wire.Answer(frame.call, False, values.encode_raw(_told(fault)))
        self._answers.append(_Answered(answer, handles.sent.copy()))
        try:
            self._send(answer)
        except SpellError:
            pass  # the engine died meanwhile: a woken copy hears it from `rolled_back`

    def cancel(self, call: int) -> None:
        """Cancel a call that nobody waits for."""
        task = self._running.get(call)
        if task is not None:
            task.cancel()

    @property
    def pending(self) -> int:
        """How many calls are under way."""
        return len(self._running)

    def checkpointed(self) -> None:
        """A checkpoint was asked for: what was answered until now, it knows."""
        self._answers.clear()
        self._latest_at_checkpoint = self._latest
        self._references.checkpointed()

    def rolled_back(self) -> None:
        """The last checkpoint is the engine now: end what it never asked, tell it again what it missed."""
        for call in [call for call in self._running if call > self._latest_at_checkpoint]:
            self._running.pop(call).cancel()
        missed = [
            answered for answered in self._answers if answered.answer.call <= self._latest_at_checkpoint
        ]
        self._references.handles.rolled_back(held for answered in missed for held in answered.handles)
        self._references.callbacks.rolled_back()
        for answered in missed:
            self._send(answered.answer)
        self._latest = self._latest_at_checkpoint

    async def cancel_all(self) -> None:
        """Cancel everything and wait until it has ended."""
        tasks = list(self._running.values())
        self._running.clear()
        self._answers.clear()
        self._latest = self._latest_at_checkpoint = 0
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class _Answered:
    """An answer, and the handles that it refers to."""

    answer: wire.Answer
    handles: list[Any]


def _told(error: SpellError) -> dict[str, Any]:
    """What ``bridge.lua`` makes an error of: ``raise`` says that Lua raises instead of returning ``nil, err``."""
    fields = {key: value for key, value in error.fields().items() if value is not None}
    fields["raise"] = not error.returned_in_lua
    if error.code == "bad_argument":
        del fields["code"]
    return fields
