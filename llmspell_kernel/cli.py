"""The ``llmspell`` command: one table of subcommands, one dispatch."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from llmspell_kernel import __version__
from llmspell_kernel.commands import config, docs, doctor, kernelspec, models, run, trust, version
from llmspell_kernel.errors import SpellError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmspell_kernel.commands.command import Command

COMMANDS: tuple[Command, ...] = (
    kernelspec.INSTALL,
    kernelspec.UNINSTALL,
    run.RUN,
    doctor.DOCTOR,
    models.MODELS,
    trust.TRUST,
    trust.UNTRUST,
    config.CONFIG,
    docs.DOCS,
    version.VERSION,
)
"""Every subcommand, in the order of the help. Their modules import nothing heavy until they run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0 well, 1 failed, 2 not understood, 130 interrupted.

    Args:
        arguments: What follows the command's name; the process's own by default.
    """
    parsed = _parser().parse_args(arguments)
    command: Command = parsed.command
    try:
        return command.run(parsed)
    except SpellError as error:
        print(f"llmspell {command.name}: {error}", file=sys.stderr)
        if error.suggestion:
            print(error.suggestion, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="llmspell", description="LLMSpell Lua: a Jupyter kernel for Lua spells."
    )
    parser.add_argument("--version", action="version", version=f"llmspell {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.name, help=command.summary, description=command.summary)
        command.configure(subparser)
        subparser.set_defaults(command=command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
