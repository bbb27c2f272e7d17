"""What is sent to a provider, and what comes back."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any

import pytest

from llmspell_kernel.llm.catalogue import ProviderInfo
from llmspell_kernel.llm.openai_compatible import OpenAICompatible
from llmspell_kernel.llm.protocol import (
    FilePart,
    Finished,
    ImagePart,
    Message,
    ModelInfo,
    ReasoningDelta,
    Request,
    Response,
    TextDelta,
    TextPart,
    ToolCall,
    ToolCallDelta,
    ToolSpec,
    Usage,
)

from .scripted_server import ScriptedServer, calls, text

WEATHER = ToolSpec(
    name="weather",
    description="The weather in a city.",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def ask(*messages: Message, **options: Any) -> Request:
    return Request(model="tiny-chat", messages=messages or (Message(role="user", content="hi"),), **options)


async def test_a_whole_answer(server: ScriptedServer, provider: OpenAICompatible) -> None:
    server.script(text("Par", "is", usage=(12, 3)))
    assert await provider.complete(ask()) == Response(
        content="Paris",
        model="tiny-chat",
        provider="scripted",
        finish_reason="stop",
        usage=Usage(prompt_tokens=12, completion_tokens=3),
    )


async def test_a_stream_gives_its_pieces_and_then_the_whole(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(text("Par", "is", reasoning="France, so", usage=(12, 3), finish_reason="length"))
    async with aclosing(provider.stream(ask())) as deltas:
        seen = [delta async for delta in deltas]
    assert seen == [
        ReasoningDelta(text="France, so"),
        TextDelta(text="Par"),
        TextDelta(text="is"),
        Finished(
            response=Response(
                content="Paris",
                model="tiny-chat",
                provider="scripted",
                finish_reason="length",
                usage=Usage(prompt_tokens=12, completion_tokens=3),
                reasoning="France, so",
            )
        ),
    ]


async def test_options_are_sent_only_if_they_are_set(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(text("x"))
    await provider.complete(ask())
    await provider.complete(ask(temperature=0.5, max_tokens=7, top_p=0.9, seed=1, stop=("END", "STOP")))
    plain, full = server.chats
    assert set(plain) - {"stream"} == {"model", "messages"}
    wanted = {"temperature": 0.5, "max_tokens": 7, "top_p": 0.9, "seed": 1, "stop": ["END", "STOP"]}
    assert {key: full[key] for key in wanted} == wanted


async def test_a_conversation_with_tools_goes_round(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(calls(("weather", {"city": "Paris"}), ("weather", {"city": "Rome"})), text("Sunny."))
    question = Message(role="user", content="Weather in Paris and Rome?")
    first = await provider.complete(ask(question, tools=(WEATHER,)))
    assert first.finish_reason == "tool_calls"
    assert first.tool_calls == (
        ToolCall(id="call_0", name="weather", arguments={"city": "Paris"}),
        ToolCall(id="call_1", name="weather", arguments={"city": "Rome"}),
    )
    results = [Message(role="tool", content="sun", tool_call_id=c.id, name=c.name) for c in first.tool_calls]
    second = await provider.complete(ask(question, first.message, *results, tools=(WEATHER,)))
    assert second.content == "Sunny."
    assert server.chats[0]["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "The weather in a city.",
                "parameters": WEATHER.parameters,
            },
        }
    ]
    _, assistant, *tools = server.chats[1]["messages"]
    assert [json.loads(call["function"]["arguments"]) for call in assistant["tool_calls"]] == [
        {"city": "Paris"},
        {"city": "Rome"},
    ]
    assert [(m["role"], m["tool_call_id"], m["content"]) for m in tools] == [
        ("tool", "call_0", "sun"),
        ("tool", "call_1", "sun"),
    ]


async def test_streamed_tool_calls_come_in_pieces(server: ScriptedServer, provider: OpenAICompatible) -> None:
    server.script(calls(("weather", {"city": "Paris"}), ("weather", {"city": "Rome"})))
    async with aclosing(provider.stream(ask(tools=(WEATHER,)))) as deltas:
        *pieces, last = [delta async for delta in deltas]
    written: dict[int, str] = {}
    for piece in pieces:
        assert isinstance(piece, ToolCallDelta)
        written[piece.index] = written.get(piece.index, "") + piece.arguments
    assert [json.loads(arguments) for arguments in written.values()] == [{"city": "Paris"}, {"city": "Rome"}]
    assert isinstance(last, Finished)
    assert [call.arguments for call in last.response.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}]


@pytest.mark.parametrize("written", ['{"city": ', "Paris", "[1]", "null"])
async def test_arguments_that_are_no_object_are_kept_as_written(
    server: ScriptedServer, provider: OpenAICompatible, written: str
) -> None:
    server.script(calls(("weather", written)))
    (call,) = (await provider.complete(ask(tools=(WEATHER,)))).tool_calls
    assert (call.arguments, call.malformed) == ({}, written)


async def test_no_arguments_are_an_empty_object(server: ScriptedServer, provider: OpenAICompatible) -> None:
    server.script(calls(("now", "")))
    (call,) = (await provider.complete(ask(tools=(ToolSpec(name="now"),)))).tool_calls
    assert (call.arguments, call.malformed) == ({}, None)


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", ("auto", None)),
        ("none", ("none",)),
        ("required", ("required",)),
        ("weather", ({"type": "function", "function": {"name": "weather"}},)),
    ],
)
async def test_tool_choice(
    server: ScriptedServer, provider: OpenAICompatible, choice: str, sent: tuple[Any, ...]
) -> None:
    server.script(text("x"))
    other = ToolSpec(name="other")
    await provider.complete(ask(tools=(WEATHER, other), tool_choice=choice))
    assert server.chats[0].get("tool_choice") in sent or (
        choice == "none" and not server.chats[0].get("tools")
    )


async def test_a_schema_is_sent_natively(server: ScriptedServer, provider: OpenAICompatible) -> None:
    server.script(text('{"name": "Ada"}'))
    await provider.complete(ask(schema=PERSON, schema_name="person"))
    sent = server.chats[0]["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["name"] == "person"
    assert sent["json_schema"]["schema"]["properties"] == {"name": {"type": "string"}}
    assert "strict" not in sent["json_schema"]


async def test_images_and_files_are_parts_of_a_message(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(text("A dot."))
    content = (
        TextPart(text="What is this?"),
        ImagePart(data=b"\x89PNG", media_type="image/png"),
        ImagePart(url="https://example.com/a.png"),
        FilePart(data=b"a,b\n1,2\n", media_type="text/csv", name="t.csv"),
        FilePart(data=b"%PDF-1.4", media_type="application/pdf"),
    )
    await provider.complete(ask(Message(role="user", content=content)))
    parts = server.chats[0]["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "image_url", "text", "file"]
    assert parts[1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert parts[2]["image_url"]["url"] == "https://example.com/a.png"
    assert "a,b\n1,2" in parts[3]["text"]


async def test_system_messages_stay_where_they_are(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(text("x"))
    await provider.complete(
        ask(
            Message(role="system", content="Be brief."),
            Message(role="user", content="a"),
            Message(role="assistant", content="b"),
            Message(role="user", content="c"),
        )
    )
    assert [(m["role"], m["content"]) for m in server.chats[0]["messages"]] == [
        ("system", "Be brief."),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "c"),
    ]


async def test_a_model_that_is_not_named_is_the_first_that_can_chat(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.models = ("nomic-embed-text", "qwen3:4b")
    server.script(text("x"))
    request = Request(model="", messages=(Message(role="user", content="hi"),))
    assert (await provider.complete(request)).model == "qwen3:4b"
    async with aclosing(provider.stream(request)) as deltas:
        assert await anext(deltas) == TextDelta(text="x")


async def test_a_missing_finish_reason_of_a_whole_answer_is_forgiven(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(text("x", finish_reason="", usage=None))
    response = await provider.complete(ask())
    assert (response.finish_reason, response.usage) == ("stop", Usage())


async def test_thinking_in_tags_is_told_apart(server: ScriptedServer, provider: OpenAICompatible) -> None:
    server.script(text("<think>", "hm", "</think>", "42"))
    response = await provider.complete(ask())
    assert (response.content, response.reasoning) == ("42", "hm")


async def test_embeddings(server: ScriptedServer, provider: OpenAICompatible) -> None:
    answer = await provider.embed(["one", "two words"], "embedder")
    assert (len(answer.vectors), answer.dimensions) == (2, 8)
    assert (answer.model, answer.usage.prompt_tokens) == ("embedder", 3)
    again = await provider.embed(["two words"], "embedder")
    assert again.vectors[0] == answer.vectors[1]


async def test_models(server: ScriptedServer, provider: OpenAICompatible) -> None:
    server.models = ("a", "bge-m3")
    assert await provider.models() == (
        ModelInfo(id="a", provider="scripted"),
        ModelInfo(id="bge-m3", provider="scripted", kind="embedding"),
    )


async def test_the_key_is_sent_and_nothing_of_the_environment(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-environment")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    asked = OpenAICompatible(ProviderInfo(name="openai", title="x", base_url=server.base_url), "mine")
    server.script(text("x"))
    await asked.complete(ask())
    await asked.aclose()
    headers = server.requests[0].headers
    assert headers["authorization"] == "Bearer mine"
    assert "environment" not in json.dumps(headers)
