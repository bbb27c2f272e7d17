"""Agents in a spell: streams, hand-off, teams, budgets, tools side by side and stopped in the middle."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from llm.scripted_server import calls, failure, text

from llmspell_kernel.session.outcome import Failed, Interrupted

from .spells import server, spells

if TYPE_CHECKING:
    from .spells import Spells

__all__ = ["server", "spells"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_stream_tells_text_and_tool_calls(spells: Spells) -> None:
    spells.script(calls(("calculator", {"expression": "6*7"})), text("It ", "is ", "42"))
    code = """
    heard = {}
    local function note(kind) return function(v) heard[#heard + 1] = kind .. (v.name or v) .. (v.result or '') end end
    local a = agent.create{tools = {'calculator'}}
    local r = a:stream('q', {on_text = note 't:', on_tool_call = note 'c:', on_tool_result = note 'r:'})
    return r, table.concat(heard, ' ')"""
    assert await spells.value(code) == '"It is 42"\t"c:calculator r:calculator42 t:It  t:is  t:42"'


async def test_a_stream_can_be_stopped_and_is_remembered_so(spells: Spells) -> None:
    spells.script(text("a", "b", "c", pause=0.05))
    code = """
    local a = agent.create{}
    local r = a:stream('q', function(t) io.write(t) return t == 'b' or nil end)
    return r, a:get_history()[2].content"""
    assert await spells.value(code) == '"ab"\t"ab"'
    assert spells.last.out == "ab"


async def test_writing_stops_no_stream(spells: Spells) -> None:
    spells.script(text("a", "b", "c"))
    assert await spells.shown("agents.stream(agent.create{}, 'q', io.write);") == "abc"


async def test_a_stream_gives_its_answer_alone(spells: Spells) -> None:
    spells.script(text("a", "b"))
    assert await spells.value("agent.create{}:stream('q', function() end)") == '"ab"'


async def test_an_agent_remembers_its_tools_answers(spells: Spells) -> None:
    spells.script(calls(("calculator", {"expression": "6*7"})), text("42"), text("still 42"))
    code = "a = agent.create{tools = {'calculator'}, system = 'Brief.'} a:run('q') return a:run('again')"
    assert await spells.value(code) == '"still 42"'
    roles = [message["role"] for message in spells.server.chats[2]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert await spells.value("#a:get_history(), a:get_status().runs") == "6\t2"


async def test_options_and_context_of_one_run(spells: Spells) -> None:
    spells.script(text("ok"))
    await spells.value(
        "agent.create{temperature = 1}:run('q', {temperature = 0, city = 'Oslo', days = {1, 2}});"
    )
    assert spells.server.chats[0]["temperature"] == 0
    assert spells.server.chats[0]["messages"][0]["content"] == "city: Oslo\ndays: [1,2]\n\nq"


async def test_a_result_table_reads_as_its_text(spells: Spells) -> None:
    spells.script(text("ok"))
    code = (
        "local r = agent.create{}:run{prompt = 'q'} return r .. '!', r.text, r.ending, r.usage.total_tokens"
    )
    assert await spells.value(code) == '"ok!"\t"ok"\t"answered"\t15'


async def test_an_answer_that_follows_a_schema(spells: Spells) -> None:
    spells.script(calls(("calculator", {"expression": "6*7"})), text("about 42"), text('{"n": 42}'))
    code = """
    agent.create{tools = {'calculator'}, output_schema = {type = 'object',
      properties = {n = {type = 'integer'}}, required = {'n'}}}:run('q').n"""
    assert await spells.value(code) == "42"


async def test_a_conversation_is_handed_to_another_agent(spells: Spells) -> None:
    spells.script(text("hello Ada"), text("Ada"))
    code = """
    local first, second = agent.create('first', {}), agent.create('second', {system = 'Second.'})
    first:run('I am Ada')
    return first:hand_off(second, 'Who am I?')"""
    assert await spells.value(code) == '"Ada"'
    asked = [message["content"] for message in spells.server.chats[1]["messages"]]
    assert asked == ["Second.", "I am Ada", "hello Ada", "Who am I?"]


async def test_a_model_hands_over_by_itself(spells: Spells) -> None:
    spells.script(calls(("transfer_to_billing", {})), text("You owe nothing."))
    code = """
    local billing = agent.create('billing', {system = 'Billing.', description = 'Money'})
    local r = agent.create('desk', {handoffs = {billing}}):run{prompt = 'What do I owe?'}
    return r.text, r.agent"""
    assert await spells.value(code) == '"You owe nothing."\t"billing"'
    assert [message["content"] for message in spells.server.chats[1]["messages"]] == [
        "Billing.",
        "What do I owe?",
    ]


async def test_a_task_is_delegated(spells: Spells) -> None:
    spells.script(text("done"), text("thanks"))
    code = """
    agent.create('boss', {}) agent.create('worker', {})
    return agent.delegate('boss', 'worker', 'dig', {callback_to_source = true, deep = 'yes'})"""
    assert await spells.value(code) == '"done"'
    asked = [chat["messages"][-1]["content"] for chat in spells.server.chats]
    assert asked == [
        "deep: yes\ntask of: boss\n\ndig",
        "You had asked worker: dig\nThe answer was: done",
    ]


async def test_a_team_works_one_after_the_other_and_side_by_side(spells: Spells) -> None:
    spells.script(text("one"), text("two"))
    code = "agent.create('a', {}) agent.create('b', {}) r = agent.collaborate({'a', 'b'}, 'task') return r.results.b"
    assert await spells.value(code) == '"two"'
    assert spells.server.chats[1]["messages"][0]["content"] == "task\n\nSo far:\na: one"
    spells.script(text("ok", together=2))
    code = """
    agent.create('a', {}) agent.create('b', {})
    return agent.collaborate({'a', 'b'}, 'task', {coordination_method = 'parallel'}).results.a"""
    assert await spells.value(code) == '"ok"'
    assert spells.server.most_at_once == 2


async def test_a_leader_has_the_others_as_tools(spells: Spells) -> None:
    spells.script(calls(("b", {"prompt": "help"})), text("helped"), text("all done"))
    code = """
    agent.create('a', {}) agent.create('b', {})
    return agent.collaborate({'a', 'b'}, 'task', {coordination_method = 'leader'}).results.a"""
    assert await spells.value(code) == '"all done"'


async def test_several_agents_talk(spells: Spells) -> None:
    spells.script(text("hi"), text("ho"))
    code = "local t = agent.conversation({agent.create('a', {}), agent.create('b', {})}, 'greet') return t[2].agent, #t"
    assert await spells.value(code) == '"b"\t2'
    assert spells.server.chats[1]["messages"][0]["content"] == "greet\n\nSo far:\na: hi"


async def test_a_conversation_with_one_agent(spells: Spells) -> None:
    spells.script(text("one"), text("two"))
    code = """
    local c = agent.conversation(agent.create('a', {}), 'Brief.')
    c:send('x')
    local r = c:send_async('y'):await()
    return r.content, #c:get_history(), c:export().agent_id"""
    assert await spells.value(code) == '"two"\t5\t"a"'


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ("{tokens = 20}", "budget_exceeded"),
        ("{seconds = 0.3}", "timeout"),
    ],
)
async def test_a_budget_ends_a_run_with_an_error(spells: Spells, limits: str, code: str) -> None:
    spells.script(calls(("wait", {})), text("late", delay=0 if "tokens" in limits else 5))
    source = f"""
    local wait = {{name = 'wait', execute = function() async.sleep(0.01) return ('word '):rep(100) end}}
    local r, e = agent.create{{tools = {{wait}}, limits = {limits}}}:run('q')
    return r, e.code, e.suggestion ~= nil"""
    assert await spells.value(source) == f'nil\t"{code}"\ttrue'


async def test_iterations_that_are_used_up_end_in_an_answer(spells: Spells) -> None:
    spells.script(
        calls(("calculator", {"expression": "1"})), calls(("calculator", {"expression": "2"})), text("so")
    )
    code = """
    local r = agent.create{tools = {'calculator'}, max_iterations = 3}:run{prompt = 'q'}
    return r.text, r.iterations"""
    assert await spells.value(code) == '"so"\t3'
    assert spells.server.chats[2]["tool_choice"] == "none"


async def test_a_wrong_limit_raises(spells: Spells) -> None:
    outcome = await spells.run("agent.create{limits = {token = 5}}")
    assert isinstance(outcome, Failed)
    assert "an agent has no limit 'token'; there are: cost, iterations" in outcome.problem.evalue


async def test_tools_of_one_answer_run_side_by_side(spells: Spells) -> None:
    spells.script(calls(("slow", {}), ("slow", {}), ("slow", {})), text("done"))
    code = """
    local running, most = 0, 0
    local slow = {name = 'slow', execute = function()
      running = running + 1
      most = math.max(most, running)
      async.sleep(0.2)
      running = running - 1
      return 'ok'
    end}
    agent.create{tools = {slow}}:run('q')
    return most"""
    assert await spells.value(code) == "3"


async def test_tools_that_want_to_be_alone_are(spells: Spells) -> None:
    spells.script(calls(("slow", {}), ("slow", {})), text("done"))
    code = """
    local running, most = 0, 0
    local slow = {name = 'slow', parallel = false, execute = function()
      running = running + 1
      most = math.max(most, running)
      async.sleep(0.05)
      running = running - 1
    end}
    agent.create{tools = {slow}}:run('q')
    return most"""
    assert await spells.value(code) == "1"


async def test_a_tool_that_takes_too_long_is_told_to_the_model(spells: Spells) -> None:
    spells.script(calls(("slow", {})), text("too slow"))
    code = """
    local slow = {name = 'slow', timeout = 0.1, execute = function() async.sleep(30) end}
    return agent.create{tools = {slow}}:run('q'), #async.tasks()"""
    assert await spells.value(code) == '"too slow"\t0'
    assert "did not finish within" in spells.server.chats[1]["messages"][-1]["content"]


async def test_an_interrupt_in_the_middle_of_a_tool_leaves_nothing_running(spells: Spells) -> None:
    spells.script(calls(("slow", {})), text("never"))
    code = """
    local slow = {name = 'slow', execute = function() started = true async.sleep(30) finished = true end}
    agent.create{tools = {slow}}:run('q')"""
    cell = asyncio.ensure_future(spells.run(code))
    await asyncio.to_thread(spells.server.wait_for_chats)
    await asyncio.sleep(0.3)
    spells.session.interrupt()
    assert isinstance(await cell, Interrupted)
    assert await spells.value("started, finished, #async.tasks()") == "true\tnil\t0"
    assert len(spells.server.chats) == 1


async def test_wrong_arguments_never_reach_lua(spells: Spells) -> None:
    spells.script(calls(("double", {"n": "x"})), calls(("double", {"n": 21})), text("42"))
    code = """
    local seen = {}
    local double = {name = 'double', parameters = {n = {type = 'number'}},
      execute = function(args) seen[#seen + 1] = args.n return 2 * args.n end}
    agent.create{tools = {double}}:run('q')
    return #seen, seen[1]"""
    assert await spells.value(code) == "1\t21"
    assert "wrong arguments for double" in spells.server.chats[1]["messages"][-1]["content"]


async def test_what_a_tool_raises_is_told_to_the_model(spells: Spells) -> None:
    spells.script(calls(("broken", {})), text("sorry"))
    code = (
        "return agent.create{tools = {{name = 'broken', execute = function() error('no ink') end}}}:run('q')"
    )
    assert await spells.value(code) == '"sorry"'
    assert "no ink" in spells.server.chats[1]["messages"][-1]["content"]


async def test_agents_of_the_first_generation(spells: Spells) -> None:
    spells.script(text("a summary"))
    code = """
    local ok = agents.register('old', {
      system_prompt = 'You sum up.',
      execute = function(self, input, options) return self.system_prompt .. ' ' .. llm.chat(input) end})
    return ok, agents.execute('old', 'text')"""
    assert await spells.value(code) == 'true\t"You sum up. a summary"'
    assert (
        await spells.value("local a = agents.list()[1] return type(a), a.name == tostring(a)")
        == '"table"\ttrue'
    )


async def test_agents_by_name_can_do_what_agents_can(spells: Spells) -> None:
    spells.script(text("ok"))
    code = """
    local made = agent.create('one', {temperature = 1})
    agent.clone('one', 'two', {temperature = 0})
    agent.add_tools('two', {'calculator', 'nothing'})
    agent.configure('one', {temperature = 0.5})
    return made.id, made.config.temperature, agent.get_tools('two')[1], agent.run('two', 'q'),
      agent.get_status('two').runs, agent.remove('two'), agent.get_status('two').exists"""
    shown = '"one"\t0.5\t"calculator"\t"ok"\t1\ttrue\tfalse'
    assert await spells.value(code) == shown


async def test_an_unknown_agent_is_an_error_that_says_so(spells: Spells) -> None:
    code = "local r, e = agent.run('nobody', 'q') return r, e.code, tostring(e)"
    assert await spells.value(code) == 'nil\t"not_found"\t"there is no agent \'nobody\'"'
    spells.script(failure(401, "no"))
    code = "local heard agent.create{}:stream('q', {on_error = function(e) heard = e.code end}) return heard"
    assert await spells.value(code) == '"authentication_failed"'


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("tools = 5", "the `tools` of an agent must be a table, got number"),
        ("output_schema = 'object'", "the `output_schema` of an agent must be a table, got string"),
        (
            "max_iterations = 0",
            "bad argument #1 to 'max_iterations' (a number of at least 1 expected, got 0)",
        ),
        ("limits = {tokens = -5}", "the limit 'tokens' of an agent must be more than 0"),
        ("limits = {seconds = 0/0}", "the limit 'seconds' of an agent must be more than 0"),
    ],
)
async def test_what_no_agent_is_made_of_raises(spells: Spells, config: str, said: str) -> None:
    outcome = await spells.run(f"agent.create{{{config}}}")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == said


async def test_a_dot_in_place_of_a_colon_is_told(spells: Spells) -> None:
    outcome = await spells.run("agent.create{}.run('x')")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == "call run with a colon: an_agent:run(…)"


@pytest.mark.parametrize(
    ("gives", "told"),
    [
        ("{1, {a = 'b'}}", '[1, {"a": "b"}]'),
        ("nil", "null"),
        ("{f = print}", '{"f": "(a function)"}'),
        ("'a\\255'", "a\N{REPLACEMENT CHARACTER}"),
        ("cycle", "Error: the tool's answer is no plain data: result.t is a table that is inside itself"),
        ("nil, {message = 'too far'}", "Error: too far"),
        ("error{code = 'TOO_FAR'}", "Error: TOO_FAR"),
    ],
)
async def test_whatever_a_tool_gives_is_told_to_the_model(spells: Spells, gives: str, told: str) -> None:
    spells.script(calls(("t", {})), text("done"))
    code = f"""
    local cycle = {{}} cycle.t = cycle
    return agent.create{{tools = {{{{name = 't', execute = function() return {gives} end}}}}}}:run('x')"""
    assert await spells.value(code) == '"done"'
    assert spells.server.chats[1]["messages"][-1]["content"] == told
