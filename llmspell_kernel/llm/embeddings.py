"""Vectors without key or network: MiniLM on this machine."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

from llmspell_kernel.errors import NotFound
from llmspell_kernel.llm.assets import MINILM
from llmspell_kernel.llm.catalogue import INSTALL_LOCAL, LOCAL
from llmspell_kernel.llm.protocol import Embeddings, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from llmspell_kernel.llm.minilm import MiniLM
    from llmspell_kernel.llm.weights import WeightStore


def _load(folder: Path) -> MiniLM:
    try:
        module = import_module("llmspell_kernel.llm.minilm")
    except ImportError as error:
        raise NotFound(
            f"offline embeddings need the package {error.name}, which is not installed",
            code="not_installed",
            provider=LOCAL,
            suggestion=INSTALL_LOCAL,
        ) from error
    model: MiniLM = module.MiniLM(folder)
    return model


class OfflineEmbeddings:
    """MiniLM, loaded when it is first asked.

    Args:
        store: The weights.
    """

    def __init__(self, store: WeightStore) -> None:
        self._store = store
        self._model: MiniLM | None = None
        # One after the other: two at once would only be slower, each by half.
        self._lock = asyncio.Lock()

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Turn texts into vectors of length one; 12 ms for a sentence, 70 ms for a page's paragraph.

        The work is done in a thread, some texts at a time, and ends between them when it is cancelled.

        Raises:
            NotFound: The weights have not been pulled.
        """
        async with self._lock:
            if self._model is None:
                folder = self._store.embedding_folder()
                self._model = await asyncio.to_thread(_load, folder)
            vectors: list[tuple[float, ...]] = [()] * len(texts)
            tokens = 0
            batches = self._model.batches(texts)
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                tokens += batch.tokens
                for place, row in zip(batch.places, batch.rows.tolist(), strict=True):
                    vectors[place] = tuple(row)
        return Embeddings(
            vectors=tuple(vectors), model=MINILM.name, provider=LOCAL, usage=Usage(prompt_tokens=tokens)
        )
