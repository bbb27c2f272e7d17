"""Internal: ``io`` and ``os`` of granted files and variables. Formats and buffers are Lua's (``lib/files.lua``)."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, ClassVar

from llmspell_kernel.bridges.declaration import Bridge, Handle, export
from llmspell_kernel.bridges.granted_files import read, read_unasked
from llmspell_kernel.bridges.registry import Host, Results, current_call
from llmspell_kernel.bridges.storage import inside, remove
from llmspell_kernel.errors import MissingGrant, NotFound, SpellError, WorldError
from llmspell_kernel.grants import Place
from llmspell_kernel.grants.folders import code_of
from llmspell_kernel.grants.missing import shown

_MOST_OPEN = 256
_LARGEST_READ = 16 * 2**20
_LARGEST_SOURCE = 4 * 2**20
_MOST_TEMPLATES = 32
_MODULE = re.compile(r"[\w-]+([./][\w-]+)*", re.ASCII)
_TEMPLATES = "./?.lua;./?/init.lua"
_IN_C = {
    name: f"'{name}' is a library in C, of which cells can load none{instead}"
    for name, instead in {
        "bit": ": Lua 5.4 has the operators & | ~ << >>",
        "cjson": ": `json` is here",
        "ffi": "",
        "lfs": ": `files` are behind io.open and the tools file_list, file_exists",
        "lpeg": ": LuLPeg, in Lua, does the same",
        "socket": ": `http` is here",
        "ssl": ": `http` is here",
    }.items()
}
_IN_C["debug"] = "Lua's `debug` is not here: with it a cell could leave its sandbox"
_FLAGS = {
    "r": os.O_RDONLY,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "r+": os.O_RDWR,
    "w+": os.O_RDWR | os.O_CREAT | os.O_TRUNC,
    "a+": os.O_RDWR | os.O_CREAT | os.O_APPEND,
}
_WHENCE = {"set": os.SEEK_SET, "cur": os.SEEK_CUR, "end": os.SEEK_END}


class OpenFile(Handle):
    """A file that Lua has open."""

    type_name: ClassVar[str] = "OpenFile"

    def __init__(self, fd: int, asked: str, among: weakref.WeakSet[OpenFile]) -> None:
        self._fd = fd
        self._asked = asked
        self._among = among
        among.add(self)

    @export()
    async def read(self, count: int) -> Any:
        """Return at most `count` bytes; none at the end."""
        try:
            return os.read(self._open(), max(0, min(count, _LARGEST_READ)))
        except OSError as error:
            raise self._refused(error) from error

    @export()
    async def write(self, data: str | bytes) -> Any:
        """Write all of `data`."""
        left = memoryview(data.encode() if isinstance(data, str) else data)
        try:
            while left:
                left = left[os.write(self._open(), left) :]
        except OSError as error:
            raise self._refused(error) from error
        return True

    @export()
    async def seek(self, whence: str, offset: int) -> Any:
        """Move, and return the position."""
        try:
            return os.lseek(self._open(), offset, _WHENCE[whence])
        except OSError as error:
            raise self._refused(error) from error

    @export(name="close")
    async def end(self) -> Any:
        """Close it."""
        await self.close()
        return True

    async def close(self) -> None:
        """Close it, unless it is closed."""
        fd, self._fd = self._fd, -1
        self._among.discard(self)
        if fd >= 0:
            os.close(fd)

    def _open(self) -> int:
        if self._fd < 0:
            raise WorldError(f"{shown(self._asked)} is closed", code="closed")
        return self._fd

    def _refused(self, error: OSError) -> WorldError:
        return WorldError(f"{shown(self._asked)}: {os.strerror(error.errno or 0)}", code=code_of(error))


def _refuse_folder(fd: int, path: str) -> None:
    if os.path.isdir(fd):
        os.close(fd)
        raise WorldError(f"{shown(path)} is a folder", code="is_a_folder")


def _real(path: str) -> Path:
    return Path(os.path.realpath(path))


class FilesBridge(Bridge):
    """Internal: what ``io`` and ``os`` ask for."""

    module: ClassVar[str] = "files"
    internal: ClassVar[bool] = True
    handles: ClassVar[tuple[type[Handle], ...]] = (OpenFile,)

    def __init__(self, host: Host) -> None:
        self._host = host
        self._files: weakref.WeakSet[OpenFile] = weakref.WeakSet()
        self._temporary: Path | None = None

    async def close(self) -> None:
        """Close what is open still, and remove temporary files."""
        for file in list(self._files):
            await file.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    @export()
    async def open(self, path: str, mode: str, why: str) -> Any:
        """Open a file of a granted folder."""
        if len(self._files) >= _MOST_OPEN:
            raise WorldError(
                f"{_MOST_OPEN} files are open, and no more can be",
                code="too_many_files",
                suggestion="close those that are not needed: file:close()",
            )
        writes = mode != "r"
        place = await self._place(path, why, write=writes)
        fd = place.open(_FLAGS[mode])
        _refuse_folder(fd, path)
        if writes:
            self._host.acted(f"opened {place.path} for writing")
        return OpenFile(fd, path, self._files)

    @export()
    async def remove(self, path: str) -> Any:
        """Remove a file or an empty folder."""
        place = await self._place(path, "os.remove", write=True)
        with place.parent() as (folder, name):
            remove(folder, name)
        self._host.acted(f"removed {place.path}")
        return True

    @export()
    async def rename(self, old: str, new: str) -> Any:
        """Rename a file or folder."""
        source = await self._place(old, "os.rename", write=True)
        target = await self._place(new, "os.rename", write=True)
        with source.parent() as (above, name):
            os.stat(name, dir_fd=above, follow_symlinks=False)  # one that is missing is told by its own name
            with target.parent() as (folder, renamed):
                os.rename(name, renamed, src_dir_fd=above, dst_dir_fd=folder)
        self._host.acted(f"renamed {source.path} to {target.path}")
        return True

    @export()
    async def tmpname(self) -> Any:
        """Make an empty temporary file, for this session alone, and return its path."""
        if self._temporary is None:
            self._temporary = _real(tempfile.mkdtemp(prefix="llmspell-"))
        fd, name = tempfile.mkstemp(prefix="lua_", dir=self._temporary)
        os.close(fd)
        return name

    @export()
    async def getenv(self, name: str) -> Any:
        """Return a variable that is granted; nobody is asked. The person is told where a grant would help."""
        value = self._host.settings.vault.variable(name)
        try:
            self._host.grants.check("env", name)
        except SpellError as error:
            if value is not None:
                current_call.get().warn(f"{error.message}; {error.suggestion}")
            return None
        return value

    @export()
    async def lua_module(self, name: str, templates: str = _TEMPLATES) -> Any:
        """Return path and source of the file that `require` finds for a name; none, and what was tried.

        `templates` is Lua's ``package.path``.
        """
        tried = [_IN_C.get(name.partition(".")[0]) or "no such module here; `help()` lists those there are"]
        for path in _paths(name, templates):
            try:
                return await self._source(path, "require")
            except NotFound:
                tried.append(f"no file '{path}'")
            except MissingGrant as error:
                tried.append(f"file '{path}': {error.message}; {error.suggestion}")
                break  # who may not read the first need not be asked for the second
            except WorldError as error:
                tried.append(f"file '{path}': {error.message}")
        return Results((None, "\n\t".join(tried)))

    @export()
    async def lua_instead(self, name: str, templates: str = _TEMPLATES) -> Any:
        """Return path and source of a file that may be read and has the name of a module of ours, if there is one."""
        for path in _paths(name, templates):
            source = await read_unasked(self._host, path, _LARGEST_SOURCE)
            if source is not None:
                self._host.learned(path, source.decode("utf-8", "replace"))
                return Results((path, source))
        return None

    @export()
    async def lua_source(self, path: str) -> Any:
        """Return `path` and its source."""
        return await self._source(path, "spell.include")

    async def _source(self, path: str, why: str) -> Results:
        source = await read(self._host, path, why, _LARGEST_SOURCE)
        self._host.learned(path, source.decode("utf-8", "replace"))
        return Results((path, source))

    async def _place(self, path: str, why: str, *, write: bool) -> Place:
        own = self._temporary
        if own is not None and path.startswith(f"{own}{os.sep}"):
            return inside(own, path, write=write, refusal=f"{shown(path)} is no temporary file")
        return await self._host.granted(lambda grants: grants.locate(path, write=write), why)


def _paths(name: str, templates: str) -> list[str]:
    """Where the file of a module may be; each path is in the notebook's folder unless a template leads elsewhere."""
    if not _MODULE.fullmatch(name):
        return []
    stem = name.replace(".", "/")
    found = (one.strip().replace("?", stem) for one in templates.split(";") if "?" in one)
    return list(dict.fromkeys(path.removeprefix("./") for path in found))[:_MOST_TEMPLATES]
