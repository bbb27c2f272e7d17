"""Agents: tools, corrections, limits, cancellation."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llmspell_kernel.errors import (
    BadArgument,
    BudgetExceeded,
    MissingGrant,
    ProviderError,
    Timeout,
    WorldError,
)
from llmspell_kernel.llm.agent_loop import agent_events, run_agent
from llmspell_kernel.llm.agents import Answered, Ended, Event, Limits, Said, Tool, ToolEnded, ToolStarted
from llmspell_kernel.llm.directory import Configured, Preferences
from llmspell_kernel.llm.models import Models
from llmspell_kernel.llm.protocol import Message, Request, Response, TextDelta, ToolCall, ToolSpec, Usage
from llmspell_kernel.llm.testing import calls, question, scripted_models

from . import scripted_server

if TYPE_CHECKING:
    from .scripted_server import ScriptedServer


class Weather:
    """A tool that keeps what it was asked."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.cities: list[str] = []
        self.running = 0
        self.most = 0
        self._seconds = seconds

    async def __call__(self, arguments: dict[str, Any]) -> Any:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self._seconds)
        finally:
            self.running -= 1
        self.cities.append(arguments["city"])
        return {"city": arguments["city"], "sky": "blue"}

    def tool(self, **options: Any) -> Tool:
        schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        return Tool(ToolSpec(name="weather", description="The weather.", parameters=schema), self, **options)


def city(name: str) -> tuple[str, dict[str, Any]]:
    return "weather", {"city": name}


def tool(name: str, call: Any, **options: Any) -> Tool:
    return Tool(ToolSpec(name=name), call, **options)


def said_to(provider: Any) -> list[str]:
    """What the model was told in the last question's tool turns."""
    return [m.text for m in provider.requests[-1].messages if m.role == "tool"]


async def test_tools_are_called_until_there_is_an_answer() -> None:
    weather = Weather()
    models, provider = scripted_models(calls(city("Paris")), calls(city("Rome")), "Both are blue.")
    result = await run_agent(models, question("Weather?"), [weather.tool()])
    assert (result.text, result.ending, result.iterations) == ("Both are blue.", "answered", 3)
    assert weather.cities == ["Paris", "Rome"]
    assert result.usage.total_tokens == 45
    assert [m.role for m in result.messages] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
        "assistant",
    ]
    assert json.loads(result.messages[2].text) == {"city": "Paris", "sky": "blue"}
    assert result.tool_runs[0].value == {"city": "Paris", "sky": "blue"}
    assert [spec.name for spec in provider.requests[0].tools] == ["weather"]


async def test_without_tools_it_is_one_question() -> None:
    models, _ = scripted_models("Hello.")
    result = await run_agent(models, question("Hi"))
    assert (result.text, result.iterations, result.tool_runs) == ("Hello.", 1, ())


async def test_calls_of_one_answer_run_side_by_side_and_answer_in_order() -> None:
    weather = Weather(0.1)
    models, provider = scripted_models(calls(*(city(str(n)) for n in range(5))), "done")
    await run_agent(models, question("Weather?"), [weather.tool()])
    assert weather.most == 5
    assert [json.loads(text)["city"] for text in said_to(provider)] == ["0", "1", "2", "3", "4"]


async def test_a_tool_that_wants_to_be_alone_is() -> None:
    weather = Weather(0.02)
    models, _provider = scripted_models(calls(*(city(str(n)) for n in range(4))), "done")
    await run_agent(models, question("Weather?"), [weather.tool(parallel=False)])
    assert weather.most == 1
    assert weather.cities == ["0", "1", "2", "3"]


async def test_wrong_arguments_never_reach_the_tool_and_are_told_to_the_model() -> None:
    weather = Weather()
    models, provider = scripted_models(
        calls(("weather", {"town": "Paris"}), ("weather", {"city": 3})), calls(city("Paris")), "blue"
    )
    result = await run_agent(models, question("Weather?"), [weather.tool()])
    assert weather.cities == ["Paris"]
    assert said_to(provider)[:2] == [
        'Error: wrong arguments for weather: "city" is a required property',
        'Error: wrong arguments for weather: city: 3 is not of type "string"',
    ]
    assert [bool(run.error) for run in result.tool_runs] == [True, True, False]


async def test_malformed_arguments_and_unknown_tools_are_told_to_the_model() -> None:
    broken = Response(
        content="",
        model="",
        provider="",
        tool_calls=(ToolCall(id="1", name="weather", malformed="{city"), ToolCall(id="1", name="wether")),
    )
    models, provider = scripted_models(broken, "sorry")
    await run_agent(models, question("Weather?"), [Weather().tool()])
    assert said_to(provider) == [
        "Error: the arguments of weather are not a JSON object: {city",
        "Error: there is no tool 'wether'; did you mean 'weather'?",
    ]


async def test_what_a_tool_raises_is_told_to_the_model() -> None:
    async def fails(_: dict[str, Any]) -> Any:
        raise WorldError("the page is gone", suggestion="try another")

    async def breaks(_: dict[str, Any]) -> Any:
        raise KeyError("x")

    async def dawdles(_: dict[str, Any]) -> Any:
        await asyncio.sleep(10)

    tools = [tool("fails", fails), tool("breaks", breaks), tool("dawdles", dawdles, timeout=0.05)]
    models, provider = scripted_models(calls(("fails", {}), ("breaks", {}), ("dawdles", {})), "sorry")
    await run_agent(models, question("Go"), tools)
    assert said_to(provider) == [
        "Error: the page is gone (try another)",
        "Error: 'x'",
        "Error: dawdles did not finish within 0.05 seconds",
    ]


async def test_what_only_a_person_can_put_right_ends_the_run() -> None:
    async def refused(_: dict[str, Any]) -> Any:
        raise MissingGrant("http", "example.org", "example.org is not granted", line="x", variable="y")

    slow = Weather(10)
    models, provider = scripted_models(calls(city("Paris"), ("fetch", {})), "never")
    with pytest.raises(MissingGrant):
        await run_agent(models, question("Go"), [tool("fetch", refused), slow.tool()])
    assert slow.running == 0
    assert len(provider.requests) == 1


async def test_long_answers_of_tools_are_cut_and_say_so() -> None:
    async def long(_: dict[str, Any]) -> Any:
        return "x" * 1000

    models, provider = scripted_models(calls(("long", {})), "ok")
    await run_agent(models, question("Go"), [tool("long", long)], limits=Limits(result_chars=10))
    assert said_to(provider) == ["x" * 10 + "\n[990 more characters are left out]"]


async def test_every_step_is_told() -> None:
    models, _ = scripted_models(calls(city("Paris")), "It is blue.")
    events: list[Event] = []
    async with aclosing(agent_events(models, question("?"), [Weather().tool()], stream=True)) as told:
        async for event in told:
            events.append(event)  # noqa: PERF401 - a comprehension would hide the loop that is tested
    kinds = [type(event) for event in events if not isinstance(event, Said)]
    assert kinds == [Answered, ToolStarted, ToolEnded, Answered, Ended]
    text = [e.delta.text for e in events if isinstance(e, Said) and isinstance(e.delta, TextDelta)]
    assert text == ["It ", "is ", "blue."]


async def test_the_last_question_is_asked_without_tools() -> None:
    def answer(request: Request) -> Any:
        return "enough" if request.tool_choice == "none" else calls(city("Paris"))

    models, provider = scripted_models(answer)
    result = await run_agent(models, question("?"), [Weather().tool()], limits=Limits(iterations=3))
    assert (result.text, result.iterations, len(result.tool_runs)) == ("enough", 3, 2)
    assert provider.requests[-1].messages[-1].text.startswith("You cannot call tools any more")


async def test_a_model_that_never_answers_is_stopped() -> None:
    models, _provider = scripted_models(calls(city("Paris")))
    result = await run_agent(models, question("?"), [Weather().tool()], limits=Limits(iterations=3))
    assert (result.ending, result.iterations) == ("iterations", 3)
    assert result.messages[-1].tool_calls == ()
    once = await run_agent(models, question("?"), [Weather().tool()], limits=Limits(iterations=1))
    assert (once.ending, once.iterations, len(once.tool_runs)) == ("iterations", 1, 1)


async def test_tokens_run_out_before_they_are_overspent() -> None:
    expensive = Response(
        content="",
        model="",
        provider="",
        tool_calls=(ToolCall(id="1", name="weather", arguments={"city": "x"}),),
        usage=Usage(prompt_tokens=500, completion_tokens=400),
    )
    models, provider = scripted_models(expensive)
    with pytest.raises(BudgetExceeded, match="used up its 1,000 tokens") as caught:
        await run_agent(models, question("?"), [Weather().tool()], limits=Limits(tokens=1000))
    assert caught.value.details["tokens"] == 900 * len(provider.requests) <= 1800
    assert provider.requests[0].max_tokens < 1000


async def test_money_runs_out_before_it_is_overspent() -> None:
    models, _provider = scripted_models(calls(city("Paris")))
    models.meter._terms = lambda _: "listed"
    models.meter._list_price = lambda p, m, u: u.total_tokens / 1000
    with pytest.raises(BudgetExceeded):
        await run_agent(models, question("?"), [Weather().tool()], limits=Limits(cost=0.2, iterations=100))
    assert models.meter.spent <= 0.2


async def test_time_runs_out_in_the_middle_of_a_tool() -> None:
    weather = Weather(600)
    models, _ = scripted_models(calls(city("Paris")), "never")
    with pytest.raises(Timeout, match=r"within 0\.1 seconds"):
        await run_agent(models, question("?"), [weather.tool()], limits=Limits(seconds=0.1))
    assert weather.running == 0


async def test_time_does_not_run_while_the_listener_thinks() -> None:
    models, _ = scripted_models("one two three")
    async with aclosing(agent_events(models, question("?"), stream=True, limits=Limits(seconds=5))) as events:
        async for _ in events:
            await asyncio.sleep(0.01)


async def test_cancelling_in_mid_tool_ends_the_tools() -> None:
    weather = Weather(600)
    models, _ = scripted_models(calls(city("a"), city("b"), city("c")), "never")
    task = asyncio.create_task(run_agent(models, question("?"), [weather.tool()]))
    await asyncio.sleep(0.05)
    assert weather.running == 3
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert weather.running == 0
    assert len(asyncio.all_tasks()) == 1


async def test_closing_the_events_in_mid_tool_ends_the_tools() -> None:
    weather = Weather(600)
    models, _ = scripted_models(calls(city("a"), city("b")), "never")
    async with aclosing(agent_events(models, question("?"), [weather.tool()])) as events:
        async for event in events:
            if isinstance(event, ToolStarted):
                await asyncio.sleep(0.02)
                break
    assert weather.running == 0
    assert len(asyncio.all_tasks()) == 1


PERSON = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


async def test_a_schema_gives_a_value_when_the_work_is_done() -> None:
    models, provider = scripted_models(calls(city("Paris")), "She is 36.", '{"age": "36"}', '{"age": 36}')
    result = await run_agent(models, question("How old?", schema=PERSON), [Weather().tool()])
    assert result.value == {"age": 36}
    assert [request.schema for request in provider.requests] == [None, None, PERSON, PERSON]
    assert result.usage.total_tokens == 60


async def test_an_answer_that_follows_the_schema_is_not_asked_for_twice() -> None:
    models, provider = scripted_models(calls(city("Paris")), 'Here: {"age": 36}')
    result = await run_agent(models, question("How old?", schema=PERSON), [Weather().tool()])
    assert result.value == {"age": 36}
    assert len(provider.requests) == 2


async def test_a_forced_tool_is_forced_once() -> None:
    models, provider = scripted_models(calls(city("Paris")), "done")
    await run_agent(models, question("?", tool_choice="weather"), [Weather().tool()])
    assert [request.tool_choice for request in provider.requests] == ["weather", "auto"]


async def test_a_tool_with_a_wrong_schema_is_noticed_at_once() -> None:
    models, provider = scripted_models("x")
    wrong = Tool(ToolSpec(name="bad", parameters={"type": "objekt"}), Weather())
    with pytest.raises(BadArgument, match="the schema of the tool 'bad' is not"):
        await run_agent(models, question("?"), [wrong])
    assert provider.requests == []


async def test_a_failing_provider_fails_the_run() -> None:
    models, _ = scripted_models(ProviderError("down"))
    with pytest.raises(ProviderError, match="down"):
        await run_agent(models, question("?"))


async def test_an_agent_can_be_a_tool_of_another() -> None:
    async def expert(arguments: dict[str, Any]) -> Any:
        inner, _ = scripted_models("forty-two")
        return (await run_agent(inner, question("?"))).text

    models, provider = scripted_models(calls(("expert", {})), "It is forty-two.")
    await run_agent(models, question("?"), [tool("expert", expert)])
    assert said_to(provider) == ["forty-two"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_whole_round_over_http(server: ScriptedServer, stream: bool) -> None:
    weather = Weather()
    server.script(
        scripted_server.calls(("weather", {"city": "Paris"}), ("weather", '{"city":')),
        scripted_server.text("blue"),
    )
    preferences = Preferences(
        provider="mine",
        model="tiny-chat",
        search=False,
        providers={"mine": Configured(base_url=server.base_url)},
    )
    models = Models(preferences, Path("/nonexistent"))
    request = Request(model="", messages=(Message(role="user", content="Weather?"),))
    result = await run_agent(models, request, [weather.tool()], stream=stream)
    await models.aclose()
    assert (result.text, weather.cities) == ("blue", ["Paris"])
    roles = [m["role"] for m in server.chats[1]["messages"]]
    assert roles == ["user", "assistant", "tool", "tool"]
    assert "not a JSON object" in server.chats[1]["messages"][3]["content"]
