"""How a cell can end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Succeeded:
    """The cell ran to its end; `bundle` is the MIME bundle of its values, None if it has nothing to show."""

    bundle: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    paged: bool = False
    """Whether the front end shows it beside the notebook, as help, and keeps it out of the file."""


@dataclass(frozen=True)
class Problem:
    """An error as Jupyter tells it (messaging specification, "Execution errors")."""

    ename: str
    evalue: str
    traceback: list[str]


@dataclass(frozen=True)
class Failed:
    """The cell raised an error; what it did before stays."""

    problem: Problem


@dataclass(frozen=True)
class Interrupted:
    """The cell was stopped by the person or by a limit; what it did before stays."""

    problem: Problem


@dataclass(frozen=True)
class RolledBack:
    """The engine died or had to be killed; the session is as it was before the cell."""

    problem: Problem


Outcome: TypeAlias = Succeeded | Failed | Interrupted | RolledBack
