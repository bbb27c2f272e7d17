"""An interrupt ends whatever waits for a model, and leaves neither a task nor a connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from llm.scripted_server import Reply, calls, failure, text

from llmspell_kernel.session.outcome import Interrupted

from .spells import server, spells

if TYPE_CHECKING:
    from .spells import Spells

__all__ = ["server", "spells"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

NEVER = text("too late", hang_after=0)
HALF = text("one ", "two", hang_after=1)
SCHEMA = "{type = 'object', properties = {a = {type = 'integer'}}, required = {'a'}}"
SLOW_TOOL = "{name = 't', execute = function() async.sleep(60) end}"


@pytest.mark.parametrize(
    ("replies", "code", "asked"),
    [
        ((NEVER,), "llm.chat('x')", 1),
        ((HALF,), "llm.stream_chat('x', function() end)", 1),
        ((HALF,), "llm.chat('x', {stream = true})", 1),
        ((text("slow", delay=60),), "llm.complete{prompt = 'x'}", 1),
        ((failure(429, "later", headers={"retry-after": "25"}),), "llm.chat('x')", 1),
        ((text("no json"), NEVER), f"llm.structured{{prompt = 'x', schema = {SCHEMA}}}", 2),
        ((failure(500, "oops"), NEVER), "llm.chat('x')", 2),
        ((NEVER,), "llm.batch_process{'a', 'b', 'c'}", 3),
        ((NEVER,), "llm.compare_providers('x', {'openai', 'openai:tiny-coder'})", 2),
        ((NEVER,), "promise.all{llm.chat_async('a'), llm.chat_async('b')}:await()", 2),
        ((NEVER,), "agent.create{}:run('x')", 1),
        ((HALF,), "agent.create{}:stream('x', function() end)", 1),
        ((calls(("t", {}), ("t", {})),), f"agent.create{{tools = {{{SLOW_TOOL}}}}}:run('x')", 1),
        (
            (calls(("calculator", {"expression": "1"})), NEVER),
            "agent.create{tools = {'calculator'}}:run('x')",
            2,
        ),
        (
            (calls(("h", {"prompt": "x"})), NEVER),
            "agent.create('b', {tools = {agent.create('h', {})}}):run('x')",
            2,
        ),
        ((NEVER,), "agent.collaborate({agent.create('a', {}), agent.create('b', {})}, 'x')", 1),
        (
            (NEVER,),
            "local team = {agent.create('a', {}), agent.create('b', {})} "
            "agent.collaborate(team, 'x', {coordination_method = 'parallel'})",
            2,
        ),
        (
            (NEVER,),
            "local a = agent.create('a', {}) "
            "workflow.parallel():add_step('1', a):add_step('2', a):build():execute('x')",
            2,
        ),
        (
            (NEVER,),
            "local t = {name = 'asks', execute = function() return llm.chat('x') end} tools.register(t) "
            "tools.parallel_execute{{'asks'}, {'asks'}}",
            2,
        ),
        ((NEVER,), "hooks.around('llm', function(call, q) return call(q) end) llm.chat('x')", 1),
    ],
)
async def test_an_interrupt_leaves_nothing(
    spells: Spells, replies: tuple[Reply, ...], code: str, asked: int
) -> None:
    spells.script(*replies)
    before = asyncio.all_tasks()
    cell = asyncio.ensure_future(spells.run(code))
    assert await asyncio.to_thread(spells.server.wait_for_chats, asked, 20.0)
    await asyncio.sleep(0.05)
    spells.session.interrupt()
    assert isinstance(await asyncio.wait_for(cell, 20), Interrupted)
    assert await asyncio.to_thread(spells.server.wait_until_done, 10.0)
    for _ in range(100):
        left = asyncio.all_tasks() - before
        if not left:
            break
        await asyncio.sleep(0.02)
    assert not left
    spells.script(text("again"))
    assert await spells.value("hooks.clear() return llm.chat('x'), #async.tasks()") == '"again"\t0'
