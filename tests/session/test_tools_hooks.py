"""Hooks around calls of models, tools and agents: they change, answer, cancel and repeat them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from llm.scripted_server import ScriptedServer, text

from llmspell_kernel.config import Places, Settings
from llmspell_kernel.session.session import Session

from .conftest import Notebook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.script(text("an answer"))
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def notebook(
    tmp_path_factory: pytest.TempPathFactory, server: ScriptedServer
) -> AsyncIterator[Notebook]:
    folder = tmp_path_factory.mktemp("hooks")
    places = Places(config=folder / "config.toml", data=folder / "data")
    session = Session(Settings.load(folder, {"OPENAI_BASE_URL": server.base_url}, places))
    await session.start()
    yield Notebook(session)
    await session.close()


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        (
            "hooks.before('llm', function(q) q.prompt = q.prompt .. ' please' end) return llm.chat('say')",
            '"an answer"',
        ),
        ("hooks.before('llm', function() return hooks.answer('mine') end) return llm.chat('x')", '"mine"'),
        (
            "hooks.before('llm', function() return hooks.answer('mine') end) return llm.chat{prompt = 'x'}.content",
            '"mine"',
        ),
        (
            "hooks.before('llm', function() return hooks.cancel('no') end) local r, e = llm.chat('x') return r, e.code",
            'nil\t"cancelled_by_hook"',
        ),
        (
            "hooks.after('llm', function(r) r.content = r.content:upper() return r end) return llm.complete('x')",
            '"AN ANSWER"',
        ),
        (
            "local n = 0 hooks.after('llm', function(r) n = n + 1 if n < 3 then return hooks.again() end end) "
            "local r = llm.chat('x') return r, n",
            '"an answer"\t3',
        ),
        (
            "hooks.before('llm', function() return hooks.answer('mine') end) "
            "return llm.stream{prompt = 'x', on_content = print}.content",
            '"mine"',
        ),
        (
            "hooks.before('tools', function(n, a) a.expression = a.expression .. '+1' end) "
            "return tools.execute('calculator', {expression = '1'})",
            "2",
        ),
        (
            "hooks.before('tools', function(n, a) return n, {expression = 7} end) "
            "local r, e = tools.execute('calculator', {expression = '1'}) return r, e.code",
            'nil\t"bad_arguments"',
        ),
        (
            "hooks.after('tools', function(r) return r * 2 end) return tools.compose('calculator'){expression = '21'}",
            "42",
        ),
        (
            "hooks.before('tools', function(n) return hooks.cancel('no ' .. n) end) "
            "return tools.execute_safe('calculator', {expression = '1'}).error",
            '"no calculator"',
        ),
        (
            "hooks.before('tools', function(n, a) a.x = 5 end) "
            "return agent.create{tools = {{name = 't', execute = function(a) return a.x end}}}.tools[1].execute{}",
            "5",
        ),
        (
            "hooks.before('agent', function(name, q) return hooks.answer(name .. ' rests') end) "
            "return agent.create('ada', {}):run('x')",
            '"ada rests"',
        ),
    ],
)
async def test_hooks_around_calls(notebook: Notebook, code: str, shown: str) -> None:
    assert await notebook.value(f"hooks.clear() {code}") == shown
    await notebook.value("hooks.clear();")


async def test_what_a_hook_changed_is_what_is_asked(notebook: Notebook, server: ScriptedServer) -> None:
    await notebook.value(
        "hooks.before('llm', function(q) q.prompt, q.temperature = 'changed', 0.25 end) llm.chat('x') hooks.clear();"
    )
    assert server.chats[-1]["messages"][-1]["content"] == "changed"
    assert server.chats[-1]["temperature"] == 0.25


async def test_events_tell_of_every_call(notebook: Notebook) -> None:
    code = """
    events.remove_all_listeners()
    events.on("*.started", function(event, what) print(event, type(what)) end)
    events.on("llm.ended", function(e) print("llm.ended", e.result.content, e.error, e.seconds >= 0) end)
    events.on("tools.ended", function(e) print("tools.ended", e.result, e.error ~= nil) end)
    llm.chat("x")
    tools.execute("calculator", { expression = "6 * 7" })
    tools.execute("calculator", { expression = "6 *" })
    tools.register("broken", function() error("oh") end)
    print(pcall(tools.execute, "broken"))
    events.remove_all_listeners()"""
    await notebook.run(code)
    lines = notebook.last.out.splitlines()
    assert lines[:6] == [
        "llm.started\ttable",
        "llm.ended\tan answer\tnil\ttrue",
        "tools.started\tstring",
        "tools.ended\t42\tfalse",
        "tools.started\tstring",
        "tools.ended\tnil\ttrue",
    ]
    assert lines[-2] == "tools.ended\tnil\ttrue"
    assert "oh" in lines[-1]
