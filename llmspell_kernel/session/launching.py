"""From settings to what an engine is told; imports nothing heavy, for it runs before everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmspell_kernel.engine.process import EngineOptions

if TYPE_CHECKING:
    from llmspell_kernel.config import Settings


def engine_options(settings: Settings) -> EngineOptions:
    """Return what an engine is told under `settings`."""
    limits = settings.limits
    return EngineOptions(
        memory_limit=limits.memory,
        instructions=limits.instructions or 0,
        call_depth=limits.call_depth or 0,
        between_seconds=limits.time or 0,
    )


def lua_limits(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the limits that Lua itself watches, as ``limits.lua`` reads them."""
    told: dict[str, dict[str, Any]] = {}
    for name in ("coroutines", "callbacks", "value_bytes"):
        error = settings.limit_exceeded(name)
        told[name] = {"most": error.value, "message": error.message, "suggestion": error.suggestion}
    return told
