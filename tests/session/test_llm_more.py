"""The rest of `llm` from a cell: streams, conversations, several questions, what models there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from llm.scripted_server import ScriptedServer, failure, text

from llmspell_kernel.session.outcome import Failed

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
    return await open_notebook(OPENAI_BASE_URL=server.base_url)


@pytest.mark.parametrize("call", ["llm.generate('q', {seed = 3})", "llm.quick_prompt('q', {seed = 3})"])
async def test_short_ways_to_ask(asking: Notebook, server: ScriptedServer, call: str) -> None:
    server.script(text("yes"))
    assert await asking.value(call) == '"yes"'
    assert server.chats[0]["seed"] == 3


async def test_messages_are_answered_with_a_response(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text("yes"))
    code = "local r = llm.generate_message({{role = 'user', content = 'q'}}) return r.content, r .. '!'"
    assert await asking.value(code) == '"yes"\t"yes!"'


async def test_a_stream_tells_pieces_and_the_end(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text("a", "b"))
    code = """
    heard = {}
    llm.stream{prompt = 'q',
      on_content = function(t) heard[#heard + 1] = t end,
      on_complete = function(r) heard[#heard + 1] = 'end:' .. r.content end}
    return table.concat(heard, ' ')"""
    assert await asking.value(code) == '"a b end:ab"'


async def test_a_stream_tells_what_failed(asking: Notebook, server: ScriptedServer) -> None:
    server.script(failure(401, "no"))
    code = "llm.stream{prompt = 'q', on_error = function(m, c) code = c end} return code"
    assert await asking.value(code) == '"authentication_failed"'


async def test_stream_chat_can_be_stopped(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text("a", "b", "c", pause=0.05))
    code = "local s = '' llm.stream_chat('q', function(t) s = s .. t return t == 'b' or nil end) return s"
    assert await asking.value(code) == '"ab"'


async def test_chat_async_calls_back_and_gives_a_promise(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text("yes"))
    code = "local p = llm.chat_async('q', function(r) got = r end) return p:await(), got"
    assert await asking.value(code) == '"yes"\t"yes"'
    server.script(failure(401, "no"))
    code = "llm.chat_async('q', nil, function(e) bad = e.code end):await() return bad"
    assert await asking.value(code) == '"authentication_failed"'


async def test_a_structured_answer_is_a_table(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text('{"name": "Paris"}'))
    schema = "{type = 'object', properties = {name = {type = 'string'}}, required = {'name'}}"
    assert await asking.value(f"llm.structured{{prompt = 'q', schema = {schema}}}.name") == '"Paris"'
    assert isinstance(await asking.run("llm.structured('q')"), Failed)


async def test_embeddings(asking: Notebook, server: ScriptedServer) -> None:
    code = "local o = {provider = 'openai', model = 'm'} return #llm.embed({'a', 'b'}, o), type(llm.embed('a', o)[1])"
    assert await asking.value(code) == '2\t"number"'


async def test_what_models_there_are(asking: Notebook, server: ScriptedServer) -> None:
    code = "llm.find_model('tiny', 'openai').id, llm.find_model('none', 'openai'), llm.list_models('openai')[1].id"
    assert await asking.value(code) == '"tiny-chat"\tnil\t"tiny-chat"'
    code = (
        "local n = {} for _, p in ipairs(llm.list_providers()) do n[p] = true end return n.openai, n['local']"
    )
    assert await asking.value(code) == "true\ttrue"


async def test_a_model_can_be_set_for_the_session(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text("ok"))
    await asking.value("llm.set_model('other') llm.chat('q')")
    assert server.chats[-1]["model"] == "other"
    await asking.value("llm.set_provider('openai', 'third') llm.chat('q')")
    assert server.chats[-1]["model"] == "third"
    assert await asking.value("llm.get_provider()") == '"openai"\t"third"'
    assert await asking.value("llm.set_provider('nobody')") != ""


async def test_a_conversation_remembers(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text("one"), text("two"))
    await asking.value("s = llm.chat_session('brief') s:send('a')")
    assert await asking.value("s:send('b'), #s:get_history()") == '"two"\t4'
    assert [m["content"] for m in server.chats[1]["messages"]] == ["brief", "a", "one", "b"]
    assert "assistant: two" in str(await asking.value("s:export()"))
    assert await asking.value("s:clear() return #s:get_history()") == "0"


async def test_many_prompts_are_asked_side_by_side(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text("ok", together=3))
    code = "local r = llm.batch_process({'a', 'b', 'c'}) return #r, r[3].success, r[3].response, r[3].prompt"
    assert await asking.value(code) == '3\ttrue\t"ok"\t"c"'
    assert server.most_at_once == 3


async def test_the_next_provider_answers_when_one_fails(asking: Notebook, server: ScriptedServer) -> None:
    server.script(failure(401, "no"), text("ok"))
    assert await asking.value("llm.setup_fallback_chain({'openai:a', 'openai:b'})('q')") == '"ok"'
    assert [chat["model"] for chat in server.chats] == ["a", "b"]


async def test_providers_are_compared(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text("ok"))
    code = "local r = llm.compare_providers('q', {'openai:a', 'openai:b'}) return r['openai:b'].response"
    assert await asking.value(code) == '"ok"'


async def test_tokens_and_cost_are_estimated(asking: Notebook) -> None:
    assert await asking.value("llm.count_tokens('four words are here') > 2") == "true"
    assert await asking.value("llm.cost_estimate('q')") == "0.0"


async def test_what_was_recorded_is_replayed_without_a_server(
    open_notebook: Open, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script(text("once"))
    recording = await open_notebook(OPENAI_BASE_URL=server.base_url, record="record")
    assert await recording.value("llm.chat('q')") == '"once"'
    assert (tmp_path / "cassette.yaml").exists()
    replaying = await open_notebook(record="replay")
    assert await replaying.value("llm.chat('q')") == '"once"'
    assert await replaying.value("llm.chat('q')") == '"once"'
    assert len(server.chats) == 1
