"""Magics: one table feeds running, help and completion. Each module here enters its own when it is imported."""

from llmspell_kernel.kernel.magics import (
    cache,
    general,
    grants,
    limits,
    reference,
    tasks,
    timing,
    undo,
    usage,
)
from llmspell_kernel.kernel.magics.magics import Magics

__all__ = [
    "Magics",
    "cache",
    "general",
    "grants",
    "limits",
    "reference",
    "tasks",
    "timing",
    "undo",
    "usage",
]
