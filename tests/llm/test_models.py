"""The one door to models: choosing, metering, hooks, many calls at once."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from llmspell_kernel.errors import BudgetExceeded, ConnectionFailed, ProviderError
from llmspell_kernel.llm.directory import Configured, Preferences
from llmspell_kernel.llm.models import Models
from llmspell_kernel.llm.protocol import Finished, Message, Response, TextDelta, Usage
from llmspell_kernel.llm.testing import question, read_all, scripted_models
from llmspell_kernel.llm.tokens import estimate_tokens
from llmspell_kernel.llm.usage import Meter

from .scripted_server import ScriptedServer, text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from llmspell_kernel.llm.calls import Asked, Handler
    from llmspell_kernel.llm.choose import Choice
    from llmspell_kernel.llm.protocol import Delta


def models_at(server: ScriptedServer, name: str = "mine", **options: Any) -> Models:
    preferences = Preferences(
        provider=name, model="tiny-chat", search=False, providers={name: Configured(base_url=server.base_url)}
    )
    return Models(preferences, Path("/nonexistent"), **options)


async def test_what_was_chosen_is_said_once(server: ScriptedServer) -> None:
    said: list[Choice] = []
    models = models_at(server, announce=said.append)
    server.script(text("hello"))
    await models.complete(question("hi"))
    await models.complete(question("hi"))
    assert [choice.sentence for choice in said] == ["Model: mine:tiny-chat, chosen by the configuration."]
    await models.complete(question("hi"), provider="mine")
    assert len(said) == 1
    await models.aclose()


async def test_twenty_calls_go_side_by_side(server: ScriptedServer) -> None:
    models = models_at(server)
    server.script(text("ready"))
    await models.complete(question("warm"))
    server.script(text("done", together=20))
    answers = await asyncio.gather(*(models.complete(question(str(n))) for n in range(20)))
    assert [answer.content for answer in answers] == ["done"] * 20
    assert server.most_at_once == 20
    await models.aclose()


async def test_no_more_calls_at_once_than_configured() -> None:
    models, provider = scripted_models("x", delay=0.05)
    models.preferences = msgspec.structs.replace(models.preferences, concurrency=2)
    began = time.monotonic()
    await asyncio.gather(*(models.complete(question("hi")) for _ in range(6)))
    assert time.monotonic() - began >= 0.15
    assert len(provider.requests) == 6


async def test_listening_stops_when_it_is_told_to(server: ScriptedServer) -> None:
    models = models_at(server)
    server.script(text("one ", "two ", "three ", hang_after=3))
    heard: list[str] = []

    async def hear(delta: Delta) -> bool:
        assert isinstance(delta, TextDelta)
        heard.append(delta.text)
        return len(heard) == 2

    response = await models.listen(question("count"), hear)
    assert (response.content, response.finish_reason) == ("one two ", "stopped")
    assert response.usage.completion_tokens == 2
    assert models.ledger.total().usage.completion_tokens == 2
    assert await asyncio.to_thread(server.wait_until_idle)
    await models.aclose()


async def test_listening_to_the_end_gives_the_whole_answer() -> None:
    models, _ = scripted_models("one two")
    heard: list[Delta] = []

    async def hear(delta: Delta) -> bool:
        heard.append(delta)
        return False

    response = await models.listen(question("count"), hear)
    assert response.content == "one two"
    assert heard == [TextDelta(text="one "), TextDelta(text="two"), Finished(response=response)]


async def test_hooks_may_change_answer_retry_and_refuse() -> None:
    models, provider = scripted_models(ProviderError("flaky"), "fine")

    async def polite(asked: Asked, proceed: Handler) -> AsyncGenerator[Delta, None]:
        system = Message(role="system", content="Be polite.")
        request = msgspec.structs.replace(asked.request, messages=(system, *asked.request.messages))
        changed = type(asked)(request, asked.provider, asked.stream, asked.reading)
        async with aclosing(proceed(changed)) as deltas:
            async for delta in deltas:
                if isinstance(delta, Finished):
                    answer = msgspec.structs.replace(delta.response, content=delta.response.content.upper())
                    yield Finished(response=answer)
                else:
                    yield delta

    async def again(asked: Asked, proceed: Handler) -> AsyncGenerator[Delta, None]:
        try:
            deltas = await read_all(proceed(asked))
        except ProviderError:
            deltas = await read_all(proceed(asked))
        for delta in deltas:
            yield delta

    take_away = models.intercept(polite)
    models.intercept(again)
    assert (await models.complete(question("hi"))).content == "FINE"
    assert [r.messages[0].text for r in provider.requests] == ["Be polite.", "Be polite."]
    take_away()
    assert (await models.complete(question("hi"))).content == "fine"

    async def refuse(asked: Asked, proceed: Handler) -> AsyncGenerator[Delta, None]:
        yield Finished(response=Response(content="no", model="hook", provider="hook"))

    models.intercept(refuse)
    assert (await models.complete(question("hi"))).content == "no"
    assert len(provider.requests) == 3


async def test_a_server_that_went_away_is_looked_for_again() -> None:
    models, _ = scripted_models("x")
    models._chooser._looked = True
    await models.complete(question("hi"))
    assert models._chooser._looked

    gone = Models(Preferences(), Path("/nonexistent"))
    with ScriptedServer() as server:
        url = server.base_url

    async def find(_: Any) -> Any:
        from llmspell_kernel.llm.discovery import Found

        return Found(provider="ollama", base_url=url, model="m", models=("m",))

    gone._chooser._find = find
    gone._directory._providers["ollama"] = msgspec.structs.replace(
        gone._directory.get("ollama"), base_url=url
    )
    with pytest.raises(ConnectionFailed):
        await gone.complete(question("hi"))
    assert not gone._chooser._looked
    await gone.aclose()


async def test_listing_asks_everybody_who_answers(server: ScriptedServer) -> None:
    models = models_at(server)
    assert {info.full_name for info in await models.list()} == {"mine:tiny-chat"}
    assert [info.id for info in await models.list("mine")] == ["tiny-chat"]
    await models.aclose()


# ── usage ────────────────────────────────────────────────────────────────────────────────────────


def priced(_: str, model: str, usage: Usage) -> float | None:
    """A dollar for a thousand tokens read, two for a thousand written; `mystery` has no price."""
    return None if model == "mystery" else usage.prompt_tokens / 1e3 + usage.completion_tokens / 5e2


def paid(*answers: Any, budget: float | None = None, terms: str = "listed") -> tuple[Models, Any]:
    models, provider = scripted_models(*answers)
    models.meter._terms = lambda _: terms
    models.meter._list_price = priced
    models.meter.budget = budget
    return models, provider


def answer(prompt: int, completion: int) -> Response:
    usage = Usage(prompt_tokens=prompt, completion_tokens=completion)
    return Response(content="x", model="", provider="", usage=usage)


async def test_every_call_is_booked_with_its_cost() -> None:
    models, _ = paid(answer(100, 50))
    response = await models.complete(question("hi"))
    assert response.usage.cost == pytest.approx(0.2)
    await read_all(models.stream(question("hi")))
    total = models.ledger.total()
    assert (total.calls, total.usage.total_tokens, total.unpriced) == (2, 300, 0)
    assert total.usage.cost == pytest.approx(0.4)
    assert list(models.ledger.by_model()) == ["scripted:test-model"]
    assert models.meter.spent == pytest.approx(0.4)


async def test_calls_are_told_apart_by_label() -> None:
    cell = "cell 1"
    models, _ = scripted_models("x", label=lambda: cell)
    await models.complete(question("hi"))
    cell = "cell 2"
    await models.complete(question("hi"))
    await models.complete(question("hi"))
    assert (models.ledger.total("cell 1").calls, models.ledger.total("cell 2").calls) == (1, 2)


async def test_a_call_that_could_overspend_is_not_made() -> None:
    models, provider = paid(answer(10, 5), budget=0.5)
    await models.complete(question("hi", max_tokens=100))
    with pytest.raises(
        BudgetExceeded, match=r"may cost up to \$2\.0\d+, and \$0\.48\d+ of the budget is left"
    ) as caught:
        await models.complete(question("hi", max_tokens=1000))
    assert caught.value.suggestion == "raise the budget, ask for fewer tokens, or use a cheaper model"
    assert len(provider.requests) == 1


async def test_without_a_limit_the_answer_is_as_long_as_the_money_lasts() -> None:
    models, provider = paid(answer(5, 100), budget=0.3)
    await models.complete(question("hi"))
    assert 100 < provider.requests[0].max_tokens < 150
    await models.complete(question("hi", max_tokens=10))
    with pytest.raises(BudgetExceeded):
        await models.complete(question("word " * 1000))


async def test_calls_at_once_cannot_overspend_together() -> None:
    models, _provider = paid(answer(5, 100), budget=0.5)
    results = await asyncio.gather(
        *(models.complete(question("hi", max_tokens=100)) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, BudgetExceeded) for result in results) == 3
    assert models.meter.spent <= 0.5
    assert models.meter._reserved == pytest.approx(0)


async def test_a_budget_cannot_be_kept_without_a_price() -> None:
    models, _ = paid(answer(1, 1), budget=1.0)
    with pytest.raises(BudgetExceeded, match="no price is known for scripted:mystery"):
        await models.complete(msgspec.structs.replace(question("hi"), model="scripted:mystery"))
    own, _ = paid(answer(1, 1), budget=1.0, terms="unknown")
    response = await own.complete(msgspec.structs.replace(question("hi"), model="scripted:mystery"))
    assert response.usage.cost is None
    assert own.ledger.total().unpriced == 1


async def test_what_was_written_before_a_stop_is_paid_for() -> None:
    models, _ = paid("one two three four five")

    async def stop(_: Delta) -> bool:
        return True

    response = await models.listen(question("count"), stop)
    assert response.usage.cost is not None
    assert response.usage.cost > 0
    assert models.meter.spent == pytest.approx(response.usage.cost)
    assert models.ledger.total().usage.cost == pytest.approx(response.usage.cost)


async def test_this_machine_is_free() -> None:
    models, _ = scripted_models("x")
    assert (await models.complete(question("hi"))).usage.cost == 0.0
    assert models._terms("openai") == "listed"
    assert models._terms("local") == "free"


async def test_the_price_list_is_real_and_offline() -> None:
    meter = Meter(lambda _: "listed")
    usage = await meter.book(
        "openai", "gpt-6-luna", Usage(prompt_tokens=1_000_000, completion_tokens=1_000_000)
    )
    assert usage.cost is not None
    assert 0.1 < usage.cost < 100
    assert (await meter.book("openai", "no-such-model", Usage(prompt_tokens=1))).cost is None


async def test_a_question_can_be_priced_before_it_is_asked() -> None:
    models, provider = paid("x")
    assert await models.cost_estimate(question("hi", max_tokens=500)) == pytest.approx(1.0, abs=0.02)
    assert models.count_tokens("one two three") == 3
    assert models.count_tokens(question("one two three")) == 7
    assert provider.requests == []


@pytest.mark.parametrize(
    ("words", "tokens"),
    [
        # As SmolLM2's tokenizer counts them.
        ("The quick brown fox jumps over the lazy dog. It was a bright cold day in April.", 19),
        ('{"a": [1, 2, {"b": null}]}', 15),
        ("local answer = llm.chat('What is the capital of France?')\nprint(answer)\n", 20),
        ("", 0),
    ],
)
def test_estimates_are_near_enough(words: str, tokens: int) -> None:
    assert estimate_tokens(words) == pytest.approx(tokens, rel=0.35)
