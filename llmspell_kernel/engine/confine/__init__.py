"""Confinement by the operating system: what the engine process puts on, once, before the first cell.

The engine calls `confine` after its imports. From then on it can use its sockets, its memory, threads and
forks of itself, and nothing else of the machine, whatever native code may run in it. Forks inherit all of it.
"""

from __future__ import annotations

import os
import sys
import time

from llmspell_kernel.engine.confine import posix
from llmspell_kernel.engine.confine.layers import Layer, Limits, Report, attempt
from llmspell_kernel.errors import EngineStartError

if sys.platform == "linux":
    from llmspell_kernel.engine.confine import linux

__all__ = ["Layer", "Limits", "Report", "adopt_parent", "confine"]


def confine(limits: Limits) -> Report:
    """Give up every power that the engine does not need.

    Call it once, with a single thread, after all imports and after the last ctypes callback was made: nothing
    can be opened afterwards, and no code be made.

    Raises:
        EngineStartError: a layer of `limits.require` does not hold. Whatever could be put on stays on.
    """
    report = Report(_layers(limits))
    missing = [layer for layer in report.layers if layer.name in limits.require and layer.status != "active"]
    if missing:
        reasons = "; ".join(f"{layer.name}: {layer.detail}" for layer in missing)
        raise EngineStartError(f"the engine could not be confined as required ({reasons})")
    return report


def _layers(limits: Limits) -> tuple[Layer, ...]:
    if sys.platform == "linux":
        return linux.Linux(limits).put_on()
    if sys.platform == "win32":
        return (Layer("confinement", "unavailable", "Windows offers none that is used here"),)
    return (
        attempt("environment", lambda: posix.check_environment(limits)),
        attempt("process group", posix.lead_process_group),
        attempt("descriptors", lambda: posix.close_descriptors(limits)),
        attempt("resource limits", lambda: posix.limit_resources(limits)),
        attempt("memory", lambda: posix.limit_memory(limits)),
        Layer(
            "system calls", "unavailable", f"{sys.platform} has no filter that a process may put on itself"
        ),
    )


def adopt_parent(parent: int, patience: float = 1.0) -> bool:
    """In a woken checkpoint: die with the kernel process from now on.

    A fork does not inherit the death signal, and its first parent was the engine that it replaces. When that
    has ended, the kernel process, a child subreaper, is the parent. The copy ends with its sockets in any
    case; this reaches it while it computes, too.

    Args:
        parent: Process id of the kernel process.
        patience: Seconds to wait for the old engine's end.

    Returns:
        Whether the system has promised it.
    """
    if sys.platform != "linux":
        return False
    deadline = time.monotonic() + patience
    while os.getppid() != parent:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return attempt("", lambda: linux.die_with(parent)).status == "active"
