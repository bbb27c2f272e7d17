"""Every example in the reference of the modules written in Lua runs and prints what it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from spell_harness import lua_modules

if TYPE_CHECKING:
    from spell_harness import Spell

    from llmspell_kernel.language.documentation import Documented

ENTRIES = [entry for entry in lua_modules().documentation() if entry.kind != "module"]


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.example], ids=lambda e: e.name)
def test_examples_print_what_they_say(spell: Spell, entry: Documented) -> None:
    said = re.findall(r"--> ?(.*)$", entry.example, re.MULTILINE)
    out = spell.run(entry.example)
    assert spell.err == ""
    if said:
        assert out.splitlines() == said


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.name)
def test_everything_is_documented_with_an_example_or_as_an_other_name(entry: Documented) -> None:
    assert entry.doc
    assert entry.example or "same" in entry.doc
    assert all(parameter.type for parameter in entry.parameters), entry.parameters
