"""A cassette answers for whole runs of agents: every question, streams, tools that are never the same twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm.scripted_server import ScriptedServer, calls, failure, text

from llmspell_kernel.session.outcome import Failed

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Open

PREPARED = """
    dice = {name = 'dice', record = true, parameters = {sides = {type = 'integer'}}, execute = function(a)
      rolled = (rolled or 0) + 1
      if a.sides == 0 then return nil, 'no dice' end
      return {sum = math.random(1, 1e12), once = rolled}
    end}
    heard = {}
    local function note(kind) return function(v) heard[#heard + 1] = kind .. (v.name or v) .. (v.result or '') end end
    helper = agent.create('helper', {tools = {dice, 'datetime_now', 'calculator'}})
    answer = helper:stream('Roll.', {on_text = note 't:', on_tool_call = note 'c:', on_tool_result = note 'r:'})
"""
RUN = (
    calls(("dice", {"sides": 6}), ("datetime_now", {"format": "%H:%M:%S.%f"})),
    calls(("dice", {"sides": 6}), ("dice", {"sides": 0}), ("calculator", {"expression": "6*7"})),
    text("It ", "is ", "done."),
)
# tools that run side by side may end in any order
SHOWN = "table.sort(heard) return table.concat(heard, ' '), answer, json.encode(helper.messages)"


async def test_a_run_with_chance_and_time_is_replayed_without_a_server(open_notebook: Open) -> None:
    with ScriptedServer() as server:
        server.script(*RUN)
        first = await open_notebook(record="auto", OPENAI_BASE_URL=server.base_url)
        await first.value(PREPARED + ";")
        heard = await first.value(SHOWN)
        await first.session.close()
    assert heard is not None
    assert "done." in heard
    again = await open_notebook(record="replay", OPENAI_BASE_URL=server.base_url)
    await again.value(PREPARED + ";")
    replayed = await again.value(SHOWN)
    assert replayed == heard
    assert await again.value("return rolled") is None


async def test_a_changed_run_is_an_error_with_a_diff(open_notebook: Open) -> None:
    with ScriptedServer() as server:
        server.script(*RUN)
        first = await open_notebook(record="auto", OPENAI_BASE_URL=server.base_url)
        await first.value(PREPARED + ";")
        await first.session.close()
    again = await open_notebook(record="replay", OPENAI_BASE_URL=server.base_url)
    outcome = await again.run(PREPARED.replace("Roll.", "Roll twice."))
    assert isinstance(outcome, Failed)
    assert "-  content: Roll.\n+  content: Roll twice." in outcome.problem.evalue
    outcome = await again.run("tools.register(dice) return tools.execute('dice', {sides = 7})")
    assert isinstance(outcome, Failed)
    assert "-  sides: 6\n+  sides: 7" in outcome.problem.evalue


async def test_secrets_reach_neither_questions_nor_tools_in_the_cassette(
    open_notebook: Open, tmp_path: Path
) -> None:
    with ScriptedServer(key="sk-the-persons-own-key-1234") as server:
        server.script(calls(("echo", {"text": "x"})), text("sk-abcdefghijklmnop1234 it was"))
        first = await open_notebook(
            record="auto", OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-the-persons-own-key-1234"
        )
        code = """agent.create{tools = {{name = 'echo', record = true, parameters = {text = {type = 'string'}},
          execute = function() return 'Bearer abcdefghijklmnopqrstuvw' end}}}:run('x')"""
        await first.value(code)
        await first.session.close()
    written = (tmp_path / "cassette.yaml").read_text()
    assert "[secret]" in written
    for secret in ("the-persons-own", "abcdefghijklmnop"):
        assert secret not in written


async def test_what_cannot_be_recorded_says_so(open_notebook: Open) -> None:
    notebook = await open_notebook(record="auto")
    code = "tools.register{name = 'f', record = true, execute = function() return {print} end} tools.execute('f')"
    outcome = await notebook.run(code)
    assert isinstance(outcome, Failed)
    assert (
        outcome.problem.evalue
        == "what the tool 'f' gave cannot be recorded: it holds a function or an object"
    )


async def test_a_failure_is_not_recorded_and_asked_again(open_notebook: Open) -> None:
    with ScriptedServer() as server:
        server.script(failure(400, "bad"), text("good"))
        notebook = await open_notebook(record="auto", OPENAI_BASE_URL=server.base_url)
        assert await notebook.value("select(2, agent.create{}:run('x')).code") == '"rejected"'
        assert await notebook.value("agent.create{}:run('x')") == '"good"'
        assert await notebook.value("agent.create{}:run('x')") == '"good"'
        assert len(server.chats) == 2
