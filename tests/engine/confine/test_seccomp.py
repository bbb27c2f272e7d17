"""The filter program, run by a small interpreter of classic BPF: both architectures, on any machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmspell_kernel.engine.confine import seccomp
from llmspell_kernel.engine.confine.syscalls import AARCH64, X86_64, Architecture

both = pytest.mark.parametrize("architecture", [X86_64, AARCH64], ids=lambda one: one.name)


def decide(architecture: Architecture, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the filter answers to a system call, by the rules of ``struct seccomp_data`` and BPF."""
    data = number.to_bytes(4, "little") + (architecture.audit if audit is None else audit).to_bytes(
        4, "little"
    )
    data += bytes(8)  # the instruction pointer
    for argument in (*arguments, *[0] * (6 - len(arguments))):
        data += (argument & (1 << 64) - 1).to_bytes(8, "little")
    code = seccomp.program(architecture)
    accumulator = position = 0
    while True:
        operation, if_true, if_false, constant = code[position]
        position += 1
        match operation:
            case 0x20:
                accumulator = int.from_bytes(data[constant : constant + 4], "little")
            case 0x54:
                accumulator &= constant
            case 0x15:
                position += if_true if accumulator == constant else if_false
            case 0x25:
                position += if_true if accumulator > constant else if_false
            case 0x35:
                position += if_true if accumulator >= constant else if_false
            case 0x06:
                return constant
            case _:
                raise AssertionError(f"instruction {operation:#x}")


def named(architecture: Architecture, name: str, *arguments: int) -> int:
    return decide(architecture, architecture.numbers[name], *arguments)


@both
def test_the_kernel_would_take_the_program(architecture: Architecture) -> None:
    code = seccomp.program(architecture)
    assert len(code) < 4096
    for position, (operation, if_true, if_false, constant) in enumerate(code):
        assert 0 <= if_true < 256
        assert 0 <= if_false < 256
        assert 0 <= constant < 1 << 32
        if operation & 7 == 5:
            assert position + 1 + max(if_true, if_false) < len(code)
    assert code[-1][0] == 6


@both
def test_every_call_of_the_policy_is_decided_as_listed(architecture: Architecture) -> None:
    for name in seccomp.ALLOWED:
        if name in architecture.numbers:
            assert named(architecture, name) == seccomp.ALLOW, name
    for name in seccomp.FATAL:
        if name in architecture.numbers:
            assert named(architecture, name) == seccomp.KILL, name


@both
def test_everything_else_is_refused_and_what_is_newer_does_not_exist(architecture: Architecture) -> None:
    listed = {
        architecture.numbers.get(name)
        for name in (*seccomp.ALLOWED, *seccomp.FATAL, *seccomp.CHECKED, "clone3")
    }
    for number in set(range(seccomp.LAST + 1)) - listed:
        assert decide(architecture, number) == seccomp.REFUSE, number
    assert decide(architecture, seccomp.LAST + 1) == seccomp.UNKNOWN
    assert decide(architecture, architecture.numbers["clone3"]) == seccomp.UNKNOWN


@both
def test_another_calling_convention_is_fatal(architecture: Architecture) -> None:
    other = AARCH64 if architecture is X86_64 else X86_64
    for audit in (other.audit, 0x40000003, 0x40000028, 0):  # i386, 32-bit ARM
        assert decide(architecture, architecture.numbers["read"], audit=audit) == seccomp.KILL
    if architecture is X86_64:
        assert decide(architecture, 0x40000000 | architecture.numbers["read"]) == seccomp.KILL


ALLOW, REFUSE = seccomp.ALLOW, seccomp.REFUSE
HIGH = 1 << 32


@both
@pytest.mark.parametrize(
    ("name", "arguments", "decision"),
    [
        ("mmap", (0, 4096, 3, 0x22), ALLOW),
        ("mmap", (0, 4096, 0, 0x20022), ALLOW),  # a thread's stack
        ("mmap", (0, 4096, 5, 0x22), REFUSE),
        ("mmap", (0, 4096, 4 | HIGH, 0x22), REFUSE),
        ("mmap", (0, 4096, 3, 0x21), REFUSE),
        ("mmap", (0, 4096, 3, 0x02), REFUSE),  # of a file
        ("mmap", (0, 4096, 3, 0x122), REFUSE),
        ("mmap", (0, 4096, 3, 0x28), ALLOW),  # droppable memory: how newer libraries keep random numbers
        ("mprotect", (0, 4096, 3), ALLOW),
        ("mprotect", (0, 4096, 4), REFUSE),
        ("mprotect", (0, 4096, 0x01000003), REFUSE),
        ("madvise", (0, 4096, 4), ALLOW),
        ("madvise", (0, 4096, 12), REFUSE),  # sharing equal pages tells what others hold
        ("madvise", (0, 4096, 100), REFUSE),  # poisons memory
        ("clone", (0x01200011,), ALLOW),
        ("clone", (0x003D0F00,), ALLOW),
        ("clone", (0x01200011 | HIGH,), REFUSE),
        ("clone", (0x10000011,), REFUSE),
        ("clone", (0x8011,), REFUSE),
        ("clone", (9,), REFUSE),  # a child whose end would kill its parent
        ("futex", (0, 0x80), ALLOW),
        ("futex", (0, 0x189), ALLOW),
        ("futex", (0, 6), REFUSE),
        ("futex", (0, 12), REFUSE),
        ("fcntl", (3, 1030, 0), ALLOW),
        ("fcntl", (3, 4, 0x800), ALLOW),
        ("fcntl", (3, 4, 0x2800), REFUSE),
        ("fcntl", (3, 8, 1), REFUSE),
        ("ioctl", (3, 0x5421), ALLOW),
        ("ioctl", (3, 0x5412), REFUSE),
        ("prctl", (1, 9), ALLOW),
        ("prctl", (1, 15), REFUSE),
        ("prctl", (1, 9 | HIGH), REFUSE),
        ("prctl", (4, 0), ALLOW),
        ("prctl", (4, 1), REFUSE),
        ("prctl", (22, 2), REFUSE),
        ("prlimit64", (0, 7, 0, 1234), ALLOW),
        ("prlimit64", (0, 7, 1234, 0), REFUSE),
        ("prlimit64", (0, 7, HIGH, 0), REFUSE),
        ("prlimit64", (1, 7, 0, 1234), REFUSE),
        ("sendto", (3, 1, 1, 0, 0, 0), ALLOW),
        ("sendto", (3, 1, 1, 0, HIGH, 0), REFUSE),
        ("socketpair", (1, 1, 0), ALLOW),
        ("socketpair", (1, 0x80801, 0), ALLOW),
        ("socketpair", (1, 2, 0), REFUSE),
        ("socketpair", (2, 1, 0), REFUSE),
        ("setsockopt", (3, 1, 7), ALLOW),
        ("setsockopt", (3, 1, 26), REFUSE),
        ("setsockopt", (3, 0, 7), REFUSE),
        ("newfstatat", (3, 1, 1, 0x1000), ALLOW),
        ("newfstatat", (3, 1, 1, 0), REFUSE),
        ("statx", (3, 1, 0x1000), ALLOW),
        ("statx", (3, 1, 0), REFUSE),
        ("sched_getaffinity", (0,), ALLOW),
        ("sched_getaffinity", (1,), REFUSE),
    ],
)
def test_arguments_decide(
    architecture: Architecture, name: str, arguments: tuple[int, ...], decision: int
) -> None:
    assert named(architecture, name, *arguments) == decision


def _header(path: str) -> dict[str, int]:
    file = Path(path)
    if not file.exists():
        pytest.skip(f"{path} is not installed")
    found = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", file.read_text(), re.MULTILINE)
    return {name: int(number) for name, number in found}


@pytest.mark.parametrize(
    ("architecture", "path", "renamed"),
    [
        (X86_64, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", {}),
        (AARCH64, "/usr/include/asm-generic/unistd.h", {"newfstatat": "fstatat"}),
    ],
    ids=["x86_64", "aarch64"],
)
def test_the_numbers_are_the_kernel_headers_own(
    architecture: Architecture, path: str, renamed: dict[str, str]
) -> None:
    header = _header(path)
    ours = {renamed.get(name, name): number for name, number in architecture.numbers.items()}
    assert ours == {name: header.get(name) for name in ours}


@both
def test_no_name_of_the_policy_is_unknown(architecture: Architecture) -> None:
    names = {*seccomp.ALLOWED, *seccomp.FATAL, *seccomp.CHECKED}
    assert names <= set(X86_64.numbers) | set(AARCH64.numbers)
    assert set(seccomp.CHECKED) <= set(architecture.numbers)
