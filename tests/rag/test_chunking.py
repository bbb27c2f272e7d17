"""Where texts are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell_kernel.rag.chunking import chunk


def test_a_short_text_is_one_chunk() -> None:
    assert chunk("  One. Two.\n") == ["One. Two."]
    assert chunk(" \n ") == []


def test_headings_and_paragraphs_are_where_a_text_is_cut() -> None:
    text = "# A\n" + "a" * 60 + "\n\n" + "b" * 60 + "\n# B\n" + "c" * 60
    assert chunk(text, 100, 0) == ["# A\n" + "a" * 60, "b" * 60, "# B\n" + "c" * 60]


def test_a_heading_goes_with_what_it_heads() -> None:
    assert chunk("# Title\n\n# Part\nwords\n", 100, 0) == ["# Title\n\n# Part\nwords"]


def test_sentences_stay_whole_and_the_next_chunk_repeats_the_last_words() -> None:
    text = " ".join(f"Sentence number {n} is here." for n in range(20))
    chunks = chunk(text, 120, 30)
    assert all(len(one) <= 120 for one in chunks)
    assert all(one.endswith(".") for one in chunks)
    assert chunks[1].split(" Sentence")[0] in chunks[0]


@pytest.mark.parametrize("text", ["x" * 1000, "好" * 1000, "word " * 300])
def test_what_has_no_pause_is_cut_all_the_same(text: str) -> None:
    assert all(0 < len(one) <= 100 for one in chunk(text, 100, 20))


@given(st.text(alphabet="ab .\n#", max_size=400), st.integers(50, 120), st.integers(0, 60))
def test_no_chunk_is_too_long_and_no_word_is_lost(text: str, size: int, overlap: int) -> None:
    chunks = chunk(text, size, overlap)
    assert all(one.strip() and len(one) <= size for one in chunks)
    kept = "".join("".join(chunks).split())
    missing = [word for word in text.split() if len(word) < 20 and word not in kept]
    assert missing == []
