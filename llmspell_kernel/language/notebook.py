"""The cells that ran: what they define, kept parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.language.cells import take_apart
from llmspell_kernel.language.definitions import Definition, Summary, summarize
from llmspell_kernel.language.parser import parse
from llmspell_kernel.language.syntax import Field, Function
from llmspell_kernel.language.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell_kernel.language.syntax import Local


class Notebook:
    """Sources of cells by label (``cell 3``), oldest first; later definitions win."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}
        self._summaries: dict[str, Summary] = {}
        self._names: dict[str, Definition] = {}
        self._fields: dict[str, dict[str, Definition]] = {}
        self._local_fields: dict[Local, dict[str, dict[str, Definition]]] = {}

    def follow(self, sources: Mapping[str, str]) -> None:
        """Take over `sources`; only cells that changed are parsed."""
        if len(sources) == len(self._sources) and all(
            self._sources.get(label) is source for label, source in sources.items()
        ):
            return
        for label, source in sources.items():
            if self._sources.get(label) != source:
                self._summaries[label] = summarize(parse(take_apart(source).lua), label)
        self._sources = dict(sources)
        self._summaries = {label: self._summaries[label] for label in sources}
        self._merge()

    def _merge(self) -> None:
        names: dict[str, Definition] = {}
        fields: dict[str, dict[str, Definition]] = {}
        local_fields: dict[Local, dict[str, dict[str, Definition]]] = {}
        for summary in self._summaries.values():
            for definition in summary.definitions:
                if definition.reaches_later_cells:
                    names[definition.name] = definition
            for base, defined in summary.fields.items():
                for definition in defined:
                    root = definition.root
                    if root is None or root.depth == 0:
                        fields.setdefault(base, {})[definition.short_name] = definition
                    else:
                        local_fields.setdefault(root, {}).setdefault(base, {})[definition.short_name] = (
                            definition
                        )
        self._names, self._fields, self._local_fields = names, fields, local_fields

    @property
    def names(self) -> Mapping[str, Definition]:
        """Globals and top-level locals that the cells define."""
        return self._names

    def fields(self, base: str) -> Mapping[str, Definition]:
        """The fields that the cells assign to `base`, a dotted name."""
        return self._fields.get(base, {})

    def fields_of_local(self, local: Local, base: str) -> Mapping[str, Definition]:
        """The fields that a cell assigns to a local of one of its functions."""
        return self._local_fields.get(local, {}).get(base, {})

    def function_at(self, label: str, line: int) -> Definition | None:
        """The definition whose function starts at `line` of a cell that ran."""
        summary = self.summary(label)
        if summary is None:
            return None
        chunk = summary.chunk
        for definition in summary.everything():
            if isinstance(definition.value, Function) and chunk.line(definition.value.start) == line:
                return definition
        for node in walk(chunk.block):
            if not isinstance(node, Field | Function):
                continue
            function = node.value if isinstance(node, Field) else node
            if isinstance(function, Function) and chunk.line(function.start) == line:
                return Definition("", function, 0, node, node.start, None, chunk, label)
        return None

    def summary(self, label: str) -> Summary | None:
        """What a cell that ran defines."""
        return self._summaries.get(label)
