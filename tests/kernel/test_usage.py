"""`%usage` in a running kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Console


def test_usage_before_anything_was_asked(console: Console) -> None:
    cell = console.run("%usage")
    assert cell.text().startswith("0 calls, 0 tokens, $0.0000")
