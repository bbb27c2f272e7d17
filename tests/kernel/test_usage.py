"""`%usage` in a running kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Console


def test_usage_before_anything_was_asked(console: Console) -> None:
    assert console.run("%usage").result == "no model was asked yet"
    assert console.run("llm.usage()").result == "no model was asked yet"
    assert "time" in console.run("%limits").of("execute_result")[0]["data"]["text/html"]
