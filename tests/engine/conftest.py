"""A Lua state without a process around it, for the specs of the engine's own Lua."""

from __future__ import annotations

from typing import Any

import pytest
from fake_host import FakeHost

from llmspell_kernel.engine.state import LuaState


class LuaHarness:
    """Runs Lua in the engine's own environment, where `require` gives its modules."""

    def __init__(self) -> None:
        self.host = FakeHost()
        self.state = LuaState(self.host)

    def run(self, source: str, *arguments: Any) -> Any:
        """Run `source` with `arguments` as its varargs; returns what it returns."""
        return self.state.run(source, *arguments)


@pytest.fixture
def lua() -> LuaHarness:
    return LuaHarness()
