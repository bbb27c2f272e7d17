"""Cells run by the engine's own Lua, in this process, over a host that serves bridges written in Python."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from fake_host import FakeHost

from llmspell_kernel.bridges.lua_modules import LuaModule
from llmspell_kernel.bridges.registry import Registry
from llmspell_kernel.engine import values
from llmspell_kernel.engine.state import LuaState

if TYPE_CHECKING:
    from collections.abc import Callable


def lua_modules() -> Registry:
    """The modules that are written in Lua, as a session declares them."""
    return Registry(cast("Any", None), list(LuaModule.__subclasses__()))


class CellFailed(Exception):
    """A cell raised; `failure` is what failure.lua made of it."""

    def __init__(self, failure: dict[str, Any]) -> None:
        super().__init__(failure["message"])
        self.failure = failure


class ServingHost(FakeHost):
    """A process that answers calls of `bridges`, and waits as long as a real one would."""

    def __init__(self) -> None:
        super().__init__()
        self.bridges: dict[tuple[str, str], Callable[..., tuple[float, list[Any]]]] = {}
        self.stop_at: float | None = None
        self._answers: list[tuple[float, tuple[Any, ...]]] = []

    def send(self, kind: bytes, *fields: Any) -> None:
        super().send(kind, *fields)
        if kind == b"call":
            call, _, module, function, arguments = fields
            seconds, results = self.bridges[module.decode(), function.decode()](
                *values.decode_list(arguments)
            )
            if call:
                self._answers.append((self.now() + seconds, (b"answer", call, True, values.encode(results))))
                self._answers.sort(key=lambda pair: pair[0])

    def receive(self, timeout: float | None) -> tuple[Any, ...] | None:
        finish = self.now() + (60 if timeout is None else timeout)
        if self.stop_at is not None and self.stop_at <= finish:
            self._sleep_until(self.stop_at)
            self.reason, self.stop_at = b"interrupt", None
            return None
        if self.incoming:
            return self.incoming.popleft()
        if self._answers and self._answers[0][0] <= finish:
            due, answer = self._answers.pop(0)
            self._sleep_until(due)
            return answer
        self._sleep_until(finish)
        return None

    def _sleep_until(self, moment: float) -> None:
        time.sleep(max(0.0, moment - self.now()))


class Spell:
    """Runs cells; `out` and `err` are what was written since the last one began."""

    def __init__(self) -> None:
        self.host = ServingHost()
        self.state = LuaState(self.host)
        self.cells = 0
        self.deadline: float | None = None
        options = {"session_locals": True, "token": "t", "modules": lua_modules().declarations()}
        self.state.call("engine", "configure", values.encode(options))

    def bridge(self, module: str, function: str, serve: Callable[..., tuple[float, list[Any]]]) -> None:
        """Serve calls of `module.function` by `serve`: it returns the seconds until the answer, and that."""
        self.host.bridges[module, function] = serve
        self.state.run(
            "local env = require('sandbox').env "
            "local module, name = ... "
            "env[module] = env[module] or {} env[module][name] = require('bridge').bind(module, name)",
            module.encode(),
            function.encode(),
        )

    def run(self, code: str) -> str:
        """Run a cell and return what it printed; raises `CellFailed`."""
        self.cells += 1
        self.host.written.clear()
        name = f"cell {self.cells}".encode()
        status, value, _, self.deadline = self._call("execute", self.cells, name, code.encode(), b"cell")
        if self.host.reason:  # what worker.py does when a turn was stopped
            self.host.reason = None
            status, value, _, self.deadline = self._call("stopped")
        if status != b"ok":
            raise CellFailed(values.decode(value))
        return self.out

    def wait(self, seconds: float = 5.0) -> str:
        """Let tasks run on, as between two cells, until none can by itself; returns what was printed."""
        self.host.written.clear()
        finish = time.monotonic() + seconds
        while self.deadline is not None and time.monotonic() < finish:
            time.sleep(max(0.0, min(self.deadline, finish) - time.monotonic()))
            self.deadline = self._call("tick")
        return self.out

    def _call(self, function: str, *arguments: Any) -> Any:
        return self.state.call("engine", function, *arguments)

    @property
    def out(self) -> str:
        return self.written(1)

    @property
    def err(self) -> str:
        return self.written(2)

    def written(self, stream: int, cell: int | None = None) -> str:
        """What was written to stdout (1) or stderr (2), by `cell` or by all."""
        texts = (text for s, c, text in self.host.written if s == stream and cell in (None, c))
        return b"".join(texts).decode()
