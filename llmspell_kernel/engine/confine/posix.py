"""Layers that every Unix has: descriptors, environment, place, resource limits."""

from __future__ import annotations

import contextlib
import os
import sys

from llmspell_kernel.engine.confine.layers import Limits, UnavailableError

if sys.platform != "win32":
    import resource

_HOST_RESERVE = 256 << 20
"""Bytes beyond Lua's own limit: Python encodes and sends what Lua made."""


def close_descriptors(limits: Limits) -> str:
    """Close all but those to keep; of the standard ones, leave ``/dev/null``."""
    folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    null = os.open(os.devnull, os.O_RDWR)
    for standard in {0, 1, 2} - set(limits.keep):
        os.dup2(null, standard, inheritable=False)
    for descriptor in map(int, os.listdir(folder)):
        if descriptor > 2 and descriptor not in limits.keep:
            with contextlib.suppress(OSError):  # the one that listed the folder is closed already
                os.close(descriptor)
    return f"{len(limits.keep)} open, at most {limits.descriptors}"


def check_environment(limits: Limits) -> str:
    """See that the process was started with nothing in its environment that it does not need."""
    names = set(os.environ)
    if sys.platform == "linux":  # what was handed over stays readable there, even if removed since
        with open("/proc/self/environ", "rb") as file:
            names |= {
                entry.partition(b"=")[0].decode("utf-8", "replace") for entry in file.read().split(b"\0")
            }
    surplus = sorted(names - limits.environment - {""})
    if surplus:
        raise OSError(None, f"the engine was started with {', '.join(surplus)}")
    return "empty"


def lead_process_group() -> str:
    """Leave the terminal's process group: its signals do not come here, and one kill reaches all forks."""
    if os.getpgid(0) != os.getpid():
        os.setsid()
    return "its own"


def limit_resources(limits: Limits) -> str:
    """No core dumps, no growing files, no locked memory, no message queues, few descriptors."""
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_MEMLOCK):
        resource.setrlimit(kind, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (0, 0))
    lower(resource.RLIMIT_NOFILE, limits.descriptors)
    return f"no core dumps, no file writes, {limits.descriptors} descriptors"


def limit_memory(limits: Limits) -> str:
    """Bound the writable memory of each process."""
    if limits.memory is None:
        raise UnavailableError("no limit was asked for")
    if sys.platform != "linux":
        raise UnavailableError("this system does not enforce one", "Lua's own memory limit still holds")
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[5]) * os.sysconf("SC_PAGESIZE")
    bound = lower(resource.RLIMIT_DATA, now + limits.memory + _HOST_RESERVE)
    return f"{bound >> 20} MiB of writable memory in each process"


def lower(kind: int, value: int) -> int:
    """Set both parts of a resource limit to `value`, or to the hard limit where that is less."""
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))
    return value
