"""What is written about names: one record for the standard library, the bridges and the cells' own functions.

Types are in LuaCATS notation (``string|table``, ``string[]``, ``llm.Response``). A type that has
members of its own is documented under its name: ``llm.Response.content``, ``llm.Session:send``.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind = Literal["function", "method", "module", "field", "constant", "type"]


class Option(msgspec.Struct, frozen=True):
    """A parameter, a result, or a key that an options table takes."""

    name: str
    type: str = ""
    doc: str = ""
    optional: bool = False
    options: tuple[Option, ...] = ()
    """For a table: the keys it takes."""
    default: str = ""
    ids: str = ""
    """What kind of id its value is, where such ids are known: see `live.IdKind`."""
    values: tuple[str, ...] = ()
    """The strings it can be, if it is one of a few."""


class Documented(msgspec.Struct, frozen=True):
    """What there is to say about one name."""

    name: str
    """In full: ``string.sub``, ``llm.chat``, ``llm.Session:send``, ``print``."""
    kind: Kind
    doc: str = ""
    """Markdown; the first sentence stands alone."""
    signature: str = ""
    """Such as ``string.sub(s, i [, j])``; made from the parameters if empty."""
    parameters: tuple[Option, ...] = ()
    returns: tuple[Option, ...] = ()
    example: str = ""
    since: str = ""
    link: str = ""
    type: str = ""
    """The type of a field or constant."""
    closed: bool = False
    """Whether the parameters' options are all there are, so that another is a mistake."""
    grant: str = ""
    """The grant that a call needs."""

    @property
    def short_name(self) -> str:
        """The last part of the name."""
        return self.name.replace(":", ".").rpartition(".")[2]

    @property
    def owner(self) -> str:
        """What comes before the last part: a module, a type, or nothing."""
        return self.name.replace(":", ".").rpartition(".")[0]

    @property
    def is_callable(self) -> bool:
        """Whether it is called with parentheses."""
        return self.kind in ("function", "method")

    @property
    def shown_signature(self) -> str:
        """How it is called, and what comes back."""
        if not self.is_callable:
            return f"{self.name}: {self.type}" if self.type else self.name
        results = ", ".join(result.type or result.name for result in self.returns)
        call = self.signature or f"{self.name}({shown_parameters(self.parameters)})"
        return f"{call} → {results}" if results else call

    @property
    def summary(self) -> str:
        """The first sentence of the documentation."""
        first = self.doc.partition("\n\n")[0].replace("\n", " ")
        end = first.find(". ")
        return first if end < 0 else first[: end + 1]

    @property
    def arity(self) -> tuple[int, int | None]:
        """The least and the most arguments it takes; None is any number."""
        named = [parameter for parameter in self.parameters if parameter.name != "..."]
        least = sum(not parameter.optional for parameter in named)
        return least, None if len(named) < len(self.parameters) else len(named)


def shown_parameters(parameters: Iterable[Option]) -> str:
    """Parameters as a call shows them: ``a, b?``."""
    return ", ".join(p.name + ("?" if p.optional and p.name != "..." else "") for p in parameters)


class Reference:
    """Everything that is documented, by name and by owner."""

    def __init__(self, entries: Iterable[Documented] = ()) -> None:
        self._entries: dict[str, Documented] = {}
        self._members: dict[str, dict[str, Documented]] = {}
        self._aliases: dict[str, str] = {}
        self.add(entries)

    def add(self, entries: Iterable[Documented], aliases: Mapping[str, str] | None = None) -> None:
        """Add `entries`, and other names of their owners: `aliases` maps ``agents`` to ``agent``."""
        for entry in entries:
            name = entry.name.replace(":", ".")
            if entry.kind == "type":
                self._entries.setdefault(name, entry)  # no value has this name
                continue
            self._entries[name] = entry
            self._members.setdefault(entry.owner, {})[entry.short_name] = entry
        self._aliases.update(aliases or {})

    def get(self, name: str) -> Documented | None:
        """The record of a full name, ``:`` and ``.`` alike."""
        name = name.replace(":", ".")
        found = self._entries.get(name)
        if found is None and self._aliases:
            head, dot, rest = name.partition(".")
            if head in self._aliases:
                found = self._entries.get(self._aliases[head] + dot + rest)
        return found

    def members(self, owner: str) -> Mapping[str, Documented]:
        """The records of what belongs to `owner`, by short name; an empty owner has the globals."""
        return self._members.get(owner) or self._members.get(self._aliases.get(owner, owner), {})

    def entries(self) -> list[Documented]:
        """Every record."""
        return list(self._entries.values())

    def owners(self) -> set[str]:
        """Everything that has members."""
        return set(self._members) | set(self._aliases)

    def nearest(self, name: str) -> Documented | None:
        """The record whose full name is most like `name`, for "did you mean"."""
        found = get_close_matches(name, self._entries, 1)
        return self._entries[found[0]] if found else None
