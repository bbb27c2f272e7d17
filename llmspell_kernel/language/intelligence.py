"""The door to this package: one object for each session, one method for each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmspell_kernel.language import completion, diagnostics, explanation, inspection, stdlib
from llmspell_kernel.language.documentation import Documented, Reference
from llmspell_kernel.language.live import Hurried
from llmspell_kernel.language.notebook import Notebook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmspell_kernel.language.candidates import Completions
    from llmspell_kernel.language.diagnostics import Diagnostic
    from llmspell_kernel.language.live import LiveState, Names

PATIENCE = 0.08
"""Seconds that the live state has for one request; then the texts and the reference speak alone."""


class Intelligence:
    """Completion, inspection and diagnostics of one session.

    Args:
        entries: the records of the bridges' modules; the standard library's are added.
        aliases: other names of modules, such as ``agents`` for ``agent``.
    """

    def __init__(self, entries: Iterable[Documented] = (), aliases: Mapping[str, str] | None = None) -> None:
        self.notebook = Notebook()
        self._entries, self._aliases = tuple(entries), dict(aliases or {})
        self._reference: Reference | None = None

    @property
    def reference(self) -> Reference:
        """Everything that is documented; the standard library is read when it is first asked for."""
        if self._reference is None:
            self._reference = Reference(stdlib.entries())
            self._reference.add(self._entries, self._aliases)
        return self._reference

    def follow(self, sources: Mapping[str, str]) -> None:
        """Take over the sources of the cells that ran, by label (``cell 3``), oldest first."""
        self.notebook.follow(sources)

    async def complete(
        self, code: str, offset: int, live: LiveState, magics: Mapping[str, str] | None = None
    ) -> Completions:
        """Complete at `offset` (code points); `magics` maps ``%name`` to what it does."""
        return await completion.complete(
            code, offset, Hurried(live, PATIENCE), self.notebook, self.reference, magics or {}
        )

    async def inspect(self, code: str, offset: int, detail: int, live: LiveState) -> dict[str, Any] | None:
        """A MIME bundle about what stands at `offset` (code points); None if nothing is known of it."""
        found = await inspection.inspect(
            code, offset, detail, Hurried(live, PATIENCE), self.notebook, self.reference
        )
        return None if found is None else explanation.bundle(found)

    def check(self, code: str, names: Names | None = None) -> list[Diagnostic]:
        """Warnings for what is almost surely a mistake; `names` are those of the live state."""
        return diagnostics.check(code, self.notebook, self.reference, names)
