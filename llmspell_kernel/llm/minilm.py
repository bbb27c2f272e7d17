"""MiniLM-L6-v2, a small BERT that turns sentences into vectors, in plain numpy.

Reimers & Gurevych, *Sentence-BERT* (2019); Wang et al., *MiniLM* (2020). Six layers, twelve heads, 384
dimensions; the mean over the tokens of the last layer, normalised to length one, is the sentence's vector.
The weights stay in the file, mapped into memory, so the system can take the pages back.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tokenizers import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

DIMENSIONS = 384
MOST_TOKENS = 256
"""What the model was trained on; the rest of a longer text is not read."""
BATCH = 16
_LAYERS = 6
_HEADS = 12
_TYPES: dict[str, Any] = {"F32": np.float32, "I64": np.int64}


class Batch(NamedTuple):
    """Some vectors."""

    places: list[int]
    """Which texts they belong to."""
    rows: Array
    """A row of length one for each."""
    tokens: int


class MiniLM:
    """The model, loaded from the folder that was pulled.

    Args:
        folder: Holds ``model.safetensors`` and ``tokenizer.json``.
    """

    def __init__(self, folder: Path) -> None:
        self._weights = _map_safetensors(folder / "model.safetensors")
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MOST_TOKENS)
        self._tokenizer.no_padding()
        self._threads: Any = import_module("threadpoolctl").ThreadpoolController()

    def count_tokens(self, text: str) -> int:
        """Tokens of `text`, as far as it is read."""
        return len(self._tokenizer.encode(text).ids)

    def batches(self, texts: Sequence[str]) -> Iterator[Batch]:
        """The vectors of `texts`, some at a time.

        Texts of like length go together, because a batch costs what its longest text costs.
        """
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        for begin in range(0, len(order), BATCH):
            places = order[begin : begin + BATCH]
            some = [ids[place] for place in places]
            # Threads that spin while they wait for each other were thirty times slower on busy cores.
            with self._threads.limit(limits=1, user_api="blas"):
                rows = self._forward(some)
            yield Batch(places, rows, sum(map(len, some)))

    def encode(self, texts: Sequence[str]) -> Array:
        """The vectors of `texts`, one row for each."""
        vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
        for batch in self.batches(texts):
            vectors[batch.places] = batch.rows
        return vectors

    def _forward(self, ids: Sequence[Sequence[int]]) -> Array:
        length = max(len(row) for row in ids)
        tokens = np.zeros((len(ids), length), np.int64)
        mask = np.zeros((len(ids), length), np.float32)
        for row, text in enumerate(ids):
            tokens[row, : len(text)] = text
            mask[row, : len(text)] = 1
        w = self._weights
        x = w["embeddings.word_embeddings.weight"][tokens]
        x = (
            x
            + w["embeddings.position_embeddings.weight"][:length]
            + w["embeddings.token_type_embeddings.weight"][0]
        )
        x = self._norm("embeddings.LayerNorm", x)
        # Padding is kept out of every softmax by a number that is as good as minus infinity.
        bias = (mask[:, None, None, :] - 1) * np.float32(1e9)
        for layer in range(_LAYERS):
            x = self._layer(f"encoder.layer.{layer}", x, bias)
        mean = (x * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    def _layer(self, name: str, x: Array, bias: Array) -> Array:
        x = self._norm(
            f"{name}.attention.output.LayerNorm", x + self._attention(f"{name}.attention", x, bias)
        )
        inner = _gelu(self._dense(f"{name}.intermediate.dense", x))
        return self._norm(f"{name}.output.LayerNorm", x + self._dense(f"{name}.output.dense", inner))

    def _attention(self, name: str, x: Array, bias: Array) -> Array:
        batch, length, width = x.shape

        def heads(part: str) -> Array:
            projected = self._dense(f"{name}.self.{part}", x)
            return projected.reshape(batch, length, _HEADS, width // _HEADS).transpose(0, 2, 1, 3)

        scores = (
            heads("query") @ heads("key").transpose(0, 1, 3, 2) / np.float32((width // _HEADS) ** 0.5) + bias
        )
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ heads("value")
        return self._dense(f"{name}.output.dense", mixed.transpose(0, 2, 1, 3).reshape(batch, length, width))

    def _dense(self, name: str, x: Array) -> Array:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, name: str, x: Array) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + np.float32(1e-12))
        return centred / scale * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _gelu(x: Array) -> Array:
    """GELU with the exact erf (Abramowitz & Stegun 7.1.26, off by at most 1.5e-7)."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = 1.421413741 + t * (-1.453152027 + t * 1.061405429)
    series = t * (0.254829592 + t * (-0.284496736 + t * series))
    erf = np.copysign(1 - series * np.exp(-z * z), x)
    return np.float32(0.5) * x * (1 + erf)


def _map_safetensors(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file: eight bytes of length, a JSON header, then plain numbers."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(size))
    mapped = np.memmap(path, np.uint8, "r")
    tensors: dict[str, Any] = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            tensors[name] = mapped[begin:end].view(_TYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors
