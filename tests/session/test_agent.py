"""Agents from a cell: the loop over a scripted model, tools that are Lua functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from llm.scripted_server import ScriptedServer, calls, failure, text

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


async def test_an_agent_uses_a_lua_tool(asking: Notebook, server: ScriptedServer) -> None:
    server.script(calls(("double", {"n": 21})), text("It is 42"))
    await asking.value("""
    a = agent.create('helper', {system = 'Be brief.', tools = {{name = 'double', description = 'Doubles',
      parameters = {n = {type = 'number'}}, execute = function(args) seen = args.n return 2 * args.n end}}});""")
    assert await asking.value("a:run('double 21'), seen") == '"It is 42"\t21'
    assert server.chats[1]["messages"][-1]["content"] == "42"
    assert server.chats[0]["messages"][0]["content"] == "Be brief."


async def test_an_agent_uses_a_registered_tool_and_tells_of_it(
    asking: Notebook, server: ScriptedServer
) -> None:
    server.script(calls(("calculator", {"expression": "6*7"})), text("42"))
    code = "local r = agent.create{tools = {'calculator'}}:run{prompt = 'q'} return r.text, r.tool_calls[1].result"
    assert await asking.value(code) == '"42"\t"42"'


async def test_an_agent_remembers_until_reset(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text("one"))
    await asking.value("a = agent.create{} a:run('x') a:run('y') a:reset() a:run('z');")
    assert [len(chat["messages"]) for chat in server.chats] == [1, 3, 1]
    assert await asking.value("a:chat({{role = 'user', content = 'q'}}).text") == '"one"'


async def test_tools_come_and_go(asking: Notebook) -> None:
    await asking.value("a = agent.create{} a:add_tool('calculator') n = #a:get_tools()")
    code = "n, a:remove_tool('calculator'), #a:get_tools()"
    assert await asking.value(code) == "1\ttrue\t0"


async def test_an_agent_is_a_tool_of_another(asking: Notebook, server: ScriptedServer) -> None:
    server.script(calls(("inner", {"prompt": "p"})), text("from inside"), text("done"))
    code = "agent.create{tools = {agent.create('inner', {})}}:run('q')"
    assert await asking.value(code) == '"done"'
    assert server.chats[2]["messages"][-1]["content"] == "from inside"


async def test_agents_by_name(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text("hello"))
    await asking.value("agents.register('echo', function(t) return t end) agents.register('real', {});")
    assert await asking.value(
        "agents.execute('echo', 'hi'), agents.execute('real', 'q'), #agents.list()"
    ) == ('"hi"\t"hello"\t2')


async def test_what_fails_is_returned(asking: Notebook, server: ScriptedServer) -> None:
    server.script(failure(401, "no"))
    assert await asking.value("local r, e = agent.create{}:run('q') return r, e.code") == (
        'nil\t"authentication_failed"'
    )
