"""What we say to a language model and what it says back, in our own words.

Every value is frozen and made of plain Python, so that a bridge can hand it to Lua, a cassette can write it
down and a test can compare it whole. A `Provider` answers `Request`s; nothing above `llm/` knows which
library does the work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "stopped"]
"""Why an answer ended. ``stopped``: whoever was reading the stream had read enough."""


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of every value here."""


# ── what is asked ────────────────────────────────────────────────────────────────────────────────


class TextPart(Value, frozen=True, kw_only=True, tag="text"):
    """A piece of text in a message that also holds images or files."""

    text: str


class ImagePart(Value, frozen=True, kw_only=True, tag="image"):
    """An image, by its bytes or by a URL that the provider fetches itself."""

    data: bytes = b""
    media_type: str = "image/png"
    url: str = ""


class FilePart(Value, frozen=True, kw_only=True, tag="file"):
    """A document; text goes to every model as text, the rest only to providers that read documents."""

    data: bytes
    media_type: str
    name: str = ""


Part = TextPart | ImagePart | FilePart


class ToolCall(Value, frozen=True, kw_only=True):
    """A model's wish to have a tool called."""

    id: str
    name: str
    arguments: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    malformed: str | None = None
    """What the model wrote instead of a JSON object; `arguments` is empty then."""


class Message(Value, frozen=True, kw_only=True):
    """One turn of a conversation."""

    role: Role
    content: str | tuple[Part, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    """What an assistant's turn asked for."""
    tool_call_id: str = ""
    """The call that a tool's turn answers."""
    name: str = ""
    """The tool's name, in a tool's turn."""

    @property
    def text(self) -> str:
        """The text of the message without its images and files."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))


class ToolSpec(Value, frozen=True, kw_only=True):
    """A tool as a model sees it."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = msgspec.field(default_factory=lambda: {"type": "object", "properties": {}})
    """JSON Schema of the arguments, which are one object."""


class Request(Value, frozen=True, kw_only=True):
    """One question to a model. Options that are None are left to the provider."""

    model: str
    """The provider's own name for the model, without the provider's."""
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"
    """``auto``, ``none``, ``required``, or the name of the one tool that must be called."""
    schema: dict[str, Any] | None = None
    """JSON Schema that the answer, a JSON text, must follow."""
    schema_name: str = "answer"
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    timeout: float | None = None
    """Seconds for the whole answer."""


# ── what comes back ──────────────────────────────────────────────────────────────────────────────


class Usage(Value, frozen=True, kw_only=True):
    """What an answer took. Costs are in US dollars, None where no price is known."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompt's tokens, those that the provider had read before."""
    cost: float | None = None

    @property
    def total_tokens(self) -> int:
        """Tokens read and written."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        costs = [cost for cost in (self.cost, other.cost) if cost is not None]
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cost=sum(costs) if costs else None,
        )


class Response(Value, frozen=True, kw_only=True):
    """A whole answer."""

    content: str
    model: str
    provider: str
    finish_reason: FinishReason = "stop"
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    recorded: bool = False
    """Whether it came from a cassette, and so cost nothing now."""
    reasoning: str = ""
    """What a reasoning model lets us see of its thinking."""

    @property
    def message(self) -> Message:
        """The answer as a turn of the conversation, to be sent back with the next question."""
        return Message(role="assistant", content=self.content, tool_calls=self.tool_calls)


class TextDelta(Value, frozen=True, kw_only=True, tag="text"):
    """More of the answer's text."""

    text: str


class ReasoningDelta(Value, frozen=True, kw_only=True, tag="reasoning"):
    """More of the model's visible thinking."""

    text: str


class ToolCallDelta(Value, frozen=True, kw_only=True, tag="tool_call"):
    """More of a tool call: its name first, its arguments' JSON text in pieces."""

    index: int
    name: str = ""
    arguments: str = ""


class Finished(Value, frozen=True, kw_only=True, tag="finished"):
    """The last delta of every stream: the whole answer."""

    response: Response


Delta = TextDelta | ReasoningDelta | ToolCallDelta | Finished


class Embeddings(Value, frozen=True, kw_only=True):
    """Vectors, one for each text."""

    vectors: tuple[tuple[float, ...], ...]
    model: str
    provider: str
    usage: Usage = Usage()

    @property
    def dimensions(self) -> int:
        """Length of each vector."""
        return len(self.vectors[0]) if self.vectors else 0


class ModelInfo(Value, frozen=True, kw_only=True):
    """A model that a provider offers."""

    id: str
    provider: str
    kind: Literal["chat", "embedding"] = "chat"
    description: str = ""
    context_tokens: int | None = None
    bytes: int | None = None
    """Size of the weights on this machine's disk."""

    @property
    def full_name(self) -> str:
        """The name that picks this model wherever a model is named."""
        return f"{self.provider}:{self.id}"


class Provider(Protocol):
    """Something that answers.

    Every method can be cancelled at any await and then leaves neither a task nor a socket behind. Failures
    are `llmspell_kernel.errors.ProviderError`s.
    """

    @property
    def name(self) -> str:
        """The provider's name, as in ``ollama:qwen3``."""
        ...

    async def complete(self, request: Request) -> Response:
        """Answer, whole."""
        ...

    def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Answer piece by piece; the last delta is `Finished`. Close the generator to stop early."""
        ...

    async def embed(self, texts: Sequence[str], model: str) -> Embeddings:
        """Turn texts into vectors."""
        ...

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models on offer."""
        ...

    async def aclose(self) -> None:
        """Let go of connections and processes. A closed provider starts again when it is asked something."""
        ...
