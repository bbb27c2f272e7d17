"""What may help after an error: rules as data, tried in order, the first that fits speaks.

`syntax_hints` and `runtime_hints` hold the rules; here is how they are matched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Names = Callable[[str], list[str]]
"""The names that exist under an expression: globals for ``""``, the fields of a global for its name."""

_BEFORE = 400
"""Characters before the error that a rule can look at: enough for a few lines."""


def no_names(_expression: str) -> list[str]:
    """Know no names."""
    return []


@dataclass(frozen=True)
class Situation:
    """An error and the source around it."""

    message: str
    before: str = ""
    """The source up to the error, its last part."""
    at: str = ""
    """The rest of the line, from the error on."""
    line: str = ""
    """The whole line."""
    methods: tuple[str, ...] = ()
    """Those of the object of which one was called that is not there."""

    @classmethod
    def of(
        cls,
        message: str,
        lines: list[str],
        line: int | None,
        column: int | None,
        methods: Sequence[str] = (),
    ) -> Situation:
        """Cut the source at the place of the error; without a column, at the end of its line."""
        if not line or line > len(lines):
            return cls(message, methods=tuple(methods))
        text = lines[line - 1]
        cut = len(text) if column is None else column - 1
        before = "\n".join([*lines[max(0, line - 12) : line - 1], text[:cut]])
        return cls(message, before[-_BEFORE:], text[cut : cut + _BEFORE], text[:_BEFORE], tuple(methods))


@dataclass(frozen=True)
class Rule:
    """If every pattern is found, `hint` is the advice, a format string of the patterns' named groups."""

    message: str
    hint: str
    before: str = ""
    at: str = ""
    line: str = ""

    def advice(self, situation: Situation) -> str | None:
        """Return the hint for `situation`, or None if the rule does not fit."""
        groups: dict[str, str] = {}
        for pattern, text in (
            (self.message, situation.message),
            (self.before and rf"(?:{self.before})\Z", situation.before),
            (self.at and rf"\A(?:{self.at})", situation.at),
            (self.line, situation.line),
        ):
            match = re.search(pattern, text)
            if match is None:
                return None
            groups |= {name: value or "" for name, value in match.groupdict().items()}
        return self.hint.format_map(groups)


def first_advice(rules: Iterable[Rule], situation: Situation) -> str | None:
    """Return what the first rule that fits says."""
    for rule in rules:
        advice = rule.advice(situation)
        if advice is not None:
            return advice
    return None
