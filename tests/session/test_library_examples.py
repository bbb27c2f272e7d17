"""Every example in the reference of the modules with a part in the kernel process runs and prints what it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import pytest

from llmspell_kernel.bridges.data import DataBridge, Json
from llmspell_kernel.bridges.registry import Registry
from llmspell_kernel.bridges.state import StateBridge
from llmspell_kernel.session.outcome import Succeeded

if TYPE_CHECKING:
    from llmspell_kernel.language.documentation import Documented

    from .conftest import Notebook

MODULES: list[Any] = [Json, DataBridge, StateBridge]


def entries() -> list[Documented]:
    registry = Registry(cast("Any", None), MODULES)
    return [entry for entry in registry.documentation() if entry.kind != "module"]


async def test_examples_print_what_they_say(notebook: Notebook) -> None:
    for entry in entries():
        if not entry.example:
            continue
        outcome = await notebook.run(entry.example)
        assert isinstance(outcome, Succeeded), (entry.name, outcome)
        assert notebook.last.err == "", entry.name
        said = re.findall(r"--> ?(.*)$", entry.example, re.MULTILINE)
        if said:
            assert notebook.last.out.splitlines() == said, entry.name


@pytest.mark.parametrize("entry", entries(), ids=lambda e: e.name)
def test_everything_is_documented_with_an_example_or_as_an_other_name(entry: Documented) -> None:
    assert entry.doc
    assert entry.example or "same" in entry.doc
    assert all(parameter.type for parameter in entry.parameters), entry.parameters
