"""``llmspell config``: every setting, its value here, and where that came from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llmspell_kernel.commands.command import Command
from llmspell_kernel.errors import NotFound

if TYPE_CHECKING:
    import argparse


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", nargs="?", default="", help="only settings with this in their name")


def _run(arguments: argparse.Namespace) -> int:
    from llmspell_kernel.config import Settings

    settings, problems = Settings.load_or_default()
    lines = [line for line in settings.explain() if arguments.key in line.key]
    if not lines:
        raise NotFound(
            f"no setting has '{arguments.key}' in its name", suggestion="to see them all: llmspell config"
        )
    wide = [max(len(line[column]) for line in lines) for column in (0, 1)]
    for key, value, source in lines:
        print(f"{key:<{wide[0]}}  {value:<{wide[1]}}  {source}")
    for notice in settings.notices():
        print(f"note: {notice}", file=sys.stderr)
    for problem in problems:
        print(f"wrong: {problem}", file=sys.stderr)
        if problem.suggestion:
            print(f"       {problem.suggestion}", file=sys.stderr)
    return 1 if problems else 0


CONFIG = Command("config", "show the settings, and where each value came from", _run, _configure)
