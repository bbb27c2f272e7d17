"""The first bridge: `llm` from a cell, against a real server on loopback."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from llm.scripted_server import ScriptedServer, failure, text

from llmspell_kernel.session.outcome import Failed, Interrupted, Succeeded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Notebook, Open


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
async def asking(server: ScriptedServer, open_notebook: Open) -> Notebook:
    """A notebook whose model is the scripted server."""
    return await open_notebook(OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-secret-of-the-test")


async def test_a_string_is_answered_with_a_string(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text("Paris"))
    assert await asking.value("llm.chat('Capital of France?')") == '"Paris"'
    assert server.chats[0]["messages"][-1] == {"role": "user", "content": "Capital of France?"}
    assert "OPENAI_BASE_URL" in asking.last.err


async def test_which_model_answers_is_said_once(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text("a"))
    await asking.value("llm.chat('1')")
    await asking.value("llm.chat('2')")
    assert asking.last.err == ""


async def test_a_table_is_answered_with_a_response_that_reads_as_its_text(
    asking: Notebook, server: ScriptedServer
) -> None:
    server.script(text("Par", "is"))
    await asking.value("r = llm.chat{prompt = 'Where?', temperature = 0.5, max_tokens = 7}")
    assert await asking.value("tostring(r), r.content, r .. '!', r:upper(), r.usage.total_tokens > 0") == (
        '"Paris"\t"Paris"\t"Paris!"\t"PARIS"\ttrue'
    )
    assert (server.chats[0]["temperature"], server.chats[0]["max_tokens"]) == (0.5, 7)


async def test_a_stream_is_printed_while_it_comes(asking: Notebook, server: ScriptedServer) -> None:
    steps = threading.Semaphore(0)
    server.script(text("one ", "two ", "three", steps=steps))
    cell = asyncio.ensure_future(asking.run("llm.chat{prompt = 'count', stream = true}; x = 1"))
    while "one" not in asking.last.out:
        await asyncio.sleep(0.02)
    assert asking.last.out == "one "
    steps.release(100)
    assert isinstance(await cell, Succeeded)
    assert asking.last.out == "one two three\n"


async def test_a_callback_hears_each_piece_and_can_stop_it(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text("one ", "two ", "three ", "four", pause=0.05))
    await asking.run("heard = {} function hear(t) heard[#heard + 1] = t return #heard == 2 or nil end")
    await asking.run("llm.chat{prompt = 'x', on_chunk = hear}")
    assert await asking.value("table.concat(heard, '|')") == '"one |two "'
    assert server.wait_until_idle()


async def test_an_interrupt_ends_a_waiting_call_and_keeps_the_state(
    asking: Notebook, server: ScriptedServer
) -> None:
    server.script(text("late", delay=30))
    cell = asyncio.ensure_future(asking.run("before = 1 llm.chat('slow') after = 1"))
    await asyncio.to_thread(server.wait_for_chats)
    asking.session.interrupt()
    async with asyncio.timeout(15):
        assert isinstance(await cell, Interrupted)
    assert server.wait_until_idle()
    assert await asking.value("before, after") == "1\tnil"


async def test_wrong_arguments_raise_in_luas_words(asking: Notebook) -> None:
    outcome = await asking.run("\nllm.chat(true)")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == "bad argument #1 to 'llm.chat' (string or table expected, got boolean)"
    assert any("cell 1:2" in line for line in outcome.problem.traceback)


async def test_what_fails_in_the_world_is_returned(asking: Notebook, server: ScriptedServer) -> None:
    server.script(failure(401, "no"))
    shown = await asking.value(
        "local r, err = llm.chat('hi') return r, err.provider, err.retryable, tostring(err), err.suggestion"
    )
    assert shown is not None
    assert shown.startswith("nil")
    assert "OPENAI_API_KEY" in shown
    assert "sk-secret" not in shown


async def test_assert_makes_it_an_error(asking: Notebook, server: ScriptedServer) -> None:
    server.script(failure(404, "no such model"))
    outcome = await asking.run("assert(llm.chat{prompt = 'hi', model = 'tiny-chatt'})")
    assert isinstance(outcome, Failed)
    assert "tiny-chat" in "\n".join(outcome.problem.traceback)


async def test_an_unknown_option_is_a_warning_that_names_the_nearest(
    asking: Notebook, server: ScriptedServer
) -> None:
    server.script(text("ok"))
    await asking.value("llm.chat{prompt = 'hi', temprature = 1};")
    assert "did you mean 'temperature'?" in asking.last.err


async def test_a_misspelt_function_is_suggested(asking: Notebook) -> None:
    outcome = await asking.run("llm.chta('hi')")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == "attempt to call a nil value (field 'chta')"
    assert "llm.chat" in "\n".join(outcome.problem.traceback)
