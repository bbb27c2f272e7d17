"""The first thing the kernel process does: read the settings and start the engine."""

from __future__ import annotations

import msgspec

from llmspell_kernel.config import Settings
from llmspell_kernel.engine.process import Endpoint, launch
from llmspell_kernel.errors import EngineStartError


class EarlyEngine(msgspec.Struct, frozen=True):
    """An engine that is coming up, and the settings it was started under."""

    settings: Settings
    problems: list[str]
    endpoint: Endpoint | None


def early_engine() -> EarlyEngine:
    """Start an engine; what goes wrong is told in the notebook later, not here."""
    from llmspell_kernel.session.launching import engine_options

    settings, problems = Settings.load_or_default()
    try:
        endpoint = launch(engine_options(settings))
    except EngineStartError as error:
        return EarlyEngine(settings, [*map(str, problems), str(error)], None)
    return EarlyEngine(settings, [str(problem) for problem in problems], endpoint)
