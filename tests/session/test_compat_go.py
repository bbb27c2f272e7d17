"""Spells written for go-llmspell, of each of its generations, run as their authors expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from llm.scripted_server import calls, failure, text

from .spells import server, spells

if TYPE_CHECKING:
    from .spells import Spells

__all__ = ["server", "spells"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_first_generation_errors_are_put_into_texts(spells: Spells) -> None:
    spells.script(failure(401, "no"))
    code = """
    local answer, err = llm.chat('Hello')
    if err then print('Error: ' .. err) else print('Answer: ' .. answer) end
    local problem = llm.stream_chat('Hello', function(piece) io.write(piece) end)
    if problem then print('Error: ' .. problem) end"""
    lines = (await spells.shown(code)).splitlines()
    assert len(lines) == 2
    assert all(line.startswith("Error: ") for line in lines)


async def test_first_generation_streams_end_without_an_error(spells: Spells) -> None:
    spells.script(text("red ", "yellow ", "blue"))
    code = """
    local whole = ''
    local err = llm.stream_chat('Colours?', function(piece) whole = whole .. piece return nil end)
    print(err, whole)"""
    assert await spells.shown(code) == "nil\tred yellow blue\n"


async def test_first_generation_callbacks_are_processed_in_a_loop(spells: Spells) -> None:
    spells.script(text("done", delay=0.1))
    code = """
    local results, finished = {}, 0
    local function keep(place) return function(answer) results[place] = answer finished = finished + 1 end end
    local function lost(err) error('Error: ' .. err) end
    local first = llm.chat_async('one', keep(1), lost)
    local second = llm.complete_async('two', 50, keep(2), lost)
    print('ids ' .. first .. ', ' .. second ~= nil)
    local rounds = 0
    while finished < 2 and rounds < 100 do
      async.process_callbacks()
      rounds = rounds + 1
    end
    print(results[1], results[2])"""
    assert await spells.shown(code) == "true\ndone\tdone\n"


async def test_first_generation_tools_and_agents(spells: Spells) -> None:
    spells.script(text("well written"))
    code = """
    tools.register('count', 'Counts lines', {
      type = 'object', properties = {text = {type = 'string'}}, required = {'text'},
    }, function(params)
      local lines = 0
      for _ in params.text:gmatch('[^\\n]+') do lines = lines + 1 end
      return {lines = lines}
    end)
    local found
    for _, tool in ipairs(tools.list()) do
      if tool.name == 'count' then found = tool.name .. ': ' .. tool.description end
    end
    local ok, problem = agents.register('reviewer', {
      system_prompt = 'You review.',
      execute = function(self, input, options)
        local counted, err = tools.execute('count', {text = input})
        if err then return 'Failed: ' .. err end
        return counted.lines .. ' lines, ' .. llm.chat(self.system_prompt .. input)
      end,
    })
    print(found)
    print(ok, problem, agents.execute('reviewer', 'a\\nb'))
    print(agents.execute('nobody', 'x'))"""
    assert (await spells.shown(code)).splitlines() == [
        "count: Counts lines",
        "true\tnil\t2 lines, well written",
        "nil\tthere is no agent 'nobody'",
    ]


async def test_second_generation_agents_run_by_their_id(spells: Spells) -> None:
    spells.script(text("found"))
    code = """
    local agent = require('agent')
    local made = agent.create('Researcher', {model = 'gpt-4', system_prompt = 'Find things.'})
    print(agent.run(made.id, 'What?'), made:run_async('And?'):await())
    local team = agent.collaborate({made.id}, 'Work', {coordination_method = 'sequential', share_context = true})
    print(team.coordination_method, team.results.Researcher, team.shared_context.Researcher)
    local chain = agent.tool_chain({agent.create_tool('double', function(n) return 2 * n end), tostring}, 21)
    print(chain.success, chain.final_output)"""
    assert (await spells.shown(code)).splitlines() == [
        "found\tfound",
        "sequential\tfound\tfound",
        "true\t42",
    ]


async def test_third_generation_agents_use_tools_with_required_properties(spells: Spells) -> None:
    spells.script(
        calls(("market_research", {"query": "coffee"})), text("People drink it."), text("Sell coffee.")
    )
    code = """
    local agent = require('agent')
    local specialist = agent.create{name = 'Market Research Specialist', model = 'gpt-4', tools = {'calculator'}}
    tools.register{
      name = 'market_research',
      description = 'Research',
      parameters = {query = {type = 'string', required = true, description = 'What to research'}},
      execute = function(args) return specialist:run(args.query) end,
    }
    local analyst = agent.create{name = 'Analyst', model = 'gpt-4', tools = {'market_research'}, temperature = 0.4}
    print(analyst:run('Analyze'):sub(1, 500) .. '...')"""
    assert await spells.shown(code) == "Sell coffee....\n"
    assert spells.server.chats[1]["messages"][-1]["content"] == "coffee"


async def test_third_generation_promises_around_tasks(spells: Spells) -> None:
    spells.script(text("view"))
    code = """
    local core = require('core')
    local waiting = {}
    for _, name in ipairs{'Technical', 'Market'} do
      waiting[#waiting + 1] = promise.new(function(resolve, reject)
        core.async(function()
          resolve{key = name, value = agent.create{name = name}:run('Analyze')}
        end)
      end)
    end
    for _, result in ipairs(promise.all(waiting):await()) do print(result.key, result.value) end
    core.sleep(0.01)"""
    assert await spells.shown(code) == "Technical\tview\nMarket\tview\n"
