"""Configuration files: found, read, and searched for the line of a key."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import msgspec

from llmspell_kernel.errors import ConfigError
from llmspell_kernel.trust import PROJECT_FILE, project_file

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 256 * 1024
"""A longer file is refused: a stranger's folder may hold one."""

_MOST_LINES = 2000
"""Lines are found by parsing statement by statement, which a longer file would make slow."""

_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class Document(msgspec.Struct, frozen=True):
    """A configuration file that was read.

    Attributes:
        file: Its path.
        content: Its bytes.
        table: What it says.
    """

    file: Path
    content: bytes
    table: dict[str, object]

    def line(self, path: tuple[str, ...]) -> int | None:
        """Return the line, counted from 1, where a key, or the nearest table around it, is set."""
        lines = key_lines(self.content.decode())
        around = (path[:length] for length in range(len(path), 0, -1))
        return next((lines[known] for known in around if known in lines), None)


def find_project(folder: Path) -> Path | None:
    """Return the `llmspell.toml` of a folder: the one in it, or in the nearest folder above."""
    folder = folder.resolve()
    return next(
        (
            project_file(file)
            for place in (folder, *folder.parents)
            if (file := place / PROJECT_FILE).is_file()
        ),
        None,
    )


def read(file: Path) -> Document:
    """Read a configuration file.

    Raises:
        FileNotFoundError: There is none.
        ConfigError: It is not TOML, or cannot be read.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=file) from error
    import tomllib  # Only where there is a file, not at every start.

    if len(content) > MOST_BYTES:
        raise ConfigError(f"longer than {MOST_BYTES // 1024} KiB", file=file)
    try:
        return Document(file, content, tomllib.loads(content.decode()))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError("not UTF-8", file=file, line=line) from error
    except (ValueError, RecursionError) as error:
        text = str(error)
        at = _AT.search(text)
        line = int(at[1]) if at and at[1] else content.count(b"\n") + 1 if at else None
        problem = _AT.sub("", text) if isinstance(error, ValueError) else "nested too deeply"
        raise ConfigError(f"not TOML: {problem}", file=file, line=line) from error


@lru_cache(maxsize=8)
def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Return the line of each key and table of a TOML text that is known to be well-formed."""
    import tomllib

    found: dict[tuple[str, ...], int] = {}
    header: tuple[str, ...] = ()
    statement: list[str] = []
    lines = text.replace("\r\n", "\n").split("\n")
    if len(lines) > _MOST_LINES:
        return found
    for number, line in enumerate(lines, 1):
        statement.append(line)
        try:
            table = tomllib.loads("\n".join(statement))
        except tomllib.TOMLDecodeError:
            continue  # The statement goes on in the next line.
        start = number - len(statement) + 1
        is_header = statement[0].lstrip().startswith("[")
        statement = []
        paths = _paths(table)
        if is_header:
            header = paths[-1]
            paths = [header[: n + 1] for n in range(len(header))]
        else:
            paths = [(*header, *path) for path in paths]
        for path in paths:
            found.setdefault(path, start)
    return found


def _paths(table: dict[str, object], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the path of every key in a table, those of tables before those inside them."""
    paths: list[tuple[str, ...]] = []
    for key, value in table.items():
        paths.append((*above, key))
        if isinstance(value, dict):
            paths += _paths(cast("dict[str, object]", value), (*above, key))
    return paths
