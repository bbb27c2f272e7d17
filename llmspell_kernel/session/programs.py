"""Spells that a spell runs: each a program in a fresh state of its own, inside bounds that all of them share."""

from __future__ import annotations

import asyncio
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from llmspell_kernel.bridges.registry import current_call
from llmspell_kernel.errors import BadArgument, EngineError, SpellFailed
from llmspell_kernel.session.outcome import Failed, Succeeded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from llmspell_kernel.bridges.programs import Program
    from llmspell_kernel.bridges.registry import Surface
    from llmspell_kernel.grants import Kind
    from llmspell_kernel.session.outcome import Interrupted, Outcome, Problem, RolledBack
    from llmspell_kernel.session.output import CellOutput

MOST_DEPTH = 4
"""Programs inside each other: a spell that runs itself ends there."""
_AT_ONCE = 4
"""Programs of one depth that run at the same time; the others wait."""
_COLOURS = re.compile("\x1b\\[[0-9;]*m")


class Nesting:
    """How deep a session is among programs that run each other, and how many there are at each depth."""

    def __init__(self) -> None:
        """Begin with the session of a notebook."""
        self.depth = 0
        self._turns = [asyncio.Semaphore(_AT_ONCE) for _ in range(MOST_DEPTH)]

    def inner(self) -> Nesting:
        """What a program of this session has."""
        nesting = Nesting()
        nesting.depth = self.depth + 1
        nesting._turns = self._turns
        return nesting

    def turn(self) -> asyncio.Semaphore:
        """What a program of this session waits for.

        Those of one depth wait only for each other, and those who wait for them are less deep: it cannot lock up.

        Raises:
            BadArgument: It would be too deep.
        """
        if self.depth >= MOST_DEPTH:
            raise BadArgument(
                f"spell.run: more than {MOST_DEPTH} spells inside each other; does one run itself?",
                code="too_deep",
            )
        return self._turns[self.depth]


class _Through:
    """The surface of the cell that runs the program; its text counts as that cell's."""

    def __init__(self, surface: Surface, output: CellOutput) -> None:
        self._output = output
        self.display = surface.display
        self.clear = surface.clear
        self.ask = surface.ask

    def stream(self, name: str, text: str) -> None:
        self._output.write(1 if name == "stdout" else 2, text.encode("utf-8", "replace"))


class Fresh(Protocol):
    """A session with a fresh state, as far as a program needs one."""

    def narrow(self, entries: Mapping[Kind, Sequence[str]]) -> None:
        """Give grants up."""
        ...

    async def ask_engine(self, module: str, function: str, *arguments: Any) -> Any:
        """Ask the engine's own Lua."""
        ...

    async def execute(self, code: str, surface: Surface, name: str) -> Outcome:
        """Run a cell."""
        ...


async def run(
    program: Program,
    turn: asyncio.Semaphore,
    fresh: AbstractAsyncContextManager[Fresh],
    output: CellOutput | None,
) -> Any:
    """Run a program for the bridge call of this task, and return its result.

    Args:
        program: what to run.
        turn: what it waits for; see `Nesting.turn`.
        fresh: opens the session in which it runs.
        output: where the text of the calling cell is counted, if there is such a cell still.

    Raises:
        SpellFailed: it raised, was stopped, or ended with an exit code.
        BadArgument: its grants are not well-formed.
    """
    surface = current_call.get().surface
    name = PurePosixPath(program.name)
    async with turn, fresh as inner:
        inner.narrow(program.grants)
        stem = name.parent.name if name.stem == "main" and name.parent.name else name.stem
        await inner.ask_engine("program", "begin", stem, program.params)
        shown = surface if output is None else _Through(surface, output)
        outcome = await inner.execute(without_shebang(program.source), shown, program.name)
        if not isinstance(outcome, Succeeded):
            raise _failure(program, outcome)
        try:
            return await inner.ask_engine("program", "result")
        except EngineError as error:
            raise SpellFailed(
                f"the result of {program.name} cannot be passed on: {error.message}", code="conversion"
            ) from error


def _failure(program: Program, outcome: Failed | Interrupted | RolledBack) -> SpellFailed:
    problem = outcome.problem
    traceback = _COLOURS.sub("", "\n".join(problem.traceback))
    if isinstance(outcome, Failed) and problem.ename == "Exit":
        code = exit_code(problem)
        return SpellFailed(
            f"{program.name} ended with the exit code {code}",
            code="exit",
            exit_code=code,
            traceback=traceback,
        )
    place = problem.place or program.name
    return SpellFailed(
        f"{place}: {problem.evalue}",
        code=problem.code or None,
        suggestion="`err.traceback` tells where",
        traceback=traceback,
    )


def exit_code(problem: Problem) -> int:
    """The exit code that a program ended with, as the system takes it; 1 if it ended otherwise."""
    return int(problem.evalue.rpartition(" ")[2]) & 0xFF if problem.ename == "Exit" else 1


def without_shebang(source: str) -> str:
    """The source of a program, which may begin with a byte order mark and a line that names its interpreter."""
    source = source.removeprefix("\ufeff")
    return "--" + source if source.startswith("#") else source
