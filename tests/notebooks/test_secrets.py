"""A secret that the kernel was started with: not in the notebook that was run, nor in anything written beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
from llm.scripted_server import ScriptedServer, failure, text

from .test_tools import folder, notebook, run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

__all__ = ["folder"]  # a fixture

SECRET = "sk-planted-9d2e7c4b6a1f0835"


def test_a_notebook_that_used_a_secret_does_not_hold_it(
    folder: Path, jupyter_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat.write(
        notebook(
            "llm.chat('hello')",
            "local _, err = llm.chat('hello again') err",
            "--[[# a cell that fails ]] assert(llm.chat('and again'))",
            "%config\n",
            "%usage",
        ),
        folder / "t.ipynb",
    )
    with ScriptedServer(key=SECRET) as server:
        told = failure(400, f"not with {SECRET}")
        server.script(text("hello yourself"), told, told)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", SECRET)
        monkeypatch.setenv("LLMSPELL_RECORD", "auto")
        ran = run(
            "nbconvert", "--debug", "--execute", "--allow-errors", "--to", "notebook", "t.ipynb", cwd=folder
        )
    assert ran.returncode == 0, ran.stderr
    executed = (folder / "t.nbconvert.ipynb").read_text()
    assert "hello yourself" in executed
    assert "not with" in executed
    assert "llmspell" in ran.stderr  # the log, the kernel's too
    assert SECRET not in ran.stderr + ran.stdout
    files = {path: path.read_bytes() for path in jupyter_home.rglob("*") if path.is_file()}
    beside = [path for path in files if path.parent == folder and path.suffix != ".ipynb"]
    assert beside  # the cassette
    assert [path for path, content in files.items() if SECRET.encode() in content] == []
