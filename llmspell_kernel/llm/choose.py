"""Which model answers when a spell names none, and the sentence that says so.

The order: what the call says; the notebook's or configuration's choice; ``OPENAI_BASE_URL``; a server found
on this machine; the local model; else an error with what to do. A key that happens to be set never decides:
money is spent only where somebody asked for a provider.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from llmspell_kernel.errors import NotFound
from llmspell_kernel.llm.catalogue import KNOWN, LOCAL, maker
from llmspell_kernel.llm.discovery import Found, discover

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from llmspell_kernel.llm.directory import Directory, Preferences


_ON_THIS_MACHINE = ("ollama", "lmstudio", "llama-server")


class Origin(StrEnum):
    """What decided."""

    CALL = "the call"
    CONFIG = "the configuration"
    BASE_URL = "OPENAI_BASE_URL"
    FOUND = "a server on this machine"
    LOCAL = "the local model"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A model to ask, and why this one."""

    provider: str
    title: str
    model: str
    """The provider's own name for it; empty: the provider's first model that can chat."""
    base_url: str
    """Empty for the local model."""
    origin: Origin

    @property
    def full_name(self) -> str:
        """``provider:model``."""
        return f"{self.provider}:{self.model}" if self.model else self.provider

    @property
    def sentence(self) -> str:
        """What a person is told, once."""
        match self.origin:
            case Origin.CALL | Origin.CONFIG:
                return f"Model: {self.full_name}, chosen by {self.origin.value}."
            case Origin.BASE_URL:
                model = self.model or "the first one"
                return f"Model: {model} at {self.base_url}, because OPENAI_BASE_URL is set."
            case Origin.FOUND:
                place = f"{self.title} on this machine ({self.base_url})"
                return f"Model: {self.model} from {place}, because none is configured."
            case Origin.LOCAL:
                return (
                    f"Model: {self.model}, which runs on this machine without key or network, because no "
                    "other was found. It is very small: fluent, and often wrong."
                )


class Chooser:
    """Chooses, and remembers what was found on this machine.

    Args:
        preferences: The configuration.
        directory: The providers.
        local_model: Gives the name of the local model, or None if it has not been pulled or cannot run here.
        find: Looks for servers; replaced in tests.
    """

    def __init__(
        self,
        preferences: Preferences,
        directory: Directory,
        local_model: Callable[[], str | None],
        find: Callable[[Sequence[tuple[str, str]]], Awaitable[Found | None]] = discover,
    ) -> None:
        self._preferences = preferences
        self._directory = directory
        self._local_model = local_model
        self._find = find
        self._found: Found | None = None
        self._looked = False
        self._lock = asyncio.Lock()

    async def choose(self, model: str = "", provider: str = "") -> Choice:
        """The model that answers a call which names `model` and `provider`, either or both of them empty.

        Raises:
            NotFound: The provider is unknown, or nothing here can answer.
        """
        wanted = self._preferences
        configured: Choice | None = None
        if wanted.provider or wanted.model:
            configured = await self._named(wanted.model, wanted.provider, None, Origin.CONFIG)
        if model or provider:
            return await self._named(model, provider, configured, Origin.CALL)
        return configured or await self._unnamed()

    @property
    def last_found(self) -> Found | None:
        """The server on this machine that answered, if it has been looked for."""
        return self._found

    def forget(self) -> None:
        """Look again next time: what was found has stopped answering."""
        self._found, self._looked = None, False

    def _choice(self, provider: str, model: str, origin: Origin) -> Choice:
        info = self._directory.get(provider) if provider != LOCAL else None
        return Choice(
            provider=provider,
            title=info.title if info is not None else LOCAL,
            model=model,
            base_url=info.base_url if info is not None else "",
            origin=origin,
        )

    async def _unnamed(self) -> Choice:
        if self._directory.variable("OPENAI_BASE_URL"):
            return self._choice("openai", "", Origin.BASE_URL)
        if found := await self.found():
            return self._choice(found.provider, found.model, Origin.FOUND)
        if name := self._local_model():
            return self._choice(LOCAL, name, Origin.LOCAL)
        raise _nothing_answers()

    async def _named(self, model: str, provider: str, configured: Choice | None, origin: Origin) -> Choice:
        """The choice that a name makes; what it leaves open comes from the configured one."""
        explicit = self._directory.require(provider) if provider else ""
        usual = configured.provider if configured is not None else ""
        named, bare = self._directory.split(model, provider=explicit, configured=usual)
        if not named:
            named = usual or await self._provider_of(bare)
        if not bare:
            same = configured is not None and configured.provider == named
            bare = configured.model if configured and same else await self._default_model(named)
        return self._choice(named, bare, origin)

    async def _provider_of(self, model: str) -> str:
        """Who answers to a bare model name: who has it here, else its maker, else the server found here."""
        if self._directory.variable("OPENAI_BASE_URL"):
            return "openai"
        found = await self.found()
        if found is not None and model in found.models:
            return found.provider
        if model == self._local_model():
            return LOCAL
        named = maker(model) or (found.provider if found is not None else None)
        if named is None:
            raise self._directory.unnamed(model)
        return named

    async def _default_model(self, provider: str) -> str:
        """Empty where the provider's own list has to be asked."""
        if provider == LOCAL:
            name = self._local_model()
            if name is None:
                raise local_model_missing()
            return name
        found = await self.found() if self._directory.is_gateway(provider) else None
        if found is not None and found.provider == provider:
            return found.model
        info = self._directory.get(provider)
        elsewhere = provider in KNOWN and info.base_url != KNOWN[provider].base_url
        return "" if elsewhere and info.default_model == KNOWN[provider].default_model else info.default_model

    async def found(self) -> Found | None:
        """The server on this machine that answered when it was looked for, once."""
        async with self._lock:
            if self._preferences.search and not self._looked:
                where = [(name, self._directory.get(name).base_url) for name in _ON_THIS_MACHINE]
                self._found = await self._find(where)
                self._looked = True
            return self._found


def local_model_missing() -> NotFound:
    """The error for a local model that has not been pulled."""
    return NotFound(
        "the local model is not on this machine yet",
        code="no_model",
        provider=LOCAL,
        suggestion="run `llmspell models pull` once (about 90 MB)",
    )


def _nothing_answers() -> NotFound:
    return NotFound(
        "no language model is configured, and none was found on this machine",
        code="no_model",
        suggestion=(
            "do one of these:\n"
            "  • run `llmspell models pull` for a small model that needs no key (about 90 MB)\n"
            "  • start Ollama, LM Studio or llama-server on this machine\n"
            '  • name a provider in llmspell.toml, such as `model = "openai:gpt-6-luna"`, and set its key'
        ),
    )
