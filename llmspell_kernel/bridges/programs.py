"""A spell that runs apart, as bridges ask the session for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmspell_kernel.grants import Kind


@dataclass(frozen=True)
class Program:
    """What is to be run, in a fresh state, under the session's settings."""

    name: str
    """What its lines are called in messages, such as ``spells/greet.lua``."""
    source: str
    params: Mapping[Any, Any]
    """Plain data, without functions and bridge objects."""
    seconds: float | None = None
    """How long it may run, if that is shorter than what a cell may."""
    grants: Mapping[Kind, Sequence[str]] = field(default_factory=dict["Kind", "Sequence[str]"])
    """What it may do at most, of what the session may do now."""
