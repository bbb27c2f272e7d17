"""A library whose vectors are counts of words, so that what is near can be read off."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llmspell_kernel.rag.library import Library
from llmspell_kernel.rag.store import SqliteStore


@dataclass
class Answer:
    vectors: tuple[tuple[float, ...], ...]
    model: str
    provider: str = "test"


@dataclass
class Words:
    """Embeds by counting words; keeps what it was asked."""

    usual: str = "words"
    dimensions: int = 64
    asked: list[list[str]] = field(default_factory=list)

    async def __call__(self, texts: Sequence[str], model: str) -> Answer:
        self.asked.append(list(texts))
        rows = [[0.0] * self.dimensions for _ in texts]
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                row[zlib.crc32(word.encode()) % self.dimensions] += 1
        return Answer(tuple(map(tuple, rows)), model.removeprefix("test:") or self.usual)


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "project" / "knowledge.sqlite"


@pytest.fixture
def library(file: Path, words: Words) -> Iterator[Library]:
    store = SqliteStore(file)
    yield Library(store, words)
    store.close()
