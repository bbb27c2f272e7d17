"""Files in granted folders, for the bridges that read and write them whole."""

from __future__ import annotations

import asyncio
import os
import stat
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from llmspell_kernel.errors import MissingGrant, NotFound, WorldError
from llmspell_kernel.grants.folders import code_of, is_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from llmspell_kernel.bridges.registry import Host
    from llmspell_kernel.grants import Place

MOST_BYTES = 64 * 2**20
"""The largest file that is read or written whole: what a value may be at most."""
_MOST_DEPTH = 32
_WRITE = os.O_WRONLY | os.O_CREAT


async def place_of(host: Host, path: str, why: str, *, write: bool = False) -> Place:
    """The place that a path leads to, if it is granted or the person grants it now.

    Raises:
        MissingGrant: It is not.
    """
    return await host.granted(lambda grants: grants.locate(path, write=write), why)


async def read(host: Host, path: str, why: str, most: int = MOST_BYTES) -> bytes:
    """The content of a file.

    Raises:
        MissingGrant: It may not be read.
        WorldError: There is none, it is a folder, or it is too large.
    """
    place = await place_of(host, path, why)
    return await asyncio.to_thread(_read, place, path, most)


async def read_unasked(host: Host, path: str, most: int = MOST_BYTES) -> bytes | None:
    """The content of a file that is there and granted already; nobody is asked."""
    try:
        return await asyncio.to_thread(_read, host.grants.locate(path, write=False), path, most)
    except (MissingGrant, WorldError):
        return None


def _read(place: Place, path: str, most: int) -> bytes:
    opened = place.open()
    try:
        if stat.S_ISDIR(os.fstat(opened).st_mode):
            raise WorldError(f"{path} is a folder, not a file", code="is_a_folder")
        with os.fdopen(opened, "rb", closefd=False) as file:
            content = file.read(most + 1)
    finally:
        os.close(opened)
    if len(content) > most:
        raise WorldError(f"{path} is larger than {most:,} bytes", code="too_large")
    return content


async def write(host: Host, path: str, content: bytes, why: str, *, append: bool = False) -> None:
    """Put `content` into a file, which is made if need be, in place of what it holds or behind it.

    Raises:
        MissingGrant: It may not be changed.
        WorldError: The system refused.
    """
    place = await place_of(host, path, why, write=True)
    await asyncio.to_thread(_write, place, path, content, append)
    host.acted(f"{'appended to' if append else 'wrote'} {path}")


def _write(place: Place, path: str, content: bytes, append: bool) -> None:
    with os.fdopen(place.open(_WRITE | (os.O_APPEND if append else os.O_TRUNC)), "wb") as file:
        try:
            file.write(content)
            file.flush()
        except OSError as error:
            raise WorldError(f"{path} could not be written: {error.strerror}", code=code_of(error)) from error


async def delete(host: Host, path: str, why: str) -> None:
    """Remove a file.

    Raises:
        MissingGrant: It may not be changed.
        WorldError: There is none, or it is a folder.
    """
    place = await place_of(host, path, why, write=True)
    await asyncio.to_thread(_delete, place)
    host.acted(f"deleted {path}")


def _delete(place: Place) -> None:
    with place.parent() as (folder, name):
        os.unlink(name, dir_fd=folder)


async def make_folder(host: Host, path: str, why: str) -> None:
    """Make a folder, with those that it is in; one that is there is left as it is.

    Raises:
        MissingGrant: It may not be changed.
        WorldError: The system refused.
    """
    if await about(host, path, why) is not None:
        return
    place = await place_of(host, path, why, write=True)
    try:
        await asyncio.to_thread(_make_folder, place)
    except NotFound:
        above = os.path.dirname(path.rstrip("/"))
        if above in ("", path):
            raise
        await make_folder(host, above, why)
        await asyncio.to_thread(_make_folder, place)
    host.acted(f"made the folder {path}")


def _make_folder(place: Place) -> None:
    with place.parent() as (folder, name):
        os.mkdir(name, dir_fd=folder)


async def about(host: Host, path: str, why: str) -> os.stat_result | None:
    """What the system knows of a file or folder; None if there is none.

    Raises:
        MissingGrant: It may not be read.
    """
    place = await place_of(host, path, why)
    return await asyncio.to_thread(_about, place)


def _about(place: Place) -> os.stat_result | None:
    try:
        opened = place.open()
    except NotFound:
        return None
    try:
        return os.fstat(opened)
    finally:
        os.close(opened)


async def listing(host: Host, path: str, why: str) -> list[dict[str, Any]]:
    """What is in a folder, by name: ``name``, ``type`` (``file``, ``folder`` or ``other``), ``size`` and ``modified``.

    Raises:
        MissingGrant: It may not be read.
        WorldError: It is no folder.
    """
    place = await place_of(host, path, why)
    return await asyncio.to_thread(_listing, place, path)


def _listing(place: Place, path: str) -> list[dict[str, Any]]:
    opened = place.open()
    try:
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            raise WorldError(f"{path} is a file, not a folder", code="not_a_folder")
        found: list[dict[str, Any]] = []
        with os.scandir(opened if os.scandir in os.supports_fd else str(place.path)) as entries:
            for entry in entries:
                if not is_text(entry.name):
                    continue
                status = entry.stat(follow_symlinks=False)
                kind = "folder" if entry.is_dir(follow_symlinks=False) else "other"
                kind = "file" if entry.is_file(follow_symlinks=False) else kind
                about = {"type": kind, "size": status.st_size, "modified": status.st_mtime}
                found.append({"name": entry.name, **about})
    finally:
        os.close(opened)
    return sorted(found, key=lambda entry: str(entry["name"]))


async def walk(host: Host, path: str, pattern: str, why: str) -> AsyncGenerator[str]:
    """The paths of the files below a folder whose names fit a pattern; links and hidden names are passed by."""
    waiting = [(path.rstrip("/") or path, 0)]
    while waiting:
        folder, depth = waiting.pop()
        for entry in await listing(host, folder, why):
            name = str(entry["name"])
            if name.startswith("."):
                continue
            below = f"{folder}/{name}"
            if entry["type"] == "folder" and depth < _MOST_DEPTH:
                waiting.append((below, depth + 1))
            elif entry["type"] == "file" and fnmatch(name, pattern):
                yield below
