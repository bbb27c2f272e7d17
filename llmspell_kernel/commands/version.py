"""``llmspell version``: what to write in a bug report."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from llmspell_kernel import __version__
from llmspell_kernel.commands.command import Command

if TYPE_CHECKING:
    import argparse

_PARTS = ("lupa", "ipykernel", "jupyter-client", "jupyterlab", "msgspec", "pydantic-ai-slim", "xllamacpp")


def _run(_: argparse.Namespace) -> int:
    print(f"llmspell-kernel {__version__}")
    print(f"Python {platform.python_version()} on {platform.platform()}")
    for part in _PARTS:
        print(f"{part} {_version_of(part)}")
    return 0


def _version_of(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "(not installed)"


VERSION = Command("version", "show the versions of the kernel and of what it stands on", _run)
