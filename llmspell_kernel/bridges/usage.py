"""What models took so far: tokens, money and time, by call, cell, model and session; and a limit for the money."""

from __future__ import annotations

from typing import Any

import msgspec

from llmspell_kernel.bridges.declaration import Bridge, export, table_type
from llmspell_kernel.bridges.registry import Host
from llmspell_kernel.errors import BadArgument
from llmspell_kernel.language.annotations import option
from llmspell_kernel.language.documentation import Documented, Option
from llmspell_kernel.llm.models import Models
from llmspell_kernel.llm.usage import Total, Used

_LOGGED = 200

_COUNTS: tuple[Option, ...] = (
    option("prompt_tokens", "integer", "tokens that were read"),
    option("completion_tokens", "integer", "tokens that were written"),
    option("total_tokens", "integer", "both"),
    option("cost", "number", "US dollars, as far as prices are known"),
    option("seconds", "number", "time that was waited for answers"),
)
TYPES: tuple[Documented, ...] = (
    table_type(
        "llm.UsagePart",
        "What a model or a cell took.",
        option("model", "string", "which model, in `models` and `log`"),
        option("cell", "string", "which cell, in `cells` and `log`"),
        option("calls", "integer", "questions"),
        *_COUNTS,
    ),
    table_type(
        "llm.UsageSoFar",
        "What models took in this session.",
        option("calls", "integer", "questions"),
        option("recorded", "integer", "of them, those that a cassette answered: they cost nothing"),
        option("unpriced", "integer", "of them, those whose price is not known"),
        *_COUNTS,
        option("budget", "number", "most dollars to spend, if there is a limit"),
        option("left", "number", "dollars of it that are left"),
        option("models", "llm.UsagePart[]", "by model"),
        option("cells", "llm.UsagePart[]", "by cell"),
        option("log", "llm.UsagePart[]", "the last calls, the newest last"),
    ),
)


class UsageFunctions(Bridge):
    """The part of ``llm`` that tells what was used."""

    _host: Host

    @export(returns="used: llm.UsageSoFar", example="print(llm.usage().total_tokens)")
    async def usage(self) -> Any:
        """Tell what models took in this session: tokens, money and time; by model, by cell and by call."""
        return usage_of(self._host.models)

    @export(returns="left: number?", example="llm.set_budget(0.50)")
    async def set_budget(self, dollars: float) -> Any:
        """Limit what this session may spend on models from now on; returns what is left.

        A question that could cost more than what is left is refused before it is asked. A limit of the configuration
        can only be lowered.

        Args:
            dollars: most US dollars, counted from the session's start
        """
        if not 0 <= dollars < float("inf"):
            raise BadArgument("bad argument #1 to 'llm.set_budget' (a number of dollars expected)")
        configured = self._host.settings.model.budget
        meter = self._host.models.meter
        meter.budget = dollars if configured is None else min(dollars, configured)
        return meter.left


def usage_of(models: Models) -> dict[str, Any]:
    """The session's usage as plain values."""
    ledger, meter = models.ledger, models.meter
    total = ledger.total()
    limit = {} if meter.budget is None else {"budget": meter.budget, "left": meter.left}
    labels = dict.fromkeys(used.label for used in ledger.calls)
    return {
        **_counts(total),
        "recorded": total.recorded,
        "unpriced": total.unpriced,
        **limit,
        "models": [{"model": name, **_counts(part)} for name, part in ledger.by_model().items()],
        "cells": [{"cell": label, **_counts(ledger.total(label))} for label in labels],
        "log": [_call(used) for used in ledger.calls[-_LOGGED:]],
    }


def _counts(total: Total) -> dict[str, Any]:
    usage = total.usage
    return {
        "calls": total.calls,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "cost": usage.cost or 0.0,
        "seconds": round(total.seconds, 3),
    }


def _call(used: Used) -> dict[str, Any]:
    counts = _counts(Total().plus(msgspec.structs.replace(used, recorded=False)))
    del counts["calls"]
    about = {"cell": used.label, "model": f"{used.provider}:{used.model}", "kind": used.kind}
    return {**about, **counts, **({"recorded": True} if used.recorded else {})}
