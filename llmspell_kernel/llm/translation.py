"""Our words into pydantic-ai's and back. Importing this module imports pydantic-ai: do it late."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, assert_never, cast

from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    PartDeltaEvent,
    PartStartEvent,
    SystemPromptPart,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModelSettings
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.tools import ToolDefinition

from llmspell_kernel.llm import protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_ai.messages import ModelResponseStreamEvent

_FINISH_REASONS: dict[str | None, protocol.FinishReason] = {
    "length": "length",
    "content_filter": "content_filter",
    "tool_call": "tool_calls",
}


# ── requests ─────────────────────────────────────────────────────────────────────────────────────


def to_messages(messages: Sequence[protocol.Message]) -> list[ModelMessage]:
    """The conversation; neighbouring turns that are not the assistant's become one request."""
    result: list[ModelMessage] = []
    pending: list[ModelRequestPart] = []
    for message in messages:
        if message.role != "assistant":
            pending.append(_request_part(message))
            continue
        if pending:
            result.append(ModelRequest(parts=pending))
            pending = []
        result.append(ModelResponse(parts=list(_response_parts(message))))
    if pending:
        result.append(ModelRequest(parts=pending))
    return result


def _request_part(message: protocol.Message) -> ModelRequestPart:
    match message.role:
        case "system":
            return SystemPromptPart(content=message.text)
        case "tool":
            return ToolReturnPart(
                tool_name=message.name, content=message.text, tool_call_id=message.tool_call_id
            )
        case "user" | "assistant":
            return UserPromptPart(content=_user_content(message.content))
        case _:
            assert_never(message.role)


def _user_content(content: str | tuple[protocol.Part, ...]) -> str | list[UserContent]:
    if isinstance(content, str):
        return content
    result: list[UserContent] = []
    for part in content:
        match part:
            case protocol.TextPart(text=text):
                result.append(text)
            case protocol.ImagePart(url=url) if url:
                result.append(ImageUrl(url=url))
            case protocol.ImagePart(data=data, media_type=media_type):
                result.append(BinaryContent(data=data, media_type=media_type))
            case protocol.FilePart(data=data, media_type=media_type, name=name):
                result.append(BinaryContent(data=data, media_type=media_type, identifier=name or None))
    return result


def _response_parts(message: protocol.Message) -> Iterator[ModelResponsePart]:
    if message.text:
        yield TextPart(content=message.text)
    for call in message.tool_calls:
        arguments = call.malformed if call.malformed is not None else json.dumps(call.arguments)
        yield ToolCallPart(tool_name=call.name, args=arguments, tool_call_id=call.id)


def to_parameters(request: protocol.Request) -> ModelRequestParameters:
    """Tools and the answer's schema."""
    tools = [
        ToolDefinition(name=tool.name, description=tool.description, parameters_json_schema=tool.parameters)
        for tool in request.tools
    ]
    if request.schema is None:
        return ModelRequestParameters(function_tools=tools)
    output = OutputObjectDefinition(json_schema=request.schema, name=request.schema_name)
    return ModelRequestParameters(function_tools=tools, output_mode="native", output_object=output)


def to_settings(request: protocol.Request) -> OpenAIChatModelSettings:
    """The options that the request does not leave to the provider."""
    settings = OpenAIChatModelSettings()
    if request.temperature is not None:
        settings["temperature"] = request.temperature
    if request.max_tokens is not None:
        settings["max_tokens"] = request.max_tokens
    if request.top_p is not None:
        settings["top_p"] = request.top_p
    if request.seed is not None:
        settings["seed"] = request.seed
    if request.timeout is not None:
        settings["request_timeout"] = request.timeout
    if request.stop:
        settings["stop_sequences"] = list(request.stop)
    if request.tools and request.tool_choice != "auto":
        choice = request.tool_choice
        settings["tool_choice"] = choice if choice in ("none", "required") else [choice]
    return settings


# ── responses ────────────────────────────────────────────────────────────────────────────────────


def from_response(response: ModelResponse, provider: str, model: str) -> protocol.Response:
    """The whole answer; `model` stands in for a name that the provider did not repeat."""
    text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    thought = "".join(part.content for part in response.parts if isinstance(part, ThinkingPart))
    calls = tuple(_tool_call(part) for part in response.parts if isinstance(part, ToolCallPart))
    finish_reason = _FINISH_REASONS.get(response.finish_reason, "tool_calls" if calls else "stop")
    details = response.provider_details or {}
    return protocol.Response(
        content=_sound(text or str(details.get("refusal", ""))),
        model=response.model_name or model,
        provider=provider,
        finish_reason=finish_reason,
        tool_calls=calls,
        usage=protocol.Usage(
            prompt_tokens=response.usage.input_tokens,
            completion_tokens=response.usage.output_tokens,
            cached_tokens=response.usage.cache_read_tokens,
        ),
        reasoning=_sound(thought),
    )


def _tool_call(part: ToolCallPart) -> protocol.ToolCall:
    arguments: Any = part.args
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except ValueError:
            arguments = None
    if arguments is None and not part.args:
        arguments = {}
    if not isinstance(arguments, dict):
        return protocol.ToolCall(id=part.tool_call_id, name=part.tool_name, malformed=str(part.args))
    return protocol.ToolCall(
        id=part.tool_call_id, name=part.tool_name, arguments=cast("dict[str, Any]", arguments)
    )


def from_event(event: ModelResponseStreamEvent) -> protocol.Delta | None:
    """What a reader of the stream is told by one event; None for events that only mark places."""
    match event:
        case PartStartEvent(part=TextPart(content=text)) if text:
            return protocol.TextDelta(text=_sound(text))
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)) if text:
            return protocol.TextDelta(text=_sound(text))
        case PartStartEvent(part=ThinkingPart(content=text)) if text:
            return protocol.ReasoningDelta(text=_sound(text))
        case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=text)) if text:
            return protocol.ReasoningDelta(text=_sound(text))
        case PartStartEvent(index=index, part=ToolCallPart() as part):
            return protocol.ToolCallDelta(index=index, name=part.tool_name, arguments=_json_text(part.args))
        case PartDeltaEvent(index=index, delta=ToolCallPartDelta() as delta):
            return protocol.ToolCallDelta(
                index=index, name=delta.tool_name_delta or "", arguments=_json_text(delta.args_delta)
            )
        case _:
            return None


def _sound(text: str) -> str:
    """The text without halves of surrogate pairs, which JSON lets through and nothing else takes."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _json_text(arguments: Any) -> str:
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else json.dumps(arguments)
