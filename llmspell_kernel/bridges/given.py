"""Reading an options table: types checked, unknown keys told with the nearest known one."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from llmspell_kernel.bridges.arguments import check, describe
from llmspell_kernel.bridges.arguments import lua_type as type_of
from llmspell_kernel.bridges.registry import current_call
from llmspell_kernel.engine.values import CallbackRef
from llmspell_kernel.errors import BadArgument
from llmspell_kernel.language.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


_LISTED = 12
"""Options that a warning lists, where none is near what was given."""
_TOLD = 20
"""Keys of one call that are told."""
_SHOWN = 60
"""Characters of such a key."""


def warn_of_unknown(
    function: str, keys: Iterable[object], known: Collection[str], *, slips_only: bool = False
) -> None:
    """Warn in the cell that calls, once, of each key that `function` does not take, with the nearest that it does.

    Args:
        function: Its name in Lua.
        keys: What it got.
        known: What it takes.
        slips_only: Whether it takes any other key too: then only one that is almost a known one is told.
    """
    for key in islice((str(key)[:_SHOWN] for key in keys if key not in known), _TOLD):
        near = _one_letter_off(key, known) or nearest(key, known)
        if slips_only and not near:
            continue
        if near:
            hint = f": did you mean '{near}'?"
        else:
            hint = f" (it takes {', '.join(sorted(known))})" if 0 < len(known) <= _LISTED else ""
        current_call.get().warn(f"'{function}' has no option '{key}'{hint}")


def _one_letter_off(key: str, known: Collection[str]) -> str | None:
    """The option that `key` is but for its last letter, such as a plural."""
    return next((name for name in sorted(known) if name[:-1] == key or key[:-1] == name), None)


class Given:
    """The options that a spell gave to a function.

    Args:
        function: The function's name in Lua, for messages.
        options: What it got.
        known: The options that it takes; another one is a warning in the cell.
    """

    def __init__(self, function: str, options: Mapping[str, Any] | None, known: tuple[str, ...]) -> None:
        self._function = function
        self._options = dict(options or {})
        warn_of_unknown(function, self._options, known)

    def text(self, key: str, default: str = "") -> str:
        """A string."""
        return cast("str", self._value(key, str, default))

    def text_or_none(self, key: str) -> str | None:
        """A string, or None if it was left out."""
        return cast("str | None", self._value(key, str, None))

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        """An integer within limits."""
        value = cast("int", self._value(key, int, default))
        if not least <= value <= most:
            raise BadArgument(
                f"bad option '{key}' to '{self._function}' (from {least} to {most}, got {value})"
            )
        return value

    def number(self, key: str, default: float) -> float:
        """A number."""
        return cast("float", self._value(key, float, default))

    def flag(self, key: str, default: bool) -> bool:
        """A boolean."""
        return cast("bool", self._value(key, bool, default))

    def table(self, key: str) -> dict[str, Any]:
        """A table of named fields."""
        return cast("dict[str, Any]", self._value(key, dict, {}))

    def listed(self, key: str) -> list[Any]:
        """A list."""
        return cast("list[Any]", self._value(key, list, []))

    def function(self, key: str) -> CallbackRef | None:
        """A function, or None if it was left out."""
        return cast("CallbackRef | None", self._value(key, CallbackRef, None))

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        """One of several words; the first is the default."""
        value = self.text(key, choices[0])
        if value not in choices:
            raise BadArgument(
                f"bad option '{key}' to '{self._function}' (one of {', '.join(choices)} expected, got '{value}')"
            )
        return value

    def _value(self, key: str, wanted: Any, default: Any) -> Any:
        value = self._options.get(key)
        if value is None:
            return default
        fits, converted = check(value, wanted)
        if not fits:
            expected = describe(wanted)
            raise BadArgument(
                f"bad option '{key}' to '{self._function}' ({expected} expected, got {type_of(value)})"
            )
        return converted
