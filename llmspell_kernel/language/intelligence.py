"""The door to this package: one object for each session, one method for each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmspell_kernel.language import completion, diagnostics, explanation, inspection, manual, stdlib
from llmspell_kernel.language.documentation import Documented, Reference
from llmspell_kernel.language.live import Description, Given, Hurried, decode
from llmspell_kernel.language.notebook import Notebook
from llmspell_kernel.language.stdlib import TYPE_ALIASES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmspell_kernel.language.candidates import Completions
    from llmspell_kernel.language.diagnostics import Diagnostic
    from llmspell_kernel.language.live import LiveState, Names

PATIENCE = 0.3
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

    async def explain(self, name: str, described: Any, live: LiveState) -> dict[str, Any] | None:
        """A MIME bundle about a name, or about the value that introspect.lua described; None if nothing is known.

        Without either it is a list of everything there is.
        """
        description = decode(described, Description)
        if description is None:
            if not name:
                return manual.overview(self.reference)
            return await self.inspect(name, len(name), 0, live)
        name = name or self._name_of(description)
        return await self.inspect(name, len(name), 0, Given(description))

    def _name_of(self, description: Description) -> str:
        """What a value is called that has no name of its own: by where it was defined, or by its type."""
        definition = self.notebook.function_at(description.chunk, description.line)
        type_name = TYPE_ALIASES.get(description.type_name or "", description.type_name or "")
        if definition is not None and definition.name:
            return definition.name
        return type_name if self.reference.get(type_name) is not None else "value"

    def check(self, code: str, names: Names | None = None) -> list[Diagnostic]:
        """Warnings for what is almost surely a mistake; `names` are those of the live state."""
        return diagnostics.check(code, self.notebook, self.reference, names)
