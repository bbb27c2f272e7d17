"""Functions and objects that cross by reference: they live as long as the other end holds them, and no longer."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any, ClassVar

import pytest

from llmspell_kernel.bridges.declaration import Bridge, Handle, export
from llmspell_kernel.engine.values import CallbackRef
from llmspell_kernel.errors import SpellError
from llmspell_kernel.session.outcome import Failed, RolledBack

from .conftest import Notebook, Offer, Open


class Counter(Handle):
    """Counts."""

    type_name: ClassVar[str] = "Counter"
    closed: ClassVar[list[str]] = []

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0

    @property
    def label(self) -> str:
        return self.name

    async def close(self) -> None:
        self.closed.append(self.name)

    @export(returns="integer")
    async def add(self, amount: int = 1) -> int:
        """Add and return the sum."""
        self.count += amount
        return self.count

    @export()
    async def copy_from(self, other: Counter) -> Counter:
        """Take the count of another."""
        self.count = other.count
        return self


class Held(Bridge):
    """Holds functions and gives objects."""

    module: ClassVar[str] = "held"
    handles: ClassVar[tuple[type[Handle], ...]] = (Counter,)
    last: ClassVar[Held]

    def __init__(self, host: Any) -> None:
        self.host = host
        self.functions: dict[str, CallbackRef] = {}
        Held.last = self

    @export()
    async def keep(self, name: str, function: CallbackRef) -> None:
        """Hold a function."""
        self.functions[name] = function

    @export()
    async def drop(self, name: str) -> None:
        """Hold it no longer."""
        del self.functions[name]

    @export()
    async def call(self, name: str, value: Any = None) -> Any:
        """Call a held function."""
        return (await self.host.invoke(self.functions[name], value))[0]

    @export()
    async def call_now(self, function: CallbackRef) -> Any:
        """Call a function without holding it."""
        return (await self.host.invoke(function))[0]

    @export()
    async def counter(self, name: str) -> Counter:
        """Make a counter."""
        return Counter(name)

    @export()
    async def counters(self) -> Any:
        """Make counters inside other values."""
        return {"list": [Counter("x"), Counter("y")]}


@pytest.fixture
async def held(open_notebook: Open, offer: Offer) -> Notebook:
    offer(Held)
    Counter.closed = []
    # what %undo could bring back is held for longer: see test_undo.py
    return await open_notebook(checkpoints_undo="0")


KEEP_ONE = """
seen = setmetatable({}, {__mode = 'k'})
do
  local f = function() end
  seen[f] = true
  held.keep('f', f)
end
"""


async def collected(notebook: Notebook) -> None:
    """Let Lua collect, and what it tells arrive."""
    await notebook.run("collectgarbage() collectgarbage()")
    await notebook.run("collectgarbage()")
    await asyncio.sleep(0.02)


async def kill(notebook: Notebook) -> None:
    """Have the engine die in the middle of a cell."""
    cell = asyncio.create_task(notebook.run("while true do end"))
    await asyncio.sleep(0.05)
    os.kill(notebook.session._client.pid, signal.SIGKILL)
    assert isinstance(await cell, RolledBack)


# ── functions ────────────────────────────────────────────────────────────────────────────────────


async def test_a_function_is_called_back(held: Notebook) -> None:
    await held.run("held.keep('f', function(x) async.sleep(0.001) return x * 2 end)")
    assert await held.value("held.call('f', 21)") == "42"


async def test_a_call_may_call_back_before_it_answers(held: Notebook) -> None:
    assert await held.value(
        "held.call_now(function() return held.call_now(function() return 'deep' end) end)"
    ) == ('"deep"')


async def test_functions_do_not_pile_up(held: Notebook) -> None:
    code = (
        "for i = 1, 2000 do held.call_now(function() return i end) end "
        "collectgarbage() collectgarbage() print(collectgarbage('count'))"
    )
    await held.run(code)
    first = float(held.last.out)
    await held.run(code)
    assert float(held.last.out) - first < 20


async def test_a_function_is_collected_once_no_bridge_holds_it(held: Notebook) -> None:
    await held.run(KEEP_ONE)
    await collected(held)
    assert await held.value("next(seen) ~= nil") == "true"
    await held.run("held.drop('f')")
    await collected(held)
    assert await held.value("next(seen) ~= nil") == "false"


async def test_a_function_sent_twice_is_held_until_both_are_dropped(held: Notebook) -> None:
    await held.run(
        "f = function() return 'still there' end held.keep('a', f) held.keep('b', f) held.drop('a')"
    )
    await held.run("f = nil")
    await collected(held)
    assert await held.value("held.call('b')") == '"still there"'


async def test_a_function_of_a_cell_that_was_undone_cannot_be_called(held: Notebook) -> None:
    cell = asyncio.create_task(held.run("held.keep('f', function() return 1 end) while true do end"))
    await asyncio.sleep(0.1)
    os.kill(held.session._client.pid, signal.SIGKILL)
    assert isinstance(await cell, RolledBack)
    with pytest.raises(SpellError, match="was undone"):
        await Held.last.host.invoke(Held.last.functions["f"])


async def test_a_function_of_an_earlier_cell_outlives_an_undone_one(held: Notebook) -> None:
    await held.run("held.keep('f', function() return 'kept' end)")
    await kill(held)
    assert await held.value("held.call('f')") == '"kept"'


async def test_a_function_dropped_in_an_undone_cell_is_not_held_afterwards(held: Notebook) -> None:
    await held.run(KEEP_ONE)
    cell = asyncio.create_task(held.run("held.drop('f') while true do end"))
    await asyncio.sleep(0.1)
    os.kill(held.session._client.pid, signal.SIGKILL)
    assert isinstance(await cell, RolledBack)
    await collected(held)
    assert await held.value("next(seen) ~= nil") == "false"


# ── objects ──────────────────────────────────────────────────────────────────────────────────────


async def test_an_object_has_methods_a_type_and_a_text(held: Notebook) -> None:
    await held.run("c = held.counter('mine')")
    assert await held.value("c:add(), c:add(2)") == "1\t3"
    assert await held.value("tostring(c), type(c), getmetatable(c)") == '"Counter: mine"\t"table"\tfalse'


async def test_an_object_is_the_same_wherever_it_comes_from(held: Notebook) -> None:
    await held.run("a, b = held.counter('a'), held.counter('b') a:add(5)")
    assert await held.value("b:copy_from(a) == b, b:add(0), a == b") == "true\t5\tfalse"


async def test_objects_inside_other_values(held: Notebook) -> None:
    assert await held.value("tostring(held.counters().list[2])") == '"Counter: y"'


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("c.x = 1", "a value of the type Counter is read-only"),
        ("c.add(1)", "call add with a colon: object:add(…)"),
        ("c:nothing()", "attempt to call a nil value (method 'nothing')"),
        ("c:add('x')", "bad argument #1 to 'Counter:add' (integer expected, got string)"),
        ("c:copy_from(1)", "bad argument #1 to 'Counter:copy_from' (Counter expected, got number)"),
        ("held.keep('f', c)", "bad argument #2 to 'held.keep' (function expected, got Counter)"),
    ],
)
async def test_misuse_of_an_object_raises(held: Notebook, code: str, message: str) -> None:
    outcome = await held.run("local c = held.counter('c') " + code)
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == message


async def test_an_object_is_closed_once_lua_has_collected_it(held: Notebook) -> None:
    await held.run("c = held.counter('a') held.counter('b')")
    await collected(held)
    assert Counter.closed == ["b"]
    await held.run("c = nil")
    await collected(held)
    assert Counter.closed == ["b", "a"]


async def test_objects_do_not_pile_up(held: Notebook) -> None:
    await held.run("for i = 1, 2000 do held.counter(tostring(i)):add() end")
    await collected(held)
    assert len(Counter.closed) == 2000
    assert len(held.session._references.handles) == 0


async def test_an_object_that_is_sent_again_while_it_is_collected_lives(held: Notebook) -> None:
    await held.run("c = held.counter('c')")
    await held.run("for i = 1, 500 do c = c:copy_from(c) if i % 50 == 0 then collectgarbage() end end")
    assert await held.value("c:add()") == "1"
    assert Counter.closed == []


async def test_an_object_of_an_undone_cell_is_closed_and_an_earlier_one_lives(held: Notebook) -> None:
    await held.run("old = held.counter('old')")
    cell = asyncio.create_task(
        held.run("new = held.counter('new') old = nil collectgarbage() while true do end")
    )
    await asyncio.sleep(0.1)
    os.kill(held.session._client.pid, signal.SIGKILL)
    assert isinstance(await cell, RolledBack)
    await asyncio.sleep(0.01)
    assert Counter.closed == ["new"]
    assert await held.value("old:add(), new") == "1\tnil"


async def test_everything_is_closed_with_the_session(held: Notebook) -> None:
    await held.run("c = held.counter('c')")
    await held.session.close()
    assert Counter.closed == ["c"]
