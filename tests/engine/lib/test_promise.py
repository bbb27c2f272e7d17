"""Promises: both generations of the older spells' shapes, and errors that go where they are looked at."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from spell_harness import CellFailed

if TYPE_CHECKING:
    from spell_harness import Spell


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("promise.resolve(1, nil, 3):await()", "1\tnil\t3"),
        ("promise.resolve():await()", ""),
        ("promise.reject('no'):await()", "nil\tno"),
        ("select(2, promise.reject():await()).message", "rejected without a reason"),
        ("promise.new(function(resolve) resolve(promise.resolve('inner')) end):await()", "inner"),
        ("promise.new(function(resolve) async(function() async.sleep(0.01) resolve('late') end) end):await()", "late"),
        ("promise.new(function(resolve, reject) resolve(1) resolve(2) reject(3) end):await()", "1"),
        ("promise.new(function() error('broke', 0) end):await()", "nil\tbroke"),
        ("async(function() return promise.resolve('followed') end):await()", "followed"),
        ("promise.resolve(2):next(function(n) return promise.resolve(n * 2) end):next(function(n) return n + 1 end)"
         ":await()", "5"),
        ("promise.reject('x'):next(print):catch(function(e) return 'caught ' .. e end):await()", "caught x"),
        ("promise.resolve('kept'):catch(print):await()", "kept"),
        ("promise.reject('x'):andThen(nil, function(e) return e .. '!' end):await()", "x!"),
        ("promise.reject('x'):onError(function(e) return e .. '?' end):await()", "x?"),
        ("promise.resolve(1, 2):finally(function() return 'ignored' end):await()", "1\t2"),
        ("promise.reject('x'):onFinally(function() end):await()", "nil\tx"),
        ("promise.resolve(1):finally(function() error('in finally', 0) end):await()", "nil\tin finally"),
        ("table.concat(promise.all{promise.resolve(1), 2, async(function() return 3 end)}:await(), ' ')", "1 2 3"),
        ("promise.all{a = promise.resolve('A'), b = 'B'}:await().a", "A"),
        ("#promise.all{}:await()", "0"),
        ("promise.all{promise.sleep(9), promise.reject('first')}:await()", "nil\tfirst"),
        ("promise.race{promise.sleep(9), async(function() return 'quick' end)}:await()", "quick"),
        ("promise.race{promise.sleep(9), promise.reject('quick')}:await()", "nil\tquick"),
        ("promise.any{promise.reject('a'), promise.resolve('b')}:await()", "b"),
        ("tostring(select(2, promise.any{promise.reject('a'), promise.reject('b')}:await()))", "all failed: a; b"),
        ("select(2, promise.any{}:await()).code", "all_failed"),
        ("promise.all_settled{promise.resolve(1), promise.reject('no')}:await()[2].reason", "no"),
        ("promise.allSettled{7}:await()[1].value", "7"),
        ("promise.timeout(promise.resolve('in time'), 1):await()", "in time"),
        ("select(2, promise.timeout(promise.sleep(9), 0.01):await()).code", "timeout"),
        ("select(2, promise.sleep(9):await(0.01)).message", "no result within 0.01 seconds"),
        ("pcall(promise.await, promise.reject('raised'))", "false\traised"),
        ("promise.await(function() return promise.resolve('from a function') end)", "from a function"),
        ("promise.Promise.all{promise.Promise.resolve(1)}:await()[1]", "1"),
        ("promise.resolve(1)", "promise: fulfilled"),
        ("promise.sleep(9)", "promise: pending"),
        ("promise.resolve(5).state, promise.resolve(5).value, promise.reject(6).reason", "fulfilled\t5\t6"),
        ("type(promise.resolve(1)), getmetatable(promise.resolve(1))", "table\tfalse"),
        ("pcall(function() promise.resolve(1).state = 2 end)", "false\tcell 1:1: a promise is read-only"),
        ("pcall(promise.all)",
         "false\tcell 1:1: bad argument #1 to 'promise.all' (table expected, got nil)"),
        ("pcall(promise.await, {})",
         "false\tcell 1:1: bad argument #1 to 'promise.await' (Promise expected, got table)"),
    ],
)  # fmt: skip
def test_promises(spell: Spell, code: str, printed: str) -> None:
    assert spell.run(f"print({code})") == printed + "\n"
    assert spell.err == ""


def test_an_executor_starts_at_once_and_may_wait(spell: Spell) -> None:
    spell.bridge("llm", "complete", lambda prompt: (0.2, [prompt.upper()]))
    out = spell.run(
        """
        local promises = {}
        for i, prompt in ipairs{'a', 'b', 'c'} do
          promises[i] = promise.new(function(resolve, reject)
            print('starting', prompt)
            local answer = llm.complete(prompt)
            print('answered', prompt)
            resolve(answer)
          end)
        end
        print('waiting')
        print(table.concat(promise.all(promises):await(30)))
        """
    )
    asked = [f"starting\t{prompt}" for prompt in "abc"]
    answered = [f"answered\t{prompt}" for prompt in "abc"]
    assert out.splitlines() == [*asked, "waiting", *answered, "ABC"]


def test_the_loop_of_older_spells_ends(spell: Spell) -> None:
    spell.bridge("llm", "chat", lambda prompt: (0.2, [prompt + "!"]))
    out = spell.run(
        """
        local done, iterations = 0, 0
        for _, prompt in ipairs{'a', 'b'} do
          promise.new(function(resolve) resolve(llm.chat(prompt)) end):next(function(answer)
            done = done + 1
            print(answer)
          end)
        end
        while done < 2 and iterations < 100 do
          async.process_callbacks()
          iterations = iterations + 1
        end
        """
    )
    assert out.splitlines() == ["a!", "b!"]


def test_all_is_rejected_without_waiting_for_the_rest(spell: Spell) -> None:
    start = time.monotonic()
    spell.run("promise.all{promise.sleep(60), promise.reject('x')}:await()")
    assert time.monotonic() - start < 30


def test_cancelling_what_depends_cancels_what_is_depended_on(spell: Spell) -> None:
    out = spell.run(
        """
        local function slow() return async(function() async.sleep(60) end) end
        local shared, own = slow(), slow()
        local both = promise.all{shared, own}
        local other = shared:next(print)
        both:cancel()
        async.yield()
        print(both.state, own.state, shared.state)
        """
    )
    assert out == "rejected\trejected\tpending\n"


def test_a_timeout_cancels_what_it_limits(spell: Spell) -> None:
    spell.bridge("net", "get", lambda: (60, []))
    spell.run("print(promise.timeout(async(function() net.get() end), 0.01):await()) async.yield()")
    assert spell.host.sent[-1][0] == b"cancel"
    assert spell.run("print(#async.tasks())") == "0\n"


def test_an_await_that_takes_too_long_cancels_nothing(spell: Spell) -> None:
    assert spell.run(
        "local job = async(function() async.sleep(0.05) return 'done' end) print((job:await(0.01))) print(job:await())"
    ) == ("nil\ndone\n")


def test_awaiting_a_failed_task_raises_its_own_error(spell: Spell) -> None:
    spell.run("err = {code = 7}")
    assert spell.run("local ok, e = pcall(async.await, async(error, err)) print(ok, rawequal(e, err))") == (
        "false\ttrue\n"
    )


def test_a_failure_in_a_handler_is_not_lost(spell: Spell) -> None:
    spell.run("promise.resolve(1):next(function()\n  error('in the handler')\nend)")
    assert spell.err.splitlines() == [
        "LuaError in task 1, which nothing has waited for yet: in the handler",
        "  cell 1:2 in the function of line 1",
        "  started at cell 1:1",
    ]


def test_a_rejection_without_a_task_is_not_lost(spell: Spell) -> None:
    spell.run("\npromise.reject('no reason')")
    assert spell.err.splitlines() == [
        "LuaError in a promise, which nothing has waited for yet: no reason",
        "  started at cell 1:2",
    ]


def test_an_error_after_the_promise_was_settled_is_not_lost(spell: Spell) -> None:
    spell.run("promise.new(function(resolve) resolve(1) error('too late') end)")
    assert "too late" in spell.err


def test_promises_do_not_pile_up(spell: Spell) -> None:
    code = (
        "for i = 1, 5000 do promise.all{async(math.abs, i), promise.resolve(i):next(math.abs)}:await() end "
    )
    measure = "collectgarbage() collectgarbage() print(collectgarbage('count'))"
    first = float(spell.run(code + measure))
    assert float(spell.run(code + measure)) - first < 50


def test_a_promise_resolved_with_itself_is_rejected(spell: Spell) -> None:
    out = spell.run("local r local p = promise.new(function(resolve) r = resolve end) r(p) print(p:await())")
    assert out == "nil\ta promise cannot be resolved with itself\n"


def test_map_keeps_order_and_limit(spell: Spell) -> None:
    out = spell.run(
        """
        local now, most = 0, 0
        local squares = async.map({1, 2, 3, 4, 5, 6, 7}, function(n)
          now = now + 1
          most = math.max(most, now)
          async.sleep(0.01 / n)
          now = now - 1
          return n * n
        end, {limit = 3})
        print(table.concat(squares, ' '), most)
        """
    )
    assert out == "1 4 9 16 25 36 49\t3\n"


def test_an_error_ends_a_map(spell: Spell) -> None:
    with pytest.raises(CellFailed, match="item 2"):
        spell.run(
            "async.map({1, 2, 3}, function(n) if n == 2 then error('item ' .. n) end async.sleep(60) end)"
        )
    assert spell.run("print(#async.tasks())") == "0\n"


LONG = 60_000  # of a chain: more than the stack is deep


@pytest.mark.parametrize(
    ("link", "end", "printed"),
    [
        ("p = promise.resolve(p)", "resolve(7)", "7\n"),
        ("p = p:next(print)", "reject('no')", "nil\tno\n"),
        ("p = promise.all{p}", "reject('no')", "nil\tno\n"),
        ("p = promise.resolve(p)", "p:cancel('enough')", "nil\tenough\n"),
    ],
)
def test_a_chain_of_promises_may_be_longer_than_the_stack_is_deep(
    spell: Spell, link: str, end: str, printed: str
) -> None:
    begin = "local resolve, reject local p = promise.new(function(a, b) resolve, reject = a, b end)"
    assert spell.run(f"{begin} for _ = 1, {LONG} do {link} end {end} print(p:await())") == printed
    assert spell.run("print(promise.resolve(1):next(function(n) return n + 1 end):await())") == "2\n"


def test_what_is_lost_later_is_told_in_the_cell_that_made_the_promise(spell: Spell) -> None:
    spell.run("\nlate = promise.timeout(promise.new(function() end), 0.01)")
    spell.run("late = nil async.sleep(0.05) collectgarbage()")
    assert spell.written(2, 1).splitlines() == [
        "Timeout in a promise, which nothing has waited for yet: no result within 0.01 seconds",
        "  started at cell 1:2",
    ]


ALL = "function fails()\n  error('x')\nend\n"


@pytest.mark.parametrize(
    "together", ["all{async(fails)}", "race{async(fails)}", "all{promise.all{async(fails)}}"]
)
def test_of_several_the_place_of_the_error_is_told(spell: Spell, together: str) -> None:
    spell.run(f"{ALL}both = promise.{together}")
    place = ["  cell 1:2 in function 'fails'", "  started at cell 1:4"]
    assert spell.err.splitlines()[-2:] == place
    with pytest.raises(CellFailed) as failed:
        spell.run("async.await(both)")
    frames = [
        (frame["kind"], frame.get("source"), frame.get("line")) for frame in failed.value.failure["frames"]
    ]
    assert frames[0] == ("function", "cell 1", 2)
    assert frames[-1] == ("main", "cell 2", 1)


def test_where_any_failed_is_where_the_last_did(spell: Spell) -> None:
    with pytest.raises(CellFailed, match=r"^all failed: x; y; x$") as failed:
        spell.run(f"{ALL}async.await(promise.any{{async(fails), promise.reject('y'), async(fails)}})")
    assert [frame.get("line") for frame in failed.value.failure["frames"]] == [2, None, None, 4]


def test_a_list_with_holes_and_names_is_taken_whole(spell: Spell) -> None:
    out = spell.run(
        "local list = {} for _, key in ipairs{1, 3, 'x'} do list[key] = promise.resolve(key) end "
        "local all = promise.all(list):await() print(all[1], all[2], all[3], all.x)"
        "print(promise.race(table.pack(promise.sleep(0.01))):await())"
    )
    assert out == "1\tnil\t3\tx\n\n"
