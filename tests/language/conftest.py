"""A real Lua state, to hold this package's Python against."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from llmspell_kernel.engine.state import LuaState


@pytest.fixture(scope="module")
def state() -> LuaState:
    return LuaState(Mock())
