"""Spells written for rs-llmspell run over our modules; what has no counterpart says so by its name."""

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

GLOBALS = (
    "Agent Artifact Config Context Debug Event Hook JSON LocalLLM Memory Provider RAG Replay Session State Streaming "
    "Template Tool Utils Workflow"
)


async def test_every_global_is_there_and_is_a_table(spells: Spells) -> None:
    code = """
    local found = {}
    for name in pairs(_G) do
      if name:match('^[A-Z]%a') and name ~= 'ARGS' and type(_G[name]) == 'table' then found[#found + 1] = name end
    end
    table.sort(found)
    print(table.concat(found, ' '))"""
    assert await spells.shown(code) == f"{GLOBALS}\n"


async def test_an_agent_is_built_and_asked(spells: Spells) -> None:
    spells.script(text("Four."))
    code = """
    local helper = Agent.builder():name('helper'):type('llm'):model('openai/gpt-4o-mini'):temperature(0.3)
      :max_tokens(50):custom_config({system_prompt = 'Be brief.'})
      :resource_limits({max_execution_time_secs = 60, max_tool_calls = 5}):build()
    local answer = helper:execute({text = '2 + 2?'})
    print(answer.text, answer.success, answer.metadata.model, helper:get_metrics().requests_total)
    print(helper:invoke({prompt = 'Again?'}).content, Agent.get('helper') == helper, #helper:get_history())"""
    assert (await spells.shown(code)).splitlines() == ["Four.\ttrue\tgpt-4o-mini\t1", "Four.\ttrue\t4"]
    asked = spells.server.chats[0]
    assert (asked["model"], asked["temperature"], asked["messages"][0]["content"]) == (
        "gpt-4o-mini",
        0.3,
        "Be brief.",
    )


async def test_builders_take_dots_as_well_as_colons(spells: Spells) -> None:
    spells.script(text("yes"))
    code = "return Agent.builder().name('dotted').system_prompt('x').build():execute('q').text"
    assert await spells.value(code) == '"yes"'
    outcome = await spells.run("Agent.builder():nmae('x')")
    assert isinstance(outcome, Failed)
    assert "a builder of Agent has no 'nmae'" in outcome.problem.evalue


async def test_an_agent_that_fails_raises(spells: Spells) -> None:
    spells.script(failure(401, "no"))
    code = "local ok, err = pcall(function() return Agent.create({name = 'a'}):execute('q') end) return ok, err.code"
    assert await spells.value(code) == 'false\t"authentication_failed"'


async def test_an_agent_uses_tools_by_their_names_there(spells: Spells) -> None:
    spells.script(calls(("text_manipulator", {"operation": "uppercase", "input": "abc"})), text("ABC"))
    code = "return Agent.builder():name('t'):tool('text-manipulator'):tool('calculator'):build():execute('q').text"
    assert await spells.value(code) == '"ABC"'
    assert '"ABC"' in spells.server.chats[1]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        ("Tool.execute('calculator', {operation = 'evaluate', input = '6 * 7'}).result.result", "42"),
        ("Tool.invoke('calculator', {operation = 'add', a = 5, b = 3}).result.result", "8"),
        (
            "Tool.invoke('text-manipulator', {operation = 'uppercase', input = 'abc'}).result.result",
            '"ABC"',
        ),
        ("Tool.invoke('base64_encoder', {operation = 'encode', input = 'hi'}).output", '"aGk="'),
        ("#Tool.invoke('uuid-generator', {operation = 'generate'}).uuid", "36"),
        ("#Tool.invoke('hash_calculator', {algorithm = 'sha256', input = 'x'}).hash", "64"),
        ("Tool.invoke('json-processor', {operation = 'query', input = '[1, 2]', query = '1'}).result.result", "2"),
        ("Tool.invoke('template-creator', {template = '{{a}}', context = {a = 'b'}}).result.result", '"b"'),
        ("Tool.get('calculator').execute({input = '1 + 1'}).result.result", "2"),
        ("Tool.exists('file-operations'), Tool.exists('no-such')", "true\tfalse"),
    ],
)  # fmt: skip
async def test_tools_by_their_names_there(spells: Spells, call: str, shown: str) -> None:
    assert await spells.value(call) == shown


async def test_what_a_tool_cannot_do_is_a_result_that_says_so(spells: Spells) -> None:
    code = """
    local a, b = Tool.invoke('calculator', {input = '1 +'}), Tool.invoke('no-such', {})
    local c = Tool.invoke('process-executor', {})
    print(a.success, a.text, a.error ~= nil)
    print(b.error)
    print(c.error)"""
    assert (await spells.shown(code)).splitlines() == [
        "false\tnil\ttrue",
        "there is no tool 'no-such'; Tool.list() gives those that there are",
        "rs-llmspell's tool 'process-executor' has no counterpart here: nothing here starts programs",
    ]


async def test_a_tool_that_a_spell_registers_goes_first(spells: Spells) -> None:
    code = """
    Tool.register('shout', function(params) return params.text:upper() end)
    return Tool.invoke('shout', {text = 'hi'}).text, Tool.unregister('shout')"""
    assert await spells.value(code) == '"HI"\ttrue'


async def test_workflows_of_tools_branches_and_loops(spells: Spells) -> None:
    code = """
    local flow = Workflow.builder():name('first'):description('x'):sequential()
      :add_step({name = 'id', type = 'tool', tool = 'uuid_generator', input = {operation = 'generate', version = 'v4'}})
      :add_step({name = 'upper', type = 'tool', tool = 'text-manipulator',
        input = {operation = 'append', input = '{{task}}', suffix = '!'}}):build()
    local result = flow:execute({task = 'go'})
    print(result.success, result.workflow_type, flow.name, flow:get_output('upper').result, #result.execution_id > 8)
    local route = Workflow.builder():name('route'):conditional()
      :condition(function(ctx) return (ctx.text or ''):lower():match('urgent') end)
      :add_then_step({name = 'now', type = 'workflow', workflow = Workflow.parallel():name('inner')
        :branch('a', {tool = 'calculator', params = {input = '1 + 1'}}):build()})
      :add_else_step({name = 'later', type = 'custom', fn = function() return 'later' end}):build()
    print(route:execute({text = 'URGENT'}).branch, route:execute({text = 'x'}).output)
    print(State.load('workflow', result.execution_id .. ':upper').result)"""
    assert (await spells.shown(code)).splitlines() == [
        "true\tsequential\tfirst\tgo!\ttrue",
        "then\tlater",
        "go!",
    ]


async def test_state_memory_and_search(spells: Spells) -> None:
    code = """
    State.save('user:ada', 'theme', 'dark')
    State.set('n', 1)
    print(State.load('user:ada', 'theme'), State.increment('n', 2), State.exists('n'), State.exists('m'))
    print(State.compare_and_swap('n', 3, 4), State.get('n'), State.delete('n'))
    print(Context.strategies()[1], type(Memory.episodic.add), Memory.stats().semantic_count)"""
    assert (await spells.shown(code)).splitlines() == [
        "dark\t3\ttrue\tfalse",
        "true\t4\ttrue",
        "episodic\tfunction\t0",
    ]


async def test_events_sessions_artifacts_and_the_rest(spells: Spells) -> None:
    code = """
    local id = Event.subscribe('user.*')
    Event.publish('user.login', {name = 'Ada'})
    local event = Event.receive(id, 100)
    print(event.topic, event.data.name, Event.receive(id, 0), Event.unsubscribe(id))
    local session = Session.builder():id('s1'):user('bob'):build()
    session:set('k', 1)
    print(Session.get('s1'):get('k'), Session.complete('s1'), session.status)
    local artifact = Artifact.store('s1', 'data', 'a.json', '{}', {v = 1})
    print(Artifact.get('s1', artifact).content, #Artifact.list('s1'), Artifact.delete('s1', artifact))
    print(JSON.parse('[1, 2]')[2], JSON.stringify({a = 1}), Streaming.create(function() coroutine.yield(7) end):next())
    Debug.info('hello', 'here')
    print(#Debug.getCapturedEntries(), Debug.getLevel(), type(Debug.timer('t'):stop()))"""
    assert (await spells.shown(code)).splitlines() == [
        "user.login\tAda\tnil\ttrue",
        "1\ttrue\tcompleted",
        "{}\t1\ttrue",
        '2\t{"a":1}\t7',
        "[INFO] [here] hello",
        "1\tinfo\tnumber",
    ]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("State.migrate('2')", "rs-llmspell's 'State.migrate' has no counterpart here"),
        ("Config.setSecurity({})", "rs-llmspell's 'Config.setSecurity' has no counterpart here"),
        ("Template.execute('x')", "rs-llmspell's 'Template.execute' has no counterpart here"),
        ("Memory.semantic.add({})", "rs-llmspell's 'Memory.semantic.add' has no counterpart here"),
        ("Hook.register('NoSuchPoint', print)", "there is no hook point 'NoSuchPoint'; there are:"),
        ("Session.replay('x')", "rs-llmspell's 'Session.replay' has no counterpart here"),
        ("Agent.builder():sing()", "a builder of Agent has no 'sing'; there are:"),
        ("Agent.sing()", "attempt to call a nil value (field 'sing')"),
    ],
)  # fmt: skip
async def test_what_has_no_counterpart_says_so_by_its_name(spells: Spells, call: str, said: str) -> None:
    outcome = await spells.run(call)
    assert isinstance(outcome, Failed)
    assert said in outcome.problem.evalue


async def test_a_hook_point_that_never_comes_is_said_to_and_stops_no_spell(spells: Spells) -> None:
    await spells.value("handle = Hook.register('SystemStartup', print)")
    said = "rs-llmspell's hook point 'SystemStartup' has no counterpart here: it never comes\n"
    assert said in spells.last.err
    assert await spells.value("return handle:unregister()") == "true"
