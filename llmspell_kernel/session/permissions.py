"""What the session may do, as the person has said so far: at the start, and when they were asked."""

from __future__ import annotations

import asyncio
import contextlib
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from llmspell_kernel.bridges.registry import current_call
from llmspell_kernel.errors import MissingGrant, SpellError
from llmspell_kernel.grants.missing import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llmspell_kernel.grants import Grants, Kind, NameKind

T = TypeVar("T")

_REFUSALS = 3
"""After so many in one cell nobody is asked any more: a loop must not wear the person down."""
_SHOWN_CHARACTERS = 300

_once: ContextVar[tuple[tuple[Kind, str], ...]] = ContextVar("granted_once", default=())
"""What the person allowed for the bridge call that runs in this asyncio task."""


@dataclass(frozen=True)
class Answered:
    """One grant that the person gave or refused when asked."""

    kind: Kind
    value: str
    why: str


class Permissions:
    """The grants of one session, and the questions about those that are missing.

    Nothing here follows undo: what the person allowed or took away is theirs, not the cells'.
    """

    def __init__(self, grants: Grants, *, asks: bool, running: Callable[[], int]) -> None:
        """Begin with what the settings grant.

        Args:
            grants: What the settings grant.
            asks: Whether the person may be asked.
            running: Tells the number of the cell that runs, 0 if none does.
        """
        self.grants = grants
        self.given: list[Answered] = []
        """What the person allowed for this session, in order."""
        self.dropped: list[Mapping[Kind, Sequence[str]]] = []
        """The narrowings, in order."""
        self._asks = asks
        self._running = running
        self._refused: set[tuple[str, str]] = set()
        self._refused_in = 0
        self._asking = asyncio.Lock()

    def narrow(self, entries: Mapping[Kind, Sequence[str]]) -> None:
        """From now on allow only what `entries` allow as well; raises `BadArgument`."""
        self.grants = self.grants.narrow(entries)
        self.dropped.append(entries)

    async def granted(self, check: Callable[[Grants], T], why: str = "") -> T:
        """Return what `check` returns for the grants; see `bridges.registry.Host.granted`."""
        with contextlib.suppress(MissingGrant):
            return check(self._now())
        async with self._asking:
            while True:
                try:  # another call may have been given it meanwhile, and one check may need several
                    return check(self._now())
                except MissingGrant as error:
                    missing = error
                await self._ask(self._explained(missing, check), why)

    async def require(self, kind: Kind, value: str, why: str = "") -> None:
        """Make sure that a name is granted; see `bridges.registry.Host.require`."""
        name_kind = cast("NameKind", kind)  # hosts and folders have checks of their own
        await self.granted(lambda grants: grants.check(name_kind, value), why)

    def _explained(self, missing: MissingGrant, check: Callable[[Grants], T]) -> MissingGrant:
        """Say so where the configuration grants it and a cell, or who runs this spell, took it away."""
        try:
            check(self.grants.given())
        except SpellError:
            return missing
        missing.suggestion = (
            "the configuration grants it, but a cell or who runs this took it away; see %grants"
        )
        return missing

    def _now(self) -> Grants:
        grants = self.grants
        for kind, value in _once.get():
            grants = grants.plus(kind, value)
        return grants

    async def _ask(self, missing: MissingGrant, why: str) -> None:
        """Have the person grant what is missing, or raise it."""
        kind, key = cast("Kind", missing.grant), (missing.grant, missing.value)
        call = current_call.get(None)
        cell = self._running()
        if self._refused_in != cell:
            self._refused.clear()
            self._refused_in = cell
        may_ask = self._asks and call is not None and call.cell == cell != 0
        if not may_ask or key in self._refused or len(self._refused) >= _REFUSALS:
            raise missing
        assert call is not None
        try:
            answer = await call.surface.ask(_question(missing, why), password=False)
        except SpellError:
            raise missing from None  # nobody is there to answer
        choice = answer.strip().lower()
        if choice in ("s", "session"):
            self.grants = self.grants.plus(kind, missing.value)
            self.given.append(Answered(kind, missing.value, why))
        elif choice in ("o", "once", "y", "yes"):
            _once.set((*_once.get(), (kind, missing.value)))
        else:
            self._refused.add(key)
            raise missing


def _question(missing: MissingGrant, why: str) -> str:
    """What, why, and for how long."""
    what = shown(missing.message)[:_SHOWN_CHARACTERS]
    value = shown(missing.value)[:_SHOWN_CHARACTERS]
    by = f" ({shown(why)[:_SHOWN_CHARACTERS]})" if why else ""
    return f"{what}{by}. Allow {missing.grant}: {value}? [n]o, [o]nce, for this [s]ession: "
