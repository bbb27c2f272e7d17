"""How long twenty questions at once take, each answered by a server after one second; and computing on all cores.

    python benchmarks/concurrency.py

Asked from Lua through a whole session, by ``llm.batch_process`` and by a parallel workflow of agents. Then
``parallel.map`` against the same work done in order; its figure needs a machine that does nothing else.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from llm.scripted_server import ScriptedServer, text

from llmspell_kernel.config import Places, Settings
from llmspell_kernel.session.session import Session

QUESTIONS = 20
SECONDS = 1.0

CASES = {
    "llm.batch_process": """
      local prompts = {}
      for i = 1, COUNT do prompts[i] = 'question ' .. i end
      assert(#llm.batch_process(prompts) == COUNT)
    """,
    "workflow.parallel of agents": """
      local flow = workflow.parallel()
      for i = 1, COUNT do flow:add_step('agent ' .. i, agent.create('agent ' .. i, {})) end
      assert(flow:build():execute('question').success)
    """,
}


COMPUTING = """
  local list = {} for i = 1, 400 do list[i] = i end
  local results = parallel.map(list, function(n)
    local sum = 0
    for i = 1, 200000 do sum = sum + i % n end
    return sum
  end, { workers = WORKERS })
  assert(#results == 400)
"""


class Silent:
    """A surface that shows nothing."""

    def stream(self, name: str, written: str) -> None: ...

    def display(self, *shown: Any) -> None: ...

    def clear(self, wait: bool) -> None: ...

    async def ask(self, prompt: str, password: bool) -> str:
        return ""


async def measure() -> None:
    with ScriptedServer() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places = Places(config=folder / "config.toml", data=folder / "data")
        session = Session(Settings.load(folder, {"OPENAI_BASE_URL": server.base_url}, places))
        await session.start()
        server.script(text("ready"))
        await session.execute("llm.chat('warm up'); workflow.sequential();", Silent(), "warm up")
        server.script(text("an answer", delay=SECONDS))
        for case, code in CASES.items():
            server.most_at_once = 0
            began = time.perf_counter()
            outcome = await session.execute(code.replace("COUNT", str(QUESTIONS)), Silent(), case)
            took = time.perf_counter() - began
            print(f"{case:30} {took:5.2f} s  {server.most_at_once:3} at once  {type(outcome).__name__}")
        await computing(session)
        await session.close()


async def computing(session: Session) -> None:
    """Compare one worker with as many as there are cores."""
    took: list[float] = []
    for workers in ("1", "parallel.cores()"):
        best = float("inf")
        for _ in range(3):
            began = time.perf_counter()
            outcome = await session.execute(COMPUTING.replace("WORKERS", workers), Silent(), "computing")
            assert type(outcome).__name__ == "Succeeded", outcome
            best = min(best, time.perf_counter() - began)
        took.append(best)
    print(
        f"{'parallel.map, ' + str(os.cpu_count()) + ' cores':30} {took[1]:5.2f} s  "
        f"{took[0] / took[1]:3.1f} times as fast as in order ({took[0]:.2f} s)"
    )


if __name__ == "__main__":
    asyncio.run(measure())
