"""Runs the magics of a cell."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from llmspell_kernel.errors import SpellError
from llmspell_kernel.kernel.magics.reference import is_question, question
from llmspell_kernel.kernel.magics.table import TABLE, Call
from llmspell_kernel.session.outcome import Outcome, Succeeded

if TYPE_CHECKING:
    from llmspell_kernel.bridges.registry import Surface
    from llmspell_kernel.session.session import Session


class Magics:
    """Runs the lines of a cell that begin with ``%``, and questions that end with ``?``."""

    def __init__(self, session: Session) -> None:
        """Work on `session`."""
        self._session = session

    @staticmethod
    def names() -> dict[str, str]:
        """Name and one-line documentation of each magic, for completion."""
        return {f"%{name}": entry.doc for name, entry in TABLE.items()}

    @staticmethod
    def concerns(code: str) -> bool:
        """Whether `code` begins with a magic or is a question."""
        text = code.strip()
        return text.startswith(("%", "?")) or is_question(text)

    async def run(self, code: str, surface: Surface, chunk: str) -> Outcome:
        """Run a cell that `concerns` us: its magics one by one, then the Lua below them."""
        text = code.strip()
        if text.startswith("?") or is_question(text):
            return await question(self._session, text)
        if text.startswith("%%"):
            head, _, body = text.partition("\n")
            return await self._dispatch(head[2:], body, surface, chunk)
        outcome: Outcome = Succeeded()
        lines = code.split("\n")
        for index, line in enumerate(lines):
            if line.lstrip().startswith("%"):
                outcome = await self._dispatch(line.strip()[1:], None, surface, chunk)
                if not isinstance(outcome, Succeeded):
                    return outcome
                lines[index] = ""
            elif line.strip():
                break
        rest = "\n".join(lines)
        return await self._session.execute(rest, surface, chunk) if rest.strip() else outcome

    async def _dispatch(self, text: str, body: str | None, surface: Surface, chunk: str) -> Outcome:
        name, _, argument = text.partition(" ")
        entry = TABLE.get(name)
        if entry is None:
            near = get_close_matches(name, TABLE, 1)
            hint = f"did you mean %{near[0]}?" if near else "%lsmagic lists those there are"
            raise SpellError(f"there is no magic %{name}: {hint}", code="unknown_magic")
        return await entry.run(self._session, Call(name, argument.strip(), body, surface, chunk))
