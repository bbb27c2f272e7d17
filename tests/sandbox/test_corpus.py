"""Every case of the corpus, through a real kernel."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from corpus import Case, categories, load

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = [case for category in categories() for case in load(category)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.category}-{case.id}")
def test_case(case: Case, judge: Callable[[Case], None]) -> None:
    judge(case)


def test_the_corpus_is_as_large_as_it_says() -> None:
    count = Counter("benign" if case.category == "benign" else "attack" for case in CASES)
    assert count["attack"] >= 300
    assert count["benign"] >= 100


def test_ids_are_unique() -> None:
    names = Counter((case.category, case.id) for case in CASES)
    assert [name for name, times in names.items() if times > 1] == []
