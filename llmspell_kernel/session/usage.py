"""What a cell used of its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell_kernel.config import Settings


@dataclass(frozen=True)
class Use:
    """What one cell used, as the kernel process saw it."""

    seconds: float = 0.0
    memory: int = 0
    """Bytes that Lua held when it ended."""
    output: int = 0
    """Bytes that it wrote."""
    instructions: int = 0
    """0 where they are not counted."""


def told(use: Use, settings: Settings, lua: Mapping[str, int] | None, handles: int) -> dict[str, str]:
    """Say what was used of each limit, by the limit's name.

    Args:
        use: What the last cell used.
        settings: The session's.
        lua: What `limits.lua` counts; None if the engine cannot be asked now.
        handles: How many bridge objects Lua holds.
    """
    words = {
        "time": f"{use.seconds:.3f} s",
        "memory": _bytes(use.memory),
        "output": _bytes(use.output),
        "handles": f"{handles:,} held",
    }
    if settings.limits.instructions is not None:
        words["instructions"] = f"{use.instructions:,}"
    if lua is not None:
        bound = "" if lua["coroutines_all"] else "at least "
        words["coroutines"] = f"{lua['coroutines_made']:,} made, {bound}{lua['coroutines']:,} alive"
        words["callbacks"] = f"{lua['callbacks']:,} held"
        words["value_bytes"] = f"{_bytes(lua['value_bytes'])} at most"
    return words


def counted(use: Use, lua: Mapping[str, int] | None, handles: int) -> dict[str, float]:
    """Count what was used of each limit as a number, by the limit's name; see `told`."""
    numbers: dict[str, float] = {
        "time": use.seconds,
        "memory": use.memory,
        "output": use.output,
        "instructions": use.instructions,
        "handles": handles,
    }
    return numbers | {name: (lua or {})[name] for name in ("coroutines", "callbacks", "value_bytes") if lua}


def _bytes(count: int) -> str:
    if count < 1024:
        return f"{count} byte{'s' * (count != 1)}"
    return f"{count / 2**10:,.1f} KiB" if count < 2**20 else f"{count / 2**20:,.1f} MiB"
