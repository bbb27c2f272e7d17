"""LLMSpell Lua beside ipykernel's Python kernel and plain in-process lupa, in one run.

    python benchmarks/kernel.py [--rounds 7]

Prints a table of medians and of ratios (ours / theirs; below 1 is faster). Rounds alternate between the two kernels,
so that a machine whose speed drifts does not favour one of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import lupa.lua54 as lua54
import zmq
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_client.blocking.client import BlockingKernelClient

LUA_FIB = "local function fib(n) if n < 2 then return n end return fib(n-1) + fib(n-2) end "
CPU: dict[str, str] = {
    "fib(27)": LUA_FIB + "fib(27)",
    "loop of 2e7 additions": "local s = 0 for i = 1, 20000000 do s = s + i end",
    "sort 200,000 numbers": (
        "local t = {} local x = 1 for i = 1, 200000 do x = x * 16807 % 2147483647 t[i] = x end table.sort(t)"
    ),
    "build 300,000 strings": (
        "local t = {} for i = 1, 300000 do t[#t+1] = string.format('%d:%s', i, 'x') end "
        "local s = table.concat(t)"
    ),
    "2,000,000 math.floor": "local s = 0 for i = 1, 2000000 do s = s + math.floor(i / 3) end",
    "objects and methods": (
        "local P = {} P.__index = P function P.new(x) return setmetatable({x=x}, P) end "
        "function P:add(o) return P.new(self.x + o.x) end local a = P.new(0) local b = P.new(1) "
        "for i = 1, 1000000 do a = a:add(b) end"
    ),
}


class Kernel:
    """One running kernel and its client."""

    def __init__(self, argv: list[str], language: str) -> None:
        self.manager = KernelManager()
        self.manager._kernel_spec = KernelSpec(argv=argv, display_name=language, language=language)
        started = time.perf_counter()
        self.manager.start_kernel()
        self.client: BlockingKernelClient = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.start_seconds = time.perf_counter() - started
        self._connect()

    def _connect(self) -> None:
        """Open plain sockets: what the asynchronous client costs would hide a part of every difference."""
        context = zmq.Context.instance()
        info = self.client.get_connection_info()
        self._shell = context.socket(zmq.DEALER)
        self._shell.connect(f"tcp://{info['ip']}:{info['shell_port']}")
        self._iopub = context.socket(zmq.SUB)
        self._iopub.subscribe(b"")
        self._iopub.connect(f"tcp://{info['ip']}:{info['iopub_port']}")
        self._poller = zmq.Poller()
        self._poller.register(self._shell, zmq.POLLIN)
        self._poller.register(self._iopub, zmq.POLLIN)
        time.sleep(0.2)

    def run(self, code: str, **content: object) -> float:
        """Run a cell; returns seconds from sending it to having both its reply and idle."""
        session = self.client.session
        request = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, **content}
        started = time.perf_counter()
        message_id = session.send(self._shell, "execute_request", request)["header"]["msg_id"].encode()
        idle, self.reply = False, None
        while not (idle and self.reply):
            for socket, _ in self._poller.poll(120_000):
                frames = socket.recv_multipart()
                header, parent, _, body = frames[frames.index(b"<IDS|MSG>") + 2 :][:4]
                if message_id not in parent:
                    continue
                if socket is self._shell:
                    self.reply = json.loads(body)
                    assert self.reply["status"] == "ok", self.reply
                elif b'"status"' in header:
                    idle = b"idle" in body
        return time.perf_counter() - started

    def close(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def lua_kernel() -> Kernel:
    return Kernel([sys.executable, "-P", "-m", "llmspell_kernel", "-f", "{connection_file}"], "lua")


def python_kernel() -> Kernel:
    return Kernel(
        [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "python",
    )


def paired(rounds: int, ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, float, float]:
    """Run both in turn; returns median seconds of each and the median of the pairwise ratios."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


def show(name: str, other: str, figures: tuple[float, float, float]) -> None:
    ours, theirs, ratio = figures
    print(
        f"{name:<34} {ours * 1e3:>10.2f} ms  {other:<12} {theirs * 1e3:>10.2f} ms  ratio {ratio:>6.2f}",
        flush=True,
    )


def started(open_kernel: Callable[[], Kernel]) -> float:
    kernel = open_kernel()
    kernel.close()
    return kernel.start_seconds


def plain_lupa(code: str) -> Callable[[], float]:
    run = lua54.LuaRuntime(encoding=None).eval(
        b"function(code) local f = assert(load(code)) local t = os.clock() f() return os.clock() - t end"
    )
    return lambda: run(code.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    show(
        "cold start to kernel_info_reply",
        "ipykernel",
        paired(rounds, lambda: started(lua_kernel), lambda: started(python_kernel)),
    )
    lua, python = lua_kernel(), python_kernel()
    try:
        for _ in range(20):
            lua.run("1"), python.run("1")
        show(
            "trivial cell, paused between",
            "ipykernel",
            paired(100, lambda: pause() or lua.run("1 + 1"), lambda: pause() or python.run("1 + 1")),
        )
        show(
            "trivial cell, back to back",
            "ipykernel",
            paired(rounds, lambda: burst(lua), lambda: burst(python)),
        )
        show(
            "100,000 prints",
            "ipykernel",
            paired(
                rounds,
                lambda: lua.run("for i = 1, 100000 do print(i) end"),
                lambda: python.run("for i in range(100000): print(i)"),
            ),
        )
        show(
            "10 MB string as result",
            "ipykernel",
            paired(rounds, lambda: lua.run("('x'):rep(10000000)"), lambda: python.run("'x' * 10000000")),
        )
        for name, code in CPU.items():
            timed = f"local t0 = os.clock() do {code} end __seconds = os.clock() - t0"
            show(name, "plain lupa", paired(rounds, partial(in_cell, lua, timed), plain_lupa(code)))
    finally:
        lua.close()
        python.close()


def pause() -> None:
    time.sleep(0.02)


def burst(kernel: Kernel) -> float:
    begun = time.perf_counter()
    for _ in range(50):
        kernel.run("1 + 1")
    return (time.perf_counter() - begun) / 50


def in_cell(kernel: Kernel, code: str) -> float:
    """CPU seconds that a cell's Lua took, by Lua's own clock."""
    kernel.run(code)
    kernel.run("", user_expressions={"s": "__seconds"}, store_history=False)
    return float(kernel.reply["user_expressions"]["s"]["data"]["text/plain"])


if __name__ == "__main__":
    main()
