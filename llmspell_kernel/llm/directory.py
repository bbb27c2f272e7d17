"""The providers of one session: those we know, with what the configuration says about them, and its own."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from llmspell_kernel.errors import NotFound
from llmspell_kernel.llm.catalogue import ALIASES, KNOWN, LOCAL, ProviderInfo, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says about a provider; empty where it says nothing."""

    base_url: str = ""
    key_variable: str = ""
    model: str = ""


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says about models."""

    provider: str = ""
    model: str = ""
    embedding: str = ""
    """Model that makes embeddings when a call names none."""
    search: bool = True
    """Whether to look for servers on this machine."""
    concurrency: int = 32
    """Requests to one provider at the same time."""
    budget: float | None = None
    """Most money to spend, in US dollars."""
    timeout: float = 120.0
    """Seconds to wait for a model's next words."""
    providers: Mapping[str, Configured] = msgspec.field(default_factory=dict[str, Configured])
    environ: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    """Variables and secrets by name: ``OPENAI_BASE_URL``, ``OLLAMA_HOST`` and the keys."""


class Directory:
    """Looks providers up.

    Args:
        preferences: The configuration.
    """

    def __init__(self, preferences: Preferences) -> None:
        self._environ = preferences.environ
        self._providers = {name: self._effective(info, preferences) for name, info in KNOWN.items()}
        for name, configured in preferences.providers.items():
            if name not in KNOWN and name != LOCAL:
                self._providers[name] = ProviderInfo(
                    name=name,
                    title=name,
                    base_url=configured.base_url.rstrip("/"),
                    key_variable=configured.key_variable,
                    default_model=configured.model,
                    gateway=True,
                )

    @property
    def names(self) -> list[str]:
        """Every name that can be given as a provider."""
        return [*self._providers, LOCAL]

    def resolve(self, text: str) -> str | None:
        """The provider that `text` names, or None if none is known by it."""
        name = text.strip().lower()
        name = name if name in self._providers else ALIASES.get(name, name)
        return name if name in self._providers or name == LOCAL else None

    def get(self, name: str) -> ProviderInfo:
        """The provider of that name (not the local model, which is no server until it is asked).

        Raises:
            NotFound: Nobody knows it.
        """
        resolved = self.resolve(name)
        if resolved is None or resolved == LOCAL:
            raise self._unknown(name)
        return self._providers[resolved]

    def require(self, text: str) -> str:
        """The provider that `text` names.

        Raises:
            NotFound: Nobody knows it.
        """
        name = self.resolve(text)
        if name is None:
            raise self._unknown(text)
        return name

    def is_gateway(self, name: str) -> bool:
        """Whether the provider's own model names contain slashes."""
        return name in self._providers and self._providers[name].gateway

    def key(self, name: str) -> str:
        """The provider's key, empty if none is set."""
        variable = self.get(name).key_variable
        return self.variable(variable) if variable else ""

    def variable(self, name: str) -> str:
        """An environment variable, empty if it is not set."""
        return self._environ.get(name, "").strip()

    def split(self, text: str, *, provider: str = "", configured: str = "") -> tuple[str, str]:
        """Read ``provider:model``, ``provider/model`` or a bare model name.

        A colon or a slash can also be part of a model's own name (``qwen3:4b``, ``qwen/qwen3``), so the part
        before it counts only if it is the name of a provider.

        Args:
            text: What the person wrote.
            provider: A provider named beside it.
            configured: The provider that answers if none is named. If it is a gateway, ``openai/gpt-6``
                is one of its own models.

        Returns:
            The provider (empty if `text` names none) and the model (empty if `text` is a provider's name).
        """
        text = text.strip()
        if not provider and (alone := self.resolve(text)):
            return alone, ""
        for separator in (":", "/"):
            head, found, tail = text.partition(separator)
            named = self.resolve(head) if found and tail else None
            if named is None or (provider and named != provider):
                continue
            if separator == "/" and named != configured and self.is_gateway(configured):
                continue
            return named, tail
        return provider, text

    def _effective(self, info: ProviderInfo, preferences: Preferences) -> ProviderInfo:
        """A known provider with what the configuration and the environment say about it."""
        said = preferences.providers.get(info.name, Configured())
        usual = info.base_url
        if info.name == "openai":
            usual = self.variable("OPENAI_BASE_URL") or usual
        if info.name == "ollama":
            usual = ollama_url(self.variable("OLLAMA_HOST"))
        return msgspec.structs.replace(
            info,
            base_url=(said.base_url or usual).rstrip("/"),
            key_variable=said.key_variable or info.key_variable,
            default_model=said.model or info.default_model,
        )

    def unnamed(self, model: str) -> NotFound:
        """The error for a bare model name when nobody is known to have it."""
        head, colon, tail = model.partition(":")
        alike = nearest(head, self.names, 1) if colon else []
        suggestion = f"write it with its provider, such as 'ollama:{model}' or 'openai:{model}'"
        return NotFound(
            f"no provider was named for the model '{model}'",
            code="no_provider",
            suggestion=f"did you mean '{alike[0]}:{tail}'?" if alike else suggestion,
            details={"model": model},
        )

    def _unknown(self, name: str) -> NotFound:
        alike = nearest(name, self.names, 1)
        known = ", ".join(self.names)
        return NotFound(
            f"there is no provider '{name}'",
            code="no_provider",
            suggestion=f"did you mean '{alike[0]}'? Known: {known}" if alike else f"known providers: {known}",
            details={"provider": name},
        )


def ollama_url(host: str) -> str:
    """The API's base URL for a value of ``OLLAMA_HOST``, which may lack the scheme, the port or the host."""
    host = host.strip().rstrip("/")
    if not host:
        return KNOWN["ollama"].base_url
    url = urlsplit(host if "//" in host else f"http://{host}")
    # What a server listens on is not where it is found.
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", None: "127.0.0.1"}.get(url.hostname, url.hostname)  # noqa: S104
    default_port = {"https": 443}.get(url.scheme, 80) if "//" in host else 11434
    shown = f"[{name}]" if name and ":" in name else name
    return f"{url.scheme}://{shown}:{url.port or default_port}/v1"
