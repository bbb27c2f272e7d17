"""What helps the person who writes: completion, inspection, help and warnings, over one session's state."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from llmspell_kernel.errors import NotFound
from llmspell_kernel.session.live import EngineLive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmspell_kernel.bridges.registry import Registry, Surface
    from llmspell_kernel.language.candidates import Completions
    from llmspell_kernel.language.diagnostics import Diagnostic
    from llmspell_kernel.language.intelligence import Intelligence
    from llmspell_kernel.session.live import Ids, Query

_log = logging.getLogger("llmspell")
_UNDEFINED = "undefined-global"
"""The rule that depends on which names there are."""
_CHECKED_CHARACTERS = 100_000
"""Longer cells were written by no person, and checking them would keep the next one waiting."""


class Assistance:
    """The session's side of the language package, which is loaded when it is first asked for.

    Args:
        registry: the modules that there are.
        sources: the cells that ran, by label; the session goes on filling it.
        warned: what the session has warned of already.
        query: asks the engine's own Lua.
        busy: whether a cell runs.
        ids: tells ids that are known.
    """

    def __init__(
        self,
        registry: Registry,
        sources: Mapping[str, str],
        warned: set[str],
        query: Query,
        busy: Callable[[], bool],
        ids: Ids,
    ) -> None:
        self.live = EngineLive(query, busy, ids)
        self._registry = registry
        self._sources = sources
        self._warned = warned
        self._opened: Intelligence | None = None

    @property
    def _intelligence(self) -> Intelligence:
        if self._opened is None:
            from llmspell_kernel.language.intelligence import Intelligence

            self._opened = Intelligence(self._registry.documentation(), self._registry.aliases())
        return self._opened

    def warm(self) -> None:
        """Load what the first Tab will need, while the person reads."""
        with contextlib.suppress(Exception):  # whoever needs it will hear of it
            assert self._intelligence.reference

    async def complete(self, code: str, offset: int, magics: Mapping[str, str]) -> Completions:
        """Complete at `offset` (code points)."""
        self._intelligence.follow(self._sources)
        return await self._intelligence.complete(code, offset, self.live, magics)

    async def inspect(self, code: str, offset: int, detail: int) -> dict[str, Any] | None:
        """Explain what is at `offset` (code points) as a MIME bundle; None if nothing is known."""
        self._intelligence.follow(self._sources)
        return await self._intelligence.inspect(code, offset, detail, self.live)

    async def explain(self, name: str, described: Any = None) -> dict[str, Any]:
        """What is known of a name as a MIME bundle, or of a value that introspect.lua described.

        Without either it is a list of everything there is.

        Raises:
            NotFound: nothing is known; the message names what may have been meant.
        """
        self._intelligence.follow(self._sources)
        bundle = await self._intelligence.explain(name, described, self.live)
        if bundle is None:
            near = self._intelligence.reference.nearest(name)
            hint = f": did you mean '{near.name}'?" if near is not None else ""
            raise NotFound(f"nothing is known of '{name}'{hint}")
        return bundle

    def names(self, module: str) -> list[str]:
        """The documented members of a module; all globals for an empty name."""
        return list(self._intelligence.reference.members(module))

    def diagnose(self, code: str) -> list[Diagnostic]:
        """Warnings for what is almost surely a mistake in `code`."""
        self._intelligence.follow(self._sources)
        return self._intelligence.check(code)

    async def _mistakes(self, code: str) -> list[Diagnostic]:
        found = self._intelligence.check(code)
        # cells that ran before may have defined a name, in whatever way
        if any(one.rule == _UNDEFINED for one in found):
            found = self._intelligence.check(code, await self.live.names())
        return found

    async def warn(self, code: str, surface: Surface) -> None:
        """Show the warnings about a cell, each once in a session."""
        if len(code) > _CHECKED_CHARACTERS:
            return
        try:
            found = [one for one in await self._mistakes(code) if one.message not in self._warned]
        except Exception:
            _log.exception("a cell could not be checked")
            return
        for one in found:
            self._warned.add(one.message)
            surface.stream("stderr", f"warning, {one.shown}\n")
