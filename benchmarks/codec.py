"""What the value converter costs, against Python's json on the same list of 100,000 records.

python benchmarks/codec.py
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from llmspell_kernel.engine import values
from llmspell_kernel.engine.state import LuaState

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS = 100_000
REPEAT = 5


class _NoHost:
    """A state that talks to nobody."""

    def send(self, kind: bytes, *fields: Any) -> None: ...
    def receive(self, timeout: float | None) -> None: ...
    def stop(self, reason: bytes) -> None: ...

    def cores(self) -> int:
        return 1

    def fork(self) -> int:
        return -1

    def leave(self, child: int) -> None: ...

    def shelter(self, on: bool) -> None: ...
    def write(self, stream: int, cell: int, text: bytes) -> None: ...
    def stopping(self) -> None: ...
    def now(self) -> float:
        return time.monotonic()


def best(run: Callable[[], Any]) -> float:
    times: list[float] = []
    for _ in range(REPEAT):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    records = [{"id": i, "name": f"name {i}", "score": i / 7} for i in range(1, RECORDS + 1)]
    text = json.dumps(records)
    packed = values.encode(records)
    lua = LuaState(_NoHost())
    lua.run("kept = require('codec').decode((...))", packed)

    json_time = best(lambda: json.dumps(records)) + best(lambda: json.loads(text))
    lua_encode = best(lambda: lua.run("return require('codec').encode(kept)"))
    lua_decode = best(lambda: lua.run("require('codec').decode((...)) collectgarbage()", packed))
    python_decode = best(lambda: values.decode(packed))
    python_encode = best(lambda: values.encode(records))

    print(f"{RECORDS:,} records, {len(packed):,} bytes packed, {len(text):,} as JSON; best of {REPEAT}")
    print(f"json.dumps + json.loads   {json_time * 1000:6.0f} ms")
    for name, encode, decode in (
        ("Lua → Python", lua_encode, python_decode),
        ("Python → Lua", python_encode, lua_decode),
    ):
        ratio = (encode + decode) / json_time
        parts = f"encode {encode * 1000:.0f} ms + decode {decode * 1000:.0f} ms"
        print(f"{name}              {(encode + decode) * 1000:6.0f} ms  × {ratio:.2f}  ({parts})")


if __name__ == "__main__":
    main()
