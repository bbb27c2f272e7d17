"""The layers that Linux adds, none of which needs a privilege.

Their order matters. Namespaces come before the process limit (a namespace made under a low limit would hold
the person's other processes to it) and before the empty root (``unshare`` refuses inside one); both come
after every use of a path. A change of user clears the death signal and the dumpable flag, so these follow
it. The filter comes last: it refuses all of this.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
import time
from typing import TYPE_CHECKING

from llmspell_kernel.engine.confine import landlock, posix, seccomp
from llmspell_kernel.engine.confine.layers import Layer, Limits, UnavailableError, attempt
from llmspell_kernel.engine.confine.syscalls import HERE, syscall

if TYPE_CHECKING:
    from collections.abc import Callable

_NEW_USER, _NEW_NETWORK, _NEW_IPC, _NEW_UTS = 0x10000000, 0x40000000, 0x08000000, 0x04000000

_SET_PDEATHSIG, _SET_DUMPABLE, _SET_NO_NEW_PRIVS, _SET_MDWE = 1, 4, 38, 65
_REFUSE_EXEC_GAIN = 1
_READ_EXECUTE = 5
_SIGKILL = 9

_FIRST_OWN_UID = 0x6C000000
_NOBODY = 65534

_SHARED_HEADROOM = 1024
"""Processes that the person may start later, where theirs and the engine's are counted together."""

_USER_NAMESPACE_FIX = (
    "allow unprivileged user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
    "kernel.apparmor_restrict_unprivileged_userns; in a container, its seccomp profile); "
    "the other layers hold without"
)
_LANDLOCK_FIX = "Linux 5.13 or later with landlock among the security modules (boot parameter lsm=landlock,…)"


class Linux:
    """Puts the layers on, one after the other; what one learns another reads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._own_count = False
        """Whether `RLIMIT_NPROC` counts this engine's processes and nobody else's."""
        self._root_capable = False
        """Whether this process may change its root folder."""
        self._uid = _unprivileged_uid() if os.geteuid() == 0 else None
        self._tasks = _tasks_on_this_machine()

    def put_on(self) -> tuple[Layer, ...]:
        """Put on every layer; returns what became of each."""
        limits = self._limits
        steps: tuple[tuple[str, Callable[[], str], str], ...] = (
            (
                "environment",
                lambda: posix.check_environment(limits),
                "start the engine with an empty environment",
            ),
            ("process group", posix.lead_process_group, ""),
            ("descriptors", lambda: posix.close_descriptors(limits), ""),
            ("sacrificed first", _prefer_for_out_of_memory, ""),
            ("resource limits", lambda: posix.limit_resources(limits), ""),
            ("memory", lambda: posix.limit_memory(limits), ""),
            (
                "memory protection",
                _refuse_new_code,
                "Linux 6.3 or later; the system call filter refuses it as well",
            ),
            ("network", self.leave_network, _USER_NAMESPACE_FIX),
            ("empty root", self.leave_files, _USER_NAMESPACE_FIX),
            ("user", self.become_nobody, ""),
            ("process count", self.bound_processes, _USER_NAMESPACE_FIX),
            ("no new privileges", _refuse_privileges, ""),
            ("not dumpable", _hide_memory, ""),
            ("dies with kernel", lambda: die_with(limits.parent), ""),
            ("landlock", _restrict_files, _LANDLOCK_FIX),
            ("system calls", _filter_calls, "a kernel with CONFIG_SECCOMP_FILTER on x86-64 or aarch64"),
        )
        return tuple(attempt(*step) for step in steps)

    def leave_network(self) -> str:
        """Move to a network, an IPC and a host name space without anything in them."""
        if self._uid is not None:
            _unshare(_NEW_NETWORK | _NEW_IPC | _NEW_UTS)
            return "its own, empty"
        try:
            _unshare(_NEW_USER | _NEW_NETWORK | _NEW_IPC | _NEW_UTS)
        except UnavailableError:
            # some systems give an unprivileged user namespace, but no power in it
            _unshare(_NEW_USER)
            self._own_count = True
            raise
        self._own_count = self._root_capable = True
        return "its own, empty"

    def leave_files(self) -> str:
        """Make a folder that no longer exists the root: nothing can be found or made in it."""
        time.tzset()  # reads the time zone's file while there is one
        os.umask(0o077)
        os.chdir("/")
        if self._uid is None and not self._root_capable:
            raise UnavailableError("needs a user namespace")
        _enter_removed_folder()
        try:
            os.chroot(".")
        finally:
            os.chdir("/")
        return "a removed folder"

    def become_nobody(self) -> str:
        """Give up the superuser's identity, if it has it, and in any case every capability."""
        if self._uid is not None:
            os.setgroups([])
            os.setresgid(self._uid, self._uid, self._uid)
            os.setresuid(self._uid, self._uid, self._uid)
            self._own_count = self._uid != _NOBODY
        header = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
        syscall("capset", ctypes.create_string_buffer(header), ctypes.create_string_buffer(24))
        if self._uid is not None:
            return f"uid {self._uid}, no capabilities"
        if os.geteuid() == 0 and not self._own_count:
            raise OSError(errno.EPERM, "still the superuser's uid, though without capabilities")
        return "the person's uid, no capabilities"

    def bound_processes(self) -> str:
        """Bound what a fork bomb can reach."""
        if self._own_count:
            bound = posix.lower(resource.RLIMIT_NPROC, self._limits.processes)
            return f"at most {bound} processes and threads, counted for this engine alone"
        if os.geteuid() == 0:
            raise UnavailableError("the superuser's processes are not counted", "run as an ordinary user")
        bound = posix.lower(resource.RLIMIT_NPROC, self._tasks + self._limits.processes + _SHARED_HEADROOM)
        return f"at most {bound} processes and threads, counted together with the person's own"


def die_with(parent: int) -> str:
    """Have the kernel kill this process when `parent`, whose child it must be, ends.

    Raises:
        OSError: `parent` is not the parent (any more).
    """
    syscall("prctl", _SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise OSError(errno.ESRCH, f"process {parent} is not the parent")
    return f"with process {parent}"


def _unshare(spaces: int) -> None:
    try:
        syscall("unshare", spaces)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOSPC, errno.EUSERS, errno.EACCES):
            raise UnavailableError("this system does not let the engine have one") from error
        raise


def _enter_removed_folder() -> None:
    name = f"llmspell-{os.getpid()}-{os.urandom(8).hex()}"
    for parent in ("/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108 - an unguessable name, gone at once
        folder = os.path.join(parent, name)
        try:
            os.mkdir(folder, 0o700)
        except OSError:
            continue
        os.chdir(folder)
        os.rmdir(folder)
        return
    raise UnavailableError("no place to make a folder in", "a writable /tmp, /var/tmp or /dev/shm")


def _unprivileged_uid() -> int | None:
    """A uid that is nobody else's, if the superuser here may become it."""
    with open("/proc/self/uid_map") as file:
        ranges = [tuple(map(int, line.split())) for line in file]
    for uid in (_FIRST_OWN_UID + os.getpid(), _NOBODY):
        if any(first <= uid < first + count for first, _, count in ranges):
            return uid
    return None


def _tasks_on_this_machine() -> int:
    with open("/proc/loadavg") as file:
        return int(file.read().split()[3].partition("/")[2])


def _prefer_for_out_of_memory() -> str:
    """When the machine runs out of memory, let this be what the system kills."""
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("800")
    return "if the machine runs out of memory"


def _refuse_privileges() -> str:
    syscall("prctl", _SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return "no program can give it more rights"


def _refuse_new_code() -> str:
    with open("/proc/self/maps") as file:
        regions = [line.split()[0] for line in file if line.split()[1].startswith("rwx")]
    for region in regions:  # the page in which ctypes keeps its callbacks, which must all exist by now
        start, end = (int(address, 16) for address in region.split("-"))
        syscall("mprotect", start, end - start, _READ_EXECUTE)
    syscall("prctl", _SET_MDWE, _REFUSE_EXEC_GAIN, 0, 0, 0)
    return "nothing that can be written can be executed"


def _hide_memory() -> str:
    syscall("prctl", _SET_DUMPABLE, 0, 0, 0, 0)
    return "no process of the same user can read or trace it"


def _restrict_files() -> str:
    version = landlock.install()
    return f"version {version}: no {landlock.covers(version)}"


def _filter_calls() -> str:
    if HERE is None:
        raise UnavailableError(f"no table of system calls for {os.uname().machine}")
    seccomp.install(HERE)
    return (
        f"{len(seccomp.ALLOWED)} calls allowed, {len(seccomp.CHECKED)} by their arguments, all others refused"
    )
