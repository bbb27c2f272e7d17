"""Every name of `llm` in the shapes that spells of all generations use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from llm.scripted_server import calls, failure, text

from llmspell_kernel.session.outcome import Failed

from .spells import server, spells

if TYPE_CHECKING:
    from .spells import Spells

__all__ = ["server", "spells"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("name", ["chat", "complete", "generate", "generate_message", "quick_prompt"])
@pytest.mark.parametrize("argument", ["5", "nil", "true"])
async def test_what_is_no_prompt_raises(spells: Spells, name: str, argument: str) -> None:
    outcome = await spells.run(f"llm.{name}({argument})")
    assert isinstance(outcome, Failed)
    assert f"bad argument #1 to 'llm.{name}' (string or table expected" in outcome.problem.evalue


@pytest.mark.parametrize("name", ["chat", "complete"])
async def test_a_function_hears_the_pieces(spells: Spells, name: str) -> None:
    spells.script(text("one ", "two ", "three", pause=0.02))
    code = f"n = 0 return llm.{name}('q', {{on_chunk = function(t) n = n + 1 end}}), n"
    assert await spells.value(code) == '"one two three"\t3'


@pytest.mark.parametrize(
    "call",
    [
        "llm.chat('q', {on_chunk = io.write})",
        "llm.complete{prompt = 'q', on_chunk = io.write}",
        "llm.stream{prompt = 'q', on_content = io.write}",
        "llm.stream({prompt = 'q'}, io.write)",
        "llm.stream_chat('q', io.write)",
        "llm.streaming_response('q', io.write):await()",
    ],
)
async def test_what_writing_returns_stops_nothing(spells: Spells, call: str) -> None:
    spells.script(text("one ", "two ", "three", pause=0.02))
    assert await spells.shown(f"{call};") == "one two three"


async def test_a_stream_is_stopped_by_any_other_value(spells: Spells) -> None:
    spells.script(text("a", "b", "c", pause=0.05))
    assert await spells.value("llm.chat('q', {on_chunk = function(t) return {t} end})") == '"a"'
    code = "llm.streaming_response('q', function(t) if t == 'b' then return false end end):await()"
    assert await spells.value(code) == '"ab"'
    # `true` means "go on" there
    assert await spells.value("llm.streaming_response('q', function() return true end):await()") == '"abc"'


async def test_stream_chat_with_a_function_gives_the_error_alone(spells: Spells) -> None:
    spells.script(text("a"))
    assert await spells.value("llm.stream_chat('q', function() end) == nil") == "true"
    spells.script(failure(401, "no"))
    assert await spells.value("llm.stream_chat('q', function() end).code") == '"authentication_failed"'


async def test_chat_async_takes_options(spells: Spells) -> None:
    spells.script(text("yes"))
    await spells.value("llm.chat_async('q', {seed = 4}, function(r) got = r end):await();")
    await spells.value("llm.complete_async('q', 9, function(r) more = r end):await();")
    assert await spells.value("got, more") == '"yes"\t"yes"'
    assert [spells.server.chats[0]["seed"], spells.server.chats[1]["max_tokens"]] == [4, 9]


async def test_a_model_calls_the_tools_of_a_question(spells: Spells) -> None:
    spells.script(calls(("calculator", {"expression": "6*7"})), text("It is ", "42."))
    assert await spells.value("llm.chat('q', {tools = {'calculator'}})") == '"It is 42."'
    assert spells.server.chats[1]["messages"][-1]["content"] == "42"
    spells.script(calls(("double", {"n": 21})), text("42"))
    code = """
    local r = llm.chat{prompt = 'q', tools = {{name = 'double', parameters = {n = {type = 'number', required = true}},
      execute = function(a) return 2 * a.n end}}}
    return r.content, r .. '!', r.tool_calls[1].result, r.usage.total_tokens, r.model, r.finish_reason"""
    assert await spells.value(code) == '"42"\t"42!"\t"42"\t30\t"tiny-chat"\t"stop"'
    function = spells.server.chats[0]["tools"][0]["function"]
    assert function["parameters"] == {
        "type": "object",
        "properties": {"n": {"type": "number"}},
        "required": ["n"],
    }


async def test_an_answer_that_needs_tools_is_streamed(spells: Spells) -> None:
    spells.script(calls(("calculator", {"expression": "6*7"})), text("It is ", "42."))
    assert await spells.shown("llm.chat('q', {tools = {'calculator'}, stream = true});") == "It is 42.\n"
    spells.script(calls(("calculator", {"expression": "6*7"})), text("It is ", "42."))
    assert await spells.shown("llm.chat('q', {tools = {'calculator'}, on_chunk = io.write});") == "It is 42."


async def test_tools_without_a_function_are_the_spells_to_call(spells: Spells) -> None:
    spells.script(calls(("weather", {"city": "Oslo"})))
    code = """
    local tool = {type = 'function', ['function'] = {name = 'weather', parameters = {city = {type = 'string'}}}}
    r = llm.chat{prompt = 'q', tools = {tool}}
    return r.tool_calls[1].name, r.tool_calls[1].arguments.city, r.finish_reason"""
    assert await spells.value(code) == '"weather"\t"Oslo"\t"tool_calls"'
    spells.script(text("Rain."))
    code = """
    llm.chat({{role = 'user', content = 'q'}, {role = 'assistant', tool_calls = r.tool_calls},
      {role = 'tool', tool_call_id = r.tool_calls[1].id, name = 'weather', content = 'rain'}}).content"""
    assert await spells.value(code) == '"Rain."'
    asked = spells.server.chats[0]["messages"]
    assert asked[1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city":"Oslo"}'}
    assert asked[2]["content"] == "rain"


async def test_tools_of_both_kinds_raise(spells: Spells) -> None:
    outcome = await spells.run("llm.chat{prompt = 'q', tools = {'calculator', {name = 'mine'}}}")
    assert isinstance(outcome, Failed)
    assert "either every tool has a function `execute`, or none" in outcome.problem.evalue


async def test_defaults_give_way_to_what_a_call_says(spells: Spells) -> None:
    spells.script(text("ok"))
    await spells.value("llm.set_defaults{temperature = 0.5, seed = 1}")
    await spells.value("llm.chat{prompt = 'q', seed = 2}; llm.chat('q', {temperature = 1});")
    await spells.value("llm.reset_defaults(); llm.chat('q');")
    asked = [(chat.get("temperature"), chat.get("seed")) for chat in spells.server.chats]
    assert asked == [(0.5, 2), (1, 1), (None, None)]


async def test_providers_are_compared_by_place_and_name(spells: Spells) -> None:
    spells.script(text("ok"))
    code = """
    local r = llm.compare_providers('q', {'openai:a', 'openai:b'})
    return #r, r[2].provider, r[2] == r['openai:b'], r[1] .. '!', r[1].duration > 0"""
    assert await spells.value(code) == '2\t"openai:b"\ttrue\t"ok!"\ttrue'


async def test_a_fallback_chain_is_remembered(spells: Spells) -> None:
    spells.script(failure(401, "no"), text("ok"))
    code = "llm.setup_fallback_chain{'openai:a', 'openai:b'} return llm.generate_with_fallback('q')"
    assert await spells.value(code) == '"ok"'
    assert await spells.value("llm.get_fallback_chain()[2]") == '"openai:b"'


async def test_models_are_found_by_what_they_must_do(spells: Spells) -> None:
    code = "local m = llm.find_model{provider = 'openai', min_context_length = 10} return #m, m[1].model.id"
    assert await spells.value(code) == '2\t"tiny-chat"'
    assert await spells.value("llm.find_model('coder', 'openai').id") == '"tiny-coder"'
    assert await spells.value("llm.cost_estimate('q', 'tiny-chat', 'openai').currency") == '"USD"'


async def test_a_conversation_reads_as_its_text(spells: Spells) -> None:
    spells.script(text("hello"))
    code = """
    local s = llm.chat_session('brief')
    s:send('a', {seed = 7})
    local e = s:export()
    return e.system_prompt, #e.messages, tostring(e):gsub('%s+', ' ')"""
    assert await spells.value(code) == '"brief"\t3\t"system: brief user: a assistant: hello"\t5'
    assert spells.server.chats[0]["seed"] == 7


async def test_many_questions_beside_everything_else(spells: Spells) -> None:
    spells.script(text("ok", together=3))
    code = """
    local whole = llm.batch_process_async{'a', 'b'}
    local one = llm.quick_prompt_async('c')
    return #whole:await(), whole:await()[1] .. '!', one:await()"""
    assert await spells.value(code) == '2\t"ok!"\t"ok"'
    assert spells.server.most_at_once == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("temperature = -1", "bad option 'temperature' to 'llm.chat' (a number from 0 up expected, got -1)"),
        (
            "temperature = 0/0",
            "bad option 'temperature' to 'llm.chat' (a number from 0 up expected, got nan)",
        ),
        (
            "max_tokens = 0",
            "bad option 'max_tokens' to 'llm.chat' (a whole number from 1 up expected, got 0)",
        ),
        (
            "max_tokens = 1.5",
            "bad option 'max_tokens' to 'llm.chat' (a whole number from 1 up expected, got 1.5)",
        ),
        (
            "max_tokens = 1/0",
            "bad option 'max_tokens' to 'llm.chat' (a whole number from 1 up expected, got inf)",
        ),
        ("top_p = 2", "bad option 'top_p' to 'llm.chat' (a number from 0 to 1 expected, got 2)"),
        ("timeout = 0", "bad option 'timeout' to 'llm.chat' (seconds, more than 0 expected, got 0)"),
        ("seed = 0.5", "bad option 'seed' to 'llm.chat' (a whole number expected, got 0.5)"),
        ("prompt = 'a\\255'", "bad option 'prompt' to 'llm.chat' (text in UTF-8 expected, got other bytes)"),
        (
            "messages = {{content = 'a\\255'}}",
            "bad message #1 to 'llm.chat' (content: text in UTF-8 expected, got other bytes)",
        ),
    ],
)
async def test_values_that_no_model_takes_raise(spells: Spells, options: str, said: str) -> None:
    outcome = await spells.run(f"llm.chat{{prompt = 'x', {options}}}")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == said


async def test_an_option_in_the_singular_is_understood_as_a_slip(spells: Spells) -> None:
    spells.script(text("ok"))
    await spells.value("llm.chat('x', {tool = 'calculator'})")
    assert spells.last.err == "warning: 'llm.chat' has no option 'tool': did you mean 'tools'?\n"


async def test_a_conversation_begins_with_options(spells: Spells) -> None:
    spells.script(text("ok"))
    code = "local s = llm.chat_session{system = 'Brief.', temperature = 0} s:send('x') return s.system"
    assert await spells.value(code) == '"Brief."'
    assert spells.server.chats[-1]["temperature"] == 0
    assert [m["role"] for m in spells.server.chats[-1]["messages"]] == ["system", "user"]


async def test_models_of_a_server_of_ones_own_are_on_offer(spells: Spells) -> None:
    assert await spells.value("llm.find_model('coder').id") == '"tiny-coder"'
