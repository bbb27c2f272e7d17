"""Each layer holds alone: the others, above all the system call filter, are left off."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confined import Confined

from llmspell_kernel.engine.confine import probe

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL = {
    "environment",
    "process group",
    "descriptors",
    "sacrificed first",
    "resource limits",
    "memory",
    "memory protection",
    "network",
    "empty root",
    "user",
    "process count",
    "no new privileges",
    "not dumpable",
    "dies with kernel",
    "landlock",
    "system calls",
}


@contextmanager
def only(*names: str, **options: Any) -> Iterator[Confined]:
    """A process with these layers and no other; skips the test if this machine lacks one of them."""
    process = Confined(without=ALL - set(names), **options)
    try:
        for name in names:
            status, detail, _ = process.layers[name]
            if status == "unavailable":
                pytest.skip(f"{name}: {detail}")
            assert status == "active", f"{name}: {detail}"
        yield process
    finally:
        process.close()


def outcome(process: Confined, expression: str) -> Any:
    return process.run(
        f"try: result = {expression}\nexcept OSError as error: result = errno.errorcode[error.errno]"
    )


def status_of(process: Confined) -> dict[str, str]:
    lines = Path(f"/proc/{process.process.pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_every_layer_is_reported_once_and_none_has_failed(confined: Confined) -> None:
    assert set(confined.layers) == ALL
    assert {name for name, (status, _, _) in confined.layers.items() if status == "failed"} == set()


def test_a_missing_layer_says_why(confined: Confined) -> None:
    for name, (status, detail, _) in confined.layers.items():
        assert detail, name
        assert status in {"active", "unavailable"}


def test_landlock_alone_refuses_files() -> None:
    with only("no new privileges", "landlock") as process:
        assert outcome(process, "open('/etc/hostname')") == "EACCES"
        assert outcome(process, "os.listdir('/')") == "EACCES"
        assert outcome(process, "os.mkdir('/tmp/llmspell-test')") == "EACCES"
        assert outcome(process, "os.unlink('/tmp/llmspell-test')") in {"EACCES", "ENOENT"}
        assert outcome(process, "os.execv('/bin/true', ['true'])") == "EACCES"


def test_landlock_alone_refuses_tcp_and_signals() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, only("no new privileges", "landlock") as process:
        detail = process.layers["landlock"][1]
        if "signals" not in detail:
            pytest.skip(detail)
        port = server.getsockname()[1]
        assert outcome(process, f"socket.create_connection(('127.0.0.1', {port}))") == "EACCES"
        assert outcome(process, "os.kill(parent, 0)") == "EPERM"


def test_the_empty_root_alone_hides_files() -> None:
    with only("network", "empty root") as process:
        assert outcome(process, "open('/etc/hostname')") == "ENOENT"
        assert outcome(process, "os.listdir('/')") == []
        assert outcome(process, "os.listdir('../../..')") == []
        assert outcome(process, "open('/x', 'w')") == "ENOENT"
        assert outcome(process, "os.stat('/proc/self')") == "ENOENT"


def test_the_network_alone_is_empty() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, only("network") as process:
        port = server.getsockname()[1]
        assert outcome(process, f"socket.create_connection(('127.0.0.1', {port}))") == "ENETUNREACH"
        assert outcome(process, "socket.if_nameindex()") == [[1, "lo"]]


def test_memory_protection_alone_refuses_new_code() -> None:
    with only("memory protection") as process:
        page = "ctypes.c_void_p(call('mmap', None, 4096, 3, 0x22, -1, 0))"
        assert process.run(f"result = call('mprotect', {page}, 4096, 5)") == "EACCES"
        assert process.run("result = call('mmap', None, 4096, 7, 0x22, -1, 0)") == "EACCES"


def test_resource_limits_alone_refuse_growing_files(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("before")
    with open(file, "r+") as opened, only("resource limits", keep=[opened.fileno()]) as process:
        assert outcome(process, f"os.write({opened.fileno()}, b'after')") == "EFBIG"
        assert outcome(process, f"os.ftruncate({opened.fileno()}, 100)") == "EFBIG"
    assert file.read_text() == "before"


def test_descriptors_that_nobody_asked_to_keep_are_closed(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w") as opened:
        os.set_inheritable(opened.fileno(), True)
        with only("descriptors") as process:
            present = "[number for number in range(256) if call('fcntl', number, 1) != 'EBADF']"
            kept = outcome(process, present)
            assert len(kept) == 3 + 1 + 2  # standard ones, the test's socket, the fork's pipe
            assert process.run("result = os.read(0, 1) == b'' and os.write(1, b'nowhere')") == 7


def test_identity_has_no_capability() -> None:
    with only("network", "user", "no new privileges", "system calls") as process:
        status = status_of(process)
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0000000000000000"}
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        if os.geteuid() == 0:
            assert "0" not in status["Uid"].split()
            assert status["Groups"] == ""


def test_not_dumpable() -> None:
    with only("not dumpable") as process:
        assert process.run("result = call('prctl', 3, 0, 0, 0, 0)") == 0


def test_the_machine_kills_it_first_when_memory_runs_out() -> None:
    with only("sacrificed first") as process:
        assert Path(f"/proc/{process.process.pid}/oom_score_adj").read_text() == "800\n"


def test_forks_stay_in_a_group_of_their_own() -> None:
    with only("process group") as process:
        assert process.run("result = os.getpgid(0)") == process.process.pid


def test_it_dies_with_its_parent_even_while_busy() -> None:
    reading, writing = os.pipe()
    starter = os.fork()
    if starter == 0:
        process = Confined()
        process.send("while True: pass")  # a fork spins, and it waits for that
        os.write(writing, f"{process.process.pid}\n".encode())
        time.sleep(0.1)
        os._exit(0)
    pid = int(os.read(reading, 32))
    os.close(reading)
    os.close(writing)
    os.waitpid(starter, 0)
    try:
        assert _ends(pid)
    finally:
        os.killpg(pid, 9)  # the spinning fork: the group reaches what the death signal does not


WOKEN = '''
import os, sys
sys.path[:] = {path!r}
from confined import Confined
from llmspell_kernel.engine.process import become_subreaper
FORK = """
os.write(writing, b'.')
os.write(writing, b'%d %a' % (os.getpid(), confine.adopt_parent(parent)))
time.sleep(60)
"""
become_subreaper()
reading, writing = os.pipe()
engine = Confined(keep=[writing])
engine.send(f"writing = {{writing}}" + FORK)
os.read(reading, 1)
engine.process.kill()
engine.process.wait()
print(os.read(reading, 64).decode(), flush=True)
os._exit(0)
'''


def test_a_fork_that_outlives_the_engine_dies_with_the_kernel_process() -> None:
    path = [*sys.path, str(Path(__file__).parent)]
    finished = subprocess.run(
        [sys.executable, "-c", WOKEN.format(path=path)], capture_output=True, text=True, check=True
    )
    pid, adopted = finished.stdout.split()
    assert adopted == "True"
    assert _ends(int(pid))


def _ends(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_wrong_parent_is_reported() -> None:
    process = Confined(parent=1)
    try:
        assert process.layers["dies with kernel"][0] == "failed"
    finally:
        process.close()


def test_a_surplus_environment_is_reported_by_name_only() -> None:
    process = Confined(environment={"SECRET_KEY": "hunter2", "TZ": "UTC"})
    try:
        status, detail, fix = process.layers["environment"]
        assert (status, fix) == ("failed", "start the engine with an empty environment")
        assert "SECRET_KEY" in detail
        assert "hunter2" not in detail
        assert "TZ" not in detail
    finally:
        process.close()


def test_what_is_required_must_hold() -> None:
    process = Confined(require=["memory"])  # no limit is given
    try:
        assert process.layers == {}
        assert process.error == (
            "the engine could not be confined as required (memory: no limit was asked for)"
        )
    finally:
        process.close()


def test_the_report_is_tried_out() -> None:
    layers = probe.report().layers
    assert {layer.name for layer in layers} == ALL | {"proof"}
    proof = layers[-1]
    assert (proof.name, proof.status) == ("proof", "active"), proof.detail
