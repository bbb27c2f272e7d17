"""The powers of a session, as one frozen value.

Grants come from the person: their configuration, the environment, a project file they trust, or their
answer to a prompt. A notebook can only narrow them. Bridges, in the kernel process, call one of the
checks below before they do the work; each raises `MissingGrant`, which names the grant that was missing
and the line to add.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from llmspell_kernel.errors import BadArgument
from llmspell_kernel.grants import folders, hosts
from llmspell_kernel.grants.folders import FolderRule, Place
from llmspell_kernel.grants.hosts import HostRule, Target
from llmspell_kernel.grants.missing import KINDS, Kind, missing, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NameKind = Literal["env", "tools", "mcp", "providers"]
"""The kinds whose entries are names, or patterns with `*`."""

NAME_KINDS: tuple[NameKind, ...] = ("env", "tools", "mcp", "providers")

_SECRET_NAME = re.compile(
    r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|COOKIE|DSN)S?(_|\d|$)"
    r"|_(PWD|PASS|AUTH|PAT)$|DATABASE_URL$|CONNECTION_STRING$",
    re.IGNORECASE,
)
_REFUSED = {
    "env": "the environment variable {} is not granted",
    "tools": "the tool {} is not granted",
    "mcp": "the MCP server {} is not granted",
    "providers": "the model provider {} is not granted",
}


class Layer(msgspec.Struct, frozen=True):
    """Rules; a power needs one of its kind. A kind that is None, or not in `names`, is left alone."""

    http: tuple[HostRule, ...] | None = None
    files: tuple[FolderRule, ...] | None = None
    names: Mapping[NameKind, tuple[str, ...]] = msgspec.field(default_factory=dict[NameKind, tuple[str, ...]])

    @classmethod
    def parse(cls, entries: Mapping[Kind, Sequence[str]], base: Path) -> Layer:
        """Read entries as configuration spells them.

        Raises:
            ValueError: An entry is not well-formed; the message says which.
        """
        return cls(
            http=tuple(HostRule.parse(text) for text in entries["http"]) if "http" in entries else None,
            files=tuple(FolderRule.parse(text, base) for text in entries["files"])
            if "files" in entries
            else None,
            names={
                kind: tuple(_name(text) for text in entries[kind]) for kind in NAME_KINDS if kind in entries
            },
        )

    def joined(self, more: Layer) -> Layer:
        """Return this layer with more rules in the kinds that it restricts."""
        return Layer(
            http=None if self.http is None else (*self.http, *(more.http or ())),
            files=None if self.files is None else (*self.files, *(more.files or ())),
            names={kind: (*rules, *more.names.get(kind, ())) for kind, rules in self.names.items()},
        )


class Grants(msgspec.Struct, frozen=True):
    """What a session may do; make it with `of`.

    Attributes:
        base: The notebook's folder, resolved: where relative paths of a spell start.
        layers: The rules that were given, then one layer for each narrowing. A power needs all of them.
        sealed: Folders that no grant reaches.
        secret_variables: The environment variables that hold secrets, whatever their names.
    """

    base: Path
    layers: tuple[Layer, ...]
    sealed: tuple[Path, ...] = folders.SYSTEM_FOLDERS
    secret_variables: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        base: Path,
        entries: Mapping[Kind, Sequence[str]],
        *,
        sealed: Iterable[Path] = (),
        secret_variables: frozenset[str] = frozenset(),
    ) -> Grants:
        """Make grants from entries as configuration spells them; a kind that is absent is not granted.

        Args:
            base: The notebook's folder.
            entries: For each kind its entries.
            sealed: Folders that no grant reaches, besides those of the system.
            secret_variables: The environment variables that hold secrets, whatever their names.

        Raises:
            ValueError: An entry is not well-formed; the message says which.
        """
        base = Path(os.path.realpath(base))
        whole: dict[Kind, Sequence[str]] = {kind: entries.get(kind, ()) for kind in KINDS}
        own = (Path(os.path.realpath(folder)) for folder in sealed)
        layers = (Layer.parse(whole, base),)
        return cls(base, layers, (*folders.SYSTEM_FOLDERS, *own), secret_variables)

    def narrow(self, entries: Mapping[Kind, Sequence[str]]) -> Grants:
        """Return grants that allow what both these and the entries allow; other kinds stay as they are.

        Raises:
            BadArgument: A kind or an entry is not well-formed.
        """
        unknown = sorted(entries.keys() - set(KINDS))
        if unknown:
            raise BadArgument(
                f"no such kind of grant: {shown(unknown[0])}", suggestion=f"one of {', '.join(KINDS)}"
            )
        try:
            layer = Layer.parse(entries, self.base)
        except ValueError as error:
            raise BadArgument(str(error)) from error
        return msgspec.structs.replace(self, layers=(*self.layers, layer))

    def plus(self, kind: Kind, entry: str) -> Grants:
        """Return grants with one more entry, even past a narrowing: a person's answer to `MissingGrant`.

        Args:
            kind: The error's `grant`.
            entry: The error's `value`.

        Raises:
            ValueError: The entry is not well-formed.
        """
        more = Layer.parse({kind: (entry,)}, self.base)
        return msgspec.structs.replace(self, layers=tuple(layer.joined(more) for layer in self.layers))

    def target(self, url: str) -> Target:
        """Return where a URL leads, if the session may speak HTTP with that host.

        Call it again for each redirect, and give what its name resolves to to `addresses`.

        Raises:
            MissingGrant: It may not.
            BadArgument: The URL is not one that can be checked.
        """
        target = hosts.parse_url(url)
        if not all(hosts.reach(rules, target) for rules in self._hosts()):
            entry = _entry(target.host, target.port)
            raise missing("http", entry, f"HTTP to {target} is not granted{_why(target.host)}")
        return target

    def addresses(self, target: Target, resolved: Sequence[str]) -> tuple[str, ...]:
        """Return the addresses of a target to which the session may connect; connect to no other.

        Args:
            target: What `target` returned.
            resolved: The addresses that its name resolves to.

        Raises:
            MissingGrant: None of them is allowed, as when a public name points into a private network.
        """
        found = [address for text in resolved if (address := hosts.to_address(text)) is not None]
        allowed = [
            address
            for address in found
            if all(hosts.connect(rules, target, address) for rules in self._hosts())
        ]
        if found and not allowed:
            entry = _entry(str(found[0]), target.port)
            message = f"HTTP to {target} is not granted: its name leads to {found[0]}{_why(str(found[0]))}"
            raise missing("http", entry, message)
        return tuple(str(address) for address in allowed)

    def locate(self, path: str, *, write: bool = False) -> Place:
        """Return the place that a path leads to, if the session may read it (and change it).

        Raises:
            MissingGrant: It may not.
            BadArgument: It is not a path.
            WorldError: No grant can reach it.
        """
        layers = tuple(layer.files for layer in self.layers if layer.files is not None)
        return folders.locate(path, base=self.base, layers=layers, sealed=self.sealed, write=write)

    def check(self, kind: NameKind, name: str) -> None:
        """Make sure that a variable, tool, MCP server or provider is granted.

        Raises:
            MissingGrant: It is not.
        """
        if not self.allows(kind, name):
            raise missing(kind, name, _REFUSED[kind].format(shown(name)))

    def allows(self, kind: NameKind, name: str) -> bool:
        """Tell whether a variable, tool, MCP server or provider is granted.

        A variable that is a secret or looks like one (`…_KEY`, `…_TOKEN`) is granted only by its own name,
        never by a pattern.
        """
        exact = kind == "env" and (name in self.secret_variables or is_secret_name(name))
        layers = [layer.names[kind] for layer in self.layers if kind in layer.names]
        return all(
            any(pattern == name or (not exact and fnmatchcase(name, pattern)) for pattern in patterns)
            for patterns in layers
        )

    def entries(self) -> list[tuple[Kind, str]]:
        """Return every entry that was given, narrowings left aside, for showing."""
        given = self.layers[0]
        shown_rules: dict[Kind, Iterable[object]] = {"http": given.http or (), "files": given.files or ()}
        return [(kind, str(rule)) for kind in KINDS for rule in (shown_rules | dict(given.names))[kind]]

    def given(self) -> Grants:
        """Return these grants without their narrowings."""
        return msgspec.structs.replace(self, layers=self.layers[:1])

    @property
    def narrowings(self) -> int:
        """How many times these grants were narrowed."""
        return len(self.layers) - 1

    def _hosts(self) -> Iterable[tuple[HostRule, ...]]:
        return (layer.http for layer in self.layers if layer.http is not None)


def normal_entry(kind: Kind, entry: str, base: Path) -> str:
    """Return an entry in its canonical spelling, the path in it made absolute.

    Args:
        kind: The kind of grant.
        entry: The entry as configuration has it.
        base: Where relative paths start.

    Raises:
        ValueError: It is not well-formed; the message says why.
    """
    layer = Layer.parse({kind: (entry,)}, base)
    rule, *_ = (
        *(layer.http or ()),
        *(layer.files or ()),
        *(n for names in layer.names.values() for n in names),
    )
    return str(rule)


def is_secret_name(name: str) -> bool:
    """Tell whether a variable's name says that its value is a secret."""
    return _SECRET_NAME.search(name) is not None


def _name(text: str) -> str:
    name = text.strip()
    if not name or not name.isprintable():
        raise ValueError(f"{text!r} is not a name")
    return name


def _entry(host: str, port: int) -> str:
    """Return the entry that would grant a host and port."""
    return hosts.entry_text(host, None if port in hosts.WEB_PORTS else port)


def _why(host: str) -> str:
    """Explain why a wildcard, if there was one, did not cover a host."""
    address = hosts.to_address(host)
    local = hosts.is_local_name(host) if address is None else not hosts.is_public(address)
    return "; it is not a public address and has to be granted by itself" if local else ""
