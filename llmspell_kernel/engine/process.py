"""Starting an engine process: executed afresh, with an empty environment and two sockets."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from llmspell_kernel.errors import EngineStartError

_BOOT = (
    "import sys, json; options = json.loads(sys.argv[1]); sys.path[:0] = options['path']; "
    "from llmspell_kernel.engine.worker import main; main(options)"
)
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class EngineOptions:
    """What an engine is told when it starts."""

    memory_limit: int = 1 << 30
    """Bytes that Lua may hold; 0 is no limit."""
    instructions: int = 0
    """Lua instructions that a turn may execute; 0 is no limit, and costs nothing."""
    call_depth: int = 0
    """Calls inside one another; 0 is Lua's own limit, and costs nothing."""
    between_seconds: float = 0
    """Seconds that a callback or a timer may run between cells; 0 is no limit."""
    confine: bool = True
    """Whether the operating system's layers are asked for."""


@dataclass
class Endpoint:
    """The kernel process's ends of an engine's two sockets, and who is behind them."""

    data: socket.socket
    control: socket.socket
    pid: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    fork_seconds: float = 0.0
    """Processor time that forking it took, of a copy."""
    pages: int = 0
    """Pages that the engine wrote between the fork before and this one."""

    def close(self) -> None:
        """Let the engine go: it exits when it reads the end of its sockets."""
        self.data.close()
        self.control.close()


def _import_path() -> list[str]:
    """Return the folders from which the engine imports: never the person's own ``sys.path``."""
    folders: list[str] = []
    for name in ("llmspell_kernel", "lupa", "msgspec"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise EngineStartError(f"the Python package '{name}' is not installed; run: pip install {name}")
        folder = str(Path(spec.origin).parent.parent)
        if folder not in folders:
            folders.append(folder)
    return folders


def become_subreaper() -> bool:
    """Ask Linux that orphaned checkpoints become this process's children; returns whether it does."""
    if not sys.platform.startswith("linux"):
        return False
    return ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def launch(options: EngineOptions) -> Endpoint:
    """Start an engine process; it announces itself with `wire.Ready` on its data socket.

    Raises:
        EngineStartError: a part that the engine needs is missing, or no process could be started.
    """
    become_subreaper()
    data, engine_data = socket.socketpair()
    control, engine_control = socket.socketpair()
    told: dict[str, object] = {
        "path": _import_path(),
        "memory_limit": options.memory_limit,
        "instructions": options.instructions,
        "call_depth": options.call_depth,
        "between_seconds": options.between_seconds,
        "confine": options.confine,
        "parent": os.getpid(),
    }
    try:
        process = _spawn(told, engine_data, engine_control)
    except OSError as error:
        raise EngineStartError(f"the engine process could not be started: {error}") from error
    finally:
        engine_data.close()
        engine_control.close()
    return Endpoint(data, control, process.pid, process)


def _spawn(told: dict[str, object], data: socket.socket, control: socket.socket) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", "-c", _BOOT]
    if sys.platform == "win32":
        # Windows hands sockets over by their description, once the process exists to receive it.
        process = subprocess.Popen(
            [*command, json.dumps(told)],
            stdin=subprocess.PIPE,
            env={"SYSTEMROOT": os.environ.get("SYSTEMROOT", r"C:\Windows")},
        )
        assert process.stdin is not None
        for end in (data, control):
            share = end.share(process.pid)
            process.stdin.write(len(share).to_bytes(4, "big") + share)
        process.stdin.close()
        return process
    fds = (data.fileno(), control.fileno())
    return subprocess.Popen(
        [*command, json.dumps(told | {"data": fds[0], "control": fds[1]})],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={},
        pass_fds=fds,
        cwd="/",
    )
