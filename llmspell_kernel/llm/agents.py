"""What an agent is made of: tools, limits, what it tells while it works, what it gives in the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from llmspell_kernel.llm.protocol import Delta, Message, Request, Response, ToolCall, ToolSpec, Usage, Value

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

Ending = Literal["answered", "iterations"]
"""``iterations``: they were used up before there was an answer."""


class Asker(Protocol):
    """What an agent asks: `Models`, or something that stands before them."""

    async def complete(
        self, request: Request, *, provider: str = "", budget: float | None = None
    ) -> Response:
        """Answer whole."""
        ...

    def stream(
        self, request: Request, *, provider: str = "", budget: float | None = None
    ) -> AsyncGenerator[Delta, None]:
        """Answer piece by piece; the last one is `Finished`."""
        ...


@dataclass(frozen=True)
class Tool:
    """Something that a model may call.

    Attributes:
        spec: What the model sees; the arguments are checked against its schema before `call` gets them.
        call: Does the work. What it raises is told to the model, except what only a person can put right.
        parallel: Whether it may run beside other calls of the same answer.
        timeout: Seconds that a call may take.
    """

    spec: ToolSpec
    call: Callable[[dict[str, Any]], Awaitable[Any]]
    parallel: bool = True
    timeout: float | None = None

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.spec.name


class Limits(Value, frozen=True, kw_only=True):
    """How much an agent may use up before it has to stop."""

    iterations: int = 10
    """Questions to the model."""
    tokens: int | None = None
    """Read and written."""
    cost: float | None = None
    """US dollars."""
    seconds: float | None = None
    result_chars: int = 50_000
    """Of one tool's answer; the model is told that the rest is left out."""


class ToolRun(Value, frozen=True, kw_only=True):
    """A tool call that has ended."""

    call: ToolCall
    output: str
    """What the model was told."""
    error: str = ""
    """Why it failed; empty if it did not."""
    value: Any = None
    """What the tool gave."""
    seconds: float = 0.0


class Result(Value, frozen=True, kw_only=True):
    """What a run came to."""

    text: str
    value: Any = None
    """The answer as a value, if a schema was given."""
    ending: Ending = "answered"
    messages: tuple[Message, ...]
    """The whole conversation, to go on with."""
    tool_runs: tuple[ToolRun, ...] = ()
    iterations: int
    usage: Usage = Usage()


# ── what is told on the way ──────────────────────────────────────────────────────────────────────


class Said(Value, frozen=True, kw_only=True, tag="said"):
    """A piece of the model's answer, where streaming was asked for."""

    delta: Delta


class Answered(Value, frozen=True, kw_only=True, tag="answered"):
    """The model has answered, with text or with tool calls."""

    iteration: int
    response: Response


class ToolStarted(Value, frozen=True, kw_only=True, tag="tool_started"):
    """A tool is at work."""

    call: ToolCall


class ToolEnded(Value, frozen=True, kw_only=True, tag="tool_ended"):
    """A tool has ended, well or not."""

    run: ToolRun


class Ended(Value, frozen=True, kw_only=True, tag="ended"):
    """The last event of every run."""

    result: Result


Event = Said | Answered | ToolStarted | ToolEnded | Ended
