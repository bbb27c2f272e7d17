"""Landlock: no file, no TCP port, no signal and no abstract socket outside the engine.

The kernel denies what a ruleset *handles* and no rule allows; ours handles everything that this kernel
knows, and has no rules. Written after ``Documentation/userspace-api/landlock.rst``.
"""

from __future__ import annotations

import ctypes
import os
import struct

from llmspell_kernel.engine.confine.syscalls import syscall

_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION

_FILES_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""``LANDLOCK_ACCESS_FS_*``: version 2 added REFER, 3 TRUNCATE, 5 IOCTL_DEV."""

_TCP = (4, 0b11)  # LANDLOCK_ACCESS_NET_BIND_TCP, CONNECT_TCP
_SCOPES = (6, 0b11)  # LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, SIGNAL


def abi() -> int:
    """Return the version of the interface this kernel speaks.

    Raises:
        OSError: it has none (`ENOSYS`), or it was turned off at boot (`EOPNOTSUPP`).
    """
    return syscall("landlock_create_ruleset", None, 0, _VERSION)


def attribute(version: int) -> bytes:
    """``struct landlock_ruleset_attr`` that handles all that `version` can."""
    fields = [max(mask for since, mask in _FILES_BY_ABI.items() if since <= version)]
    fields += [mask for since, mask in (_TCP, _SCOPES) if version >= since]
    return struct.pack(f"={len(fields)}Q", *fields)


def install() -> int:
    """Restrict this thread and all it starts; returns the version in use. Needs ``NO_NEW_PRIVS``.

    Raises:
        OSError: not available here, or refused.
    """
    version = abi()
    content = attribute(version)
    ruleset = syscall(
        "landlock_create_ruleset", ctypes.create_string_buffer(content, len(content)), len(content), 0
    )
    try:
        syscall("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)
    return version


def covers(version: int) -> str:
    """What `version` denies, for a person."""
    words = ["files"]
    if version >= _TCP[0]:
        words.append("TCP")
    if version >= _SCOPES[0]:
        words.append("signals and abstract sockets")
    return ", ".join(words)
