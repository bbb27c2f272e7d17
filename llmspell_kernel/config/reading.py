"""The layers read: the user's configuration, the project's, the environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import platformdirs

from llmspell_kernel.config.documents import Document, find_project, read
from llmspell_kernel.config.sources import Entry, Layer, from_document, from_environment, unknown_variables
from llmspell_kernel.config.table import CONFIG_VARIABLE
from llmspell_kernel.errors import ConfigError
from llmspell_kernel.trust import TrustState, TrustStore

if TYPE_CHECKING:
    from collections.abc import Mapping


class Places(msgspec.Struct, frozen=True):
    """Where the user's own files are.

    Attributes:
        config: The configuration file.
        data: The folder for trust, history and storage.
    """

    config: Path
    data: Path

    @property
    def trust(self) -> Path:
        """The file that remembers trusted project files."""
        return self.data / "trusted.json"

    @classmethod
    def usual(cls, environ: Mapping[str, str]) -> Places:
        """Return the platform's places; `LLMSPELL_CONFIG` names another configuration file."""
        usual = platformdirs.user_config_path("llmspell", appauthor=False) / "config.toml"
        named = environ.get(CONFIG_VARIABLE)
        return cls(
            config=Path(named).expanduser().absolute() if named else usual,
            data=platformdirs.user_data_path("llmspell", appauthor=False),
        )


class Reading:
    """What the layers say.

    Args:
        folder: The notebook's folder, resolved.
        environ: The environment.
        places: Where the user's own files are.

    Attributes:
        project: The `llmspell.toml` that was found.
        trust: Whether the person trusts it as it was read.
        entries: What was written, the weakest layer first.
        problems: What could not be read.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], places: Places) -> None:
        self.folder = folder
        self.environ = environ
        self.places = places
        self.problems: list[ConfigError] = list(unknown_variables(environ))
        self.entries: list[Entry] = []
        user = self._read(places.config)
        if user:
            self.entries += from_document(user, Layer.USER, folder)
        self.project = find_project(folder)
        self.trust: TrustState = "unknown"
        project = self._read(self.project) if self.project else None
        if project:
            # Judge the bytes that were read, not the file, which may be another by now.
            self.trust = TrustStore(places.trust).state(project.file, project.content)
            self.entries += from_document(project, Layer.PROJECT, project.file.parent)
        self.entries += from_environment(environ, folder)

    @property
    def sealed(self) -> tuple[Path, ...]:
        """What no grant reaches: a spell that could change it would grant itself the rest."""
        own_folder = self.places.config.parent
        config = own_folder if own_folder.name == "llmspell" else self.places.config
        return (config, self.places.data, *((self.project,) if self.project else ()))

    def _read(self, file: Path) -> Document | None:
        try:
            return read(file)
        except FileNotFoundError:
            return None
        except ConfigError as error:
            self.problems.append(error)
            return None
