"""A secret is planted in the kernel process's environment; nothing that a spell or a file can show has it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from llmspell_kernel.session.outcome import Succeeded

from .conftest import Open

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
local ok, answer, err = pcall(llm.chat, "hello", {model = "openai:gpt-5"})
look(answer) look(err)
print(os.getenv and os.getenv("OPENAI_API_KEY"), tostring(answer), tostring(err))
return found
"""


async def test_a_planted_secret_is_nowhere(
    open_notebook: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    caplog.set_level(logging.DEBUG)
    notebook = await open_notebook(
        OPENAI_API_KEY=SECRET, OPENAI_BASE_URL="http://127.0.0.1:9/v1", LLMSPELL_RECORD="auto"
    )
    outcome = await notebook.run(SEARCH)
    assert isinstance(outcome, Succeeded), outcome
    assert outcome.bundle is not None
    assert outcome.bundle["text/plain"] == "0"
    shown = [outcome, notebook.last, notebook.session.settings, *notebook.session.settings.explain()]
    texts = "\n".join(map(repr, shown)) + caplog.text
    assert SECRET not in texts
    pids = [(await point.copy).pid for point in notebook.session.checkpoints.points]
    assert [file for file in files_shown(tmp_path, pids) if SECRET.encode() in content(file)] == []


def files_shown(folder: Path, pids: list[int]) -> list[Path]:
    """Everything that was written, and what the system tells of the copies of the engine."""
    told = [Path(f"/proc/{pid}/{name}") for pid in pids for name in ("environ", "cmdline")]
    return [path for path in folder.rglob("*") if path.is_file()] + told


def content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # this platform, or the copy's confinement, does not show it
