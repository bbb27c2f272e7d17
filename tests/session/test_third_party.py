"""Bridges of other packages come through the same door as ours: the entry point group ``llmspell.bridges``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.bridges.reference import reference
from llmspell_kernel.bridges.registry import installed_bridges
from llmspell_kernel.session.outcome import Succeeded

if TYPE_CHECKING:
    from .conftest import Install, Open

_SOURCE = '''
"""Rolls dice."""

from typing import Any, ClassVar

from llmspell_kernel.bridges.declaration import Bridge, Handle, export
from llmspell_kernel.errors import WorldError


class Die(Handle):
    """A die."""

    type_name: ClassVar[str] = "Die"

    def __init__(self, sides: int) -> None:
        self.sides = sides

    @property
    def label(self) -> str:
        return f"{self.sides} sides"

    @export(returns="integer")
    async def most(self) -> Any:
        """Tell the highest number."""
        return self.sides


class Dice(Bridge):
    """Dice: for games."""

    module: ClassVar[str] = "dice"
    handles: ClassVar[tuple[type[Handle], ...]] = (Die,)

    def __init__(self, host: Any) -> None:
        self._host = host

    @export(returns="Die", example="print(dice.make(6):most()) --> 6")
    async def make(self, sides: int = 6) -> Any:
        """Make a die.

        Args:
            sides: how many sides it has
        """
        if sides < 2:
            raise WorldError("a die has at least two sides", code="flat")
        return Die(sides)

    @export(returns="any")
    async def call(self, fn: Any) -> Any:
        """Call a function of Lua's with 6."""
        return (await self._host.invoke(fn, 6))[0]
'''


@pytest.fixture
def package(install: Install) -> None:
    """A package with one bridge that works and two that do not load."""
    points = {"dice": "llmspell_dice:Dice", "broken": "llmspell_not_there:X", "none": "llmspell_dice:Nothing"}
    install("llmspell-dice", {"llmspell_dice": _SOURCE}, points)


@pytest.mark.usefixtures("package")
async def test_an_installed_bridge_is_a_module_like_ours(
    open_notebook: Open, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "llmspell"):
        notebook = await open_notebook()
    for name in ("broken", "none"):
        assert f"the bridge '{name}' (llmspell_" in caplog.text
    assert await notebook.value(
        "local d = dice.make(20) return d:most(), tostring(d), require('dice') == dice"
    ) == ('20\t"Die: 20 sides"\ttrue')
    assert "a die has at least two sides" in str(await notebook.value("dice.make(1)"))
    assert "bad argument #1 to 'dice.make'" in str(await notebook.value("pcall(dice.make, {})"))
    assert await notebook.value("dice.call(function(n) async.sleep(0) return n * 7 end)") == "42"
    outcome = await notebook.run("llm")
    assert isinstance(outcome, Succeeded)


@pytest.mark.usefixtures("package")
def test_an_installed_bridge_is_in_the_reference() -> None:
    found = {entry.name: entry for entry in reference(installed_bridges())}
    assert found["dice.make"].parameters[0].doc == "how many sides it has"
    assert found["Die:most"].kind == "method"
