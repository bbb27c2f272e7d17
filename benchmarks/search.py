"""How long a search among 100,000 chunks takes, beside the least that numpy needs for the vectors alone.

    python benchmarks/search.py [CHUNKS]

The texts are random words with the frequencies of a natural language (Zipf's law); the vectors are random, which costs
the same as real ones. The baseline is one matrix-vector product and a partition: brute force without texts, words,
filters or a file.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from llmspell_kernel.rag.store import SqliteStore
from llmspell_kernel.rag.values import Model, Piece, Query

if TYPE_CHECKING:
    from collections.abc import Callable

DIMENSIONS = 384
WORDS = 50_000
RUNS = 15


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    numbers = np.random.default_rng(0)
    rows = numbers.standard_normal((count, DIMENSIONS)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "knowledge.sqlite")
        began = time.perf_counter()
        fill(store, rows, numbers)
        print(f"{count:,} chunks put in {time.perf_counter() - began:.1f} s")
        began = time.perf_counter()
        question: dict[str, Any] = {
            "vector": rows[7].tolist(),
            "text": "word900 word3000 word20 word7 word2",
            "k": 10,
        }
        store.search(Query(collection="c", **question))
        print(f"first search, which reads the vectors: {time.perf_counter() - began:.2f} s")
        compare(store, rows, question)
        store.close()


def fill(store: SqliteStore, rows: Any, numbers: np.random.Generator) -> None:
    words = np.array([f"word{n}" for n in range(WORDS)])
    shares = 1 / np.arange(1, WORDS + 1)
    shares /= shares.sum()
    for start in range(0, len(rows), 100):
        some = rows[start : start + 100]
        texts = numbers.choice(words, (len(some), 120), p=shares)
        pieces = [
            Piece(text=" ".join(text), vector=row, metadata={"n": start + place})
            for place, (text, row) in enumerate(zip(texts, some, strict=True))
        ]
        store.put("c", "", str(start), pieces, model=Model("m", DIMENSIONS), digest="", metadata={})


def compare(store: SqliteStore, rows: Any, question: dict[str, Any]) -> None:
    vector = np.asarray(question["vector"], np.float32)

    def brute() -> None:
        with threadpool_limits(1, "blas"):
            cosines = rows @ vector
        np.argpartition(-cosines, 10)

    baseline = timed(brute)
    print(f"{'brute force in numpy':<32} {baseline * 1e3:7.1f} ms")
    kinds: dict[str, dict[str, Any]] = {
        "by meaning": {"mode": "vector"},
        "by words": {"mode": "keyword"},
        "by both": {},
        "by both, half of them filtered": {"filter": {"n": {"lt": len(rows) // 2}}},
        "by both, one in 1,000 filtered": {"filter": {"n": {"lt": len(rows) // 1000}}},
    }
    for name, options in kinds.items():
        query = Query(collection="c", **question, **options)
        took = timed(lambda query=query: store.search(query))
        print(f"{name:<32} {took * 1e3:7.1f} ms  {took / baseline:5.2f} × brute force")


def timed(work: Callable[[], Any]) -> float:
    """Median seconds of a call."""
    times: list[float] = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
