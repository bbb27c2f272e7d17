"""What confinement is made of: the limits asked for, and a report on each layer."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

Status: TypeAlias = Literal["active", "unavailable", "failed"]


class Layer(msgspec.Struct, frozen=True):
    """One layer of confinement, and whether it holds here."""

    name: str
    status: Status
    detail: str
    """What it does here, or why it does not."""
    fix: str = ""
    """What a person could change to get it; empty if nothing, or nothing is needed."""


@dataclass(frozen=True)
class Report:
    """Every layer, in the order in which they were put on."""

    layers: tuple[Layer, ...]

    def active(self, name: str) -> bool:
        """Whether the layer `name` holds."""
        return any(layer.name == name and layer.status == "active" for layer in self.layers)

    def statuses(self) -> dict[str, str]:
        """Layer name → status."""
        return {layer.name: layer.status for layer in self.layers}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the engine asks for."""

    parent: int
    """Process id of the kernel process, without which the engine must not live."""
    keep: tuple[int, ...]
    """File descriptors that stay open. Of 0, 1 and 2, the others become ``/dev/null``."""
    memory: int | None = None
    """Bytes that Lua may hold. The process may have that much, and a reserve, on top of what it has now."""
    processes: int = 64
    """Threads and processes at once: the engine, its watchdog, its checkpoints and their watchdogs."""
    descriptors: int = 64
    environment: frozenset[str] = frozenset({"TZ", "LC_CTYPE"})
    """Names that may be in the environment (Python itself sets ``LC_CTYPE`` in an empty one)."""
    require: frozenset[str] = frozenset()
    """Layers without which confinement fails."""


class UnavailableError(Exception):
    """The platform does not offer this layer."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix


def attempt(name: str, put_on: Callable[[], str], fix: str = "") -> Layer:
    """Put on one layer; the report says what became of it, nothing is raised.

    Args:
        name: The layer's name.
        put_on: Does it and tells what holds now; raises `UnavailableError` or `OSError`.
        fix: What a person can do if the system lacks it.
    """
    try:
        return Layer(name, "active", put_on())
    except UnavailableError as missing:
        return Layer(name, "unavailable", missing.reason, missing.fix or fix)
    except OSError as error:
        lacking = error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
        return Layer(name, "unavailable" if lacking else "failed", error.strerror or str(error), fix)
    except ValueError as error:  # what `resource` raises
        return Layer(name, "failed", str(error), fix)
