"""How long twenty questions at once take, each answered by a server after one second.

    python benchmarks/concurrency.py

Asked from Lua through a whole session, by ``llm.batch_process`` and by a parallel workflow of agents.
"""

from __future__ import annotations

import asyncio
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
        await session.close()


if __name__ == "__main__":
    asyncio.run(measure())
