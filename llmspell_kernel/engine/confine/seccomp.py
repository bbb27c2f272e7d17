"""The system call filter: what a confined engine may still ask of the kernel, and the program that says so.

The engine needs its sockets, its memory, threads and forks of itself, time and randomness. Each call is

- *allowed*, whatever its arguments;
- *checked*: allowed if its arguments fit, otherwise refused;
- *fatal*: no accident leads there, so the process is killed, and the session goes on from its checkpoint; or
- *refused* with `EPERM`, like everything else: an accidental ``open`` is an exception and not a death.

A call newer than the tables is answered with `ENOSYS`, which makes the C library use the older one. A filter
cannot read memory, so a call whose power is behind a pointer is either harmless for every content or not
allowed: ``clone3`` is "not implemented" (the C library then uses ``clone``, whose flags are checked), and
sockets are stream sockets, whose messages cannot name another destination.

A filter does not know its process's number either, which differs in every fork: so nobody may send a signal,
not even to itself. ``abort()`` still ends the process: refused, the C library executes a bad instruction.

Written after ``seccomp(2)``, ``bpf(4)`` and ``Documentation/userspace-api/seccomp_filter.rst``.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from dataclasses import dataclass

from llmspell_kernel.engine.confine.syscalls import LAST, Architecture, syscall

# ── the policy ───────────────────────────────────────────────────────────────────────────────────


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# the hot ones first: the program compares one by one
ALLOWED = _names("""
    read write recvmsg sendmsg recvfrom poll ppoll select pselect6 clock_gettime getrandom epoll_wait
    epoll_pwait epoll_pwait2 epoll_ctl epoll_create epoll_create1 readv writev brk munmap mremap
    sched_yield membarrier getcpu sysinfo close close_range pipe pipe2 dup dup2 dup3 lseek fstat
    shutdown getsockname getpeername getsockopt set_robust_list get_robust_list set_tid_address rseq
    restart_syscall rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait
    sigaltstack pause getpid getppid gettid getuid geteuid getgid getegid getpgrp getrusage getrlimit
    times time clock_getres clock_nanosleep nanosleep gettimeofday fork wait4 waitid exit exit_group
""")

FATAL = _names("""
    execve execveat ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp
    pidfd_open pidfd_getfd pidfd_send_signal io_uring_setup io_uring_enter io_uring_register io_setup
    io_submit bpf perf_event_open userfaultfd keyctl add_key request_key seccomp personality modify_ldt
    iopl ioperm unshare setns chroot pivot_root mount umount2 mount_setattr move_mount open_tree fsopen
    fsmount fsconfig fspick swapon swapoff init_module finit_module delete_module kexec_load
    kexec_file_load reboot quotactl acct syslog settimeofday clock_settime clock_adjtime adjtimex
    sethostname setdomainname vhangup lookup_dcookie nfsservctl open_by_handle_at name_to_handle_at
    memfd_secret fanotify_init
""")


@dataclass(frozen=True)
class Check:
    """One argument, masked, must be one of some values."""

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF
    whole: bool = False
    """The upper 32 bits must be zero too: for pointers, and for longs that the kernel does not cut down."""


_FORK = 0x01200011  # CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD, which is glibc's
_FORK_PLAIN = 0x11  # SIGCHLD, which is musl's
_THREAD = 0x003D0F00  # VM | FS | FILES | SIGHAND | THREAD | SYSVSEM | SETTLS | PARENT_SETTID | CHILD_CLEARTID
_THREAD_MUSL = 0x007D0F00  # and CLONE_DETACHED

_PROT_EXEC = 0x4
_PROT_GROWS = 0x03000000
_MAP_ANONYMOUS = 0x20
_MAP_NEVER = (
    0x1 | 0x100 | 0x2000 | 0x40000
)  # SHARED, GROWSDOWN, LOCKED, HUGETLB: memory that no limit would count
_AT_EMPTY_PATH = 0x1000
_O_ASYNC = 0x2000

CHECKED: dict[str, tuple[tuple[Check, ...], ...]] = {
    # each line of a call is one way to be allowed
    "futex": ((Check(1, (0, 1, 3, 4, 5, 9, 10), mask=0x7F),),),  # no priority inheritance
    "mmap": (
        (Check(2, (0,), mask=_PROT_EXEC), Check(3, (_MAP_ANONYMOUS,), mask=_MAP_NEVER | _MAP_ANONYMOUS)),
    ),
    "mprotect": ((Check(2, (0,), mask=_PROT_EXEC | _PROT_GROWS),),),
    # NORMAL … DONTNEED, FREE, HUGEPAGE, NOHUGEPAGE, GUARD_INSTALL, GUARD_REMOVE
    "madvise": ((Check(2, (0, 1, 2, 3, 4, 8, 14, 15, 102, 103)),),),
    "clone": ((Check(0, (_FORK, _FORK_PLAIN, _THREAD, _THREAD_MUSL), whole=True),),),
    "fcntl": (
        (Check(1, (0, 1, 2, 3, 1030)),),  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC
        (Check(1, (4,)), Check(2, (0,), mask=_O_ASYNC)),  # F_SETFL; with O_ASYNC it would send signals
    ),
    "ioctl": ((Check(1, (0x5421, 0x541B, 0x5450, 0x5451)),),),  # FIONBIO, FIONREAD, FIONCLEX, FIOCLEX
    "prctl": (
        (Check(0, (2, 3, 15, 16)),),  # GET_PDEATHSIG, GET_DUMPABLE, SET_NAME, GET_NAME
        (Check(0, (1,)), Check(1, (9,), whole=True)),  # SET_PDEATHSIG, SIGKILL
        (Check(0, (4,)), Check(1, (0,), whole=True)),  # SET_DUMPABLE, 0
    ),
    "prlimit64": ((Check(0, (0,)), Check(2, (0,), whole=True)),),  # one's own, to read
    "sched_getaffinity": ((Check(0, (0,)),),),
    "sendto": ((Check(4, (0,), whole=True),),),  # without a destination
    "socketpair": (
        (Check(0, (1,)), Check(1, (1,), mask=~0x80800 & 0xFFFFFFFF), Check(2, (0,))),
    ),  # AF_UNIX, stream
    "setsockopt": ((Check(1, (1,)), Check(2, (7, 8))),),  # SOL_SOCKET: SO_SNDBUF, SO_RCVBUF
    "newfstatat": ((Check(3, (_AT_EMPTY_PATH,)),),),  # how glibc spells fstat
    "statx": ((Check(2, (_AT_EMPTY_PATH,), mask=_AT_EMPTY_PATH),),),
}

# ── the program ──────────────────────────────────────────────────────────────────────────────────

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06  # BPF_LD|W|ABS, BPF_ALU|AND|K, BPF_RET|K
_EQUAL, _GREATER, _AT_LEAST = 0x15, 0x25, 0x35  # BPF_JMP|K with JEQ, JGT, JGE
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data

ALLOW = 0x7FFF0000
KILL = 0x80000000  # SECCOMP_RET_KILL_PROCESS
_ERRNO = 0x00050000
REFUSE = _ERRNO | errno.EPERM
UNKNOWN = _ERRNO | errno.ENOSYS

Instruction = tuple[int, int, int, int]
"""``struct sock_filter``: code, jump if true, jump if false, constant."""


def _alternative(checks: tuple[Check, ...]) -> list[Instruction]:
    """Instructions that return `ALLOW` if all `checks` hold and fall off their end if not."""
    code: list[Instruction] = [(_RETURN, 0, 0, ALLOW)]
    for check in reversed(checks):
        rest = len(code)
        offset = _ARGUMENTS + 8 * check.argument  # little-endian: the low half comes first
        head: list[Instruction] = [(_LOAD, 0, 0, offset)]
        if check.mask != 0xFFFFFFFF:
            head.append((_AND, 0, 0, check.mask))
        last = len(check.values) - 1
        for index, value in enumerate(check.values):
            head.append((_EQUAL, last - index, rest if index == last else 0, value))
        if check.whole:
            head = [(_LOAD, 0, 0, offset + 4), (_EQUAL, 0, len(head) + rest, 0), *head]
        code = head + code
    return code


def program(architecture: Architecture) -> list[Instruction]:
    """The filter for one architecture; another calling convention than its own is fatal."""
    numbers = architecture.numbers
    code: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, architecture.audit),
        (_RETURN, 0, 0, KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if architecture.foreign_from is not None:
        code += [(_AT_LEAST, 0, 1, architecture.foreign_from), (_RETURN, 0, 0, KILL)]

    def when(name: str, block: list[Instruction]) -> None:
        if name in numbers:
            code.extend([(_EQUAL, 0, len(block), numbers[name]), *block])

    for name, alternatives in CHECKED.items():
        block = [instruction for checks in alternatives for instruction in _alternative(checks)]
        when(name, [*block, (_RETURN, 0, 0, REFUSE)])
    for name in ALLOWED:
        when(name, [(_RETURN, 0, 0, ALLOW)])
    for name in FATAL:
        when(name, [(_RETURN, 0, 0, KILL)])
    when("clone3", [(_RETURN, 0, 0, UNKNOWN)])
    return [*code, (_GREATER, 0, 1, LAST), (_RETURN, 0, 0, UNKNOWN), (_RETURN, 0, 0, REFUSE)]


_SET_MODE_FILTER = 1
_FLAG_TSYNC = 1


def install(architecture: Architecture) -> int:
    """Put the filter on every thread of this process, for ever; returns the number of its instructions.

    Needs ``NO_NEW_PRIVS``.

    Raises:
        OSError: the kernel has no filters, or refused this one.
    """
    code = program(architecture)
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in code))
    description = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(instructions)))
    unsynchronized = syscall("seccomp", _SET_MODE_FILTER, _FLAG_TSYNC, description)
    if unsynchronized:
        raise OSError(errno.EBUSY, f"thread {unsynchronized} could not take the filter")
    return len(code)
