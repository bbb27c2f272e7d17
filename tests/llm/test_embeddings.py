"""Vectors made on this machine."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from llmspell_kernel.errors import NotFound
from llmspell_kernel.llm.assets import MINILM
from llmspell_kernel.llm.directory import Preferences
from llmspell_kernel.llm.embeddings import OfflineEmbeddings
from llmspell_kernel.llm.models import Models

if TYPE_CHECKING:
    from pathlib import Path

    from llmspell_kernel.llm.weights import WeightStore


@pytest.fixture
def offline(weights: WeightStore) -> OfflineEmbeddings:
    try:
        weights.embedding_folder()
    except NotFound as error:
        if os.environ.get("LLMSPELL_TEST_REQUIRE_ALL") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))
    return OfflineEmbeddings(weights)


async def test_vectors_are_those_of_the_reference(offline: OfflineEmbeddings) -> None:
    answer = await offline.embed(["This is an example sentence"])
    # As published with the model, made by PyTorch.
    published = [
        0.067657,
        0.063496,
        0.048713,
        0.079305,
        0.037448,
        0.002653,
        0.039375,
        -0.007098,
        0.059361,
        0.031537,
    ]
    assert np.allclose(answer.vectors[0][:10], published, atol=2e-6)
    assert (answer.dimensions, answer.model, answer.provider) == (384, MINILM.name, "local")
    assert answer.usage.prompt_tokens == 7


async def test_related_sentences_are_closer(offline: OfflineEmbeddings) -> None:
    answer = await offline.embed(
        ["A cat sits on the mat.", "A kitten rests on a rug.", "The quarterly tax filing is due."]
    )
    vectors = np.array(answer.vectors)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alike = vectors @ vectors.T
    assert alike[0, 1] > 0.6 > 0.2 > max(alike[0, 2], alike[1, 2])


async def test_a_vector_does_not_depend_on_its_company(offline: OfflineEmbeddings) -> None:
    texts = [
        "short",
        "a much longer sentence with many more words in it",
        "",
        "word " * 1000,
        "Grüße, 世界 🌍",
    ]
    together = np.array((await offline.embed(texts * 8)).vectors)
    for place, text in enumerate(texts):
        alone = np.array((await offline.embed([text])).vectors[0])
        assert np.allclose(together[place], alone, atol=1e-5)
        assert np.allclose(together[place + 5], alone, atol=1e-5)
    assert (await offline.embed([])).vectors == ()


async def test_the_loop_lives_and_cancelling_ends_the_work(offline: OfflineEmbeddings) -> None:
    await offline.embed(["warm"])
    task = asyncio.create_task(offline.embed(["word " * 200] * 500))
    turns = 0
    for _ in range(10):
        await asyncio.sleep(0.01)
        turns += 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert turns == 10
    async with asyncio.timeout(5):
        await offline.embed(["free again"])


async def test_models_embed_offline_unless_told_otherwise(
    offline: OfflineEmbeddings, weights: WeightStore
) -> None:
    models = Models(Preferences(provider="openai", model="gpt-6-luna"), weights.folder)
    for asked in (
        models.embed(["x"]),
        models.embed(["x"], provider="local"),
        models.embed(["x"], "local:" + MINILM.name),
    ):
        assert (await asked).model == MINILM.name
    with pytest.raises(NotFound, match="it makes no vectors"):
        await models.embed(["x"], "local:SmolLM2-135M-Instruct")
    await models.aclose()


async def test_without_weights_it_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        await Models(Preferences(), tmp_path).embed(["x"])
    assert "llmspell models pull all-MiniLM-L6-v2" in (caught.value.suggestion or "")
