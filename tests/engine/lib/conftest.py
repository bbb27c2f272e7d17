"""A notebook over the modules that are written in Lua."""

from __future__ import annotations

import pytest
from spell_harness import Spell


@pytest.fixture
def spell() -> Spell:
    return Spell()
