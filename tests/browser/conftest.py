"""JupyterLab as a person has it: a real server, a real Chromium, and our kernel in it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import psutil
import pytest
from llm.scripted_server import ScriptedServer
from playwright.sync_api import Locator, Page, expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "browser-test"
START = 40.0
"""Seconds for the server to answer and for the page to be ready, on a machine that does much else."""
STEP = 20.0
"""Seconds for one thing to show."""
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
NO_NEWS = '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}'


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab server."""

    url: str
    folder: Path

    def notebook(self, name: str, *cells: str) -> str:
        """Write a notebook for our kernel, and return the address that opens it."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        notebook.metadata["kernelspec"] = {
            "name": "llmspell-lua",
            "display_name": "LLMSpell Lua",
            "language": "lua",
        }
        nbformat.write(notebook, self.folder / name)
        return f"{self.url}/lab/tree/{name}?token={TOKEN}&reset"


class NotebookPage:
    """The notebook that is open in the page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.cells = page.locator(".jp-Notebook .jp-CodeCell")

    def wait_until_ready(self) -> None:
        """Wait for the kernel to be idle and the editors to listen; keys sent earlier get lost."""
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text(
            "LLMSpell Lua | Idle", timeout=START * 1000
        )
        expect(self.cells.first.locator(".cm-line").first).to_be_visible()

    def edit(self, number: int) -> Locator:
        """Put the cursor at the end of a cell, counted from 0."""
        cell = self.cells.nth(number)
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+End")
        return cell

    def start(self, number: int) -> Locator:
        """Run a cell without waiting."""
        cell = self.edit(number)
        self.page.keyboard.press("Shift+Enter")
        return cell

    def run(self, number: int) -> Locator:
        """Run a cell to its end, and return its outputs."""
        cell = self.start(number)
        self.wait_until_done(cell)
        return cell.locator(".jp-OutputArea-output")

    def wait_until_done(self, cell: Locator) -> None:
        """Wait for the number that replaces the star."""
        expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"^\[\d+\]:"), timeout=STEP * 1000)

    def wait_until_running(self, cell: Locator) -> None:
        """Wait for the star, and for the kernel to say that it is at work."""
        expect(cell.locator(".jp-InputPrompt")).to_have_text("[*]:")
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text("| Busy")


@pytest.fixture
def model() -> Iterator[ScriptedServer]:
    """The model that answers in this notebook."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def lab(jupyter_home: Path, monkeypatch: pytest.MonkeyPatch, model: ScriptedServer) -> Iterator[Lab]:
    """A JupyterLab server in private folders. Nothing of it may be left over in the end."""
    settings = Path(os.environ["JUPYTER_CONFIG_DIR"]) / "labconfig"
    settings.mkdir(parents=True)
    (settings / "page_config.json").write_text(NO_NEWS)
    monkeypatch.setenv("OPENAI_BASE_URL", model.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-browser-test")
    folder = jupyter_home / "notebooks"
    folder.mkdir()
    port = _free_port()
    with (jupyter_home / "server.log").open("wb") as log:
        server = psutil.Popen(_command(port, folder), stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(server, f"{url}/api/status?token={TOKEN}", jupyter_home / "server.log")
        yield Lab(url, folder)
    finally:
        _end(server)


@pytest.fixture
def page(chromium: str, tmp_path: Path) -> Iterator[Page]:
    """A page of a fresh Chromium. What it shows at the end is kept as `page.png`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        page.set_default_timeout(STEP * 1000)
        expect.set_options(timeout=STEP * 1000)
        yield page
        page.screenshot(path=tmp_path / "page.png")
        browser.close()


def _command(port: int, folder: Path) -> list[str]:
    return [
        *(sys.executable, "-P", "-m", "jupyterlab"),
        *("--allow-root", "--no-browser", "--ip=127.0.0.1", f"--port={port}"),
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={folder}",
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(server: psutil.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"JupyterLab does not answer:\n{log.read_text()[-3000:]}")


def _end(server: psutil.Popen) -> None:
    """End the server as a service manager would. Its kernels, engines and checkpoints have to go with it."""
    family = [server, *server.children(recursive=True)]
    server.terminate()
    _, left = psutil.wait_procs(family, timeout=STEP)
    said = [" ".join(process.cmdline()) for process in left if process.is_running()]
    for process in left:
        process.kill()
    assert not left, f"still running after the server's end: {said}"
