"""Spans of questions to models, as OpenTelemetry's conventions for generative AI name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmspell_kernel.errors import SpellError
from llmspell_kernel.llm.agents import Tool
from llmspell_kernel.llm.calls import Asked, Reading
from llmspell_kernel.llm.choose import Choice, Origin
from llmspell_kernel.llm.directory import Preferences
from llmspell_kernel.llm.models import Models
from llmspell_kernel.llm.protocol import (
    Finished,
    Message,
    Request,
    Response,
    TextDelta,
    ToolCall,
    ToolSpec,
    Usage,
)
from llmspell_kernel.llm.telemetry import operation, traced
from llmspell_kernel.llm.tool_runs import Toolbox

trace_sdk = pytest.importorskip("opentelemetry.sdk.trace")

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from llmspell_kernel.llm.protocol import Delta

REQUEST = Request(model="", messages=(Message(role="user", content="a secret question"),), temperature=0.5)
RESPONSE = Response(
    content="a secret answer",
    model="tiny-2",
    provider="scripted",
    usage=Usage(prompt_tokens=7, completion_tokens=3),
)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    from opentelemetry import trace
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = trace_sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    kept: list[Any] = exporter._finished_spans
    return kept


def asked() -> Asked:
    return Asked(REQUEST, reading=Reading())


async def answer(asked: Asked) -> AsyncGenerator[Delta, None]:
    asked.reading.choice = Choice(
        provider="scripted", title="Scripted", model="tiny", base_url="", origin=Origin.CALL
    )
    yield TextDelta(text="a secret ")
    yield Finished(response=RESPONSE)


async def test_a_question_is_a_span_that_tells_nothing_of_what_was_said(spans: list[Any]) -> None:
    assert [delta async for delta in traced(asked(), answer)][-1] == Finished(response=RESPONSE)
    (span,) = spans
    assert span.name == "chat tiny-2"
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.provider.name": "scripted",
        "gen_ai.response.model": "tiny-2",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "llmspell.recorded": False,
    }
    assert "secret" not in span.to_json()


async def test_a_failure_is_told_by_its_code(spans: list[Any]) -> None:
    async def fail(asked: Asked) -> AsyncGenerator[Delta, None]:
        raise SpellError("no", code="rate_limited")
        yield

    with pytest.raises(SpellError):
        [delta async for delta in traced(asked(), fail)]
    (span,) = spans
    assert span.attributes["error.type"] == "rate_limited"
    assert not span.status.is_ok


async def test_a_stream_that_is_closed_early_is_no_failure(spans: list[Any]) -> None:
    stream = traced(asked(), answer)
    await anext(stream)
    await stream.aclose()
    (span,) = spans
    assert span.status.is_unset


async def test_tools_are_spans_under_their_agent_and_say_what_failed(spans: list[Any]) -> None:
    async def double(arguments: dict[str, Any]) -> int:
        return 2 * int(arguments["n"])

    box = Toolbox([Tool(ToolSpec(name="double", description="", parameters={"type": "object"}), double)])
    with operation("invoke_agent", "clerk", agent__name="clerk"):
        assert (await box.run(ToolCall(id="a", name="double", arguments={"n": 4}))).value == 8
        assert (await box.run(ToolCall(id="b", name="double", arguments={"n": "x"}))).error
    good, bad, agent = spans
    assert (agent.name, dict(agent.attributes)["gen_ai.agent.name"]) == ("invoke_agent clerk", "clerk")
    assert (good.name, good.parent.span_id) == ("execute_tool double", agent.context.span_id)
    assert dict(good.attributes) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "double",
        "gen_ai.tool.call.id": "a",
    }
    assert dict(bad.attributes)["error.type"] == "tool_error"


async def test_embeddings_are_spans(spans: list[Any], tmp_path: Path) -> None:
    models = Models(Preferences(), tmp_path)
    with pytest.raises(SpellError):
        await models.embed(["a secret text"], "nowhere:tiny")
    (span,) = spans
    assert span.name == "embeddings nowhere:tiny"
    assert "secret" not in str(span.attributes)
    await models.aclose()
