"""Notebooks through the tools that people run them with."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = 120


def notebook(*cells: Any) -> Any:
    """A Lua notebook of code cells (str) or ready cells."""
    made = new_notebook(cells=[new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells])
    made.metadata["kernelspec"] = {"name": "llmspell-lua", "display_name": "LLMSpell Lua", "language": "lua"}
    made.metadata["language_info"] = {"name": "lua", "file_extension": ".lua"}
    return made


def run(*command: str, cwd: Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a Python module as a command; returns it with its output."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        input=text,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


@pytest.fixture
def folder(jupyter_home: Path) -> Path:
    """Where the notebooks lie."""
    made = jupyter_home / "work"
    made.mkdir()
    return made


def test_nbconvert_executes_and_exports(folder: Path) -> None:
    nbformat.write(
        notebook(new_markdown_cell("# Hello"), "local n = 6", "n * 7", "{{a = 1}, {a = 2}}"),
        folder / "t.ipynb",
    )
    for target, expected in (("html", "42"), ("markdown", "42"), ("script", "local n = 6")):
        ran = run("nbconvert", "--execute", "--to", target, "t.ipynb", cwd=folder)
        assert ran.returncode == 0, ran.stderr
        suffix = {"html": ".html", "markdown": ".md", "script": ".lua"}[target]
        assert expected in (folder / f"t{suffix}").read_text()


def test_a_failing_cell_fails_nbconvert(folder: Path) -> None:
    nbformat.write(notebook("error('broken on purpose')"), folder / "t.ipynb")
    ran = run("nbconvert", "--execute", "--to", "html", "t.ipynb", cwd=folder)
    assert ran.returncode != 0
    assert "broken on purpose" in ran.stderr


def test_nbval_compares_outputs(folder: Path) -> None:
    good = new_code_cell(
        "1 + 1",
        execution_count=1,
        outputs=[new_output("execute_result", data={"text/plain": "2"}, execution_count=1)],
    )
    nbformat.write(notebook(good, "--[[\n# NBVAL_IGNORE_OUTPUT\n]]\nprint(os.time())"), folder / "good.ipynb")
    bad = new_code_cell(
        "1 + 1",
        execution_count=1,
        outputs=[new_output("execute_result", data={"text/plain": "3"}, execution_count=1)],
    )
    nbformat.write(notebook(bad), folder / "bad.ipynb")
    ran = run("pytest", "--nbval", "-q", "-p", "no:cacheprovider", "good.ipynb", cwd=folder)
    assert ran.returncode == 0, ran.stdout
    assert run("pytest", "--nbval", "-q", "-p", "no:cacheprovider", "bad.ipynb", cwd=folder).returncode == 1


def test_papermill_passes_parameters(folder: Path) -> None:
    defaults = new_code_cell("name = 'nobody'\nlimits = {}", metadata={"tags": ["parameters"]})
    nbformat.write(
        notebook(defaults, "return name, limits.high, limits['a key'], #limits.list"), folder / "t.ipynb"
    )
    (folder / "p.yaml").write_text(
        'name: "Ada \\"L\\"\\n"\nlimits: {high: 1.5, a key: true, list: [1, 2, 3]}\n'
    )
    ran = run("papermill", "t.ipynb", "out.ipynb", "-f", "p.yaml", cwd=folder)
    assert ran.returncode == 0, ran.stderr
    executed = nbformat.read(folder / "out.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].data["text/plain"] == '[[Ada "L"\n]]\n1.5\ntrue\n3'


def test_jupyter_run_runs_a_file(folder: Path) -> None:
    (folder / "spell.lua").write_text("#!/usr/bin/env lua\nprint('from a file', 6 * 7)\n")
    ran = run("jupyter", "run", "--kernel", "llmspell-lua", "spell.lua", cwd=folder)
    assert "from a file\t42" in ran.stdout, ran.stderr


def test_jupyter_console_answers(folder: Path) -> None:
    command = [sys.executable, "-m", "jupyter", "console", "--kernel", "llmspell-lua", "--simple-prompt"]
    console = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert console.stdin is not None
    # a console is subscribed to iopub a moment after its prompt, which no person is too fast for
    time.sleep(5)
    out, _ = console.communicate("1 + 1\nprint('hey')\nexit\n", timeout=TIMEOUT)
    assert "Out[1]: 2" in out
    assert "hey" in out
    assert "In [4]" not in out
