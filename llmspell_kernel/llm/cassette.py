"""A cassette: the file beside a notebook that holds what models and tools answered.

YAML, so that a person can read, review and edit it, and delete an entry to have it asked again. It is written
whole and moved into place, under a lock on its folder, so that neither a crash nor a second kernel leaves
half of one.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from llmspell_kernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator

_HEADER = """\
# What models and tools answered, recorded by LLMSpell Lua; secrets are left out.
# Keep it with the notebook. Delete an entry to have it asked again.
"""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer. Entries with the same key answer the first, the second … such question of a cell."""

    key: str
    """Hash of what was asked."""
    kind: str
    """``chat``, ``embed``, ``tool`` or another word of whoever asked."""
    default: str = ""
    """The model that the configuration named when the question named none."""
    asked: Any
    answered: Any


class Cassette:
    """The entries of one file, read when they are first needed.

    Args:
        path: The file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: list[Entry] = []
        self._stamp: tuple[int, int] | None = None
        self._lock = asyncio.Lock()
        self._unwritten: list[tuple[int, Entry]] = []

    async def entries(self) -> list[Entry]:
        """All entries, read anew if the file has changed.

        Raises:
            ConfigError: The file is no cassette.
        """
        async with self._lock:
            await asyncio.to_thread(self._read)
            return list(self._entries)

    async def find(self, key: str) -> list[Entry]:
        """The entries with that key, in order."""
        return [entry for entry in await self.entries() if entry.key == key]

    async def keep(self, entry: Entry, turn: int) -> None:
        """Put an entry in the `turn`-th place (from 0) of those with its key.

        What was there, and behind it if it is the first, is replaced: it belongs to an earlier run.
        """
        self._unwritten.append((turn, entry))
        async with self._lock:
            # Whoever comes first writes for everybody who is waiting.
            if self._unwritten:
                waiting, self._unwritten = self._unwritten, []
                await asyncio.shield(asyncio.to_thread(self._write, waiting))

    def _read(self) -> None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._entries, self._stamp = [], None
            return
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._entries = _parse(self.path)
            self._stamp = stamp

    def _write(self, waiting: list[tuple[int, Entry]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(self.path.parent):
            self._read()
            entries = list(self._entries)
            for turn, entry in waiting:
                _place(entries, entry, turn)
            text = _HEADER + "".join(_dump(entry) for entry in entries)
            _replace(self.path, text)
            status = self.path.stat()
            self._entries, self._stamp = entries, (status.st_mtime_ns, status.st_size)


def _place(entries: list[Entry], entry: Entry, turn: int) -> None:
    places = [place for place, other in enumerate(entries) if other.key == entry.key]
    if turn >= len(places):
        entries.append(entry)
        return
    entries[places[turn]] = entry
    if turn == 0:
        for place in reversed(places[1:]):
            del entries[place]


def _replace(path: Path, text: str) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, path.stat().st_mode if path.exists() else 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Keep other kernels out. The lock is on the folder, so no lock file stays beside the notebook."""
    try:
        import fcntl
    except ImportError:
        # Windows: the last writer of the same moment wins; the file is whole all the same.
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


# ── YAML ─────────────────────────────────────────────────────────────────────────────────────────


def _always(*_: object) -> bool:
    return True


def to_yaml(value: Any) -> str:
    """A plain value as YAML, texts of several lines as blocks."""
    # Late: only notebooks that are recorded need it.
    import yaml

    # The same list twice is written twice: anchors and aliases are for machines.
    dumper: Any = type("Dumper", (yaml.CSafeDumper,), {"ignore_aliases": _always})

    def text(writer: Any, value: str) -> Any:
        return writer.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    dumper.add_representer(str, text)
    return yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=110)


def _dump(entry: Entry) -> str:
    return "\n" + to_yaml([msgspec.to_builtins(entry, builtin_types=(bytes,))])


def _parse(path: Path) -> list[Entry]:
    import yaml

    try:
        content: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        return msgspec.convert(content or [], list[Entry])
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        mark: Any = getattr(error, "problem_mark", None)
        problem = cast("str | None", getattr(error, "problem", None)) or str(error)
        raise ConfigError(
            f"no cassette: {problem}",
            file=path,
            line=mark.line + 1 if mark is not None else None,
            suggestion="mend or remove the file; with record = off it is not read",
        ) from error
