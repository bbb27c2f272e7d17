"""The child process that holds the local model: llama.cpp's own HTTP server, on loopback, behind a key.

Executed as a script and alone (it imports nothing of ours), so that it carries nothing of the kernel. It
reads one JSON line of settings on standard input, answers with one JSON line on standard output, and lives
until its standard input ends: the kernel holds the other end, so it ends with the kernel in every case.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Have the system kill us when the thread that started us is gone (Linux)."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def be_first_victim() -> None:
    """If memory runs out, the model goes before the kernel (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")


def serve(settings: dict[str, Any]) -> Any:
    """Load the weights and start answering."""
    llama = import_module("xllamacpp")
    params = llama.CommonParams()
    params.model.path = settings["path"]
    params.model_alias = {settings["name"]}
    params.n_ctx = settings["context"]
    # Every answer that is being written may use the whole context, as long as they fit together.
    params.n_parallel = settings["parallel"]
    params.kv_unified = True
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    # Threads that spin while they wait take the processor from the kernel.
    params.cpuparams.poll = 0
    params.cpuparams_batch.poll = 0
    for name, value in settings["sampling"].items():
        setattr(params.sampling, name, value)
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [settings["key"]]
    params.ui = False
    params.endpoint_slots = False
    params.cache_ram_mib = 0
    params.verbosity = 0
    return llama.Server(params)


def main() -> None:
    """Serve until standard input ends."""
    settings: dict[str, Any] = json.loads(sys.stdin.readline())
    if settings["parent"]:
        die_with(settings["parent"])
    be_first_victim()
    # llama.cpp prints to standard output; the answer has to stay alone there.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        server = serve(settings)
        reply = {"url": f"{server.listening_address}/v1"}
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    answer.write(json.dumps(reply) + "\n")
    answer.flush()
    if "url" in reply:
        sys.stdin.read()
    # Waiting for answers that nobody will read would keep the memory.
    os._exit(0)


if __name__ == "__main__":
    main()
