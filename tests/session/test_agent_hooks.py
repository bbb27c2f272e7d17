"""Hooks and events inside agents: around each question to the model, each tool, and agents that are tools."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from llm.scripted_server import Reply, calls, failure, text

from llmspell_kernel.session.outcome import Failed, Interrupted

from .spells import server, spells

if TYPE_CHECKING:
    from .spells import Spells

__all__ = ["server", "spells"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

ADD = """
    hooks.clear() events.remove_all_listeners()
    local n, add = 0, {name = 'add', parameters = {a = {type = 'number'}}, execute = function(a) return a.a + 1 end}
    local helper = agent.create('helper', {tools = {add}})
"""
ONE_CALL = (calls(("add", {"a": 1})), text("two"))
INNER = (calls(("helper", {"prompt": "hey"})), text("inner"), text("outer"))


@pytest.mark.parametrize(
    ("replies", "code", "shown", "asked"),
    [
        # each question is changed, cancelled or answered
        (ONE_CALL, "hooks.before('llm', function(q) q.seed = 7 end) return helper:run('x')", '"two"', 2),
        (
            ONE_CALL,
            "hooks.before('llm', function(q) n = n + 1 if n == 2 then return hooks.cancel('enough') end end) "
            "local r, e = helper:run('x') return r, e.message, e.code, #helper.messages",
            'nil\t"enough"\t"cancelled_by_hook"\t0',
            1,
        ),
        (
            ONE_CALL,
            "hooks.before('llm', function() return hooks.answer('mine') end) return helper:run('x')",
            '"mine"',
            0,
        ),
        (
            (text("said"),),
            "hooks.before('llm', function() n = n + 1 if n == 1 then "
            "return hooks.answer{tool_calls = {{name = 'add', arguments = {a = 4}}}} end end) "
            "local r = helper:run{prompt = 'x'} return r.tool_calls[1].result, r.text",
            '"5"\t"said"',
            1,
        ),
        (
            ONE_CALL,
            "hooks.after('llm', function(r) r.tool_calls, r.content = {}, 'no tools today' return r end) "
            "local r = helper:run{prompt = 'x'} return #r.tool_calls, r.text",
            '0\t"no tools today"',
            1,
        ),
        # … and asked again: for a better answer, after a failure, around the call
        (
            (text("one"), text("two"), text("three")),
            "hooks.after('llm', function(r) if r.content ~= 'three' then return hooks.again() end end) "
            "return helper:run('x'), #helper.messages",
            '"three"\t2',
            3,
        ),
        (
            (failure(400, "bad"), text("fine")),
            "hooks.after('llm', function(r, e) if not r then n = e.code return hooks.again() end end) "
            "return helper:run('x'), n",
            '"fine"\t"rejected"',
            2,
        ),
        (
            (failure(400, "bad"), text("fine")),
            "hooks.around('llm', function(call, q) local r = call(q) return r or call(q) end) return helper:run('x')",
            '"fine"',
            2,
        ),
        (
            (text("no"),),
            "hooks.after('llm', function() return hooks.again() end) "
            "local ok, e = pcall(helper.run, helper, 'x') return ok, tostring(e):match('more than %d+ times')",
            'false\t"more than 20 times"',
            21,
        ),
        # streams
        (
            (text("a", "b"), text("c", "d")),
            "hooks.after('llm', function(r) if r.content == 'ab' then return hooks.again() end end) local t = {} "
            "return helper:stream('x', function(p) t[#t + 1] = p end), table.concat(t, ' ')",
            '"cd"\t"a b c d"',
            2,
        ),
        (
            (text("a", "b"),),
            "hooks.after('llm', function(r) r.content = r.content:upper() return r end) "
            "return helper:stream('x', function() end), helper.messages[2].content",
            '"AB"\t"AB"',
            1,
        ),
        (
            (text("a", "b"),),
            "hooks.before('llm', function() return hooks.cancel('not now') end) local told "
            "helper:stream('x', {on_text = io.write, on_error = function(e) told = e.message end}) return told",
            '"not now"',
            0,
        ),
        (
            (text("a"), text("b")),
            "hooks.before('llm', function(q) q.prompt = 'streamed' end) "
            "return llm.stream{prompt = 'x', on_content = function() end}.content",
            '"a"',
            1,
        ),
        # tools
        (
            ONE_CALL,
            "hooks.before('tools', function(name, a) a.a = 10 end) "
            "return helper:run{prompt = 'x'}.tool_calls[1].result",
            '"11"',
            2,
        ),
        (
            ONE_CALL,
            "hooks.before('tools', function(name) return hooks.cancel('never ' .. name) end) "
            "local r = helper:run{prompt = 'x'} return r.tool_calls[1].error, r.text",
            '"never add"\t"two"',
            2,
        ),
        (
            ONE_CALL,
            "hooks.after('tools', function(r) n = n + 1 if n < 3 then return hooks.again() end return r * 100 end) "
            "return helper:run{prompt = 'x'}.tool_calls[1].result, n",
            '"200"\t3',
            2,
        ),
        # agents that are tools
        (
            INNER,
            "local seen = {} for _, at in ipairs{'agent', 'llm', 'tools'} do "
            "hooks.before(at, function(w) seen[#seen + 1] = type(w) == 'table' and at or at .. ':' .. w end) end "
            "agent.create('boss', {tools = {helper}}):run('x') return table.concat(seen, ' ')",
            '"agent:boss llm tools:helper agent:helper llm llm"',
            3,
        ),
        (
            (INNER[0], text("outer")),
            "hooks.before('agent', function(name) if name == 'helper' then return hooks.answer('rests') end end) "
            "return agent.create('boss', {tools = {helper:as_tool()}}):run{prompt = 'x'}.tool_calls[1].result",
            '"rests"',
            2,
        ),
        (
            (INNER[0], text("outer")),
            "hooks.before('tools', function(name) return hooks.cancel('alone, please') end) "
            "return agent.create('boss', {tools = {helper}}):run{prompt = 'x'}.tool_calls[1].error",
            '"alone, please"',
            2,
        ),
    ],
)
async def test_hooks_inside_agents(
    spells: Spells, replies: tuple[Reply, ...], code: str, shown: str, asked: int
) -> None:
    spells.script(*replies)
    assert await spells.value(ADD + code) == shown
    assert len(spells.server.chats) == asked
    await spells.value("hooks.clear();")


async def test_what_a_hook_raises_is_the_runs_error_and_leaves_nothing(spells: Spells) -> None:
    spells.script(text("never"))
    outcome = await spells.run(ADD + "hooks.before('llm', function() error('oh') end) helper:run('x')")
    assert isinstance(outcome, Failed)
    assert "oh" in outcome.problem.evalue
    outcome = await spells.run(
        ADD + "hooks.before('llm', function() return hooks.answer{tool_calls = {5}} end) helper:run('x')"
    )
    assert isinstance(outcome, Failed)
    assert "bad answer of a hook at 'llm'" in outcome.problem.evalue
    assert await spells.value("hooks.clear() return #async.tasks()") == "0"


async def test_an_interrupt_ends_a_question_that_hooks_are_around(spells: Spells) -> None:
    spells.script(text("a", "b", hang_after=1))
    code = "hooks.around('llm', function(call, q) return call(q) end) helper:stream('x', io.write)"
    cell = asyncio.ensure_future(spells.run(ADD + code))
    assert await asyncio.to_thread(spells.server.wait_for_chats)
    spells.session.interrupt()
    assert isinstance(await cell, Interrupted)
    assert await asyncio.to_thread(spells.server.wait_until_done)
    assert await spells.value("hooks.clear() return #async.tasks()") == "0"


async def test_events_tell_of_agents_their_questions_and_tools(spells: Spells) -> None:
    spells.script(*INNER)
    code = (
        ADD
        + """
    local seen = {}
    events.on('**', function(name) seen[#seen + 1] = name end)
    agent.create('boss', {tools = {helper}}):stream('x', function() end)
    events.remove_all_listeners()
    return table.concat(seen, ' ')"""
    )
    asked = "llm.started llm.ended"
    inner = f"tools.started agent.started {asked} agent.ended tools.ended"
    assert await spells.value(code) == f'"agent.started {asked} {inner} {asked} agent.ended"'


async def test_events_tell_of_workflows_and_their_steps(spells: Spells) -> None:
    spells.script(text("said"))
    code = (
        ADD
        + """
    local seen, tries = {}, 0
    events.on('workflow.**', function(name, e) seen[#seen + 1] = name:sub(10) .. ':' .. (e.step or e.workflow) end)
    workflow.sequential('w'):add_step('ask', helper)
      :add_step{name = 'slip', retry = {times = 2, backoff = 0}, fn = function()
        tries = tries + 1 if tries < 2 then error('once') end return tries end}:build():execute('hello')
    workflow.parallel('p'):add_step('no', function() error('never') end):build():execute()
    events.remove_all_listeners()
    return table.concat(seen, ' ')"""
    )
    assert await spells.value(code) == (
        '"started:w step.started:ask step.completed:ask step.started:slip step.retrying:slip step.completed:slip '
        'completed:w started:p step.started:no step.failed:no failed:p"'
    )
