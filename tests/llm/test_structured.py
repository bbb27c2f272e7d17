"""Answers that follow a schema."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell_kernel.errors import BadArgument, ProviderError
from llmspell_kernel.llm.protocol import Message, Request
from llmspell_kernel.llm.schema import Schema, read_json
from llmspell_kernel.llm.structured import structured

from .scripted_server import ScriptedServer, failure, text

if TYPE_CHECKING:
    from llmspell_kernel.llm.openai_compatible import OpenAICompatible

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"type": "integer", "minimum": 0}},
    "required": ["name", "born"],
}


def ask(schema: dict[str, Any] = PERSON) -> Request:
    return Request(model="tiny-chat", messages=(Message(role="user", content="Ada?"),), schema=schema)


async def test_a_right_answer_is_taken_at_once(server: ScriptedServer, provider: OpenAICompatible) -> None:
    server.script(text('{"name": "Ada", ', '"born": 1815}'))
    answer = await structured(provider.complete, ask())
    assert answer.value == {"name": "Ada", "born": 1815}
    assert server.chats[0]["response_format"]["json_schema"]["schema"] == PERSON


async def test_a_wrong_answer_is_corrected_by_the_model(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(text('{"name": "Ada", "born": -1}'), text('{"name": "Ada", "born": 1815}'))
    answer = await structured(provider.complete, ask())
    assert answer.value["born"] == 1815
    assert answer.response.usage.total_tokens == 30
    said = server.chats[1]["messages"]
    assert said[1] == {"role": "assistant", "content": '{"name": "Ada", "born": -1}'}
    assert "born: -1 is less than the minimum of 0" in said[2]["content"]


async def test_a_model_that_does_not_manage_is_given_up_with_its_answer(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(text('{"name": "Ada"}'))
    with pytest.raises(ProviderError, match='"born" is a required property') as caught:
        await structured(provider.complete, ask(), corrections=1)
    assert caught.value.code == "wrong_schema"
    assert caught.value.details["answer"] == '{"name": "Ada"}'
    assert len(server.chats) == 2


async def test_an_answer_that_was_cut_off_says_so(server: ScriptedServer, provider: OpenAICompatible) -> None:
    server.script(text('{"name": "Ad', finish_reason="length"))
    with pytest.raises(ProviderError, match="max_tokens"):
        await structured(provider.complete, ask(), corrections=0)


async def test_a_provider_without_schemas_is_asked_in_words(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(
        failure(400, "response_format is not supported"),
        text('Sure! ```json\n{"name": "Ada"}\n```'),
        text('{"name": "Ada", "born": 1815}'),
    )
    answer = await structured(provider.complete, ask())
    assert answer.value == {"name": "Ada", "born": 1815}
    _, second, third = server.chats
    assert "response_format" not in second
    assert json.dumps(PERSON) in second["messages"][0]["content"]
    assert "required property" in third["messages"][-1]["content"]


async def test_another_rejection_is_passed_on(server: ScriptedServer, provider: OpenAICompatible) -> None:
    server.script(failure(400, "temperature must be below 2"))
    with pytest.raises(ProviderError, match="temperature"):
        await structured(provider.complete, ask())
    assert len(server.chats) == 1


async def test_a_wrong_schema_is_noticed_before_anything_is_asked(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    with pytest.raises(BadArgument, match=r"the schema is not a JSON Schema at properties.a.type"):
        await structured(provider.complete, ask({"properties": {"a": {"type": "strin"}}}))
    assert server.chats == []


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("```json\n[1, 2]\n```", [1, 2]),
        ('Here you are: {"a": {"b": "}"}} I hope it helps.', {"a": {"b": "}"}}),
        ("  3 ", 3),
        ('"text"', "text"),
    ],
)
def test_json_is_found_in_an_answer(answer: str, value: Any) -> None:
    assert read_json(answer) == value


@pytest.mark.parametrize("answer", ["", "Paris", "true story", "{", "NaN", '{"a": NaN}', "[" * 100_000])
def test_no_json_is_no_json(answer: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|empty"):
        read_json(answer)


@given(st.text(max_size=60))
def test_reading_json_fails_only_with_a_value_error(answer: str) -> None:
    with contextlib.suppress(ValueError):
        read_json(answer)


def test_problems_have_their_places() -> None:
    schema = Schema({"properties": {"items": {"items": {"properties": {"n": {"type": "integer"}}}}}})
    assert schema.problems({"items": [{"n": 1}, {"n": "x"}]}) == ['items[1].n: "x" is not of type "integer"']


@pytest.mark.parametrize("reference", ["http://127.0.0.1:9/x.json", "file:///etc/passwd"])
def test_a_schema_refers_to_nothing_outside(reference: str) -> None:
    with pytest.raises(BadArgument):
        Schema({"$ref": reference})


def test_hostile_schemas_and_values_are_harmless() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"next": deep}
    recursive = {"properties": {"next": {"$ref": "#"}}}
    assert Schema(recursive).problems(deep) == ["the value is nested too deeply"]
    with pytest.raises(BadArgument, match="too deeply"):
        Schema(deep)
    assert Schema({"allOf": [{"$ref": "#"}]}).problems(1) == []
    slow = Schema({"pattern": "^(a+)+$"})
    assert len(slow.problems("a" * 50_000 + "b")) == 1
    assert Schema({}).problems(object()) != []
