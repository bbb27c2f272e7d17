"""``llmspell doctor``: what this machine can and cannot do, and what to do about it."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING, TextIO

from llmspell_kernel import __version__
from llmspell_kernel.commands.checks import CHECKS, Check, Finding, State
from llmspell_kernel.commands.command import Command

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

_MARKS = {State.OK: ("✓", "32"), State.LACKS: ("–", "33"), State.FAILS: ("✗", "31")}
"""Sign and colour (ANSI) of each state."""


def examine(checks: Iterable[Check], out: TextIO) -> int:
    """Do the checks and write what they find; return 1 if something essential fails, else 0."""
    coloured = out.isatty() and "NO_COLOR" not in os.environ
    failed = lacking = 0
    for check in checks:
        print(check.title, file=out, flush=True)
        for finding in _look(check):
            failed += finding.state is State.FAILS
            lacking += finding.state is State.LACKS
            _show(finding, out, coloured)
    print(_summary(failed, lacking), file=out)
    return 1 if failed else 0


def _look(check: Check) -> list[Finding]:
    """A check that breaks must not hide the others."""
    try:
        return check.look()
    except Exception as error:  # whatever is wrong with this installation, the person must read it here
        broken = f"could not be examined: {type(error).__name__}: {error}"
        return [Finding(State.FAILS, broken, "pip install --force-reinstall llmspell-kernel")]


def _show(finding: Finding, out: TextIO, coloured: bool) -> None:
    mark, colour = _MARKS[finding.state]
    if coloured:
        mark = f"\x1b[{colour}m{mark}\x1b[0m"
    first, *more = finding.text.splitlines() or [""]
    print(f"  {mark} {first}", file=out)
    for line in more:
        print(f"    {line}", file=out)
    if finding.fix:
        print("    fix: " + "\n         ".join(finding.fix.splitlines()), file=out)


def _summary(failed: int, lacking: int) -> str:
    if failed:
        return f"\nThe kernel does not work here: {failed} to put right (✗)."
    if lacking:
        return f"\nThe kernel works here; {lacking} could be better (–)."
    return "\nEverything works here."


def _run(_: argparse.Namespace) -> int:
    print(f"llmspell-kernel {__version__}, Python {platform.python_version()}, {platform.platform()}")
    return examine(CHECKS, sys.stdout)


DOCTOR = Command("doctor", "show what works on this machine, and the fix for what does not", _run)
