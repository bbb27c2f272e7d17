"""What the layers say, before it is known what it means: entries with the place they came from.

Later layers win: the user's configuration, the project's, the environment.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import msgspec

from llmspell_kernel.config.sections import NAMED, SECTIONS
from llmspell_kernel.config.table import CONFIG_VARIABLE, VARIABLES, find, nearest_variable
from llmspell_kernel.errors import ConfigError
from llmspell_kernel.grants.hosts import entry_text, to_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from llmspell_kernel.config.documents import Document

SDK_VARIABLES = {
    "OPENAI_BASE_URL": ("providers", "openai", "base_url"),
    "ANTHROPIC_BASE_URL": ("providers", "anthropic", "base_url"),
    "OLLAMA_HOST": ("providers", "ollama", "base_url"),
}
"""What the SDKs of model providers read as well (their keys are found by name, see `KEY_VARIABLES`)."""

KEY_VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
"""Where a provider's key is, unless `[providers.NAME]` says otherwise."""

SHORT_FORMS: dict[tuple[str, ...], tuple[str, ...]] = {("model",): ("model", "name")}
"""A table that may be a plain value: `model = "openai:gpt-5"`."""


class Layer(IntEnum):
    """Who says something; a greater one wins."""

    USER = 1
    PROJECT = 2
    ENVIRONMENT = 3


class Entry(msgspec.Struct, frozen=True):
    """One value that somebody wrote.

    Attributes:
        path: The key, split.
        value: As TOML or the environment holds it.
        layer: Who says it.
        base: Where relative paths in it start.
        document: The file, unless it is a variable.
        variable: The environment variable, unless it is in a file.
    """

    path: tuple[str, ...]
    value: object
    layer: Layer
    base: Path
    document: Document | None = None
    variable: str = ""

    @property
    def key(self) -> str:
        """The dotted key."""
        return ".".join(self.path)

    @property
    def line(self) -> int | None:
        """The line in the file."""
        return self.document.line(self.path) if self.document else None

    @property
    def source(self) -> str:
        """The place, as a person reads it: `FILE:LINE`, or the variable."""
        return f"{self.document.file}:{self.line}" if self.document else self.variable

    def error(self, problem: str, suggestion: str | None = None) -> ConfigError:
        """Return the error for a problem with this entry, naming its place."""
        return ConfigError(
            problem,
            file=self.document.file if self.document else None,
            line=self.line,
            key=self.key,
            variable=self.variable or None,
            suggestion=suggestion,
        )


def from_document(document: Document, layer: Layer, base: Path) -> Iterator[Entry]:
    """Yield what a configuration file says."""
    for path, value in _leaves(document.table):
        yield Entry(path, value, layer, base, document)


def from_environment(environ: Mapping[str, str], base: Path) -> Iterator[Entry]:
    """Yield what the environment says; a variable that is empty says nothing."""
    for name, row in VARIABLES.items():
        if environ.get(name, "").strip():
            yield Entry(tuple(row.key.split(".")), environ[name], Layer.ENVIRONMENT, base, variable=name)
    for name, path in SDK_VARIABLES.items():
        if environ.get(name, "").strip():
            value = _ollama_url(environ[name]) if name == "OLLAMA_HOST" else environ[name]
            yield Entry(path, value, Layer.ENVIRONMENT, base, variable=name)


def unknown_variables(environ: Mapping[str, str]) -> Iterator[ConfigError]:
    """Yield an error for each variable that is most likely a misspelt one of ours.

    Other `LLMSPELL_…` variables are left alone: other programs of the family have their own.
    """
    for name in sorted(environ):
        if name.startswith("LLMSPELL_") and name not in VARIABLES and name != CONFIG_VARIABLE:
            nearest = nearest_variable(name)
            if nearest:
                yield ConfigError("unknown variable", variable=name, suggestion=f"did you mean {nearest}?")


def _ollama_url(host: str) -> str:
    """Return the URL that `OLLAMA_HOST` stands for; it may lack the scheme, the port or the host."""
    text = host.strip()
    try:
        parts = urlsplit(text if "//" in text else f"http://{text}")
        port = parts.port or (11434 if "//" not in text else 443 if parts.scheme == "https" else 80)
    except ValueError:
        return host  # It will be refused as any URL that is none.
    # What a server listens on is not where it is found.
    name = parts.hostname or "127.0.0.1"
    address = to_address(name)
    if address is not None and address.is_unspecified:
        name = "127.0.0.1" if address.version == 4 else "::1"
    return f"{parts.scheme}://{entry_text(name, port)}{parts.path}"


def _leaves(
    table: dict[str, object], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield the values of a TOML table by path, going into tables only where settings are tables."""
    for key, value in table.items():
        path = (*above, key)
        if isinstance(value, dict) and _is_table(path):
            yield from _leaves(cast("dict[str, object]", value), path)
        else:
            yield SHORT_FORMS.get(path, path), value


def _is_table(path: tuple[str, ...]) -> bool:
    """Tell whether settings can be below a path."""
    if find(path) is not None:
        return False
    return (path[0] in NAMED and len(path) < 3) or (path[0] in SECTIONS and path[0] != "" and len(path) == 1)
