"""``llmspell trust`` and ``llmspell untrust``: which project files may give a session power."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llmspell_kernel.commands.command import Command

if TYPE_CHECKING:
    import argparse

    from llmspell_kernel.trust import TrustStore


def _store() -> TrustStore:
    """The store that settings read."""
    import os

    from llmspell_kernel.config import Places
    from llmspell_kernel.trust import TrustStore

    return TrustStore(Places.usual(os.environ).trust)


def _add_path(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="?", type=Path, default=Path(), help="llmspell.toml or its folder")


def _configure_trust(parser: argparse.ArgumentParser) -> None:
    _add_path(parser)
    parser.add_argument("--list", action="store_true", help="show what is trusted, and change nothing")


def _trust(arguments: argparse.Namespace) -> int:
    store = _store()
    if arguments.list:
        return _list(store)
    entry = store.trust(arguments.path)
    print(f"Trusted as it stands now: {entry.path}")
    print("When the file changes, it is asked about again. Running kernels see it after a restart.")
    return 0


def _list(store: TrustStore) -> int:
    for entry in store.listing():
        print(f"{store.state(Path(entry.path)):<8} {entry.path}")
    return 0


def _untrust(arguments: argparse.Namespace) -> int:
    known = _store().untrust(arguments.path)
    print("No longer trusted." if known else "It was not trusted.")
    return 0


TRUST = Command("trust", "let a project's llmspell.toml give its sessions power", _trust, _configure_trust)
UNTRUST = Command("untrust", "take that back", _untrust, _add_path)
