"""The settings of a session: one frozen value, made once.

Layers, each over the one before: defaults, the profile, the user's configuration file, the project's
`llmspell.toml` (what has power in it only once the person trusts it), the environment.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from llmspell_kernel.config.assembling import Assembly, Explained
from llmspell_kernel.config.kinds import BYTES, SECONDS
from llmspell_kernel.config.merging import Ignored, Merger, within
from llmspell_kernel.config.reading import Places, Reading
from llmspell_kernel.config.sections import (
    Cells,
    Checkpoints,
    History,
    Http,
    Limits,
    McpServer,
    Model,
    Profile,
    ProviderSettings,
    SecretSettings,
    Storage,
    WebSearch,
)
from llmspell_kernel.config.table import ROWS, Row
from llmspell_kernel.errors import ConfigError, LimitExceeded
from llmspell_kernel.grants.missing import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell_kernel.config.secrets import Vault
    from llmspell_kernel.grants import Grants

IN_A_CELL = "a cell (%limits)"
"""The source of a limit that a cell has tightened."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a session; make them with `load` or `load_or_default`.

    Attributes:
        folder: The notebook's folder, resolved.
        project: The `llmspell.toml` that was found, trusted or not.
        places: Where the user's own files are.
        providers: Model providers by name; those whose variables SDKs read are always there.
        mcp: MCP servers by name.
        secrets: Secrets that spells may use, by name.
        grants: What the session may do when it starts.
        vault: The environment, and the values of secrets.
        ignored: What was written but does not count, and why.
        explained: Every setting with its value and source; see `explain`.
    """

    folder: Path
    project: Path | None
    places: Places
    profile: Profile
    model: Model
    limits: Limits
    cells: Cells
    checkpoints: Checkpoints
    history: History
    http: Http
    search: WebSearch
    storage: Storage
    providers: Mapping[str, ProviderSettings]
    mcp: Mapping[str, McpServer]
    secrets: Mapping[str, SecretSettings]
    grants: Grants
    vault: Vault
    ignored: tuple[Ignored, ...]
    explained: tuple[Explained, ...]

    @classmethod
    def load(
        cls, cwd: Path | None = None, environ: Mapping[str, str] | None = None, places: Places | None = None
    ) -> Settings:
        """Read every layer.

        Args:
            cwd: The notebook's folder; the current one by default.
            environ: The environment; the process's own by default.
            places: Where the user's own files are; the platform's places by default.

        Raises:
            ConfigError: A key or value is wrong. The first is raised; `details["more"]` holds the others'
                texts.
        """
        settings, problems = cls.load_or_default(cwd, environ, places)
        if problems:
            first, *more = problems
            first.details["more"] = [str(problem) for problem in more]
            raise first
        return settings

    @classmethod
    def load_or_default(
        cls, cwd: Path | None = None, environ: Mapping[str, str] | None = None, places: Places | None = None
    ) -> tuple[Settings, list[ConfigError]]:
        """Read every layer, leaving out what is wrong, so that a kernel can start and show the problems.

        A file that is not TOML counts as absent; a profile that cannot be read is taken for the strict one.
        """
        environ = os.environ if environ is None else environ
        folder = Path(os.path.realpath(cwd or Path.cwd()))
        reading = Reading(folder, environ, places or Places.usual(environ))
        merger = Merger(reading.entries, reading.trust)
        parts = Assembly(reading, merger)
        history, storage = parts.history(), parts.storage()
        settings = cls(
            folder=folder,
            project=reading.project,
            places=reading.places,
            profile=merger.profile,
            model=parts.section("model", Model),
            limits=parts.section("limits", Limits),
            cells=parts.section("cells", Cells),
            checkpoints=parts.section("checkpoints", Checkpoints),
            history=history,
            http=parts.section("http", Http),
            search=parts.section("search", WebSearch),
            storage=storage,
            providers=MappingProxyType(parts.providers),
            mcp=MappingProxyType(parts.mcp),
            secrets=MappingProxyType(parts.secrets),
            grants=parts.grants(),
            vault=parts.vault,
            ignored=tuple(merger.ignored),
            explained=parts.explain({"history.file": history.file, "storage.folder": storage.folder}),
        )
        return settings, [*reading.problems, *merger.problems]

    @property
    def asks(self) -> bool:
        """Whether the person may be asked for a missing grant: under `standard` alone."""
        return self.profile == "standard"

    def explain(self) -> list[Explained]:
        """Return every setting with its value, as a person reads it, and its source; no secret is shown."""
        return list(self.explained)

    def notices(self) -> list[str]:
        """Return a sentence for each reason why something that was written does not count."""
        groups: dict[tuple[str, str | None], list[Ignored]] = {}
        for entry in self.ignored:
            groups.setdefault((entry.reason, entry.command), []).append(entry)
        return [
            shown(
                f"ignored {', '.join(f'{entry.key} ({entry.source})' for entry in entries)}: {reason}"
                + (f"; to use it, look through it and run: {command}" if command else "")
            )
            for (reason, command), entries in groups.items()
        ]

    def limit_exceeded(self, name: str) -> LimitExceeded:
        """Return the error for a limit that was reached, saying how to raise it.

        Args:
            name: The limit's name in `[limits]`.

        Raises:
            KeyError: There is no such limit, or it is not set.
        """
        row = ROWS[f"limits.{name}"]
        value: float | None = getattr(self.limits, name)
        if value is None:
            raise KeyError(f"no {name} limit is set")
        if any(line.key == row.key and line.source == IN_A_CELL for line in self.explained):
            suggestion = "to raise it, run %limits --reset, which takes back what a cell has tightened"
            return self._exceeded(name, value, row, suggestion)
        kind, twice = row.setting.kind, 2 * value
        start = f"start with {row.variable}={twice:.15g}"
        text = f'"{kind.show(twice)}"' if kind in (SECONDS, BYTES) else str(twice)
        written = f"set {name} = {text} under [limits] in {_from_home(self.places.config)}"
        # The strict profile takes looser limits from the environment alone.
        suggestion = (
            f"to raise it, {start}" if self.profile == "strict" else f"to raise it, {written}, or {start}"
        )
        return self._exceeded(name, value, row, suggestion)

    @staticmethod
    def _exceeded(name: str, value: float, row: Row, suggestion: str) -> LimitExceeded:
        kind = row.setting.kind
        unit = kind.name if kind in (SECONDS, BYTES) else ""
        return LimitExceeded(name, value, unit, shown=kind.show(value), suggestion=suggestion)

    def tightened(self, name: str, text: str) -> Settings:
        """Return the same settings with a tighter limit, as a cell may wish.

        Args:
            name: The limit's name in `[limits]`.
            text: Its value, as the environment would hold it.

        Raises:
            KeyError: There is no such limit.
            ValueError: It is no value for this limit, or looser than what is set.
        """
        row = ROWS[f"limits.{name}"]
        bound: float | None = getattr(self.limits, name)
        try:
            value = row.read(text)
        except ValueError as error:
            raise ValueError(f"{name}: expected {error}, not {text[:60]}") from None
        if not within(value, bound):
            raise ValueError(f"{name} is {row.show(bound)} here, and a cell cannot loosen it")
        limits = msgspec.structs.replace(self.limits, **{name: value})
        line = Explained(row.key, row.show(value), IN_A_CELL)
        explained = tuple(line if line.key == each.key else each for each in self.explained)
        return msgspec.structs.replace(self, limits=limits, explained=explained)


def _from_home(path: Path) -> str:
    """Return a path as a person would write it: ``~/…`` where it is below their home folder."""
    try:
        return f"~/{path.relative_to(Path.home()).as_posix()}"
    except (ValueError, RuntimeError):  # it is elsewhere; there is no home
        return str(path)
