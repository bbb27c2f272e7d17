"""``storage``: files of a spell's own, in the project's storage folder and nowhere else."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Generator
from pathlib import Path
from typing import Annotated, Any, ClassVar

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.registry import Host
from llmspell_kernel.errors import BadArgument, MissingGrant, NotFound, WorldError
from llmspell_kernel.grants import Place, folders
from llmspell_kernel.grants.folders import FolderRule, is_text
from llmspell_kernel.grants.missing import shown

_FOLDER = "files"
"""In the project's storage folder."""
_PART = ".llmspell-part"
"""How the names of files end that are being written."""
_LARGEST = 64 * 2**20
_LARGEST_WHOLE = 2**30
_MOST_LISTED = 10_000
_CHUNK = 2**20


class StorageBridge(Bridge):
    """Storage: values and files of a spell's own, kept for the project."""

    module: ClassVar[str] = "storage"
    lua_part: ClassVar[str | None] = "lib.storage"

    def __init__(self, host: Host) -> None:
        self._host = host
        self._used: int | None = None

    @export(
        returns="content: string?, err: Error?",
        example='print(storage.read("no such file")) --> nil\tno such file: no such file or folder',
    )
    async def read(self, path: Annotated[str, "StoragePath"]) -> Any:
        """Read a file of the storage folder.

        Args:
            path: its path in the folder, such as ``notes/today.txt``
        """
        return _read(self._place(path))

    @export(
        returns="done: boolean?, err: Error?",
        example='print(storage.write("notes/today.txt", "sunny")) --> true',
    )
    async def write(self, path: Annotated[str, "StoragePath"], content: str | bytes) -> Any:
        """Write a file of the storage folder, whole or not at all; its folders are made.

        Args:
            path: its path in the folder
            content: what is in it then
        """
        data = content.encode() if isinstance(content, str) else content
        place = self._place(path, write=True)
        before = _size(place)
        used = self._in_use()
        if len(data) > _LARGEST or used - before + len(data) > _LARGEST_WHOLE:
            limit = f"{_LARGEST >> 20} MB a file, {_LARGEST_WHOLE >> 20} MB in all"
            raise WorldError(
                f"{shown(path)} is too large for the storage folder (limit {limit})", code="too_large"
            )
        self._make_folders(place)
        _write(place, data)
        self._host.acted(f"wrote {place.path.name} in the storage folder")
        self._used = used - before + len(data)
        return True

    @export(returns="boolean", example='print(storage.exists("no such file")) --> false')
    async def exists(self, path: Annotated[str, "StoragePath"]) -> Any:
        """Tell whether there is such a file or folder in the storage folder.

        Args:
            path: its path in the folder
        """
        try:
            os.close(self._place(path).open())
        except (NotFound, WorldError):
            return False
        return True

    @export(returns="paths: string[]?, err: Error?", example='print(#storage.list("no such folder/")) --> 0')
    async def list(self, prefix: Annotated[str, "StoragePath"] = "") -> Any:
        """List the files of the storage folder, in order.

        Args:
            prefix: what their paths begin with
        """
        root = self._root()
        found: list[str] = []
        for folder, _, names in os.walk(root):
            paths = (Path(folder, name).relative_to(root).as_posix() for name in names if is_text(name))
            found += [path for path in paths if path.startswith(prefix) and not path.endswith(_PART)]
            if len(found) > _MOST_LISTED:
                raise WorldError(
                    f"there are more than {_MOST_LISTED:,} files; give a prefix", code="too_large"
                )
        return sorted(found)

    @export(returns="was: boolean?, err: Error?", example='print(storage.delete("no such file")) --> false')
    async def delete(self, path: Annotated[str, "StoragePath"]) -> Any:
        """Delete a file, or an empty folder, of the storage folder; returns whether there was one.

        Args:
            path: its path in the folder
        """
        place = self._place(path, write=True)
        size = _size(place)
        try:
            with place.parent() as (folder, name):
                remove(folder, name)
        except NotFound:
            return False
        self._host.acted(f"deleted {place.path.name} in the storage folder")
        if self._used is not None:
            self._used -= size
        return True

    def _root(self) -> Path:
        root = self._host.settings.storage.folder / _FOLDER
        try:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise WorldError(
                f"the storage folder cannot be used: {os.strerror(error.errno or 0)}",
                code="io_error",
                suggestion="`%config storage.folder` shows where it is",
            ) from error
        return Path(os.path.realpath(root))

    def _place(self, path: str, *, write: bool = False) -> Place:
        root = self._root()
        return inside(root, path, write=write, refusal=f"{shown(path)} leads out of the storage folder")

    def _make_folders(self, place: Place) -> None:
        steps = place.path.relative_to(place.root).parent.parts
        for depth in range(1, len(steps) + 1):
            folder = self._place("/".join(steps[:depth]), write=True)
            with folder.parent() as (above, name), contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=above)

    def _in_use(self) -> int:
        """Return how many bytes the folder holds; it is looked through once."""
        if self._used is None:
            self._used = sum(
                (
                    Path(folder, name).lstat().st_size
                    for folder, _, names in os.walk(self._root())
                    for name in names
                ),
                0,
            )
        return self._used


def inside(root: Path, path: str, *, write: bool, refusal: str) -> Place:
    """Return the place of `path` in a folder of our own; raises `BadArgument` with `refusal` if it is not in there."""
    rule = FolderRule(root, True)
    try:
        return folders.locate(path, base=root, layers=((rule,),), sealed=folders.SYSTEM_FOLDERS, write=write)
    except (MissingGrant, WorldError) as error:
        raise BadArgument(refusal) from error


def remove(folder: int | None, name: str) -> None:
    """Remove a file or an empty folder."""
    try:
        os.unlink(name, dir_fd=folder)
    except (IsADirectoryError, PermissionError):
        os.rmdir(name, dir_fd=folder)


@contextlib.contextmanager
def _opened(place: Place) -> Generator[int]:
    fd = place.open()
    try:
        yield fd
    finally:
        os.close(fd)


def _size(place: Place) -> int:
    try:
        with _opened(place) as fd:
            return os.fstat(fd).st_size
    except WorldError:
        return 0


def _read(place: Place) -> bytes:
    with _opened(place) as fd:
        if os.fstat(fd).st_size > _LARGEST:
            raise WorldError(
                f"{shown(place.asked)} is too large (limit {_LARGEST >> 20} MB)", code="too_large"
            )
        pieces: list[bytes] = []
        try:
            while piece := os.read(fd, _CHUNK):
                pieces.append(piece)
        except OSError as error:
            raise WorldError(
                f"{shown(place.asked)} cannot be read: {error.strerror}", code="io_error"
            ) from error
        return b"".join(pieces)


def _write(place: Place, data: bytes) -> None:
    """Write a new file beside the old one and put it in its place."""
    with place.parent() as (folder, name):
        part = f".{secrets.token_hex(8)}{_PART}"  # not made of `name`, which may be as long as names can be
        flags = (
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        )
        fd = os.open(part, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part, dir_fd=folder)
            raise
