"""How a cell can end."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec


class Succeeded(msgspec.Struct, frozen=True):
    """The cell ran to its end; `bundle` is the MIME bundle of its values, None if it has nothing to show."""

    bundle: dict[str, Any] | None = None
    metadata: dict[str, Any] = {}
    paged: bool = False
    """Whether the front end shows it beside the notebook, as help, and keeps it out of the file."""


class Problem(msgspec.Struct, frozen=True):
    """An error as Jupyter tells it (messaging specification, "Execution errors")."""

    ename: str
    evalue: str
    traceback: list[str]
    place: str = ""
    """Where it was raised, such as ``cell 3:12``."""
    code: str = ""
    """The code of the error object that was raised, or of the limit that was reached."""


class Failed(msgspec.Struct, frozen=True):
    """The cell raised an error; what it did before stays."""

    problem: Problem


class Interrupted(msgspec.Struct, frozen=True):
    """The cell was stopped by the person or by a limit; what it did before stays."""

    problem: Problem


class RolledBack(msgspec.Struct, frozen=True):
    """The engine died or had to be killed; the session is as it was before the cell."""

    problem: Problem


Outcome: TypeAlias = Succeeded | Failed | Interrupted | RolledBack
