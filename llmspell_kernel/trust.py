"""Which project files (`llmspell.toml`) the person trusts.

A folder that a stranger sent may hold an `llmspell.toml` which grants itself the home folder. So what
such a file may do with power counts only once the person has said so, with `llmspell trust`. Trust is
remembered by path *and* SHA-256: a file that changed is asked about again. The path is the resolved
folder plus the file's own name, so a symbolic link to a trusted file is not itself trusted.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Literal

import msgspec
import platformdirs

from llmspell_kernel.errors import NotFound

PROJECT_FILE = "llmspell.toml"

TrustState = Literal["trusted", "changed", "unknown"]
"""`changed`: the person trusted this path with other content."""


class Trusted(msgspec.Struct, frozen=True):
    """One remembered decision.

    Attributes:
        path: The project file.
        sha256: The hexadecimal digest of the content that was trusted.
    """

    path: str
    sha256: str


class TrustStore:
    """The remembered decisions, one JSON file in the user's data folder.

    Args:
        file: Where to keep them instead.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or platformdirs.user_data_path("llmspell", appauthor=False) / "trusted.json"

    def trust(self, path: Path) -> Trusted:
        """Trust a project file with its present content.

        Args:
            path: The file, or the folder that holds it.

        Returns:
            What was remembered.

        Raises:
            NotFound: There is no such file, or it cannot be read.
        """
        path = project_file(path)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise NotFound(f"cannot read {path}: {error.strerror}") from error
        entry = Trusted(str(path), _digest(content))
        self._write({**self._read(), entry.path: entry.sha256})
        return entry

    def untrust(self, path: Path) -> bool:
        """Forget a project file; return whether it was known."""
        known = self._read()
        if known.pop(str(project_file(path)), None) is None:
            return False
        self._write(known)
        return True

    def state(self, path: Path, content: bytes | None = None) -> TrustState:
        """Tell whether a project file is trusted as it stands.

        Args:
            path: The file, or the folder that holds it.
            content: Its bytes, where the caller has read them already: what is judged is then what is
                used, even if the file changes in between.
        """
        path = project_file(path)
        digest = self._read().get(str(path))
        if digest is None:
            return "unknown"
        if content is None:
            try:
                content = path.read_bytes()
            except OSError:
                return "changed"
        return "trusted" if _digest(content) == digest else "changed"

    def is_trusted(self, path: Path, content: bytes | None = None) -> bool:
        """Tell whether a project file is trusted as it stands; see `state`."""
        return self.state(path, content) == "trusted"

    def listing(self) -> tuple[Trusted, ...]:
        """Return every remembered decision, ordered by path."""
        return tuple(Trusted(path, digest) for path, digest in sorted(self._read().items()))

    def _read(self) -> dict[str, str]:
        """Read the file; one that is absent or damaged trusts nothing."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.DecodeError):
            return {}

    def _write(self, known: dict[str, str]) -> None:
        """Replace the file in one step, so that a reader never sees half of it."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self._file.parent, prefix=".trusted-")
        with os.fdopen(handle, "wb") as out:
            out.write(msgspec.json.format(msgspec.json.encode(known), indent=2))
        Path(temporary).replace(self._file)


def project_file(path: Path) -> Path:
    """Return a project file's identity: its folder resolved, its own name kept."""
    if path.is_dir():
        path = path / PROJECT_FILE
    return path.parent.resolve() / path.name


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
