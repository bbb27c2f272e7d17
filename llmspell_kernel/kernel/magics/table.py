"""The table of magics: what runs, what help lists and what completion offers are the same entries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmspell_kernel.session.outcome import Outcome, Succeeded

if TYPE_CHECKING:
    from llmspell_kernel.bridges.registry import Surface
    from llmspell_kernel.session.session import Session


@dataclass(frozen=True)
class Call:
    """One magic as it was written."""

    name: str
    argument: str
    body: str | None
    """The rest of the cell for a cell magic (``%%name``), else None."""
    surface: Surface
    chunk: str


Handler = Callable[["Session", Call], Awaitable[Outcome]]


@dataclass(frozen=True)
class Magic:
    """One entry of the table."""

    usage: str
    doc: str
    run: Handler


TABLE: dict[str, Magic] = {}


def magic(usage: str, doc: str) -> Callable[[Handler], Handler]:
    """Enter a handler into the table under the first word of `usage`."""

    def enter(handler: Handler) -> Handler:
        TABLE[usage.split()[0].lstrip("%")] = Magic(usage, doc, handler)
        return handler

    return enter


def shown(text: str) -> Succeeded:
    """Return the outcome that shows `text` as the cell's result."""
    return Succeeded({"text/plain": text})
