"""Warnings for what is almost surely a mistake. A rule that is unsure says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmspell_kernel.language.cells import take_apart
from llmspell_kernel.language.definitions import summarize
from llmspell_kernel.language.inference import Inference
from llmspell_kernel.language.parser import parse
from llmspell_kernel.language.rules import RULES, Found, Known, Subject

if TYPE_CHECKING:
    from llmspell_kernel.language.documentation import Reference
    from llmspell_kernel.language.live import Names
    from llmspell_kernel.language.notebook import Notebook


@dataclass(frozen=True)
class Diagnostic:
    """One warning; offsets are code points of the cell, `line` and `column` count from 1."""

    rule: str
    message: str
    start: int
    end: int
    line: int
    column: int

    @property
    def shown(self) -> str:
        """As a person reads it below a cell."""
        return f"line {self.line}: {self.message}"


def check(
    code: str, notebook: Notebook, reference: Reference, names: Names | None = None
) -> list[Diagnostic]:
    """The warnings about a cell, in the order of its text.

    Args:
        code: the cell.
        notebook: the cells that ran before.
        reference: what is documented.
        names: the names that the live state has; None if it was not asked.
    """
    chunk = parse(take_apart(code).lua)
    summary = summarize(chunk, "")
    inference = Inference(chunk, summary, notebook, reference)
    subject = Subject(chunk, inference, Known.of(summary, notebook, reference, names))
    found = [(rule.name, one) for rule in RULES for one in rule.find(subject)]
    return [_diagnostic(code, rule, one) for rule, one in sorted(found, key=lambda pair: pair[1].start)]


def _diagnostic(code: str, rule: str, found: Found) -> Diagnostic:
    line = code.count("\n", 0, found.start) + 1
    column = found.start - code.rfind("\n", 0, found.start)
    return Diagnostic(rule, found.message, found.start, found.end, line, column)
