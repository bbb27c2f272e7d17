"""Whatever becomes of the engine process, the session answers and the variables of the cells before are there."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

import msgspec
import pytest

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.config import Places, Settings
from llmspell_kernel.engine import client as client_module
from llmspell_kernel.engine import wire
from llmspell_kernel.engine.process import Endpoint, launch
from llmspell_kernel.errors import EngineError
from llmspell_kernel.session.launching import engine_options
from llmspell_kernel.session.outcome import Failed, Interrupted, RolledBack
from llmspell_kernel.session.session import Session

from .conftest import Notebook, Recorder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from llmspell_kernel.session.outcome import Outcome

    from .conftest import Offer, Open

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="process groups and their signals"
)

SETUP = "keep = {n = 41} local hidden = 7 function reveal() return hidden end"
HOLDS = "return keep.n == 41 and reveal() == 7"


async def intact(notebook: Notebook) -> bool:
    return await notebook.value(HOLDS) == "true"


@pytest.fixture
async def planted(open_notebook: Open) -> Notebook:
    notebook: Notebook = await open_notebook(grace="0.3")
    await notebook.run(SETUP)
    return notebook


def engine(notebook: Notebook) -> int:
    return notebook.session._client.pid


async def struck(notebook: Notebook, code: str, *signals: int, after: float = 0.1) -> Outcome:
    """Run a cell and send signals to its engine; the person interrupts after that if it does not end."""
    cell = asyncio.create_task(notebook.run(code))
    await asyncio.sleep(after)
    for number in signals:
        os.kill(engine(notebook), number)
    done, _ = await asyncio.wait([cell], timeout=0.5)
    if not done:
        notebook.session.interrupt()
    return await asyncio.wait_for(cell, 20)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGABRT", "SIGSEGV"])
async def test_an_engine_that_dies_in_a_cell(planted: Notebook, name: str) -> None:
    outcome = await struck(planted, "keep.n = 0 while true do end", getattr(signal, name))
    assert isinstance(outcome, RolledBack), outcome
    assert await intact(planted)


async def test_an_engine_that_dies_again_and_again(planted: Notebook) -> None:
    for _ in range(5):
        assert isinstance(
            await struck(planted, "keep = nil while true do end", signal.SIGKILL, after=0.02), RolledBack
        )
    assert await intact(planted)


async def test_an_engine_that_dies_between_cells(planted: Notebook) -> None:
    await asyncio.sleep(0.1)
    os.kill(engine(planted), signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert await intact(planted)


async def test_an_engine_that_dies_while_a_bridge_call_waits(planted: Notebook) -> None:
    assert isinstance(await struck(planted, "keep = nil async.sleep(60)", signal.SIGKILL), RolledBack)
    assert await intact(planted)


async def test_an_engine_that_the_system_gives_no_more_memory(
    open_notebook: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nulimit -v 500000\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(script))
        notebook: Notebook = await open_notebook(grace="0.3")
    await notebook.run(SETUP)
    for code in (
        "local t = {} for i = 1, 1e9 do t[i] = {i} end",
        "while true do pcall(string.rep, 'x', 4e8) end",
    ):
        outcome = await struck(notebook, code, after=1)
        assert isinstance(outcome, Failed | Interrupted | RolledBack), outcome
        assert await intact(notebook)


async def test_an_engine_that_is_wedged_in_a_cell_is_killed_after_the_grace(planted: Notebook) -> None:
    began = time.monotonic()
    outcome = await struck(planted, "keep.n = 0 while true do end", signal.SIGSTOP)
    assert isinstance(outcome, RolledBack)
    assert time.monotonic() - began < 30
    assert await intact(planted)


async def test_a_second_interrupt_does_not_wait_for_the_grace(open_notebook: Open) -> None:
    notebook: Notebook = await open_notebook(grace="60")
    await notebook.run(SETUP)
    cell = asyncio.create_task(notebook.run("while true do end"))
    await asyncio.sleep(0.1)
    os.kill(engine(notebook), signal.SIGSTOP)
    notebook.session.interrupt()
    await asyncio.sleep(0.05)
    notebook.session.interrupt()
    assert isinstance(await asyncio.wait_for(cell, 20), RolledBack)
    assert await intact(notebook)


async def test_an_engine_that_is_wedged_between_cells(
    planted: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_QUERY_SECONDS", 0.2)
    await asyncio.sleep(0.1)
    os.kill(engine(planted), signal.SIGSTOP)
    assert (await asyncio.wait_for(planted.session.complete("string.re", 9, {}), 10)).matches
    large = f"--[[{'x' * 20_000_000}]] keep.n = 0"  # more than the socket takes
    assert isinstance(await struck(planted, large), RolledBack)
    assert await intact(planted)


async def test_a_copy_that_does_not_wake_gives_place_to_the_one_before(
    planted: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_WAKE_SECONDS", 0.3)
    for number in range(3):
        await planted.run(f"step = {number}")
    await asyncio.sleep(0.2)
    last = await planted.session.checkpoints.points[-1].copy
    os.kill(last.pid, signal.SIGSTOP)
    os.kill(engine(planted), signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert await intact(planted)


async def test_a_flood_that_the_kernel_cannot_read_for_a_while(planted: Notebook) -> None:
    cell = asyncio.create_task(planted.run("keep.m = 1 while true do print(('x'):rep(100000)) end"))
    await asyncio.sleep(0.05)
    time.sleep(0.5)  # noqa: ASYNC251 - the pipe is full meanwhile
    planted.session.interrupt()
    assert isinstance(await asyncio.wait_for(cell, 20), Interrupted | RolledBack)
    assert await intact(planted)


class Slow(Recorder):
    """A front end that takes its time."""

    def stream(self, name: str, text: str) -> None:
        super().stream(name, text)
        time.sleep(0.0005)


@pytest.mark.parametrize("ending", ["time limit", "interrupt"])
async def test_a_flood_that_changes_between_the_streams(open_notebook: Open, ending: str) -> None:
    notebook: Notebook = await open_notebook(
        grace="0.3", **({"time_limit": "0.5"} if ending == "time limit" else {})
    )
    await notebook.run(SETUP)
    code = "keep.m = 1 while true do print('x') io.stderr:write('y') end"
    slow = Slow()
    cell = asyncio.create_task(notebook.session.execute(code, slow, "flood"))
    if ending == "interrupt":
        await asyncio.sleep(0.4)
        notebook.session.interrupt()
    assert isinstance(await asyncio.wait_for(cell, 30), Interrupted)
    assert slow.out.count("x") == slow.out.count("\n")
    assert abs(len(slow.err) - slow.out.count("x")) <= 1
    assert await notebook.value(f"keep.m == 1 and (function() {HOLDS} end)()") == "true"
    assert notebook.last.err == ""


async def test_streams_keep_their_order_where_they_change_as_people_write(notebook: Notebook) -> None:
    order: list[str] = []

    class Ordered(Recorder):
        def stream(self, name: str, text: str) -> None:
            order.append(text)

    code = "for i = 1, 30 do print(i) io.stderr:write(i, ';') end"
    await notebook.session.execute(code, Ordered(), "cell 1")
    assert "".join(order) == "".join(f"{i}\n{i};" for i in range(1, 31))


async def test_a_cell_that_ends_while_its_engine_is_being_killed(planted: Notebook) -> None:
    class Killing(Recorder):
        def stream(self, name: str, text: str) -> None:
            planted.session._stopping._kill()

    outcome = await planted.session.execute("keep.n = 0 print('x')", Killing(), "cell 2")
    assert isinstance(outcome, RolledBack)
    assert await intact(planted)
    assert planted.last.err == ""


def lives(group: int) -> bool:
    """Whether there is a process of this group, apart from those that only wait for us to notice their end."""
    with suppress(ChildProcessError):
        os.waitpid(-group, os.WNOHANG)
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


async def test_nothing_of_an_engine_survives_its_session(planted: Notebook) -> None:
    for _ in range(3):
        await planted.run("keep.n = 41")
    group = os.getpgid(engine(planted))
    assert group != os.getpgid(0)
    await asyncio.sleep(0.2)
    os.kill(
        (await planted.session.checkpoints.points[-1].copy).pid, signal.SIGSTOP
    )  # deaf to the end of its socket
    await planted.session.close()
    deadline = time.monotonic() + 10
    while lives(group):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


# ── calls that are made while a checkpoint is asked for ──────────────────────────────────────────


class Far(Bridge):
    """Answers when it is told to."""

    module: ClassVar[str] = "far"
    asked: ClassVar[list[asyncio.Future[str]]] = []

    def __init__(self, host: object) -> None:
        pass

    @export(returns="string")
    async def ask(self) -> str:
        """Ask and wait."""
        answer = asyncio.get_running_loop().create_future()
        self.asked.append(answer)
        return await answer


@pytest.mark.parametrize("answered", ["before", "after"])
async def test_a_call_that_a_checkpoint_knows_and_nobody_else_did(
    open_notebook: Open, offer: Offer, answered: str
) -> None:
    offer(Far)
    Far.asked = []
    notebook: Notebook = await open_notebook()
    await notebook.run(f"""{SETUP}
      async(function()
        async.sleep(0.05)
        local begun = os.clock()
        while os.clock() - begun < 0.3 do end
        heard = far.ask()
      end);""")
    await asyncio.sleep(0.2)  # it computes
    checkpoints = notebook.session.checkpoints
    checkpoints.mark_stale()
    checkpoints.take(0)
    point = checkpoints.points[-1]
    assert not point.copy.done()
    await asyncio.wait_for(point.copy, 20)
    while not Far.asked:
        await asyncio.sleep(0.01)
    if answered == "before":
        Far.asked[0].set_result("yes")
        await asyncio.sleep(0.1)
    os.kill(engine(notebook), signal.SIGKILL)
    await asyncio.sleep(0.1)
    assert await intact(notebook)
    if answered == "after":
        Far.asked[0].set_result("yes")
    for _ in range(100):
        if await notebook.value("heard") is not None:
            break
    assert await notebook.value("heard") == '"yes"'
    assert len(Far.asked) == 1


# ── an engine that speaks nonsense ───────────────────────────────────────────────────────────────


class Tapped:
    """A real engine whose frames pass through here, where others can be added."""

    def __init__(self, settings: Settings) -> None:
        self._engine = launch(engine_options(settings))
        self._mine, theirs = socket.socketpair()
        self.endpoint = Endpoint(theirs, self._engine.control, self._engine.pid, self._engine.process)
        for end in (self._engine.data, self._mine):
            end.setblocking(False)
        self._tasks = [
            asyncio.create_task(_pass(self._engine.data, self._mine)),
            asyncio.create_task(_pass(self._mine, self._engine.data)),
        ]

    async def inject(self, data: bytes) -> None:
        """Send bytes as if the engine had."""
        await asyncio.get_running_loop().sock_sendall(self._mine, data)

    async def end(self) -> None:
        """Close the connection; then the engine itself goes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._mine.close()
        self._engine.data.close()


async def _pass(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, 65536):
        await loop.sock_sendall(target, data)


def framed(value: object) -> bytes:
    body = msgspec.msgpack.encode(value)
    return len(body).to_bytes(4, "big") + body


@pytest.fixture
async def tapped(tmp_path: Path) -> AsyncIterator[tuple[Notebook, Tapped]]:
    places = Places(config=tmp_path / "config.toml", data=tmp_path / "data")
    settings = Settings.load(tmp_path, {"LLMSPELL_GRACE": "0.3"}, places)
    session, tap = Session(settings), Tapped(settings)
    await session.start(tap.endpoint)
    notebook = Notebook(session)
    await notebook.run(SETUP)
    yield notebook, tap
    await tap.end()
    await session.close()


NONSENSE = {
    "not MessagePack": b"\0\0\0\4\xc1\xc1\xc1\xc1",
    "a frame of 3 GB": b"\xc0\0\0\0",
    "an empty frame": b"\0\0\0\0",
    "no array": framed({"tag": "done"}),
    "an unknown tag": framed(["pwn", 1]),
    "a frame for engines": framed(["execute", 1, "cell 1", b"return 1", "cell"]),
    "no fields": framed(["done"]),
    "fields of wrong types": framed(["done", "1", 2, 3, 4, 5]),
    "an end for an unknown reason": framed(["done", 2, "stopped", {}, 99, 0]),
    "a negative cell's output": framed(["output", -5, 9, b"x"]),
    "output of an unknown stream": framed(["output", 2, 9, b"x"]),
    "output that is text": framed(["output", 2, 1, {"x": 1}]),
    "a call without a list": framed(["call", 0, 2, "host", "display", "text"]),
    "a call of an unknown module": framed(["call", 0, 2, "os", "system", ["true"]]),
    "a call of a private function": framed(["call", 9, 2, "llm", "__init__", []]),
    "deep nesting": framed(["call", 0, 2, "host", "display", [0]])[:-1] + b"\x91" * 100_000,
    "a reason to stop that there is not": framed(["stopping", 2, 77]),
}


@pytest.mark.parametrize("data", NONSENSE.values(), ids=NONSENSE.keys())
async def test_an_engine_that_sends_nonsense(tapped: tuple[Notebook, Tapped], data: bytes) -> None:
    notebook, tap = tapped
    cell = asyncio.create_task(notebook.run("keep.n = 0 while true do end"))
    await asyncio.sleep(0.05)
    await tap.inject(data)
    done, _ = await asyncio.wait([cell], timeout=0.2)
    if not done:
        notebook.session.interrupt()
    outcome = await asyncio.wait_for(cell, 20)
    if isinstance(outcome, Interrupted):  # it did no harm
        await notebook.run("keep.n = 41")
    else:
        assert isinstance(outcome, RolledBack)
    assert await intact(notebook)


@pytest.mark.parametrize("length", [3, 4, 20])
async def test_a_torn_frame(tapped: tuple[Notebook, Tapped], length: int) -> None:
    notebook, tap = tapped
    cell = asyncio.create_task(notebook.run("keep.n = 0 while true do end"))
    await asyncio.sleep(0.05)
    await tap.inject(framed(["output", 2, 1, b"x" * 100])[:length])
    await tap.end()
    assert isinstance(await asyncio.wait_for(cell, 20), RolledBack)
    assert await intact(notebook)


async def test_frames_that_are_true_but_out_of_place_change_nothing(tapped: tuple[Notebook, Tapped]) -> None:
    notebook, tap = tapped
    for frame in (
        wire.Done(999, "ok", msgspec.Raw(b"\x90"), 0, 0),
        wire.Reply(999, True, msgspec.Raw(b"\xc0")),
        wire.Returned(999, True, msgspec.Raw(b"\x90")),
        wire.Cancel(999),
        wire.Release([999, 5, -1]),
        wire.Ready(1, "5.4", {}),
        wire.Stopping(0, wire.StopReason.MEMORY),
        wire.Spent(1 << 62),
        wire.Output(999, 1, b"lost"),
    ):
        await tap.inject(wire.encode(frame))
    assert await intact(notebook)
    assert notebook.session.layers["system calls"]


async def test_a_copy_may_not_be_any_process_that_an_engine_names(planted: Notebook) -> None:
    client = planted.session._client
    copy = client.checkpoint()
    mine, its = socket.socketpair()
    ends = socket.socketpair()
    record = wire.CHECKPOINT.pack(max(client._checkpoints), os.getpid(), 0, 0)
    socket.send_fds(its, [record], [end.fileno() for end in ends])
    client._on_control(mine)
    with pytest.raises(EngineError, match="gone"):
        await copy
    for end in (mine, its, *ends):
        end.close()
    assert await intact(planted)
