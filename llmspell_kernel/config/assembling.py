"""Values put together into what the rest of the program reads."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import msgspec

from llmspell_kernel.config.merging import Ignored, Merger
from llmspell_kernel.config.secrets import Secret, Vault
from llmspell_kernel.config.sections import (
    History,
    McpServer,
    ProviderSettings,
    SecretSettings,
    Section,
    Storage,
)
from llmspell_kernel.config.sources import KEY_VARIABLES
from llmspell_kernel.config.table import ROWS, find
from llmspell_kernel.grants import KINDS, Grants, Kind

if TYPE_CHECKING:
    from llmspell_kernel.config.reading import Reading

S = TypeVar("S", bound=Section)


class Explained(NamedTuple):
    """One line of `%config`."""

    key: str
    value: str
    source: str


class Assembly:
    """Makes the parts of the settings from merged values.

    Args:
        reading: The layers.
        merger: The layers, merged; problems that show only now are added to its list.
    """

    def __init__(self, reading: Reading, merger: Merger) -> None:
        self._reading = reading
        self._merger = merger
        named = merger.named
        self.secrets = {name: _make(SecretSettings, fields) for name, fields in named["secrets"].items()}
        declared = {name: secret for name, entry in self.secrets.items() if (secret := self._declared(entry))}
        self._vault = Vault(reading.environ, declared)
        names = dict.fromkeys((*KEY_VARIABLES, "ollama", *named["providers"]))
        self.providers = {name: self._provider(name, named["providers"].get(name, {})) for name in names}
        self.mcp = {
            name: server for name, fields in named["mcp"].items() if (server := self._server(name, fields))
        }
        used = [entry.api_key for entry in self.providers.values() if entry.api_key]
        used += [secret for server in self.mcp.values() for secret in server.env.values()]
        searching = merger.values["search.api_key_env"]
        used += [key for key in [self._vault.secret(str(searching)) if searching else None] if key]
        self.vault = Vault(reading.environ, declared, used)
        self._sources = frozenset(secret.source for secret in (*declared.values(), *used))

    def section(self, name: str, cls: type[S]) -> S:
        """Return a section with its values."""
        prefix = f"{name}." if name else ""
        keys = [key for key in ROWS if key.startswith(prefix)]
        return _make(cls, {key.removeprefix(prefix): self._merger.values[key] for key in keys})

    def history(self) -> History:
        """Return the history section, its file filled in."""
        section = self.section("history", History)
        if section.file != Path():
            return section
        return msgspec.structs.replace(section, file=self._reading.places.data / "history.sqlite")

    def storage(self) -> Storage:
        """Return the storage section, its folder filled in.

        The usual one is not in the project's own folder: there, a stranger could ship a database for us
        to open.
        """
        project = self._reading.project.parent if self._reading.project else self._reading.folder
        name = re.sub(r"[^A-Za-z0-9_-]", "_", project.name)[:32]
        digest = hashlib.sha256(str(project).encode("utf-8", "surrogateescape")).hexdigest()[:12]
        section = self.section("storage", Storage)
        if section.folder != Path():
            return section
        folder = self._reading.places.data / "storage" / f"{name}-{digest}"
        return msgspec.structs.replace(section, folder=folder)

    def grants(self) -> Grants:
        """Return what the session may do."""
        values = self._merger.values
        entries: dict[Kind, tuple[str, ...]] = {
            kind: cast("tuple[str, ...]", values[f"grants.{kind}"]) for kind in KINDS
        }
        return Grants.of(
            self._reading.folder, entries, sealed=self._reading.sealed, secret_variables=self._sources
        )

    def explain(self, filled: dict[str, Path]) -> tuple[Explained, ...]:
        """Return every setting with its source; `filled` holds the paths that a default stands for."""
        merger = self._merger
        lines: list[Explained] = []
        for row in ROWS.values():
            value = row.show(filled.get(row.key, merger.values[row.key]))
            lines.append(Explained(row.key, value, merger.sources[row.key]))
        for key, entry in merger.named_entries.items():
            section, name, field = key.split(".")
            row = find((section, name, field))
            fields = merger.named[section].get(name, {})
            if row and field in fields:
                lines.append(Explained(key, row.show(fields[field]), entry.source))
        for name, provider in self.providers.items():
            if provider.api_key_env:
                source = provider.api_key.source if provider.api_key else "default"
                value = str(provider.api_key or f"not set ({provider.api_key_env})")
                lines.append(Explained(f"providers.{name}.api_key", value, source))
        return tuple(lines)

    def _declared(self, entry: SecretSettings) -> Secret | None:
        if entry.value:
            return entry.value
        value = self._reading.environ.get(entry.env) if entry.env else None
        return Secret(value, entry.env or "") if value else None

    def _provider(self, name: str, fields: dict[str, object]) -> ProviderSettings:
        written = _make(ProviderSettings, fields)
        variable = written.api_key_env or KEY_VARIABLES.get(name)
        key = self._vault.secret(variable) if variable else None
        return msgspec.structs.replace(written, api_key_env=variable, api_key=key)

    def _server(self, name: str, fields: dict[str, object]) -> McpServer | None:
        written = _make(McpServer, fields)
        if bool(written.command) == bool(written.url):
            first = next(e for key, e in self._merger.named_entries.items() if key.startswith(f"mcp.{name}."))
            self._merger.problems.append(first.error(f"mcp.{name}: expected either a command or a url"))
            return None
        env = {key: self._given(f"mcp.{name}.env", secret) for key, secret in written.env.items()}
        return msgspec.structs.replace(written, env={key: value for key, value in env.items() if value})

    def _given(self, key: str, written: Secret) -> Secret | None:
        """Return what a value stands for: `$NAME` is a variable or secret, anything else itself."""
        text = written.reveal()
        if not text.startswith("$"):
            return written
        found = self._vault.secret(text[1:])
        if found is None:
            source = self._merger.named_entries[key].source
            self._merger.ignored.append(Ignored(key, source, f"{text} is not set"))
        return found


def _make(cls: type[S], fields: dict[str, Any]) -> S:
    """Make a section; fields that were not written have their defaults."""
    return cls(**fields)
