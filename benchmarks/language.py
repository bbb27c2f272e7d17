"""Completion and inspection beside ipykernel's (Jedi), in sessions alike: 10,000 globals, a 2,000-line history.

    python benchmarks/language.py [--rounds 40]

Prints median and 95th percentile of each request, from sending it to having its reply, and the ratio of the medians
(ours / theirs; below 1 is faster). Requests alternate between the two kernels. Then the language package alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from typing import TYPE_CHECKING, Any

from kernel import Kernel, lua_kernel, python_kernel

from llmspell_kernel.language.intelligence import Intelligence
from llmspell_kernel.language.live import NoState

if TYPE_CHECKING:
    from collections.abc import Callable

GLOBALS = 10_000
CELLS = 200

LUA_GLOBALS = f"for i = 1, {GLOBALS} do _G['global_' .. i] = i end"
PYTHON_GLOBALS = f"for i in range({GLOBALS}): globals()[f'global_{{i}}'] = i"

LUA_CELL = """--- Thing number {n} of the history.
---@param size number how large
local Thing{n} = {{}}
Thing{n}.__index = Thing{n}
function Thing{n}.new(size) return setmetatable({{ size = size, label = "thing" }}, Thing{n}) end
function Thing{n}:grow(by)
  self.size = self.size + by
  return self.size
end
thing{n} = Thing{n}.new({n})
"""

PYTHON_CELL = """class Thing{n}:
    \"\"\"Thing number {n} of the history.\"\"\"
    def __init__(self, size: float) -> None:
        self.size = size
        self.label = "thing"
    def grow(self, by: float) -> float:
        self.size = self.size + by
        return self.size
thing{n} = Thing{n}({n})
# the last line of the cell
"""

COMPLETIONS = [
    ("a global's first letters", "global_12|", "global_12|"),
    ("nothing written yet", "|", "|"),
    ("a member of an object", "thing150.|", "thing150.|"),
    ("a method", "thing150:gr|", "thing150.gr|"),
    ("a library's member", "string.|", "string.|", "import string"),
    (
        "inside a call, in a function",
        "function f(first, second)\n  print(fir|",
        "def f(first, second):\n    print(fir|",
    ),
]
INSPECTIONS = [
    ("a function of the library", "string.format|", "json.dumps|", "import json"),
    ("a method of the history", "thing150:grow|", "thing150.grow|"),
    ("a value", "thing150|", "thing150|"),
]


def ask(kernel: Kernel, kind: str, content: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """Send a request; returns the seconds until its reply and the reply's content."""
    begun = time.perf_counter()
    sent = kernel.client.session.send(kernel._shell, kind, content)["header"]["msg_id"].encode()
    while True:
        frames = kernel._shell.recv_multipart()
        _, parent, _, body = frames[frames.index(b"<IDS|MSG>") + 2 :][:4]
        if sent in parent:
            return time.perf_counter() - begun, json.loads(body)


def request(kind: str, marked: str) -> Callable[[Kernel], float]:
    code, offset = marked.replace("|", ""), marked.index("|")
    detail = {"detail_level": 0} if kind == "inspect_request" else {}

    def run(kernel: Kernel) -> float:
        seconds, reply = ask(kernel, kind, {"code": code, "cursor_pos": offset, **detail})
        assert reply["status"] == "ok", reply
        assert reply.get("matches") or reply.get("found"), (marked, reply)
        return seconds

    return run


def compare(kernels: tuple[Kernel, Kernel], kind: str, cases: list[tuple[str, ...]], rounds: int) -> None:
    for name, ours, theirs, *setup in cases:
        for line in setup:
            kernels[1].run(line)
        runs = [request(kind, ours), request(kind, theirs)]
        times: list[list[float]] = [[], []]
        for _ in range(rounds):
            for position, run in enumerate(runs):
                times[position].append(run(kernels[position]) * 1e3)
        show(name, times)


def show(name: str, times: list[list[float]]) -> None:
    (ours, theirs), tails = (
        map(statistics.median, times),
        [statistics.quantiles(one, n=20)[18] for one in times],
    )
    print(
        f"  {name:<30} {ours:>8.2f} {tails[0]:>8.2f}   {theirs:>8.2f} {tails[1]:>8.2f}   {ours / theirs:>6.2f}",
        flush=True,
    )


def alone(rounds: int) -> None:
    """The package without a kernel and without a live state: what parsing and ranking cost."""
    mind = Intelligence()
    cells = {f"cell {n}": LUA_CELL.format(n=n) for n in range(CELLS)}
    begun = time.perf_counter()
    mind.follow(cells)
    print(f"  reading the history ({CELLS * 10:,} lines) once: {(time.perf_counter() - begun) * 1e3:.1f} ms")
    for name, marked, *_ in COMPLETIONS:
        code, offset = marked.replace("|", ""), marked.index("|")
        times: list[float] = []
        for number in range(rounds):
            begun = time.perf_counter()
            asyncio.run(mind.complete(f"-- {number}\n{code}", offset + len(f"-- {number}\n"), NoState()))
            times.append((time.perf_counter() - begun) * 1e3)
        print(f"  {name:<30} {statistics.median(times):>8.2f}")


def running(kernel: Kernel) -> None:
    """Completion while a cell is busy."""
    code = "local t = os.clock() while os.clock() - t < 3 do end"
    kernel.client.session.send(kernel._shell, "execute_request", {"code": code, "silent": False})
    time.sleep(0.5)
    seconds, reply = ask(kernel, "complete_request", {"code": "thing150:gr", "cursor_pos": 11})
    print(f"  completion while a cell runs: {seconds * 1e3:.1f} ms, {reply.get('matches')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    lua, python = lua_kernel(), python_kernel()
    try:
        lua.run(LUA_GLOBALS)
        python.run(PYTHON_GLOBALS)
        for number in range(CELLS):
            lua.run(LUA_CELL.format(n=number))
            python.run(PYTHON_CELL.format(n=number))
        print(f"{'ms':<32} {'ours p50':>8} {'p95':>8}   {'ipyk p50':>8} {'p95':>8}   {'ratio':>6}")
        print("completion")
        compare((lua, python), "complete_request", COMPLETIONS, rounds)
        print("inspection")
        compare((lua, python), "inspect_request", INSPECTIONS, rounds)
        running(lua)
    finally:
        lua.close()
        python.close()
    print("the language package alone")
    alone(rounds)


if __name__ == "__main__":
    main()
