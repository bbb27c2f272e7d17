"""What it costs to draw: from a Lua value to its MIME bundle, and what the bundle weighs.

python benchmarks/display.py

Each value is pictured in Lua (`snapshot`), crosses as MessagePack, and is drawn by Python. Beside it stands what
the same records cost as pandas draws them, where pandas is there.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from llmspell_kernel.display.bundle import mime_bundle_of, render_result
from llmspell_kernel.display.diff import diff_bundle
from llmspell_kernel.display.error_card import error_bundle
from llmspell_kernel.display.meters import progress_bundle
from llmspell_kernel.display.response import response_bundle
from llmspell_kernel.display.search import search_bundle
from llmspell_kernel.display.snapshot import snapshots_of
from llmspell_kernel.display.stream import growing_bundle
from llmspell_kernel.display.suite import suite_bundle
from llmspell_kernel.display.transcript import transcript_bundle
from llmspell_kernel.display.workflow import workflow_bundle
from llmspell_kernel.engine.state import LuaState

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 1_000
REPEAT = 9
GRID_MOST = 0.020
"""Seconds: what a grid of 1,000 rows may take."""

MAKE = "kept = table.pack(assert(load(..., '=cell 1'))())"
TAKE = "return require('codec').encode(require('snapshot').take_all(kept))"

VALUES = {
    "grid, 1,000 rows × 5": """
        local t = {}
        for i = 1, 1000 do
          t[i] = { id = i, name = "name " .. i, score = i / 7, on = i % 2 == 0, note = "some text " .. i }
        end
        return t""",
    "grid, 1,000,000 rows × 1": "local t = {} for i = 1, 1000000 do t[i] = { id = i } end return t",
    "grid, 80 rows × 40": """
        local t = {}
        for i = 1, 80 do t[i] = {} for c = 1, 40 do t[i]["column " .. c] = i * c end end
        return t""",
    "matrix, 1,000 × 10": """
        local t = {}
        for i = 1, 1000 do t[i] = {} for c = 1, 10 do t[i][c] = i / c end end
        return t""",
    "tree, 2,000 nodes": """
        local function tree(depth)
          local t = {}
          for i = 1, 12 do t["field " .. i] = depth > 0 and tree(depth - 1) or "text " .. i end
          return t
        end
        return tree(2)""",
    "map, 1,000 fields": "local t = {} for i = 1, 1000 do t['key ' .. i] = i end return t",
    "vector, 384 numbers": "local t = {} for i = 1, 384 do t[i] = math.sin(i) end return t",
    "string, 10 MB": "return string.rep('some text ', 1000000)",
    "number": "return 42",
}

_TEXT = "Lua offers **coroutines**, which `yield`.\n\n- one\n- two\n\n```lua\nlocal x = 1\n```\n\n" * 30
_MESSAGES = [
    {"role": "user", "content": "What is 17 × 23?"},
    {
        "role": "assistant",
        "content": "I ask.",
        "tool_calls": [{"name": "calculator", "arguments": {"expression": "17*23"}, "result": "391"}],
    },
    {"role": "assistant", "content": "It is **391**."},
] * 10
_STATE = {f"key {number}": {"n": number, "text": "x" * 20} for number in range(300)}

RESULTS: dict[str, Callable[[], Any]] = {
    "response, 2,600 characters of Markdown": lambda: response_bundle({"content": _TEXT, "model": "m"}),
    "growing answer, as long": lambda: growing_bundle(_TEXT),
    "transcript, 30 turns": lambda: transcript_bundle({"messages": _MESSAGES}),
    "search, 50 results": lambda: search_bundle(
        {"query": "lua text", "results": [{"text": _TEXT[:600], "score": 0.5}] * 50}
    ),
    "workflow, 40 steps": lambda: workflow_bundle(
        {
            "name": "w",
            "steps": [{"name": f"step {n}", "status": "completed", "seconds": n} for n in range(40)],
        }
    ),
    "tests, 200": lambda: suite_bundle(
        {"tests": [{"group": f"g{n % 9}", "name": f"t{n}", "status": "passed"} for n in range(200)]}
    ),
    "diff, 300 changes": lambda: diff_bundle(_STATE, {key: {**each, "n": 0} for key, each in _STATE.items()}),
    "error card": lambda: error_bundle({"message": "too many requests", "code": "rate_limited"}),
    "progress": lambda: progress_bundle(37, 120, label="embedding", seconds=4.2),
    "HTML of a cell, 10 kB, made harmless": lambda: mime_bundle_of(
        {"text/html": "<p>a <b>word</b></p>" * 500}
    ),
}


class _NoHost:
    """A state that talks to nobody."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def best(run: Callable[[], Any]) -> tuple[float, Any]:
    """The least time of several runs, in seconds, and what the last gave."""
    least, result = float("inf"), None
    for _ in range(REPEAT):
        start = time.perf_counter()
        result = run()
        least = min(least, time.perf_counter() - start)
    return least, result


def weight(bundle: dict[str, Any]) -> int:
    """The characters of a bundle."""
    return sum(len(str(content)) for content in bundle.values())


def values() -> float:
    """Print a line for each value; returns what the grid of 1,000 rows took."""
    print(f"{'value':<40} {'snapshot':>11} {'drawing':>11} {'in all':>11} {'bundle':>10}")
    grid = 0.0
    for name, code in VALUES.items():
        lua = LuaState(_NoHost())
        lua.run(MAKE, code.encode())
        take, packed = best(lambda lua=lua: lua.run(TAKE))
        draw, bundle = best(lambda packed=packed: render_result(snapshots_of(packed)))
        grid = grid or take + draw
        figures = "".join(f" {seconds * 1000:8.2f} ms" for seconds in (take, draw, take + draw))
        print(f"{name:<40}{figures} {weight(bundle) / 1000:7,.1f} kB")
    return grid


def results() -> None:
    """Print a line for each kind of bridge result."""
    print(f"\n{'bridge result':<40} {'drawing':>11} {'bundle':>10}")
    for name, draw in RESULTS.items():
        took, bundle = best(draw)
        print(f"{name:<40} {took * 1000:8.2f} ms {weight(bundle) / 1000:7,.1f} kB")


def pandas_grid() -> None:
    """Print what pandas takes for the same records, shown as it shows them and whole."""
    try:
        import pandas
    except ImportError:
        print("\npandas is not here to compare with")
        return
    frame = pandas.DataFrame(
        [
            {"id": i, "name": f"name {i}", "score": i / 7, "on": i % 2 == 0, "note": f"some text {i}"}
            for i in range(ROWS)
        ]
    )
    print(f"\n{'pandas, the same 1,000 rows × 5':<40} {'drawing':>11} {'bundle':>10}")
    for name, draw in {"its 10 rows": frame._repr_html_, "all rows": frame.to_html}.items():
        took, markup = best(draw)
        print(f"{name:<40} {took * 1000:8.2f} ms {len(markup) / 1000:7,.1f} kB")


if __name__ == "__main__":
    took = values()
    results()
    pandas_grid()
    print(f"\na grid of {ROWS:,} rows: {took * 1000:.1f} ms (at most {GRID_MOST * 1000:.0f} ms)")
    sys.exit(took > GRID_MOST)
