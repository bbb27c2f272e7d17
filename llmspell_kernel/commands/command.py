"""What a subcommand is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def _no_arguments(_: argparse.ArgumentParser) -> None:
    """Of a command that takes none."""


@dataclass(frozen=True)
class Command:
    """One row of the table in `llmspell_kernel.cli`."""

    name: str
    summary: str
    """One line, for the help."""
    run: Callable[[argparse.Namespace], int]
    """Does it and returns the exit code; raises `llmspell_kernel.errors.SpellError`."""
    configure: Callable[[argparse.ArgumentParser], None] = _no_arguments
    """Adds its arguments."""
