"""Trying it out: a fresh process confines itself and then attempts what it should not be able to do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from llmspell_kernel.engine.confine import confine
from llmspell_kernel.engine.confine.layers import Layer, Limits, Report

if TYPE_CHECKING:
    from collections.abc import Callable

_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from llmspell_kernel.engine.confine import probe; probe.main()"
)
_PACKAGES = str(Path(__file__).parents[3])
"""The folder that this package is in, which an editable installation does not have in ``sys.path``."""

_PATIENCE = 20
"""Seconds that the process may take: Python's own start on a busy machine."""


def report() -> Report:
    """Start a process that confines itself like an engine, and return what holds in it.

    The last layer, ``proof``, tells whether a file, a socket, a program and a signal were really refused.
    Blocks for a tenth of a second or two.
    """
    try:
        finished = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _BOOT, json.dumps([_PACKAGES, *sys.path])],
            env={},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
        return Report(tuple(msgspec.json.decode(finished.stdout, type=list[Layer])))
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError) as error:
        return Report((Layer("proof", "failed", f"the trial process did not answer: {error}"),))


def main() -> None:
    """What the process does: confine itself, try, and write the layers to its standard output."""
    layers = confine(Limits(parent=os.getppid(), keep=(1,), memory=1 << 30)).layers
    os.write(1, msgspec.json.encode([*layers, _proof()]))


def _proof() -> Layer:
    trials: dict[str, Callable[[], bool]] = {
        "opening a file": lambda: _raises(lambda: os.close(os.open(os.devnull, os.O_RDONLY))),
        "a network socket": lambda: _raises(lambda: socket.socket().close()),
        "starting a program": lambda: _raises(_start_program),
        "a signal to another process": lambda: _raises(lambda: os.kill(os.getppid(), 0)),
    }
    possible = [what for what, refused in trials.items() if not refused()]
    if possible:
        return Layer("proof", "unavailable", f"still possible here: {', '.join(possible)}")
    return Layer("proof", "active", f"tried and refused: {', '.join(trials)}")


def _raises(action: Callable[[], None]) -> bool:
    try:
        action()
    except (OSError, subprocess.SubprocessError):
        return True
    return False


def _start_program() -> None:
    subprocess.run([sys.executable, "-I", "-S", "-c", ""], env={}, check=True)
