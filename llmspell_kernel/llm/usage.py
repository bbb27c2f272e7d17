"""What was used: tokens, money and time, per call; and the budget that stops before it is overspent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from importlib import import_module
from typing import Literal

import msgspec

from llmspell_kernel.errors import BudgetExceeded
from llmspell_kernel.llm.calls import Asked, Handler, stopped
from llmspell_kernel.llm.protocol import Delta, Finished, Request, Response, Usage
from llmspell_kernel.llm.tokens import estimate_request

MOST_TOKENS = 16_384
"""The longest answer that a budget reserves money for when a request sets no limit of its own."""

Price = Callable[[str, str, Usage], float | None]
"""Provider, model and usage to US dollars; None if the model is not known."""
Terms = Literal["free", "listed", "unknown"]
"""``free``: on this machine; ``listed``: by a known provider's list; ``unknown``: a server of one's own."""


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """One call."""

    kind: Literal["chat", "embed"] = "chat"
    provider: str
    model: str
    usage: Usage
    seconds: float
    label: str = ""
    """What it was for, such as the cell."""
    recorded: bool = False
    finish_reason: str = "stop"


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """Several calls together."""

    calls: int = 0
    recorded: int = 0
    """Of the calls, those that a cassette answered; they count for neither tokens nor money."""
    usage: Usage = Usage()
    unpriced: int = 0
    """Calls whose cost is not known."""
    seconds: float = 0.0

    def plus(self, used: Used) -> Total:
        """This and one more call."""
        return Total(
            calls=self.calls + 1,
            recorded=self.recorded + used.recorded,
            usage=self.usage if used.recorded else self.usage + used.usage,
            unpriced=self.unpriced + (not used.recorded and used.usage.cost is None),
            seconds=self.seconds + used.seconds,
        )


class Ledger:
    """Every call of a session.

    Args:
        label: Says what a call is for, such as the cell that is running.
    """

    def __init__(self, label: Callable[[], str] = str) -> None:
        self._label = label
        self.calls: list[Used] = []

    def add(self, response: Response, seconds: float) -> None:
        """A chat call has ended."""
        self.calls.append(
            Used(
                provider=response.provider,
                model=response.model,
                usage=response.usage,
                seconds=seconds,
                label=self._label(),
                recorded=response.recorded,
                finish_reason=response.finish_reason,
            )
        )

    def add_embedding(self, provider: str, model: str, usage: Usage, seconds: float) -> None:
        """An embedding call has ended."""
        self.calls.append(
            Used(
                kind="embed",
                provider=provider,
                model=model,
                usage=usage,
                seconds=seconds,
                label=self._label(),
            )
        )

    def total(self, label: str | None = None) -> Total:
        """Everything, or what had that label."""
        total = Total()
        for used in self.calls:
            if label is None or used.label == label:
                total = total.plus(used)
        return total

    def by_model(self) -> dict[str, Total]:
        """Totals by ``provider:model``, in the order in which they were first asked."""
        totals: dict[str, Total] = {}
        for used in self.calls:
            name = f"{used.provider}:{used.model}"
            totals[name] = totals.get(name, Total()).plus(used)
        return totals


class Meter:
    """Prices every answer, and refuses questions that the budget cannot pay for.

    It stands right around the provider: what a cassette answers never comes here.

    Args:
        terms: How a provider charges.
        budget: Most money to spend, in US dollars; None for no limit.
        price: Gives the price of an answer; replaced in tests.
    """

    def __init__(
        self, terms: Callable[[str], Terms], budget: float | None = None, price: Price | None = None
    ) -> None:
        self.budget = budget
        self.spent = 0.0
        self._reserved = 0.0
        self._terms = terms
        self._list_price = price

    @property
    def left(self) -> float | None:
        """Money that may still be spent, None without a budget. Running calls have theirs set aside."""
        return None if self.budget is None else max(0.0, self.budget - self.spent - self._reserved)

    async def around(self, asked: Asked, proceed: Handler) -> AsyncGenerator[Delta, None]:
        """The interceptor. The question's model has been chosen by now."""
        assert asked.reading.choice is not None
        provider = asked.reading.choice.provider
        await self._load(provider)
        request, reserved = self._reserve(asked.request, provider, asked.budget)
        self._reserved += reserved
        seen: list[Delta] = []
        try:
            async with aclosing(proceed(replace(asked, request=request))) as deltas:
                async for delta in deltas:
                    if isinstance(delta, Finished):
                        delta = Finished(response=self._priced(delta.response, request.model))
                    seen.append(delta)
                    yield delta
        finally:
            self._reserved -= reserved
            if seen and not isinstance(seen[-1], Finished):
                # Closed early, cut or cancelled: the provider charges for what it has written.
                asked.reading.usage = self._priced(stopped(asked, seen), request.model).usage

    async def price(self, provider: str, model: str, usage: Usage) -> float | None:
        """What `usage` costs, in US dollars; None if no price is known."""
        await self._load(provider)
        return self._price(provider, model, usage)

    async def book(self, provider: str, model: str, usage: Usage) -> Usage:
        """The usage of any other call, priced and counted."""
        await self._load(provider)
        return self._counted(usage, self._price(provider, model, usage))

    async def _load(self, provider: str) -> None:
        if self._list_price is None and self._terms(provider) != "free":
            # The price list takes a third of a second to import.
            prices = await asyncio.to_thread(import_module, "llmspell_kernel.llm.prices")
            self._list_price = prices.price

    def _priced(self, response: Response, asked_model: str) -> Response:
        usage = response.usage
        cost = self._price(response.provider, response.model, usage)
        if cost is None:
            cost = self._price(response.provider, asked_model, usage)
        return msgspec.structs.replace(response, usage=self._counted(usage, cost))

    def _counted(self, usage: Usage, cost: float | None) -> Usage:
        self.spent += cost or 0.0
        return msgspec.structs.replace(usage, cost=cost)

    def _price(self, provider: str, model: str, usage: Usage) -> float | None:
        if self._list_price is None or self._terms(provider) == "free":
            return 0.0
        return self._list_price(provider, model, usage)

    def _reserve(self, request: Request, provider: str, own_budget: float | None) -> tuple[Request, float]:
        """The request with an answer short enough to be paid for, and the most it can cost.

        Raises:
            BudgetExceeded: Not even a short answer can be.
        """
        limits = [limit for limit in (self.left, own_budget) if limit is not None]
        if not limits or self._terms(provider) == "free":
            return request, 0.0
        left = min(limits)
        reading = self._price(provider, request.model, Usage(prompt_tokens=estimate_request(request)))
        writing = self._price(provider, request.model, Usage(completion_tokens=1_000_000))
        if reading is None or writing is None:
            if self._terms(provider) == "unknown":
                return request, 0.0
            raise _no_price(provider, request.model)
        per_token = writing / 1_000_000
        affordable = int((left - reading) / per_token) if per_token else MOST_TOKENS
        wanted = request.max_tokens
        if affordable < (wanted or 1):
            raise _too_dear(reading + (wanted or 1) * per_token, left, provider)
        tokens = wanted or min(affordable, MOST_TOKENS)
        return msgspec.structs.replace(request, max_tokens=tokens), reading + tokens * per_token


def _no_price(provider: str, model: str) -> BudgetExceeded:
    return BudgetExceeded(
        f"no price is known for {provider}:{model}, so a budget cannot be kept with it",
        code="no_price",
        provider=provider,
        suggestion="choose a model whose price is known, or lift the budget (model.budget)",
    )


def _too_dear(most: float, left: float, provider: str) -> BudgetExceeded:
    return BudgetExceeded(
        f"this call may cost up to ${most:.4f}, and ${left:.4f} of the budget is left",
        provider=provider,
        suggestion="raise the budget, ask for fewer tokens, or use a cheaper model",
        details={"left": left, "needed": most},
    )


class Clock:
    """The outermost interceptor: books every answer, with the time it took."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def around(self, asked: Asked, proceed: Handler) -> AsyncGenerator[Delta, None]:
        """The interceptor."""
        began = time.monotonic()
        seen: list[Delta] = []
        try:
            async with aclosing(proceed(asked)) as deltas:
                async for delta in deltas:
                    seen.append(delta)
                    yield delta
        finally:
            if seen:
                last = seen[-1]
                response = last.response if isinstance(last, Finished) else stopped(asked, seen)
                self._ledger.add(response, time.monotonic() - began)
