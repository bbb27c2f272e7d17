"""Tasks: everything waits, nothing blocks, no error is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from spell_harness import CellFailed

if TYPE_CHECKING:
    from spell_harness import Spell


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_twenty_waits_take_as_long_as_one(spell: Spell) -> None:
    spell.bridge("net", "get", lambda n: (0.3, [n * n]))
    start = time.monotonic()
    out = spell.run(
        "local jobs = {} for i = 1, 20 do jobs[i] = async(function() return net.get(i) end) end "
        "print(table.concat(promise.all(jobs):await(), ' '))"
    )
    assert out == " ".join(str(n * n) for n in range(1, 21)) + "\n"
    assert 0.3 <= time.monotonic() - start < 3  # one after the other would be 6


def test_the_main_chunk_waits_while_tasks_go_on(spell: Spell) -> None:
    spell.bridge("net", "get", lambda: (0.05, ["answer"]))
    out = spell.run(
        "async(function() for i = 1, 3 do print('task', i) async.sleep(0.01) end end) print(net.get())"
    )
    assert lines(out) == ["task\t1", "task\t2", "task\t3", "answer"]


@pytest.mark.parametrize(
    "wait",
    [
        "table.sort({3, 1, 2}, function(a, b) async.sleep(0.001) return a < b end)",
        "local v = setmetatable({}, {__index = function(_, k) async.sleep(0.001) return k end}).x",
        "local v = string.gsub('abc', '%w', function(c) async.sleep(0.001) return c end)",
        "for v in coroutine.wrap(function() async.sleep(0.001) coroutine.yield(1) async.yield() end) do end",
        "pcall(async.sleep, 0.001)",
        "xpcall(async.sleep, print, 0.001)",
        "do local x <close> = setmetatable({}, {__close = function() async.sleep(0.001) end}) end",
        "coroutine.wrap(function() coroutine.wrap(function() async.sleep(0.001) end)() end)()",
        "table.sort({2, 1}, function() return coroutine.wrap(function() async.sleep(0.001) end)() end)",
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["{} print('waited')", "async(function() {} print('waited') end):await()"])
def test_waiting_is_possible_anywhere(spell: Spell, where: str, wait: str) -> None:
    out = spell.run("async(function() print('beside') end) " + where.format(wait))
    assert lines(out) == ["beside", "waited"]


def test_a_plain_yield_in_a_task_lets_the_others_run(spell: Spell) -> None:
    out = spell.run(
        "for _, name in ipairs{'a', 'b'} do "
        "  async(function() for i = 1, 3 do print(name, i) coroutine.yield() end end) "
        "end"
    )
    assert lines(out) == ["a\t1", "b\t1", "a\t2", "b\t2", "a\t3", "b\t3"]


def test_a_task_outlives_its_cell_and_writes_to_it(spell: Spell) -> None:
    spell.run("async(function() async.sleep(0.05) print('late') end)")
    spell.run("print('next cell')")
    spell.wait()
    assert spell.host.written == [(1, 1, b"late\n")]


def test_tasks_are_listed_and_cancelled(spell: Spell) -> None:
    out = spell.run(
        """
        local ch = channel.make()
        async(function() ch:receive() end)
        async(function() async.sleep(60) end)
        async.yield()
        for _, t in ipairs(async.tasks()) do
          print(t.id, t.name, t.cell, t.state, t.at, t.waiting_for)
        end
        for _, t in ipairs(async.tasks()) do async.cancel(t.id) end
        async.yield()
        print(#async.tasks())
        """
    )
    assert lines(out) == [
        "1\tcell 1:3\t1\twaiting\tcell 1:3\ta message",
        "2\tcell 1:4\t1\twaiting\tcell 1:4\tsleep",
        "0",
    ]


def test_a_cancelled_task_can_clean_up_and_cannot_go_on(spell: Spell) -> None:
    out = spell.run(
        """
        local job = async(function()
          local file <close> = setmetatable({}, {__close = function() print('closed') end})
          print(pcall(async.sleep, 60))
          print(pcall(async.sleep, 60))
          print('ends')
        end)
        async.yield()
        job:cancel('enough')
        async.yield()
        print(job:await())
        """
    )
    assert lines(out) == ["false\tenough", "false\tenough", "ends", "closed", "nil\tenough"]


def test_a_cancelled_task_that_never_began_never_runs(spell: Spell) -> None:
    assert spell.run("local job = async(print, 'ran') job:cancel() async.yield() print(job)") == (
        "promise: rejected (task 1)\n"
    )


def test_cancelling_a_task_that_only_gives_way_ends_it(spell: Spell) -> None:
    out = spell.run(
        "local n = 0 local job = async(function() while true do n = n + 1 coroutine.yield() end end) "
        "async.yield() job:cancel() async.yield() print(#async.tasks(), n)"
    )
    assert out == "0\t1\n"


def test_a_bridge_call_is_cancelled_with_its_task(spell: Spell) -> None:
    spell.bridge("net", "get", lambda: (60, []))
    spell.run("local job = async(function() net.get() end) async.yield() job:cancel() async.yield()")
    assert [frame[0] for frame in spell.host.sent] == [b"call", b"cancel"]


def test_an_interrupt_cancels_what_the_cell_waits_for(spell: Spell) -> None:
    spell.bridge("net", "get", lambda: (60, []))
    spell.run("inner = async(function() net.get() end) beside = async(function() async.sleep(60) end)")
    spell.host.stop_at = time.monotonic() + 0.05
    with pytest.raises(CellFailed):
        spell.run("promise.all{async(function() inner:await() end)}:await()")
    assert spell.run("print(inner.reason.code, beside.state, #async.tasks())") == "cancelled\tpending\t1\n"
    assert spell.host.sent[-1][0] == b"cancel"


def test_after_an_interrupt_tasks_go_on(spell: Spell) -> None:
    spell.run("async(function() for i = 1, 3 do async.sleep(0.04) print('tick', i) end end)")
    spell.host.stop_at = time.monotonic() + 0.06
    with pytest.raises(CellFailed):
        spell.run("channel.make():receive(async.sleep(60))")
    assert spell.host.written == [(1, 1, b"tick\t1\n")]
    assert lines(spell.wait()) == ["tick\t2", "tick\t3"]


DEADLOCK = """\
local ch = channel.make()
async(function()
  ch:receive()
end)
local job = async(function() ch:receive() end)
job:await()
"""


def test_a_deadlock_is_told_with_the_lines_that_wait(spell: Spell) -> None:
    with pytest.raises(CellFailed) as caught:
        spell.run(DEADLOCK)
    assert lines(str(caught.value)) == [
        "deadlock: nothing is under way that could end this wait",
        "  this code waits at cell 1:6 for a promise",
        "  task 1 waits at cell 1:3 for a message",
        "  task 2 waits at cell 1:5 for a message",
    ]
    assert caught.value.failure["line"] == 6


def test_a_deadlock_inside_a_task_that_cannot_yield_is_its_error(spell: Spell) -> None:
    out = spell.run(
        "print(async(function() table.sort({2, 1}, function() channel.make():receive() end) end):await())"
    )
    assert "deadlock: " in out


def test_a_task_that_waits_for_a_later_cell_is_no_deadlock(spell: Spell) -> None:
    spell.run("ch = channel.make() async(function() print(ch:receive()) end)")
    assert spell.run("ch:send('from cell 2') async.yield()") == "true\tfrom cell 2\n"


FAILING = """\
local function deeper(x)
  return x.field.missing
end
local function start()
  async(function()
    async.yield()
    deeper({})
  end)
end
start()
print('done')
"""


def test_an_error_that_nothing_looks_at_is_shown_with_both_stacks(spell: Spell) -> None:
    assert spell.run(FAILING) == "done\n"
    assert lines(spell.err) == [
        "LuaError in task 1, which nothing has waited for yet: attempt to index a nil value (field 'field')",
        "  cell 1:2 in function 'deeper'",
        "  cell 1:7 in the function of line 5",
        "  started at cell 1:5",
        "    cell 1:10",
    ]


def test_the_creators_of_a_creator_are_shown(spell: Spell) -> None:
    spell.run("async(function()\nasync(function()\nerror('x')\nend)\nend)")
    assert lines(spell.err)[1:] == [
        "  cell 1:3 in the function of line 2",
        "  started at cell 1:2",
        "  started at cell 1:1",
    ]


def test_an_error_of_a_task_goes_to_the_cell_that_started_it(spell: Spell) -> None:
    spell.run("async(function() async.sleep(0.02) error({code = 'x', message = 'late'}) end)")
    spell.run("async.sleep(0.05)")
    assert spell.written(2, cell=1).startswith("X in task 1, which nothing has waited for yet: late\n")
    assert spell.written(2, cell=2) == ""


@pytest.mark.parametrize(
    "look",
    [
        "p:await()",
        "async.sleep(0.02) p:await()",
        "pcall(async.await, p)",
        "p:catch(function() end)",
        "promise.all_settled{p}",
        "p:next(nil, function() end)",
    ],
)
def test_an_error_that_somebody_looks_at_is_not_shown(spell: Spell, look: str) -> None:
    spell.run(f"local p = async(function() error('x') end) {look}")
    assert spell.err == ""


def test_an_error_is_shown_while_the_cell_still_runs_once_nobody_can_look(spell: Spell) -> None:
    spell.run(
        "async(function() error('x') end) async.yield() collectgarbage() async.sleep(0.01) early = true"
    )
    assert spell.err.startswith("LuaError in task 1")


def test_ten_thousand_tasks(spell: Spell) -> None:
    out = spell.run(
        "local jobs = {} for i = 1, 10000 do jobs[i] = async(function() async.sleep(0.01) return i end) end "
        "local sum = 0 for _, n in ipairs(promise.all(jobs):await()) do sum = sum + n end print(sum)"
    )
    assert out == "50005000\n"


def test_a_task_that_never_rests_leaves_room_for_cells(spell: Spell) -> None:
    spell.run("busy = true async(function() while busy do n = (n or 0) + 1 async.yield() end end)")
    assert spell.deadline is not None
    assert spell.run("print(n > 0) busy = false") == "true\n"
    spell.wait()
    assert spell.deadline is None


def test_waits_inside_one_another_have_an_end(spell: Spell) -> None:
    out = spell.run(
        """
        local function nest()
          return async(function() table.sort({2, 1}, function() async.await(nest()) end) end)
        end
        print(nest():await())
        """
    )
    assert "too many waits inside one another" in out


def test_callbacks_from_outside_run_as_tasks_of_the_cell_that_made_them(spell: Spell) -> None:
    spell.bridge("host2", "hold", lambda callback: (0, [callback]))
    spell.run("fn = function(a) print('called', a) async.sleep(0.01) return a, nil, a * 2 end host2.hold(fn)")
    callback = 1
    spell.host.written.clear()
    deadline = spell.state.call("engine", "event", b"invoke", 7, callback, b"\x91\x15")
    while deadline is not None:
        time.sleep(max(0, deadline - time.monotonic()))
        deadline = spell.state.call("engine", "tick")
    assert spell.host.written == [(1, 1, b"called\t21\n")]
    assert spell.host.sent[-1] == (b"returned", 7, True, b"\x93\x15\xc0\x2a")


def test_a_callback_comes_back_as_itself_and_is_forgotten_when_told(spell: Spell) -> None:
    spell.bridge("host2", "echo", lambda callback: (0, [callback]))
    assert spell.run("local f = print print(host2.echo(f) == f)") == "true\n"
    spell.state.call("engine", "event", b"forget", 1)
    spell.state.call("engine", "event", b"invoke", 9, 1, b"\x90")
    assert spell.host.sent[-1][:3] == (b"returned", 9, False)


def test_functions_of_a_call_that_could_not_be_sent_are_not_held(spell: Spell) -> None:
    spell.bridge("host2", "echo", lambda *_: (0, []))
    with pytest.raises(CellFailed, match=r"what was given cannot be sent: a coroutine cannot cross"):
        spell.run("host2.echo(function() end, coroutine.create(print))")
    with pytest.raises(CellFailed, match="deadlock"):  # a held function could end the wait
        spell.run("channel.make():receive()")


def test_a_misused_function_names_the_users_line(spell: Spell) -> None:
    with pytest.raises(CellFailed) as caught:
        spell.run("\nasync.sleep('x')")
    assert (str(caught.value), caught.value.failure["line"]) == (
        "bad argument #1 to 'async.sleep' (number expected, got string)",
        2,
    )
    assert spell.run("\nprint(pcall(function() async.sleep(-1) end))") == (
        "false\tcell 2:2: bad argument #1 to 'async.sleep' (a number of at least 0 expected, got -1)\n"
    )


@pytest.mark.parametrize(
    "wait", ["async.sleep(60)", "channel.make():receive()", "async.yield()", "promise.sleep(60):await()"]
)
def test_a_task_that_goes_on_catching_its_cancellation_is_ended(spell: Spell, wait: str) -> None:
    spell.run(
        "job = async(function()\n"
        "  local last <close> = setmetatable({}, {__close = function() print('closed') end})\n"
        f"  while true do pcall(function() {wait} end) end\n"
        "end) async.yield()"
    )
    assert spell.run("job:cancel() async.yield() async.yield() print(#async.tasks())") == "closed\n0\n"
    assert spell.written(2, 1) == (
        "task 1 (cell 1:1) was ended where it waits: it was cancelled, and caught that again and again\n"
    )


def test_a_timeout_ends_what_goes_on(spell: Spell) -> None:
    out = spell.run(
        "print(async.timeout(0.01, coroutine.wrap(function() while true do pcall(async.sleep, 1) end end)))"
        "async.yield() print(#async.tasks())"
    )
    assert out == "nil\tno result within 0.01 seconds\n0\n"


def test_a_task_of_a_built_in_function_has_the_name_of_its_place(spell: Spell) -> None:
    assert spell.run("async(async.sleep, 60)\nasync(coroutine.wrap(async.sleep), 60) async.yield()") == ""
    assert spell.run("for _, task in ipairs(async.tasks()) do print(task.name) end") == "cell 1:1\ncell 1:2\n"


def test_a_sleep_for_ever_keeps_no_deadlock_secret(spell: Spell) -> None:
    spell.run("async(async.sleep, math.huge) async.yield()")
    with pytest.raises(CellFailed, match="deadlock"):
        spell.run("channel.make():receive()")


def test_a_task_that_waits_where_it_cannot_yield_is_cancelled(spell: Spell) -> None:
    out = spell.run(
        """
        local function slow() return (string.gsub("a", "a", function() async.sleep(60) return "z" end)) end
        print(async.timeout(0.01, slow))
        local job = async(slow)
        async(function() async.sleep(0.01) print(job:cancel("enough")) end)
        async.sleep(0.02)
        print(job:await())
        async.yield()
        print(#async.tasks())
        """
    )
    assert out.splitlines() == ["nil\tno result within 0.01 seconds", "true", "nil\tenough", "0"]


def test_a_cancelled_task_waits_no_more_where_it_cannot_yield(spell: Spell) -> None:
    out = spell.run(
        "local job job = async(function() job:cancel('self') table.sort({3, 2, 1}, function(a, b) "
        "print(pcall(async.sleep, 60)) error('left', 0) end) end) async.yield() print(job:await())"
    )
    assert out == "false\tself\nnil\tself\n"
