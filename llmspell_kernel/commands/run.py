"""``llmspell run``: a spell as a program, in the same sandbox and under the same grants as in a notebook."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmspell_kernel.bridges.showing import Showing
from llmspell_kernel.commands.command import Command
from llmspell_kernel.errors import NotFound, SpellError

if TYPE_CHECKING:
    import argparse


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the spell; - reads it from standard input")
    parser.add_argument("arguments", nargs="*", help="what the spell finds in its global `arg`")


def _run(arguments: argparse.Namespace) -> int:
    code = _source(arguments.file)
    return asyncio.run(_program(code, arguments.file.name, arguments.arguments))


def _source(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.read()
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(f"cannot read {file}: {error}") from error


async def _program(code: str, name: str, arguments: list[str]) -> int:
    from llmspell_kernel.config import Settings
    from llmspell_kernel.session.outcome import Succeeded
    from llmspell_kernel.session.programs import exit_code, without_shebang
    from llmspell_kernel.session.session import Session

    session = Session(Settings.load())
    try:
        await session.start()
        await session.evaluate(_arg(name, arguments), Terminal())
        outcome = await session.execute(without_shebang(code), Terminal(), name)
    finally:
        await session.close()
    sys.stdout.flush()
    if isinstance(outcome, Succeeded):
        if outcome.bundle and "text/plain" in outcome.bundle:
            print(outcome.bundle["text/plain"])
        return 0
    problem = outcome.problem
    if problem.ename == "Exit":
        return exit_code(problem)
    print("\n".join(problem.traceback), file=sys.stderr)
    return 1


def _arg(name: str, arguments: list[str]) -> str:
    """Lua that sets the global `arg`, as the stand-alone interpreter does."""
    values = ", ".join(f"[{index}] = {_quoted(text)}" for index, text in enumerate([name, *arguments]))
    return f"(function() arg = {{{values}}} end)()"


def _quoted(text: str) -> str:
    data = text.encode("utf-8", "surrogateescape")
    return '"' + "".join(f"\\{byte:03d}" for byte in data) + '"'


class Terminal:
    """A surface that is the terminal."""

    showing = Showing.TEXT

    def stream(self, name: str, text: str) -> None:
        """Write to this process's stdout or stderr."""
        stream = sys.stdout if name == "stdout" else sys.stderr
        stream.write(text)
        stream.flush()

    def display(
        self, bundle: dict[str, Any], metadata: dict[str, Any], display_id: str | None, update: bool
    ) -> None:
        """Print the text of what is shown; an update says nothing new on paper."""
        if not update and "text/plain" in bundle:
            print(bundle["text/plain"])

    def clear(self, wait: bool) -> None:
        """Keep what was printed."""

    async def ask(self, prompt: str, password: bool) -> str:
        """Ask at the terminal; raises `SpellError` where there is none."""
        if not sys.stdin.isatty():
            raise SpellError("nobody is there to answer", code="no_input")
        if password:
            from getpass import getpass

            return await asyncio.to_thread(getpass, prompt)
        return await asyncio.to_thread(input, prompt)


RUN = Command("run", "run a spell file as a program, and exit as it does", _run, _configure)
