"""Coroutines and protected calls of cells beside those of plain lupa, turn by turn, the best of many.

    python benchmarks/coroutines.py [WORD …]

Only rows whose name holds one of the words are measured. A speed of 1 is plain lupa's.
"""

from __future__ import annotations

import sys
import time

import lupa.lua54 as lua54
from scheduler import Host, configured

from llmspell_kernel.engine.interrupt import LuaHooks
from llmspell_kernel.engine.state import LuaState

REPEAT = 25

CASES = {
    "coroutine.create": "local f = function() end for _ = 1, 50000 do coroutine.create(f) end",
    "create and resume once": """
      local create, resume, f = coroutine.create, coroutine.resume, function() end
      for _ = 1, 50000 do resume(create(f)) end
    """,
    "wrap and call once": """
      local wrap, f = coroutine.wrap, function() end
      for _ = 1, 50000 do wrap(f)() end
    """,
    "create in a coroutine": """
      local create, f = coroutine.create, function() end
      coroutine.wrap(function() for _ = 1, 50000 do create(f) end end)()
    """,
    "switch: resume and yield": """
      local yield, resume = coroutine.yield, coroutine.resume
      local thread = coroutine.create(function() while true do yield(1) end end)
      for i = 1, 100000 do local _, value = resume(thread, i) end
    """,
    "switch: wrap and yield": """
      local yield = coroutine.yield
      local call = coroutine.wrap(function() while true do yield(1) end end)
      for i = 1, 100000 do local value = call(i) end
    """,
    "generators of ten values": """
      local wrap, yield = coroutine.wrap, coroutine.yield
      for _ = 1, 5000 do
        for value in wrap(function() for i = 1, 10 do yield(i) end end) do local seen = value end
      end
    """,
    "pcall": "local pcall, f = pcall, function(a) return a end for i = 1, 200000 do pcall(f, i) end",
    "pcall of some work": """
      local pcall, f = pcall, function(a) local sum = 0 for i = 1, 20 do sum = sum + i * a end return sum end
      for i = 1, 50000 do pcall(f, i) end
    """,
    "pcall of an error": "local pcall, error = pcall, error for _ = 1, 50000 do pcall(error, 'x', 0) end",
    "xpcall": """
      local xpcall, handler, f = xpcall, function(e) return e end, function(a) return a end
      for i = 1, 100000 do xpcall(f, handler, i) end
    """,
}


def main() -> None:
    state = LuaState(Host())
    hooks = LuaHooks(lua54.__file__, *state.call("engine", "addresses"))
    configured(state)
    plain = lua54.LuaRuntime(encoding=None)
    number = 0
    for name, code in CASES.items():
        if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
            continue
        theirs, ours = float("inf"), float("inf")
        for _ in range(REPEAT):
            number += 1
            start = time.process_time()
            plain.execute(code.encode())
            middle = time.process_time()
            status, value, *_ = state.call("engine", "execute", number, b"cell", code.encode(), b"cell")
            end = time.process_time()
            assert status == b"ok", value
            theirs, ours = min(theirs, middle - start), min(ours, end - middle)
        print(
            f"{name:26} lupa {theirs * 1e3:6.1f} ms   cell {ours * 1e3:6.1f} ms   speed {theirs / ours:.2f}"
        )
    hooks.disarm()


if __name__ == "__main__":
    main()
