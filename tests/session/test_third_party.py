"""Bridges of other packages come through the same door as ours: the entry point group ``llmspell.bridges``."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.bridges.reference import reference
from llmspell_kernel.bridges.registry import installed_bridges
from llmspell_kernel.session.outcome import Succeeded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Open

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
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package as pip would install it, with one bridge that works and two that do not load."""
    target = tmp_path / "site-packages"
    described = target / "llmspell_dice-1.0.dist-info"
    described.mkdir(parents=True)
    (target / "llmspell_dice.py").write_text(_SOURCE)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: llmspell-dice\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(
        "[llmspell.bridges]\ndice = llmspell_dice:Dice\nbroken = llmspell_not_there:X\nnone = llmspell_dice:Nothing\n"
    )
    monkeypatch.syspath_prepend(str(target))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("llmspell_dice", None)


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
