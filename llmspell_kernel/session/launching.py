"""From settings to what an engine is told; imports nothing heavy, for it runs before everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.engine.process import EngineOptions

if TYPE_CHECKING:
    from llmspell_kernel.config import Settings


def engine_options(settings: Settings) -> EngineOptions:
    """Return what an engine is told under `settings`."""
    return EngineOptions(memory_limit=settings.limits.memory)
