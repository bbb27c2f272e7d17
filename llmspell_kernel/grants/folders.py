"""Which files and folders a session may touch, and how they are opened without being led astray.

An entry is `read:PATH` or `write:PATH` (reading included); the path is a folder with all that is below
it, or a single file. Checking happens twice, because a path can change between being checked and being
opened:

1. `locate` resolves the path, symbolic links and `..` included, and asks whether the result is inside a
   granted root.
2. `Place.open` and `Place.parent` walk down to it one component at a time, each opened relative to the
   one before and none followed if it is a symbolic link by now. Where the platform cannot do that
   (Windows), only the first check holds.

A grant never reaches what is *sealed*: this program's own configuration and data (a spell that could
write there would grant itself the rest), and the kernel's windows on processes and devices
(`/proc/self/environ` holds every key).
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from llmspell_kernel.errors import BadArgument, NotFound, WorldError
from llmspell_kernel.grants.missing import missing, shown

if TYPE_CHECKING:
    from collections.abc import Generator

SYSTEM_FOLDERS = (Path("/proc"), Path("/sys"), Path("/dev")) if os.name == "posix" else ()
"""Sealed everywhere: they show and change processes and devices, not files."""

CAN_WALK = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
"""Whether this platform can open relative to a folder; without it a swapped link may win a race."""

_LONGEST = 4096
"""Characters of a path: of longer ones no system knows."""
_DEEPEST = 128
"""Folders in a path: each is looked up several times, and those above it with it."""
_CODES = {
    errno.EACCES: "permission_denied",
    errno.EPERM: "permission_denied",
    errno.ENOSPC: "storage_full",
    errno.EDQUOT: "storage_full",
}
"""What of the system's refusals a spell may want to tell apart."""
_PATH_ONLY = getattr(os, "O_PATH", 0)
_SAFE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_STEP = _PATH_ONLY | getattr(os, "O_DIRECTORY", 0) | _SAFE
_PLAIN = _SAFE | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


class FolderRule(msgspec.Struct, frozen=True):
    """One entry of the `files` grants; make it with `parse`.

    Attributes:
        root: The folder or file, resolved when the entry was read.
        write: Whether it may be changed too.
    """

    root: Path
    write: bool

    @classmethod
    def parse(cls, text: str, base: Path) -> FolderRule:
        """Read an entry; a relative path counts from `base`, `~` is the home folder.

        Raises:
            ValueError: It is not `read:PATH` or `write:PATH`.
        """
        mode, colon, path = text.strip().partition(":")
        if not colon or mode not in ("read", "write") or not path or "\0" in path:
            raise ValueError(f"{text!r}: write read:PATH or write:PATH, like read:./data")
        try:
            root = Path(path).expanduser()
        except RuntimeError as error:
            raise ValueError(f"{text!r}: {error}") from error
        return cls(Path(os.path.realpath(base / root)), mode == "write")

    def covers(self, path: Path, *, write: bool) -> bool:
        """Tell whether a resolved path is at or below the root, in this mode."""
        return (self.write or not write) and path.is_relative_to(self.root)

    def __str__(self) -> str:
        """Return the entry as configuration spells it."""
        return f"{'write' if self.write else 'read'}:{self.root}"


class Place(msgspec.Struct, frozen=True):
    """A path that the grants cover; `locate` makes it.

    Attributes:
        path: The resolved path. For showing; open it with the methods, which follow no link on the way.
        root: The granted root above it.
        asked: The path as the spell wrote it, for messages.
        sealed: The folders that no grant reaches.
        write: Whether it may be changed.
    """

    path: Path
    root: Path
    asked: str
    sealed: tuple[Path, ...]
    write: bool

    def open(self, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
        """Open the file or folder, as `os.open` does.

        Args:
            flags: As for `os.open`; anything but reading needs a place located with `write=True`.
            mode: The permissions of a file that is created.

        Returns:
            A file descriptor of a regular file or a folder, for the caller to close.

        Raises:
            NotFound: There is no such file.
            WorldError: The system refused, or it is neither a file nor a folder.
            BadArgument: The flags ask for more than the place was located for.
        """
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND) and not self.write:
            raise BadArgument("this place was located for reading")
        # Truncate only what turned out to be a plain file.
        truncate = flags & os.O_TRUNC
        with _system_errors(self.asked), self._above() as (folder, name):
            fd = os.open(name, (flags & ~os.O_TRUNC) | _PLAIN, mode, dir_fd=folder)
            try:
                found = os.fstat(fd)
                if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
                    raise _refused(self.asked, "is neither a file nor a folder", "not_a_file")
                if _identity(found) in _identities(self.sealed):
                    raise _refused(self.asked, "is closed to every grant", "sealed")
                if truncate:
                    os.ftruncate(fd, 0)
            except BaseException:
                os.close(fd)
                raise
            return fd

    @contextmanager
    def parent(self) -> Generator[tuple[int | None, str]]:
        """Hold the folder above open, for calls that take a name in a folder: remove, rename, make a folder.

        Yields:
            The folder's descriptor for `dir_fd=` (None where the platform has no such thing) and the name
            in it (the whole path then). Pass `follow_symlinks=False` wherever a call takes it. What the
            system refuses inside the `with` block comes out as `NotFound` or `WorldError`.

        Raises:
            BadArgument: The place is a granted root itself, whose parent is not granted.
            WorldError: Something sealed is below the place: it could be moved away and another put there.
        """
        if self.path == self.root:
            raise BadArgument(f"{shown(self.asked)} is the granted folder itself; name something inside it")
        if any(_within(folder, self.path) for folder in self.sealed):
            raise _refused(self.asked, "holds a folder that is closed to every grant", "sealed")
        with _system_errors(self.asked), self._above() as above:
            yield above

    @contextmanager
    def _above(self) -> Generator[tuple[int | None, str]]:
        if not CAN_WALK:
            yield None, str(self.path)
            return
        # With O_PATH a folder need not be readable to be passed through, so the walk can start at the
        # very top.
        granted = self.root.parent if self.path == self.root else self.root
        start = Path(self.path.anchor) if _PATH_ONLY else granted
        steps = self.path.parent.relative_to(start).parts
        sealed = _identities(self.sealed)
        folder = os.open(start, _STEP)
        try:
            for step in steps:
                below = os.open(step, _STEP, dir_fd=folder)
                os.close(folder)
                folder = below
                if _identity(os.fstat(folder)) in sealed:
                    raise _refused(self.asked, "is closed to every grant", "sealed")
            yield folder, self.path.name or "."
        finally:
            os.close(folder)


def locate(
    asked: str,
    *,
    base: Path,
    layers: tuple[tuple[FolderRule, ...], ...],
    sealed: tuple[Path, ...],
    write: bool,
) -> Place:
    """Find a path that a spell named, if every layer of grants covers it.

    Args:
        asked: The path, relative ones counted from `base`. `~` means nothing here: a spell has no home.
        base: The notebook's folder.
        layers: The rules; each layer must have one that covers the path.
        sealed: Folders that are refused whatever the rules say.
        write: Whether it is to be changed.

    Raises:
        MissingGrant: A layer does not cover it.
        BadArgument: It is not a path.
        WorldError: It is sealed, or the system refused to look at it.
    """
    if not asked or "\0" in asked:
        raise BadArgument("a path is a string that is not empty and holds no zero byte")
    if len(asked) > _LONGEST:
        raise BadArgument(f"a path has at most {_LONGEST:,} characters, not {len(asked):,}")
    if asked.count("/") > _DEEPEST:
        raise BadArgument(f"a path leads through at most {_DEEPEST} folders")
    if os.name == "nt" and ":" in os.path.splitdrive(asked)[1]:
        raise BadArgument("a path holds no colon after its drive")
    lexical = Path(os.path.normpath(base / asked))
    try:
        path = Path(os.path.realpath(base / asked))
    except ValueError as error:
        raise BadArgument(f"{shown(asked)} is not a path") from error
    except OSError as error:  # it changes while it is being looked at
        raise _refused(asked, f"cannot be used: {os.strerror(error.errno or 0)}", "io_error") from error
    if any(_within(path, folder) for folder in sealed):
        raise _refused(asked, "is closed to every grant", "sealed")
    rules = [next((rule for rule in layer if rule.covers(path, write=write)), None) for layer in layers]
    held = [rule for rule in rules if rule is not None]
    if len(held) < len(layers) or not held:
        raise _not_granted(asked, lexical, path, write=write)
    return Place(path, held[0].root, asked, sealed, write)


def code_of(error: OSError) -> str:
    """Return the code of ours for what the system refused."""
    return _CODES.get(error.errno or 0, "io_error")


def is_text(name: str) -> bool:
    """Tell whether a name that the system gave is text: Lua cannot ask for a file whose name is not UTF-8."""
    return name.isascii() or name.encode("utf-8", "ignore").decode() == name


def _not_granted(asked: str, lexical: Path, path: Path, *, write: bool) -> Exception:
    mode = "write" if write else "read"
    verb = "writing to" if write else "reading"
    detour = ", which leads elsewhere," if lexical != path else ""
    message = f"{verb} {shown(asked)}{detour} is not granted"
    return missing("files", f"{mode}:{lexical}", message, real=f"{mode}:{path}")


def _within(path: Path, folder: Path) -> bool:
    """Tell whether a path is in a folder, on the safe side of systems that ignore case and Unicode forms."""
    return Path(_folded(path)).is_relative_to(_folded(folder))


def _folded(path: Path) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()


def _identities(folders: tuple[Path, ...]) -> frozenset[tuple[int, int]]:
    """Return what identifies folders whatever path (another mount, a firm link) leads to them."""
    found: set[tuple[int, int]] = set()
    for folder in folders:
        try:
            found.add(_identity(folder.stat()))
        except OSError:
            continue  # A folder that does not exist needs no seal.
    return frozenset(found)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _refused(asked: str, why: str, code: str) -> WorldError:
    return WorldError(f"{shown(asked)} {why}", code=code)


@contextmanager
def _system_errors(asked: str) -> Generator[None]:
    """Turn what the operating system refuses into errors that name the path as the spell wrote it."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"{shown(asked)}: no such file or folder") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refused(asked, "changed into a link while it was being opened", "changed") from error
        code = code_of(error)
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise _refused(asked, f"cannot be used: {reason}", code) from error
