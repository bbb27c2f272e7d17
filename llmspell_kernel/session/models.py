"""The session's door to language models, made from its settings when it is first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import platformdirs

from llmspell_kernel.bridges.registry import current_call

COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""The environment variable that names who hears of every question to a model (OpenTelemetry)."""
CASSETTE = "cassette.yaml"
"""Name of the file beside the notebooks that holds recorded answers."""

if TYPE_CHECKING:
    from pathlib import Path

    from llmspell_kernel.bridges.registry import Host
    from llmspell_kernel.config import Settings
    from llmspell_kernel.config.secrets import Vault
    from llmspell_kernel.llm.choose import Choice
    from llmspell_kernel.llm.models import Models
    from llmspell_kernel.llm.progress import Progress
    from llmspell_kernel.llm.recording import Recorder


class _Variables(Mapping[str, str]):
    """Variables and secrets by name, as provider code looks them up; never listed."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def __getitem__(self, name: str) -> str:
        secret = self._vault.secret(name)
        if secret is None:
            raise KeyError(name)
        return secret.reveal()

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def weights_folder() -> Path:
    """Where the weights of local models are kept: the platform's cache folder."""
    return platformdirs.user_cache_path("llmspell", appauthor=False) / "models"


def open_models(
    settings: Settings, host: Host | None = None, cell_name: Callable[[int], str] = str
) -> Models:
    """Return the models that `settings` configure.

    Args:
        settings: The configuration.
        host: The session, if there is one: it says which models may be asked.
        cell_name: What a cell is called where usage is told, by its number.
    """
    from llmspell_kernel.llm.directory import Configured, Preferences
    from llmspell_kernel.llm.models import Models

    model = settings.model
    preferences = Preferences(
        provider=model.provider or "",
        model=model.name or "",
        embedding=model.embedding or "",
        search=model.search,
        concurrency=model.concurrency,
        budget=model.budget,
        timeout=model.timeout,
        providers={
            name: Configured(
                base_url=provider.base_url or "",
                key_variable=provider.api_key_env or "",
                model=provider.model or "",
            )
            for name, provider in settings.providers.items()
        },
        environ=_Variables(settings.vault),
    )
    recorder = _recorder(settings) if model.record != "off" else None

    def label() -> str:
        context = current_call.get(None)
        return "" if context is None else cell_name(context.cell)

    models = Models(
        preferences,
        weights_folder(),
        announce=_announce,
        tell=_tell,
        recorder=recorder,
        permit=None if host is None else partial(_permit, host),
        label=label,
    )
    return _traced(models, settings)


def _traced(models: Models, settings: Settings) -> Models:
    """Let a collector hear of every question, where there is one."""
    if settings.vault.variable(COLLECTOR) or "opentelemetry.sdk" in sys.modules:
        from llmspell_kernel.bridges.observability import has_sdk, set_up
        from llmspell_kernel.llm.telemetry import traced

        if settings.vault.variable(COLLECTOR):
            set_up()
        if has_sdk():
            models.intercept(traced)
    return models


def lend_models(models: Models, settings: Settings, host: Host) -> Models:
    """Return the models of a session for a program that it runs, `host`, which may be allowed less."""
    return _traced(models.lent(partial(_permit, host)), settings)


async def _permit(host: Host, choice: Choice) -> None:
    from llmspell_kernel.llm.catalogue import LOCAL

    if choice.provider != LOCAL:
        await host.require("providers", choice.provider, f"a question to {choice.full_name}")
        host.acted(f"asked {choice.full_name}")


def _recorder(settings: Settings) -> Recorder:
    from llmspell_kernel.llm.cassette import Cassette
    from llmspell_kernel.llm.recording import Recorder

    model = settings.model
    default = ":".join(part for part in (model.provider, model.name) if part)
    cassette = Cassette(settings.folder / CASSETTE)
    return Recorder(model.record, cassette, redact=settings.vault.redact, default=default)


def _announce(choice: Choice) -> None:
    """Say once, in the cell that asks first, which model answers."""
    context = current_call.get(None)
    if context is not None:
        context.surface.stream("stderr", f"{choice.sentence}\n")


def _tell(progress: Progress) -> None:
    context = current_call.get(None)
    if context is not None:
        context.surface.stream("stderr", f"{progress.text}\n")
