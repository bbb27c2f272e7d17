"""Native code in a confined engine: everything that it must not be able to do, tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from confined import Confined

REFUSED = "EPERM"
KILLED = "signal 31"  # SIGSYS

ATTACKS: dict[str, tuple[str, object]] = {
    # files
    "open": ("call('open', b'/etc/hostname', 0)", REFUSED),
    "open for writing": ("call('open', b'/tmp/x', 0o102, 0o600)", REFUSED),
    "creat": ("call('creat', b'/tmp/x', 0o600)", REFUSED),
    "open a device": ("call('open', b'/dev/null', 2)", REFUSED),
    "open own memory": ("call('open', b'/proc/self/mem', 2)", REFUSED),
    "openat2": ("syscall(437, -100, 0, 0, 24)", REFUSED),
    "stat": ("call('stat', b'/etc/passwd', ctypes.create_string_buffer(256))", REFUSED),
    "access": ("call('access', b'/etc/passwd', 0)", REFUSED),
    "readlink": ("call('readlink', b'/proc/self/exe', ctypes.create_string_buffer(256), 256)", REFUSED),
    "unlink": ("call('unlink', b'/etc/hostname')", REFUSED),
    "rename": ("call('rename', b'/etc/hostname', b'/etc/x')", REFUSED),
    "mkdir": ("call('mkdir', b'/tmp/x', 0o700)", REFUSED),
    "rmdir": ("call('rmdir', b'/tmp')", REFUSED),
    "link": ("call('link', b'/etc/hostname', b'/tmp/x')", REFUSED),
    "symlink": ("call('symlink', b'/etc/hostname', b'/tmp/x')", REFUSED),
    "chmod": ("call('chmod', b'/etc/hostname', 0o777)", REFUSED),
    "chown": ("call('chown', b'/etc/hostname', 0, 0)", REFUSED),
    "truncate": ("call('truncate', b'/etc/hostname', ctypes.c_long(0))", REFUSED),
    "mknod": ("call('mkfifo', b'/tmp/x', 0o600)", REFUSED),
    "chdir": ("call('chdir', b'/etc')", REFUSED),
    "chroot": ("call('chroot', b'/')", KILLED),
    "mount": ("call('mount', b'none', b'/tmp', b'tmpfs', 0, None)", KILLED),
    "inotify": ("call('inotify_init1', 0)", REFUSED),
    "fanotify": ("call('fanotify_init', 0, 0)", KILLED),
    "memfd": ("call('memfd_create', b'x', 0)", REFUSED),
    "file handle": ("call('open_by_handle_at', 0, None, 0)", KILLED),
    "a library": ("ctypes.CDLL('libresolv.so.2') and 'loaded'", "OSError"),
    # network and sockets
    "socket inet": ("call('socket', 2, 1, 0)", REFUSED),
    "socket inet6": ("call('socket', 10, 1, 0)", REFUSED),
    "socket unix": ("call('socket', 1, 1, 0)", REFUSED),
    "socket netlink": ("call('socket', 16, 3, 0)", REFUSED),
    "socket packet": ("call('socket', 17, 3, 0)", REFUSED),
    "socket vsock": ("call('socket', 40, 1, 0)", REFUSED),
    "datagram pair": ("call('socketpair', 1, 2, 0, (ctypes.c_int * 2)())", REFUSED),
    "seqpacket pair": ("call('socketpair', 1, 5, 0, (ctypes.c_int * 2)())", REFUSED),
    "connect": (
        "(pair := socket.socketpair()) and call('connect', pair[0].fileno(), b'\\1\\0/run/bus', 10)",
        REFUSED,
    ),
    "bind": (
        "(pair := socket.socketpair()) and call('bind', pair[0].fileno(), b'\\1\\0\\0name', 7)",
        REFUSED,
    ),
    "listen": ("(pair := socket.socketpair()) and call('listen', pair[0].fileno(), 1)", REFUSED),
    "accept": ("(pair := socket.socketpair()) and call('accept', pair[0].fileno(), None, None)", REFUSED),
    "sendto an address": (
        "(pair := socket.socketpair()) and call('sendto', pair[0].fileno(), b'x', 1, 0, b'\\1\\0/x', 4)",
        REFUSED,
    ),
    "a filter on a socket": (
        "(pair := socket.socketpair()) and call('setsockopt', pair[0].fileno(), 1, 26, b'0' * 16, 16)",
        REFUSED,
    ),
    # programs
    "execve": ("call('execve', b'/bin/sh', None, None)", KILLED),
    "execveat": ("syscall(numbers['execveat'], -100, 0, 0, 0, 0)", KILLED),
    "system": ("call('system', b'true') >> 8", 127),  # the shell could not be started
    "posix_spawn": ("os.posix_spawn('/bin/true', ['true'], {})", "PermissionError"),
    "vfork": ("syscall(numbers['clone'], 0x4111, 0, 0, 0, 0)", REFUSED),  # CLONE_VFORK | CLONE_VM | SIGCHLD
    # other processes
    "kill parent": ("call('kill', parent, 9)", REFUSED),
    "kill everything": ("call('kill', -1, 9)", REFUSED),
    "kill the group": ("call('kill', 0, 9)", REFUSED),
    "tgkill parent": ("call('tgkill', parent, parent, 9)", REFUSED),
    "sigqueue": ("call('sigqueue', parent, 9, ctypes.c_void_p())", REFUSED),
    "pidfd": ("syscall(numbers['pidfd_open'], parent, 0)", KILLED),
    "pidfd signal": ("syscall(numbers['pidfd_send_signal'], 0, 9, 0, 0)", KILLED),
    "signals through a socket's owner": ("call('fcntl', 2, 8, parent)", REFUSED),
    "signals of one's choice through a socket": ("call('fcntl', 2, 10, 9)", REFUSED),
    "signals on input": ("call('fcntl', 2, 4, 0x2000)", REFUSED),
    "ptrace attach": ("call('ptrace', 16, parent, None, None)", KILLED),
    "ptrace traceme": ("call('ptrace', 0, 0, None, None)", KILLED),
    "process_vm_readv": ("call('process_vm_readv', parent, None, 0, None, 0, 0)", KILLED),
    "process_vm_writev": ("call('process_vm_writev', parent, None, 0, None, 0, 0)", KILLED),
    "kcmp": ("syscall(numbers['kcmp'], parent, parent, 0, 0, 0)", KILLED),
    "priority of parent": ("call('setpriority', 0, parent, 19)", REFUSED),
    "limits of parent": ("call('prlimit', parent, 7, None, ctypes.create_string_buffer(16))", REFUSED),
    "affinity of parent": ("call('sched_setaffinity', parent, 8, b'\\1' + bytes(7))", REFUSED),
    "leave the group": ("call('setpgid', 0, 0)", REFUSED),
    "leave the session": ("call('setsid')", REFUSED),
    "adopt orphans": ("call('prctl', 36, 1, 0, 0, 0)", REFUSED),
    # memory
    "map executable": ("call('mmap', None, 4096, 5, 0x22, -1, 0)", REFUSED),
    "map writable and executable": ("call('mmap', None, 4096, 7, 0x22, -1, 0)", REFUSED),
    "make executable": (
        "call('mprotect', ctypes.c_void_p(call('mmap', None, 4096, 3, 0x22, -1, 0)), 4096, 5)",
        REFUSED,
    ),
    "make executable with a key": (
        "call('pkey_mprotect', ctypes.c_void_p(call('mmap', None, 4096, 3, 0x22, -1, 0)), 4096, 5, -1)",
        REFUSED,
    ),
    "overwrite a callback's code": (
        "ctypes.memset(ctypes.cast(callback, ctypes.c_void_p).value, 0x90, 1)",
        "signal 11",
    ),
    "map shared": ("call('mmap', None, 4096, 3, 0x21, -1, 0)", REFUSED),
    "map a growing stack": ("call('mmap', None, 4096, 3, 0x122, -1, 0)", REFUSED),
    "map huge pages": ("call('mmap', None, 1 << 21, 3, 0x40022, -1, 0)", REFUSED),
    "lock memory": ("call('mlockall', 3)", REFUSED),
    "shared memory": ("call('shmget', 0, 4096, 0o1600)", REFUSED),
    "message queue": ("call('msgget', 0, 0o1600)", REFUSED),
    "userfaultfd": ("syscall(numbers['userfaultfd'], 0)", KILLED),
    "change own memory layout": ("call('prctl', 35, 1, 0, 0, 0)", REFUSED),
    # kernel interfaces
    "io_uring": ("syscall(numbers['io_uring_setup'], 1, 0)", KILLED),
    "aio": ("syscall(numbers['io_setup'], 1, 0)", KILLED),
    "bpf": ("syscall(numbers['bpf'], 0, 0, 0)", KILLED),
    "perf": ("syscall(numbers['perf_event_open'], 0, 0, -1, -1, 0)", KILLED),
    "keyctl": ("syscall(numbers['keyctl'], 0, -3, 0, 0, 0)", KILLED),
    "add_key": ("syscall(numbers['add_key'], 0, 0, 0, 0, 0)", KILLED),
    "load a module": ("syscall(numbers['finit_module'], 0, 0, 0)", KILLED),
    "kexec": ("syscall(numbers['kexec_load'], 0, 0, 0, 0)", KILLED),
    "reboot": ("call('reboot', 0x1234567)", KILLED),
    "kernel log": ("call('klogctl', 3, None, 0)", KILLED),
    "set the clock": ("call('clock_settime', 0, ctypes.create_string_buffer(16))", KILLED),
    "swap off": ("call('swapoff', b'/x')", KILLED),
    "personality": ("call('personality', 0x0400000)", KILLED),
    "terminal input": ("call('ioctl', 2, 0x5412, b'x')", REFUSED),
    "a timer's signal": ("call('setitimer', 0, ctypes.create_string_buffer(32), None)", REFUSED),
    "a call without a name yet": ("syscall(9999)", "ENOSYS"),
    # taking confinement off
    "unshare": ("call('unshare', 0x10000000)", KILLED),
    "setns": ("call('setns', 0, 0)", KILLED),
    "clone into a user namespace": ("syscall(numbers['clone'], 0x10000011, 0, 0, 0, 0)", REFUSED),
    "clone as the parent's child": ("syscall(numbers['clone'], 0x8011, 0, 0, 0, 0)", REFUSED),
    "clone3": ("syscall(435, 0, 0)", "ENOSYS"),
    "another filter": ("call('prctl', 22, 2, None)", REFUSED),
    "seccomp": ("syscall(numbers['seccomp'], 0, 0, 0)", KILLED),
    "dumpable again": ("call('prctl', 4, 1, 0, 0, 0)", REFUSED),
    "no death signal": ("call('prctl', 1, 0, 0, 0, 0)", REFUSED),
    "another death signal": ("call('prctl', 1, 15, 0, 0, 0)", REFUSED),
    "setuid": ("call('setuid', 0)", REFUSED),
    "setresgid": ("call('setresgid', 0, 0, 0)", REFUSED),
    "setgroups": ("call('setgroups', 0, None)", REFUSED),
    "capset": ("call('capset', struct.pack('=Ii', 0x20080522, 0), b'\\xff' * 24)", REFUSED),
    "ambient capabilities": ("call('prctl', 47, 2, 0, 0, 0)", REFUSED),
    "more descriptors": ("call('setrlimit', 7, struct.pack('=QQ', 9999, 9999))", REFUSED),
    "more processes": ("call('setrlimit', 6, struct.pack('=QQ', 9999, 9999))", REFUSED),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_refused(name: str, confined: Confined) -> None:
    attack, expected = ATTACKS[name]
    outcome = confined.run(
        f"try: result = {attack}\nexcept OSError as error: result = type(error).__name__\n"
    )
    assert outcome == expected


def test_the_second_calling_convention_is_fatal(confined: Confined) -> None:
    if "modify_ldt" not in confined.run("result = list(numbers)"):
        pytest.skip("only x86-64 has one")
    assert confined.run("syscall(0x40000000 | 39)") == KILLED


def test_a_fork_bomb_is_bounded(confined: Confined) -> None:
    forks = confined.run("""
reading, writing = os.pipe()
result = 0
try:
    while result < 1000:
        if os.fork() == 0:
            os.close(writing)
            os.read(reading, 1)  # until the first one lets all of them go
            os._exit(0)
        result += 1
except BlockingIOError:
    pass
os.close(writing)
for _ in range(result):
    os.wait()
""")
    assert 50 <= forks < 64


def test_threads_are_bounded_like_processes(confined: Confined) -> None:
    threads = confined.run("""
stop = threading.Event()
result = 0
try:
    while result < 1000:
        threading.Thread(target=stop.wait, daemon=True).start()
        result += 1
except RuntimeError:
    pass
stop.set()
""")
    assert 20 <= threads < 64


def test_memory_is_bounded(confined: Confined) -> None:
    outcome = confined.run("""
blocks = []
try:
    while len(blocks) < 100:
        blocks.append(bytearray(16 << 20))
except MemoryError:
    result = len(blocks)
""")
    assert 64 // 16 <= outcome <= (64 + 256) // 16


def test_descriptors_are_bounded(confined: Confined) -> None:
    assert (
        confined.run("""
kept = []
try:
    while len(kept) < 1000:
        kept.append(os.pipe())
except OSError as error:
    result = errno.errorcode[error.errno]
""")
        == "EMFILE"
    )


def test_abort_ends_the_process(confined: Confined) -> None:
    assert str(confined.run("os.abort()")).startswith("signal ")


def test_a_crash_ends_only_the_fork(confined: Confined) -> None:
    assert confined.run("ctypes.string_at(8)") == "signal 11"
    assert confined.run("result = 'still here'") == "still here"
