"""A secret is planted in the kernel process's environment; nothing that a spell or a file can show has it."""

from __future__ import annotations

import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from llm.scripted_server import ScriptedServer, failure, text

from llmspell_kernel.session.outcome import Succeeded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Notebook, Open

SECRET = "sk-planted-7f3a9c5e1b2d4860"

SEARCH = """
local seen, found = {}, 0
local function look(value)
  if type(value) == "string" then
    if value:find("sk-planted", 1, true) then found = found + 1 end
  elseif type(value) == "table" and not seen[value] then
    seen[value] = true
    for key, each in next, value do look(key) look(each) end
  end
end
look(_G)
local answer = assert(llm.chat("hello"))
local echoed, err = llm.chat("hello again")
local held, problem = http.get(url, {authorization = auth.bearer("OPENAI_API_KEY")})
for _, each in ipairs{answer, echoed or "", err or "", held or "", problem or ""} do
  look(each) look(tostring(each))
end
look(err.message) look(err.details) look(err.suggestion)
print(os.getenv("OPENAI_API_KEY"), answer, err, held, problem)
return found
"""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server that lets nobody in without the secret, and once tells it back."""
    with ScriptedServer(key=SECRET) as server:
        server.script(text("hello yourself"), failure(400, f"you are not welcome with {SECRET} here"))
        yield server


async def asked(open_notebook: Open, server: ScriptedServer) -> Notebook:
    notebook: Notebook = await open_notebook(
        OPENAI_API_KEY=SECRET,
        OPENAI_BASE_URL=server.base_url,
        LLMSPELL_RECORD="auto",
        LLMSPELL_GRANT_HTTP="127.0.0.1:*",
    )
    outcome = await notebook.run(f"url = '{server.base_url}/models'")
    outcome = await notebook.run(SEARCH)
    assert isinstance(outcome, Succeeded), outcome
    assert outcome.bundle is not None
    assert outcome.bundle["text/plain"] == "0"
    assert "hello yourself" in notebook.last.out
    assert [request.headers.get("authorization") for request in server.requests].count(f"Bearer {SECRET}") > 1
    return notebook


async def test_a_planted_secret_is_nowhere(
    open_notebook: Open,
    tmp_path: Path,
    server: ScriptedServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    caplog.set_level(logging.DEBUG)
    notebook = await asked(open_notebook, server)
    shown = [notebook.last, notebook.session.settings, *notebook.session.settings.explain()]
    assert SECRET not in "\n".join(map(repr, shown)) + caplog.text
    await notebook.session.close()
    files = written(tmp_path)
    assert any(b"hello yourself" in content for content in files.values())  # the cassette, if nothing else
    assert [path for path, content in files.items() if SECRET.encode() in content] == []


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root may look into a confined engine"
)
async def test_a_planted_secret_is_in_no_memory_of_the_engine_or_its_copies(
    open_notebook: Open, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    notebook = await asked(open_notebook, server)
    marker = await notebook.value("marker = 'is-in-' .. 'memory' return marker")
    assert marker == '"is-in-memory"'
    session = notebook.session
    await notebook.run("x = 1")
    pids = [session._client.pid, *[(await point.copy).pid for point in session.checkpoints.points]]
    assert len(pids) > 2
    held = [memory(pid) for pid in pids]
    assert b"is-in-memory" in held[0]  # so it is read, and what Lua holds is found
    assert [pid for pid, content in zip(pids, held, strict=True) if SECRET.encode() in content] == []


def written(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def memory(pid: int) -> bytes:
    """What a process holds in memory that it may write to, and what it was started with."""
    told = [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("environ", "cmdline")]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            region = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if region:
                begin, end = (int(part, 16) for part in region.groups())
                file.seek(begin)
                told.append(file.read(end - begin))
    return b"".join(told)
