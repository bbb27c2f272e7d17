"""What happens around every question to a model: recording, metering, hooks.

Each of these is an *interceptor*: it gets what is asked and a way to proceed, and may look at, change, answer
or refuse it, proceed more than once, and read or change the deltas that come back. An answer that is wanted
whole is a stream of one delta, `Finished`, so an interceptor is written once for both.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmspell_kernel.llm.protocol import Delta, ReasoningDelta, Request, Response, TextDelta, Usage
from llmspell_kernel.llm.tokens import estimate_request, estimate_tokens

if TYPE_CHECKING:
    from llmspell_kernel.llm.choose import Choice


@dataclass
class Reading:
    """What becomes known while an answer is read; shared by everybody in the chain."""

    choice: Choice | None = None
    """Who answers, once that is known; None where a cassette does."""
    usage: Usage | None = None
    """What a stream that was closed early has taken, priced."""
    enough: bool = False
    """Set before a stream is closed early on purpose: what has come so far is the answer."""


@dataclass(frozen=True)
class Asked:
    """A question, as it was asked.

    Attributes:
        request: Its model may be empty, or hold a provider's name: nothing has been chosen yet.
        provider: The provider named beside it, if any.
        stream: Whether the answer is wanted piece by piece.
        budget: Most money that this answer may cost, in US dollars.
        reading: What becomes known on the way.
    """

    request: Request
    provider: str = ""
    stream: bool = False
    budget: float | None = None
    reading: Reading = field(default_factory=Reading)


Handler = Callable[[Asked], AsyncGenerator[Delta, None]]
Interceptor = Callable[[Asked, Handler], AsyncGenerator[Delta, None]]


def chain(interceptors: Sequence[Interceptor], core: Handler) -> Handler:
    """One handler out of interceptors, the first outermost, around `core`."""
    handler = core
    for interceptor in reversed(interceptors):
        handler = _around(interceptor, handler)
    return handler


def _around(interceptor: Interceptor, handler: Handler) -> Handler:
    return lambda asked: interceptor(asked, handler)


def stopped(asked: Asked, deltas: Sequence[Delta]) -> Response:
    """The answer of a stream that was closed after `deltas`; its tokens are estimated."""
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    thought = "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))
    choice = asked.reading.choice
    return Response(
        content=text,
        model=choice.model if choice is not None else asked.request.model,
        provider=choice.provider if choice is not None else asked.provider,
        finish_reason="stopped",
        reasoning=thought,
        usage=asked.reading.usage
        or Usage(
            prompt_tokens=estimate_request(asked.request),
            completion_tokens=estimate_tokens(text) + estimate_tokens(thought),
        ),
    )
