"""What tasks, switches, promises and channels cost, against plain coroutines of the same Lua state.

    python benchmarks/scheduler.py

The coroutines carry the count hook that real ones carry in the engine (interrupt.py), so that both sides pay for it.
"""

from __future__ import annotations

import time
from typing import Any

import lupa.lua54 as lua54

from llmspell_kernel.engine import values
from llmspell_kernel.engine.interrupt import LuaHooks
from llmspell_kernel.engine.state import LuaState

SWITCHES = 200_000
TASKS = 10_000
MESSAGES = 100_000
REPEAT = 5

PLAIN = """
  local yield, resume = coroutine.yield, coroutine.resume
  local function body() for _ = 1, COUNT do yield() end end
  local one, two = coroutine.create(body), coroutine.create(body)
  for _ = 1, COUNT do resume(one) resume(two) end
"""

CASES = {
    f"{2 * SWITCHES:,} switches between two tasks": """
      local yield = async.yield
      local function body() for _ = 1, COUNT do yield() end end
      promise.all{async(body), async(body)}:await()
    """.replace("COUNT", str(SWITCHES)),
    f"{TASKS:,} tasks started and awaited": """
      local jobs = {}
      for i = 1, COUNT do jobs[i] = async(function() return i end) end
      assert(#promise.all(jobs):await() == COUNT)
    """.replace("COUNT", str(TASKS)),
    f"{TASKS:,} tasks asleep at once": """
      local jobs = {}
      for i = 1, COUNT do jobs[i] = async(function() async.sleep(0.01) return i end) end
      assert(#promise.all(jobs):await() == COUNT)
    """.replace("COUNT", str(TASKS)),
    f"{MESSAGES:,} messages, unbuffered": """
      local ch, sum = channel.make(), 0
      async(function() for i = 1, COUNT do ch:send(i) end ch:close() end)
      async(function() for i in ch:iter() do sum = sum + i end end):await()
      assert(sum == COUNT * (COUNT + 1) // 2)
    """.replace("COUNT", str(MESSAGES)),
    f"{MESSAGES:,} messages, room for 100": """
      local ch, sum = channel.make(100), 0
      async(function() for i = 1, COUNT do ch:send(i) end ch:close() end)
      async(function() for i in ch:iter() do sum = sum + i end end):await()
      assert(sum == COUNT * (COUNT + 1) // 2)
    """.replace("COUNT", str(MESSAGES)),
}


class Host:
    def send(self, kind: bytes, *fields: Any) -> None: ...
    def stop(self, reason: bytes) -> None: ...

    def cores(self) -> int:
        return 1

    def fork(self) -> int:
        return -1

    def leave(self, child: int) -> None: ...

    def shelter(self, on: bool) -> None: ...
    def stopping(self) -> None: ...

    def write(self, stream: int, cell: int, text: bytes) -> None:
        print(text.decode(), end="")

    def receive(self, timeout: float | None) -> None:
        time.sleep(timeout) if timeout else None

    def now(self) -> float:
        return time.monotonic()


def configured(state: LuaState) -> LuaState:
    modules = [
        {"name": "promise", "lua": "lib.promise"},
        {"name": "async", "lua": "lib.async", "call": "spawn"},
        {"name": "channel", "lua": "lib.channel"},
    ]
    state.call(
        "engine", "configure", values.encode({"session_locals": True, "token": "t", "modules": modules})
    )
    return state


def _best(state: LuaState, code: str) -> float:
    """Return the least processor time in seconds, which other programs on the machine do not change much."""
    times: list[float] = []
    for number in range(REPEAT):
        start = time.process_time()
        status, value, *_ = state.call("engine", "execute", number + 1, b"cell", code.encode(), b"cell")
        times.append(time.process_time() - start)
        assert status == b"ok", value
    return min(times)


def main() -> None:
    state = LuaState(Host())
    hooks = LuaHooks(lua54.__file__, *state.call("engine", "addresses"))
    configured(state)
    plain = _best(state, PLAIN.replace("COUNT", str(SWITCHES)))
    print(
        f"plain coroutines: {2 * SWITCHES:,} switches {plain * 1000:.0f} ms, {plain / SWITCHES / 2 * 1e6:.2f} µs each"
    )
    for name, code in CASES.items():
        seconds = _best(state, code)
        count = int(name.split()[0].replace(",", ""))
        each = seconds / count
        ratio = each / (plain / SWITCHES / 2)
        print(f"{name:40} {seconds * 1000:6.0f} ms  {each * 1e6:6.2f} µs each, {ratio:.1f} plain switches")
    hooks.disarm()


if __name__ == "__main__":
    main()
