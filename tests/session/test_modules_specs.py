"""Specs of Lua modules that are written in Lua: each file is a cell of tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.session.outcome import Succeeded

if TYPE_CHECKING:
    from .conftest import Notebook

SPECS = {path.stem: path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("specs/*.lua"))}


@pytest.mark.parametrize("spec", SPECS)
async def test_the_spec_holds(spec: str, notebook: Notebook) -> None:
    outcome = await notebook.run(SPECS[spec])
    assert isinstance(outcome, Succeeded), [bundle["text/plain"] for bundle, _, _ in notebook.last.shown]
    assert outcome.bundle is not None
    assert "passed" in outcome.bundle["text/plain"]
