"""Usage by call, cell and session; budgets that stop before they are overspent; `%usage` in a kernel's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from llm.scripted_server import ScriptedServer, calls, text

from llmspell_kernel.bridges.usage import usage_of
from llmspell_kernel.kernel.magics.usage import summary
from llmspell_kernel.session.outcome import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Notebook, Open


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def charge(notebook: Notebook, dollars_per_token: float) -> None:
    """Let the scripted server's tokens cost money, as a provider's with a price list."""
    meter: Any = notebook.session.models.meter
    meter._terms = lambda provider: "listed"
    meter._list_price = lambda provider, model, usage: usage.total_tokens * dollars_per_token


async def test_usage_is_told_by_call_cell_and_model(server: ScriptedServer, open_notebook: Open) -> None:
    notebook = await open_notebook(OPENAI_BASE_URL=server.base_url)
    server.script(text("hi", usage=(10, 5)))
    assert await notebook.value("llm.usage().calls") == "0"
    charge(notebook, 0.001)
    await notebook.value("llm.chat('a') llm.chat('b');")
    await notebook.value("llm.chat('c');")
    code = "local u = llm.usage() print(u.calls, u.prompt_tokens, u.completion_tokens, u.total_tokens) return u.cost"
    assert float(str(await notebook.value(code))) == pytest.approx(0.045)
    assert notebook.last.out == "3\t30\t15\t45\n"
    code = """
    local u = llm.usage()
    print(u.cells[1].cell, u.cells[1].calls, u.cells[2].cell, u.cells[2].total_tokens)
    print(#u.log, u.log[3].cell, u.log[3].kind, u.models[1].model, u.models[1].calls, u.seconds > 0)"""
    await notebook.run(code)
    assert notebook.last.out == "cell 2\t2\tcell 3\t15\n3\tcell 3\tchat\topenai:tiny-chat\t3\ttrue\n"
    line = summary(usage_of(notebook.session.models))
    assert line.startswith("3 calls, 45 tokens, $0.0450, ")


async def test_a_budget_refuses_what_it_could_not_pay(server: ScriptedServer, open_notebook: Open) -> None:
    notebook = await open_notebook(OPENAI_BASE_URL=server.base_url, LLMSPELL_MODEL_BUDGET="0.10")
    server.script(text("hi", usage=(10, 5)))
    charge(notebook, 0.001)
    await notebook.value("llm.complete{prompt = 'a', max_tokens = 20};")
    asked = len(server.chats)
    code = "local r, e = llm.complete{prompt = 'a', max_tokens = 200} return r, e.code, e.suggestion"
    shown = str(await notebook.value(code))
    assert '"budget_exceeded"' in shown
    assert "raise the budget" in shown
    assert len(server.chats) == asked, "nothing was sent"
    assert "left" in summary(usage_of(notebook.session.models))
    await notebook.value("llm.chat('no limit of its own');")
    assert server.chats[-1]["max_tokens"] <= 85, "the answer is kept as short as can be paid for"


async def test_a_spell_lowers_the_budget_and_never_raises_it(
    server: ScriptedServer, open_notebook: Open
) -> None:
    notebook = await open_notebook(OPENAI_BASE_URL=server.base_url, LLMSPELL_MODEL_BUDGET="0.10")
    assert (
        await notebook.value("llm.set_budget(5), llm.set_budget(0.05), llm.usage().budget")
        == "0.1\t0.05\t0.05"
    )
    outcome = await notebook.run("llm.set_budget(-1)")
    assert isinstance(outcome, Failed)


async def test_an_agent_stops_before_it_overspends(server: ScriptedServer, open_notebook: Open) -> None:
    notebook = await open_notebook(OPENAI_BASE_URL=server.base_url)
    server.script(calls(("calculator", {"expression": "1+1"}), usage=(40, 10)))
    charge(notebook, 0.001)
    code = """
    llm.set_budget(0.3)
    local a = agent.create{tools = {'calculator'}, max_tokens = 50, max_iterations = 50}
    local r, e = a:run('count for ever') return r, e.code"""
    assert str(await notebook.value(code)) == 'nil\t"budget_exceeded"'
    used = usage_of(notebook.session.models)
    assert 0 < used["cost"] <= 0.3


async def test_questions_are_traced_where_somebody_collects_spans(
    server: ScriptedServer, open_notebook: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    server.script(text("hi", usage=(10, 5)))
    notebook = await open_notebook(OPENAI_BASE_URL=server.base_url)
    await notebook.value("llm.chat('a secret question');")
    (span,) = exporter.get_finished_spans()
    assert span.name == "chat tiny-chat"
    assert span.attributes is not None
    assert span.attributes["gen_ai.usage.input_tokens"] == 10
    assert "secret" not in span.to_json()


async def test_a_providers_embeddings_are_counted_and_searched_with_the_same_model(
    server: ScriptedServer, open_notebook: Open
) -> None:
    notebook = await open_notebook(OPENAI_BASE_URL=server.base_url)
    await notebook.value("rag.ingest({'Cats purr.', 'Dogs bark.'}, {model = 'openai:tiny-embed'});")
    assert await notebook.value("rag.collections()[1].model, rag.collections()[1].dimensions") == (
        '"openai:tiny-embed"\t8'
    )
    assert await notebook.value("rag.search('Dogs bark.', {k = 1}).results[1].text") == '"Dogs bark."'
    assert await notebook.value("llm.usage().log[1].kind, llm.usage().calls") == '"embed"\t2'
