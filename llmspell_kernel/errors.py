"""Every error that is ours, in one tree.

::

    SpellError
    ├── BadArgument              a call that was written wrongly
    ├── ConversionError          a value that cannot cross between Lua and a bridge
    ├── MissingGrant             a power the session was not given
    ├── LimitExceeded            time, memory, output, instructions, … ran out
    ├── Cancelled                the person, or the end of a task, stopped it
    ├── ConfigError              a wrong key or value, with its file and line
    ├── WorldError               what may fail although the spell is right
    │   ├── NotFound
    │   ├── Timeout
    │   ├── ConnectionFailed
    │   ├── RateLimited
    │   ├── AuthenticationFailed
    │   ├── BudgetExceeded
    │   ├── SpellFailed          a spell that another one ran
    │   └── ProviderError        anything else a provider, a server or a tool answered
    └── EngineError              the engine process, never the spell, is at fault
        ├── EngineStartError
        ├── EngineDied
        └── ProtocolError        a frame that does not follow engine/wire.py

A `WorldError` becomes `nil, err` in Lua; everything else raises there, so that a mistake, a
refused power or a stop cannot be overlooked. Foreign exceptions become one of these at the border
where they are caught, `raise … from` the original.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class SpellError(Exception):
    """The base of the tree: an error that a person or a spell may see.

    Args:
        message: What happened, in the reader's words; `str(error)` is this text.
        code: A stable word that a program can compare; the class has one of its own.
        suggestion: What to do next, if that is known.
        retryable: Whether the same call may succeed later; the class has a usual answer.
        provider: The model provider concerned.
        details: Further plain values (numbers, strings, lists, dicts of these), never a secret.
    """

    code: str = "error"
    retryable: bool = False
    returned_in_lua: ClassVar[bool] = False
    """True for what Lua gets as `nil, err`, False for what raises there."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        suggestion: str | None = None,
        retryable: bool | None = None,
        provider: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if retryable is not None:
            self.retryable = retryable
        self.suggestion = suggestion
        self.provider = provider
        self.details: dict[str, object] = dict(details or {})

    def fields(self) -> dict[str, object]:
        """Return what a Lua error object holds, as plain values."""
        return {
            "code": self.code,
            "message": self.message,
            "suggestion": self.suggestion,
            "retryable": self.retryable,
            "provider": self.provider,
            "details": self.details,
        }


class BadArgument(SpellError):
    """A call that was written wrongly: a missing, superfluous or ill-typed argument."""

    code = "bad_argument"


class ConversionError(SpellError):
    """A value that cannot cross between Lua and a bridge; the message begins with the path to it."""

    code = "conversion"


class MissingGrant(SpellError):
    """A power that the session was not given.

    Args:
        grant: The kind, its key in the `[grants]` table: `http`, `files`, `env`, `tools`, `mcp`, `providers`.
        value: What would have to be granted, exactly as `Grants.plus(grant, value)` takes it. For the
            person who is asked; it may name what the spell must not learn, so it is not among the fields.
        message: What was refused, and why.
        line: The line that grants it, for the `[grants]` table of a configuration file.
        variable: The setting of an environment variable that grants it as well, ready for a shell, if
            there is one.
    """

    code = "missing_grant"

    def __init__(
        self, grant: str, value: str, message: str, *, line: str, variable: str | None = None
    ) -> None:
        suggestion = f"to allow it, add `{line}` under [grants] in your configuration"
        if variable:
            suggestion += f", or start with {variable}"
        super().__init__(message, suggestion=suggestion, details={"grant": grant, "line": line})
        self.grant = grant
        self.value = value
        self.line = line


class LimitExceeded(SpellError):
    """A limit was reached.

    Args:
        limit: The limit's name, as in the `[limits]` table: `time`, `memory`, `output`, …
        value: Its value.
        unit: The value's unit, as a person reads it; empty for a plain count.
        shown: The value with its unit, if there is a better way to write it than the two in a row.
        suggestion: How to raise it.
    """

    code = "limit_exceeded"

    def __init__(
        self, limit: str, value: float, unit: str, *, shown: str | None = None, suggestion: str | None = None
    ) -> None:
        shown = shown or f"{value:,} {unit}".rstrip()
        super().__init__(
            f"{limit} limit reached ({shown})",
            code=f"{limit}_limit",
            suggestion=suggestion,
            details={"limit": limit, "value": value, "unit": unit},
        )
        self.limit = limit
        self.value = value
        self.unit = unit


class Cancelled(SpellError):
    """The work was stopped on purpose: an interrupt, a stopped task, the end of the session."""

    code = "cancelled"


class ConfigError(SpellError):
    """A wrong key or value in a configuration file or an environment variable.

    Args:
        problem: What is wrong, without the place.
        file: The configuration file.
        line: The line in it, counted from 1.
        key: The setting's dotted name.
        variable: The environment variable, where the value came from one.
        suggestion: The nearest known key, or the values that are accepted.
    """

    code = "bad_config"

    def __init__(
        self,
        problem: str,
        *,
        file: Path | None = None,
        line: int | None = None,
        key: str | None = None,
        variable: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        place = variable or (f"{file}:{line}" if file and line else str(file) if file else None)
        super().__init__(f"{place}: {problem}" if place else problem, suggestion=suggestion)
        self.file = file
        self.line = line
        self.key = key
        self.variable = variable


class WorldError(SpellError):
    """What may fail although the spell is right: a provider, a server, a file, a tool."""

    code = "failed"
    returned_in_lua = True


class NotFound(WorldError):
    """The model, file, page or record does not exist."""

    code = "not_found"


class Timeout(WorldError):
    """No answer within the time that the call allows (a cell's own time limit is `LimitExceeded`)."""

    code = "timeout"
    retryable = True


class ConnectionFailed(WorldError):
    """No connection: name not resolved, refused, reset, or a broken TLS handshake."""

    code = "connection_failed"
    retryable = True


class RateLimited(WorldError):
    """The provider or server asks to wait; `retry_after` says how many seconds, if it told."""

    code = "rate_limited"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        suggestion: str | None = None,
        provider: str | None = None,
    ) -> None:
        details = {} if retry_after is None else {"retry_after": retry_after}
        super().__init__(message, suggestion=suggestion, provider=provider, details=details)
        self.retry_after = retry_after


class AuthenticationFailed(WorldError):
    """The key is missing, wrong, or not allowed to do this."""

    code = "authentication_failed"


class BudgetExceeded(WorldError):
    """The money or tokens that the person set aside are spent."""

    code = "budget_exceeded"


class SpellFailed(WorldError):
    """A spell that another one ran ended badly.

    Args:
        exit_code: What it ended with: its own code, 1 for an error.
        traceback: Where it happened, as lines of text.
    """

    code = "spell_failed"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        suggestion: str | None = None,
        exit_code: int = 1,
        traceback: str = "",
    ) -> None:
        super().__init__(message, code=code, suggestion=suggestion)
        self.exit_code = exit_code
        self.traceback = traceback

    def fields(self) -> dict[str, object]:
        """Return what a Lua error object holds; these fields are its own."""
        return {**super().fields(), "exit_code": self.exit_code, "traceback": self.traceback}


class ProviderError(WorldError):
    """Anything else a provider, a server or a tool answered instead of a result."""

    code = "provider_error"


class EngineError(SpellError):
    """The engine process is at fault, not the spell."""

    code = "engine_error"


class EngineStartError(EngineError):
    """The engine process could not be started."""

    code = "engine_start"


class EngineDied(EngineError):
    """The engine process ended without being asked: a crash, a kill, the machine out of memory."""

    code = "engine_died"


class ProtocolError(EngineError):
    """A frame that cannot be read, or that has no place in the conversation."""

    code = "protocol"
