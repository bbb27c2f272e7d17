"""What bridges of other packages may do besides: block in a plain method, call functions later."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any, ClassVar

import numpy
import pytest

from llmspell_kernel.bridges import installed
from llmspell_kernel.bridges.declaration import Bridge, Handle, export
from llmspell_kernel.engine.values import CallbackRef
from llmspell_kernel.errors import WorldError
from llmspell_kernel.session.outcome import Failed

if TYPE_CHECKING:
    from .conftest import Notebook, Offer, Open


class Faulty(Handle):
    """A handle of which the label cannot be told."""

    type_name: ClassVar[str] = "Faulty"

    @property
    def label(self) -> str:
        """Fail."""
        raise ValueError("label")

    @export()
    async def up(self, by: int = 1) -> Any:
        """Give it back."""
        return by


class Rough(Bridge):
    """Rough: what strangers write."""

    module: ClassVar[str] = "rough"
    handles: ClassVar[tuple[type[Handle], ...]] = (Faulty,)

    def __init__(self, host: Any) -> None:
        self._host = host
        self._kept: list[CallbackRef] = []
        self._released = threading.Event()

    @export()
    def block(self) -> Any:
        """Block until released."""
        return self._released.wait(60)

    @export()
    async def release(self) -> Any:
        """Release what blocks."""
        self._released.set()

    @export()
    def fails(self, which: str) -> Any:
        """Raise."""
        raise {"world": WorldError("closed", code="closed"), "stop": StopIteration(1), "exit": SystemExit(2)}[
            which
        ]

    @export()
    def later(self) -> Any:
        """Return what is still to be awaited."""
        return asyncio.sleep(0, "awaited")

    @export()
    async def keep(self, fn: CallbackRef) -> Any:
        """Keep a function."""
        self._kept.append(fn)

    @export()
    async def call(self) -> Any:
        """Call what was kept last, in this call."""
        return await self._host.invoke(self._kept[-1])

    @export()
    async def notify(self, what: str) -> Any:
        """Call what was kept last, and wait for nothing."""
        self._host.notify(self._kept[-1], what)

    @export()
    async def faulty(self) -> Any:
        """Return a handle."""
        return Faulty()

    @export()
    async def numbers(self) -> Any:
        """Return what numpy makes."""
        return [numpy.int64(5), numpy.float32(0.5), numpy.bool_(True), numpy.arange(4).reshape(2, 2)]


@pytest.fixture
async def rough(open_notebook: Open, offer: Offer) -> Notebook:
    """A notebook that knows the bridge."""
    assert installed.problem_of(Rough) is None
    offer(Rough)
    return await open_notebook()


async def test_a_plain_method_may_block_while_all_else_goes_on(rough: Notebook) -> None:
    code = (
        "local blocked = {async(rough.block), async(rough.block)} async.sleep(0.01) local before = blocked[1].state "
        "rough.release() local both = promise.all(blocked):await() return before, both[1], both[2]"
    )
    assert await rough.value(code) == '"pending"\ttrue\ttrue'


async def test_a_plain_method_fails_as_any_other(rough: Notebook, caplog: pytest.LogCaptureFixture) -> None:
    assert await rough.value("select(2, rough.fails('world')).code") == '"closed"'
    with caplog.at_level(logging.CRITICAL, "llmspell"):
        assert "(RuntimeError)" in str(await rough.value("pcall(rough.fails, 'stop')"))
        assert "(SystemExit)" in str(await rough.value("pcall(rough.fails, 'exit')"))
    assert await rough.value("rough.later()") == '"awaited"'


async def test_what_a_function_raises_that_is_called_later_is_shown_where_it_was_made(
    rough: Notebook,
) -> None:
    await rough.run("rough.keep(function(what)\n  print(what)\n  error('no ' .. what)\nend)")
    made = rough.last
    await rough.run("rough.notify('bell') async.sleep(0.01)")
    await rough.run("async.yield()")
    assert made.out == "bell\n"
    assert made.err.splitlines()[0].endswith("which nothing has waited for yet: no bell")
    assert made.err.splitlines()[1:] == ["  cell 1:3 in the function of line 1"]


async def test_what_cannot_come_back_from_a_function_is_named(rough: Notebook) -> None:
    await rough.run("rough.keep(function() return 1, {a = coroutine.create(print)} end)")
    outcome = await rough.run("rough.call()")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == (
        "what was called back gives what cannot be sent: result 2.a: a coroutine cannot cross"
    )


async def test_a_label_that_fails_costs_only_itself(
    rough: Notebook, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL, "llmspell"):
        assert await rough.value("tostring(rough.faulty())") == '"Faulty: 1"'


async def test_a_method_of_a_handle_is_named_where_it_was_called(
    rough: Notebook, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL, "llmspell"):
        wrong = await rough.run("local f = rough.faulty() local _ = f:up('x')")
        misspelt = await rough.run("local f = rough.faulty() f:upp() _ = 1")
    assert isinstance(wrong, Failed)
    assert "calling 'f.up'" in "".join(wrong.problem.traceback) or "calling 'up'" in "".join(
        wrong.problem.traceback
    )
    assert isinstance(misspelt, Failed)
    assert "did you mean `f:up`?" in misspelt.problem.traceback[-1]


async def test_numbers_and_arrays_of_numpy_are_plain_values(rough: Notebook) -> None:
    assert await rough.value("json.encode(rough.numbers())") == '"[5,0.5,true,[[0,1],[2,3]]]"'
