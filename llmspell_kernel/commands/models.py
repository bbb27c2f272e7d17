"""``llmspell models``: the weights on this machine, listed and fetched."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, TextIO

from llmspell_kernel.commands.command import Command

if TYPE_CHECKING:
    import argparse

    from llmspell_kernel.llm.progress import Progress
    from llmspell_kernel.llm.weights import WeightStore

_EACH = 0.1
"""Seconds between two states of a progress line on a terminal; elsewhere a line for each tenth is written."""


def _store() -> WeightStore:
    from llmspell_kernel.llm.weights import WeightStore
    from llmspell_kernel.session.models import weights_folder

    return WeightStore(weights_folder())


class ProgressLine:
    """Shows how far a download has come: one line that changes on a terminal, few lines in a log."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._text = ""
        self._shown = 0.0
        self._tenth = 0

    def tell(self, progress: Progress) -> None:
        """Take one state."""
        share = progress.done / progress.total if progress.total else 0.0
        complete = progress.total > 0 and progress.done >= progress.total
        same = progress.text == self._text
        if same and not complete:
            if self._terminal and time.monotonic() - self._shown < _EACH:
                return
            if not self._terminal and int(share * 10) <= self._tenth:
                return
        self._text, self._shown, self._tenth = progress.text, time.monotonic(), int(share * 10)
        line = progress.text
        if same and progress.done:
            line += f"  {progress.done / 1e6:,.0f} MB" + (f"  {share:4.0%}" if progress.total else "")
        self._write(line, complete)

    def _write(self, line: str, complete: bool) -> None:
        if self._terminal:
            print(f"\r\x1b[2K{line}", end="\n" if complete else "", file=self._out, flush=True)
        else:
            print(line, file=self._out, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self._terminal:
            print(file=self._out)


def _pull(arguments: argparse.Namespace) -> int:
    line = ProgressLine(sys.stdout)
    try:
        asyncio.run(_store().pull(arguments.source, line.tell))
    except BaseException:
        line.end()
        raise
    return 0


def _list(_: argparse.Namespace) -> int:
    from llmspell_kernel.llm.assets import ASSETS

    here = _store().list()
    for weights in here:
        print(f"{weights.name:<24} {weights.kind:<10} {weights.bytes / 1e6:7,.0f} MB  {weights.path}")
    for asset in ASSETS:
        if all(weights.name != asset.name for weights in here):
            print(
                f"{asset.name:<24} {asset.kind:<10} not here; to fetch it: llmspell models pull {asset.name}"
            )
    return 0


def _configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    actions.add_parser("list", help="show the models on this machine").set_defaults(act=_list)
    pull = actions.add_parser("pull", help="fetch a model")
    pull.add_argument(
        "source",
        nargs="?",
        default="",
        help="a built-in model's name, or a GGUF file's path or address; the small chat model by default",
    )
    pull.set_defaults(act=_pull)


def _run(arguments: argparse.Namespace) -> int:
    code: int = arguments.act(arguments)
    return code


MODELS = Command("models", "fetch and list models that run on this machine", _run, _configure)
