"""Workflows in a spell: steps of every kind, templates, retries, timeouts, checkpoints, progress."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from llm.scripted_server import text

from llmspell_kernel.session.outcome import Failed, Interrupted

from .spells import server, spells

if TYPE_CHECKING:
    from .conftest import Open
    from .spells import Spells

__all__ = ["server", "spells"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_steps_of_every_kind_pass_values_on(spells: Spells) -> None:
    spells.script(text("forty-two"))
    code = """
    local inner = workflow.sequential('inner'):add_step('upper', string.upper):build()
    local r = workflow.sequential('all')
      :add_step{name = 'work', type = 'tool', tool = 'calculator', input = {expression = '{{params.a}} * 7'}}
      :add_step{name = 'say', type = 'agent', agent = agent.create('teller', {}), input = 'Say {{work.output}}.'}
      :add_step{name = 'shout', type = 'workflow', workflow = inner}
      :add_step{name = 'end', fn = function(text, context) return text .. context.work.output end}
      :build():execute{a = 6}
    return r.success, r.status, r.output, #r.steps, r.metadata.extra.agent_outputs.teller"""
    assert await spells.value(code) == 'true\t"completed"\t"FORTY-TWO42"\t4\t"forty-two"'
    assert spells.server.chats[0]["messages"][-1]["content"] == "Say 42."


async def test_a_string_that_is_one_template_keeps_its_type(spells: Spells) -> None:
    code = """
    local flow = workflow.sequential()
      :add_step('list', function() return {1, 2, {deep = 'x'}} end)
      :add_step{name = 'use', input = {all = '{{list.output}}', text = 'n={{list.output.1}} {{list.output.3.deep}}'},
        fn = function(given) return #given.all .. given.text end}:build()
    return flow:execute().output, flow:get_output('list')[1]"""
    assert await spells.value(code) == '"3n=1 x"\t1'


async def test_templates_reach_into_lists(spells: Spells) -> None:
    code = """
    local r = workflow.sequential():add_step('a', function() return {x = {1, {y = 'deep'}}} end)
      :add_step{name = 'b', input = {'{{a.output.x[1]}}', "{{a.output['x'][2].y}}"}, fn = function(i) return i end}
      :build():execute()
    return r.output[1], r.output[2]"""
    assert await spells.value(code) == '1\t"deep"'


async def test_a_table_that_a_step_raises_reads_as_its_message(spells: Spells) -> None:
    code = """
    local r = workflow.sequential():add_step('a', function() error{code = 'E', message = 'why'} end):build():execute()
    return r.error, r.failure.code"""
    assert await spells.value(code) == '"why"\t"E"'


async def test_a_step_that_says_so_is_tried_again(spells: Spells) -> None:
    code = """
    local n = 0
    local r = workflow.sequential():add_step{on_error = 'retry', retry = {backoff = 0}, fn = function()
      n = n + 1 if n < 3 then error('no') end return n end}:build():execute()
    return r.output, r.steps[1].attempts"""
    assert await spells.value(code) == "3\t3"


async def test_a_template_that_names_nothing_says_what_there_is(spells: Spells) -> None:
    code = """
    return workflow.sequential():add_step('one', print):add_step{input = '{{oen.output}}', fn = print}
      :build():execute().error"""
    assert await spells.value(code) == (
        '"the template {{oen.output}} names nothing; there are: one, params, previous, step2"'
    )


async def test_steps_run_side_by_side(spells: Spells) -> None:
    spells.script(text("ok", together=3))
    code = """
    local flow = workflow.parallel()
    for _, name in ipairs{'a', 'b', 'c'} do flow:add_step(name, agent.create(name, {})) end
    local r = flow:build():execute('q')
    return r.output.b, r.steps[3].name, r.success"""
    assert await spells.value(code) == '"ok"\t"c"\ttrue'
    assert spells.server.most_at_once == 3


async def test_no_more_steps_at_once_than_allowed(spells: Spells) -> None:
    code = """
    local now, most, flow = 0, 0, workflow.parallel():max_concurrency(2)
    for i = 1, 5 do
      flow:add_step(function() now = now + 1 most = math.max(most, now) async.sleep(0.03) now = now - 1 return i end)
    end
    local r = flow:build():execute()
    return most, r.output.step5"""
    assert await spells.value(code) == "2\t5"


async def test_a_failure_ends_the_steps_beside_it(spells: Spells) -> None:
    code = """
    local finished
    local r = workflow.parallel()
      :add_step('bad', function() async.sleep(0.05) error('no ink', 0) end)
      :add_step('slow', function() async.sleep(30) finished = true end):build():execute()
    return r.status, r.error, r.steps[1].status, r.steps[2].status, finished, #async.tasks()"""
    assert await spells.value(code) == '"failed"\t"no ink"\t"failed"\t"cancelled"\tnil\t0'


async def test_all_steps_run_where_failures_do_not_matter(spells: Spells) -> None:
    code = """
    local r = workflow.parallel():fail_fast(false)
      :add_step('bad', function() error('no ink', 0) end)
      :add_step('good', function() async.sleep(0.05) return 1 end):build():execute()
    return r.success, r.output, r.steps[2].output"""
    assert await spells.value(code) == "false\tnil\t1"


async def test_a_condition_chooses(spells: Spells) -> None:
    code = """
    local flow = workflow.conditional():add_step('look', function(p) return #p.text end)
      :condition(function(c) return c.look.output > 3 end)
      :add_then_step('long', function() return 'long' end):add_else_step('short', function() return 'short' end):build()
    local a, b = flow:execute{text = 'abcd'}, flow:execute{text = 'a'}
    return a.output, a.branch, b.output, b.branch"""
    assert await spells.value(code) == '"long"\t"then"\t"short"\t"else"'


async def test_loops_over_lists_numbers_and_conditions(spells: Spells) -> None:
    code = """
    local function run(flow) return table.concat(flow:build():execute({list = {'a', 'b'}}).output, ',') end
    local upper = {fn = function(s) return tostring(s):upper() end, input = '{{item}}'}
    return run(workflow.loop():over('{{params.list}}'):add_step(upper)),
      run(workflow.loop():range(3, 1, -1):add_step(upper)),
      run(workflow.loop():condition(function(c) return c.index <= 2 end):add_step(function() return 'x' end))"""
    assert await spells.value(code) == '"A,B"\t"3,2,1"\t"x,x"'


async def test_a_step_is_tried_again_and_waits_longer_each_time(spells: Spells) -> None:
    code = """
    local tries, waits = 0, {}
    local r = workflow.sequential():add_step{name = 'shaky', retry = {times = 3, backoff = 0.01, factor = 3},
      fn = function() tries = tries + 1 if tries < 3 then return nil, 'not yet' end return 'done' end}
      :on_progress(function(e) if e.status == 'retrying' then waits[#waits + 1] = e.wait end end):build():execute()
    return r.output, r.steps[1].attempts, waits[1], waits[2]"""
    assert await spells.value(code) == '"done"\t3\t0.01\t0.03'


async def test_what_fails_for_good_has_a_fallback_or_is_passed_over(spells: Spells) -> None:
    code = """
    local function bad() error('no ink', 0) end
    local a = workflow.sequential():add_step{name = 'bad', fn = bad, fallback = 'pencil'}:build():execute()
    local b = workflow.sequential():add_step{name = 'bad', fn = bad, on_error = 'continue'}
      :add_step('next', function() return 'went on' end):build():execute()
    return a.output, a.steps[1].error, b.output, b.steps[1].status, b.success"""
    assert await spells.value(code) == '"pencil"\t"no ink"\t"went on"\t"failed"\ttrue'


async def test_steps_and_workflows_have_time_limits(spells: Spells) -> None:
    code = """
    local function slow() async.sleep(30) end
    local a = workflow.sequential():add_step{name = 'slow', timeout = 0.05, fn = slow}:build():execute()
    local b = workflow.sequential('long'):timeout(0.05):add_step('slow', slow):build():execute()
    print(a.error) print(b.error, b.steps[1].status, #async.tasks())"""
    assert (await spells.shown(code)).splitlines() == [
        "the step 'slow' did not finish within 0.05 seconds",
        "the workflow 'long' did not finish within 0.05 seconds\tcancelled\t0",
    ]


async def test_a_run_goes_on_from_its_checkpoint_in_a_later_cell(spells: Spells) -> None:
    await spells.value("""
    ran = {}
    local function step(name, ok)
      return function() ran[#ran + 1] = name assert(ok == nil or ready, 'later') return name end
    end
    flow = workflow.sequential():add_step('a', step 'a'):add_step('b', step('b', false)):build()
    saved = json.decode(json.encode(flow:execute().checkpoint));""")
    await spells.value("ready = true r = flow:resume(saved)")
    shown = '"a b b"\t"completed"\ttrue\ttrue'
    code = "table.concat(ran, ' '), r.status, r.steps[1].restored, r.execution_id == saved.execution_id"
    assert await spells.value(code) == shown


_KEPT = """
    ran = {}
    local function step(name, gives) return function(got) ran[#ran + 1] = name return gives or got end end
    flow = workflow.sequential('trip'):persistent():add_step('a', step('a', {1, {x = 'y'}}))
      :add_step('both', workflow.parallel('in'):add_step('b', step('b', 2)):add_step('c', step 'c'):build())
      :add_step('d', function(got) ran[#ran + 1] = 'd' assert(ready, 'not yet') return got end)
      :add_step('e', step('e')):build()
"""


async def test_a_persistent_run_goes_on_in_another_kernel(open_notebook: Open) -> None:
    first = await open_notebook()
    await first.value(_KEPT + "local r = flow:resume(nil, {city = 'Oslo'}) assert(r.status == 'failed')")
    assert await first.value("workflow.unfinished()[1], #state.list()") == '"trip"\t0'
    await first.session.close()
    later = await open_notebook()
    await later.value(_KEPT + "ready = true r = flow:resume();")
    assert await later.value("r.success, table.concat(ran, ' '), r.output.b, r.output.c[2].x") == (
        'true\t"d e"\t2\t"y"'
    )
    assert await later.value("r.checkpoint.input.city, #workflow.unfinished()") == '"Oslo"\t0'
    # what has ended begins anew
    assert await later.value("ran = {} flow:resume() return table.concat(ran, ' ')") == '"a b c d e"'


async def test_a_persistent_run_goes_on_after_an_interrupt(spells: Spells) -> None:
    code = """
    flow = workflow.loop('long'):persistent():range(1, 5):add_step{name = 's', input = '{{item}}', fn = function(n)
      if n == 3 and not go_on then async.sleep(30) end
      return n * 10
    end}:build()"""
    await spells.value(code)
    cell = asyncio.ensure_future(spells.run("flow:execute()"))
    await asyncio.sleep(0.5)
    spells.session.interrupt()
    assert isinstance(await cell, Interrupted)
    code = "go_on = true local r = flow:resume() return table.concat(r.output, ' '), r.steps[2].steps[1].restored"
    assert await spells.value(code) == '"10 20 30 40 50"\ttrue'
    assert await spells.value("#workflow.unfinished(), workflow.forget('long')") == "0\tfalse"


async def test_execute_begins_anew_and_forget_forgets(spells: Spells) -> None:
    code = """
    n = 0
    flow = workflow.sequential('w'):persistent('other'):add_step('a', function() n = n + 1 return n end)
      :add_step('b', function() error('no') end):build()
    flow:execute() flow:execute() flow:resume()
    return n, workflow.unfinished()[1], workflow.forget('other'), workflow.forget('other')"""
    assert await spells.value(code) == '2\t"other"\ttrue\tfalse'


async def test_what_cannot_be_kept_fails_its_step_and_says_why(spells: Spells) -> None:
    code = """
    local flow = workflow.parallel('w'):persistent():add_step('f', function() return {print} end):build()
    local r = flow:execute()
    print(r.success, r.error, r.steps[1].status)
    r = flow:execute({f = print})
    print(r.error)
    workflow.forget('w')"""
    assert (await spells.shown(code)).splitlines() == [
        "false\twhat the step 'f' gave cannot be kept: f.output[1]: a function cannot be kept in persistent state"
        "\tfailed",
        "what the workflow 'w' was given cannot be kept: (run).input.f: a function cannot be kept in persistent state",
    ]


async def test_progress_is_told_in_order(spells: Spells) -> None:
    code = """
    local told = {}
    workflow.sequential('w'):add_step('a', function() return 1 end):add_step{name = 'b', fn = print,
      condition = function() return false end}:build():execute(nil, {on_progress = function(e)
        told[#told + 1] = (e.step or e.workflow) .. ':' .. e.status end})
    return table.concat(told, ' ')"""
    assert await spells.value(code) == (
        '"w:workflow_started a:started a:completed b:skipped w:workflow_completed"'
    )


async def test_an_interrupt_leaves_nothing_running(spells: Spells) -> None:
    code = """
    local function slow() started = true async.sleep(30) finished = true end
    workflow.parallel():add_step(slow):add_step(slow):build():execute()"""
    cell = asyncio.ensure_future(spells.run(code))
    await asyncio.sleep(0.5)
    spells.session.interrupt()
    assert isinstance(await cell, Interrupted)
    assert await spells.value("started, finished") == "true\tnil"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("workflow.sequential('w'):build()", "the workflow 'w' cannot be built: it has no steps"),
        (
            "workflow.sequential():add_step{name = 'x', type = 'tool'}",
            "the step 'x' of 'add_step' needs `tool`",
        ),
        (
            "workflow.sequential():add_step{type = 'magic'}",
            "'add_step' knows no steps of the type 'magic'; there are: agent, function, tool, workflow",
        ),
        (
            "workflow.create{name = 'x', type = 'magic', steps = {print}}",
            "the workflow 'x' cannot be built: there is no type 'magic', "
            "only conditional, loop, parallel, sequential",
        ),
        (
            "workflow.sequential():add_step{fn = print, on_error = 'explode'}",
            "'add_step' knows no `on_error` 'explode'; there are: continue, fail, retry",
        ),
        (
            "workflow.sequential():add_step{fn = print, timeout = 'soon'}",
            "bad option 'timeout' to 'add_step' (number expected, got string)",
        ),
        (
            "workflow.sequential():add_step{fn = print, retry = {times = 'often'}}",
            "bad argument #1 to 'retry.times' (number expected, got string)",
        ),
        (
            "workflow.sequential('x'):add_step(print):build():resume{}",
            "bad argument #1 to 'workflow:resume' (the result of a run, or its checkpoint, expected)",
        ),
        (
            "workflow.sequential():add_step('a', print):add_step('a', print)",
            "the workflow has a step 'a' already",
        ),
        ("workflow.conditional():add_then_step(print):build()", "its condition is missing"),
    ],
)
async def test_what_cannot_be_built_says_why(spells: Spells, code: str, said: str) -> None:
    outcome = await spells.run(code)
    assert isinstance(outcome, Failed)
    assert said in outcome.problem.evalue


async def test_workflows_are_validated_and_found_by_name(spells: Spells) -> None:
    code = """
    workflow.create{name = 'known', steps = {{name = 's', agent = 'nobody-here'}}}
    local ok, problems = workflow.get('known'):validate()
    local r, err = workflow.execute('unknown')
    return ok, problems[1], r, err.code, workflow.execute('known').error"""
    assert await spells.value(code) == (
        'false\t"s: there is no agent \'nobody-here\'"\tnil\t"not_found"\t"there is no agent \'nobody-here\'"'
    )
