"""How a refused power is put into words: the grant's name and the line that gives it."""

from __future__ import annotations

import json
import shlex
from typing import Literal

from llmspell_kernel.errors import MissingGrant

Kind = Literal["http", "files", "env", "tools", "mcp", "providers"]
"""The kinds of grant, as the `[grants]` table spells them."""

KINDS: tuple[Kind, ...] = ("http", "files", "env", "tools", "mcp", "providers")


def missing(kind: Kind, value: str, message: str, *, real: str | None = None) -> MissingGrant:
    """Make the error for a power that the session was not given.

    The value comes from the spell, and a person may copy the line: it is quoted for TOML and for a shell,
    and not offered as an environment variable where a comma would make two grants of it.

    Args:
        kind: The kind of grant.
        value: What would have to be granted, as the spell put it.
        message: What was refused.
        real: What granting it really opens, where that differs (a symbolic link's target): for the person
            alone.
    """
    line = f"{kind} = [{json.dumps(value)}]"
    name = variable(kind)
    setting = None if "," in value or not value.isprintable() else f"{name}={shlex.quote(value)}"
    return MissingGrant(kind, real or value, shown(message), line=line, variable=setting)


def variable(kind: Kind) -> str:
    """Return the environment variable that holds the grants of a kind."""
    return f"LLMSPELL_GRANT_{kind.upper()}"


def shown(text: str) -> str:
    """Return text from a spell with control and direction characters made visible."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
