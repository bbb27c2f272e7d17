"""Channels: GopherLua's names, Go's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from spell_harness import CellFailed

if TYPE_CHECKING:
    from spell_harness import Spell


def test_values_arrive_in_order_through_any_buffer(spell: Spell) -> None:
    for size in (0, 1, 7):
        out = spell.run(
            f"""
            local ch, got = channel.make({size}), {{}}
            async(function() for i = 1, 100 do ch:send(i) end ch:close() end)
            for i in ch:iter() do got[#got + 1] = i end
            for i = 1, 100 do assert(got[i] == i) end
            print(#got)
            """
        )
        assert out == "100\n"


def test_a_send_without_room_waits_for_its_receiver(spell: Spell) -> None:
    out = spell.run(
        """
        local ch = channel.make()
        async(function() ch:send('x') print('sent') end)
        async.yield()
        print('receiving')
        print(ch:receive())
        async.yield()
        """
    )
    assert out.splitlines() == ["receiving", "true\tx", "sent"]


def test_a_buffer_is_filled_before_a_send_waits(spell: Spell) -> None:
    out = spell.run(
        "local ch = channel.make(2) async(function() for i = 1, 3 do ch:send(i) print('sent', i) end end) "
        "async.yield() print(#ch, ch)"
    )
    assert out.splitlines() == ["sent\t1", "sent\t2", "2\tchannel: 2/2"]


def test_nil_and_false_are_values(spell: Spell) -> None:
    out = spell.run(
        "local ch = channel.make(2) ch:send(nil) ch:send(false) print(ch:receive()) print(ch:receive())"
    )
    assert out.splitlines() == ["true\tnil", "true\tfalse"]


def test_closing_wakes_receivers_and_leaves_what_was_sent(spell: Spell) -> None:
    out = spell.run(
        """
        local empty, full = channel.make(), channel.make(2)
        local waiting = async(function() return empty:receive() end)
        full:send('kept')
        async.yield()
        empty:close()
        full:close()
        print(waiting:await())
        print(full:receive())
        print(full:receive())
        """
    )
    assert out.splitlines() == ["false\tnil", "true\tkept", "false\tnil"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("local ch = channel.make() ch:close() ch:send(1)", "send on a closed channel"),
        ("local ch = channel.make() async(function() ch:close() end) ch:send(1)", "send on a closed channel"),
        ("local ch = channel.make() ch:close() ch:close()", "close of a closed channel"),
        ("channel.make().x = 1", "a channel is read-only"),
        ("channel.make().send({}, 1)", "call send with a colon: channel:send(…)"),
        ("channel.make(1.5)", "bad argument #1 to 'channel.make' (number has no integer representation)"),
        (
            "channel.select({'>', channel.make()})",
            "bad argument #1 to 'channel.select' "
            '({"|<-", channel[, handler]}, {"<-|", channel, value[, handler]} or {"default"[, handler]} expected, '
            "got one that begins with '>')",
        ),
    ],
)
def test_misuse_raises(spell: Spell, code: str, message: str) -> None:
    with pytest.raises(CellFailed) as caught:
        spell.run(code)
    assert str(caught.value) == message
    assert caught.value.failure["line"] == 1


SELECT = """
local a, b = channel.make(1), channel.make(1)
"""


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("b:send('x') print(channel.select({'|<-', a}, {'|<-', b}))", ["2\tx\ttrue"]),
        ("print(channel.select({'<-|', a, 'v'}, {'|<-', b})) print(a:receive())", ["1\tnil\tfalse", "true\tv"]),
        ("a:close() print(channel.select({'|<-', a}))", ["1\tnil\tfalse"]),
        ("print(channel.select({'|<-', a}, {'default', function() print('none') end}))",
         ["none", "2\tnil\tfalse"]),
        ("a:send(5) channel.select({'|<-', a, function(ok, v) print(ok, v) end})", ["true\t5"]),
        ("channel.select({'<-|', a, 6, function(v) print('sent', v) end})", ["sent\t6"]),
        ("a:send(1) print(channel.select{{'|<-', a}, {'|<-', b}})", ["1\t1\ttrue"]),
        ("async(function() b:send('later') end) print(channel.select({'|<-', a}, {'|<-', b}))", ["2\tlater\ttrue"]),
        ("a:send('full') async(function() a:receive() end) print(channel.select({'<-|', a, 'new'}, {'|<-', b}))",
         ["1\tnil\tfalse"]),
        ("print(channel.select({'|<-', a}, {'|<-', channel.after(0.01)}))", ["2\ttrue\ttrue"]),
    ],
)  # fmt: skip
def test_select(spell: Spell, code: str, printed: list[str]) -> None:
    assert spell.run(SELECT + code).splitlines() == printed


def test_select_takes_every_possible_case_some_time(spell: Spell) -> None:
    out = spell.run(
        """
        local a, b, counts = channel.make(1000), channel.make(1000), {0, 0}
        for i = 1, 1000 do a:send(i) b:send(i) end
        for i = 1, 1000 do
          local index = channel.select({'|<-', a}, {'|<-', b})
          counts[index] = counts[index] + 1
        end
        print(counts[1] > 300 and counts[2] > 300)
        """
    )
    assert out == "true\n"


def test_select_leaves_nothing_behind_in_the_channels_it_did_not_take(spell: Spell) -> None:
    code = """
        quiet = quiet or channel.make()
        local busy = channel.make()
        async(function() for i = 1, 20000 do busy:send(i) end busy:close() end)
        repeat local _, _, ok = channel.select({'|<-', quiet}, {'|<-', busy}) until not ok
        collectgarbage() collectgarbage() print(collectgarbage('count'))
    """
    first = float(spell.run(code))
    assert float(spell.run(code)) - first < 50


def test_a_cancelled_receiver_takes_no_message(spell: Spell) -> None:
    out = spell.run(
        """
        local ch = channel.make()
        local first = async(function() print('first got', ch:receive()) end)
        local second = async(function() print('second got', ch:receive()) end)
        async.yield()
        first:cancel()
        ch:send('x')
        async.yield()
        """
    )
    assert out == "second got\ttrue\tx\n"


def test_a_random_seed_of_the_spell_is_not_disturbed(spell: Spell) -> None:
    code = "math.randomseed(42) {} print(math.random(1000000))"
    select = "local ch = channel.make(1) ch:send(1) channel.select({'|<-', ch}, {'|<-', channel.make()})"
    assert spell.run(code.format("")) == spell.run(code.replace("{}", select))


def test_a_hundred_thousand_messages(spell: Spell) -> None:
    out = spell.run(
        """
        local ch, sum = channel.make(), 0
        for p = 1, 4 do async(function() for i = 1, 25000 do ch:send(i) end end) end
        for i = 1, 100000 do local _, v = ch:receive() sum = sum + v end
        print(sum)
        """
    )
    assert out == f"{4 * 25000 * 25001 // 2}\n"


def test_a_pipeline_of_tasks(spell: Spell) -> None:
    out = spell.run(
        """
        local function stage(input, fn)
          local output = channel.make()
          async(function() for v in input:iter() do output:send(fn(v)) end output:close() end)
          return output
        end
        local source = channel.make()
        async(function() for i = 1, 5 do source:send(i) end source:close() end)
        for v in stage(stage(source, function(n) return n * n end), tostring):iter() do print(v) end
        """
    )
    assert out.splitlines() == ["1", "4", "9", "16", "25"]


@pytest.mark.parametrize("select", ["channel.select", "async.select"])
@pytest.mark.parametrize(
    ("case", "got"),
    [
        ("5", "number"),
        ("", "none"),
        ("channel.make()", "Channel"),
        ("{'->', channel.make()}", "one that begins with '->'"),
        ("{channel.make()}", "one that begins with Channel"),
        ("{'|<-'}", "one whose channel is nil"),
        ("{'<-|', channel.make(), 1, 2}", "one whose handler is number"),
        ("{'default', 'x'}", "one whose handler is string"),
    ],
)
def test_what_is_wrong_with_a_case_is_told(spell: Spell, select: str, case: str, got: str) -> None:
    with pytest.raises(CellFailed) as failed:
        spell.run(f"{select}({case})")
    assert str(failed.value).startswith(f"bad argument #1 to '{select}' (")
    assert str(failed.value).endswith(f"expected, got {got})")


@pytest.mark.parametrize(
    ("cases", "waits"),
    [
        ("{'|<-', a}", "a message"),
        ("{'<-|', a, 1}", "a receiver"),
        ("{'|<-', a}, {'|<-', b}", "one of 2 channels"),
    ],
)
def test_a_deadlock_tells_what_a_select_waits_for(spell: Spell, cases: str, waits: str) -> None:
    with pytest.raises(CellFailed, match=f"this code waits at cell 1:1 for {waits}$"):
        spell.run(f"local a, b = channel.make(), channel.make() channel.select({cases})")


def test_a_timer_leaves_a_channel_alone_that_was_closed_or_filled(spell: Spell) -> None:
    out = spell.run(
        "local closed, full = channel.after(0.01), channel.after(0.01) closed:close() full:send('mine') "
        "async.sleep(0.05) print(closed:receive()) print(full:receive())"
    )
    assert out == "false\tnil\ntrue\tmine\n"


def test_the_example_of_gopherlua(spell: Spell) -> None:
    out = spell.run(
        """
        local function receiver(ch, quit)
          local exit = false
          while not exit do
            channel.select(
              {"|<-", ch, function(ok, v)
                if not ok then
                  print("channel closed")
                  exit = true
                else
                  print("received:", v)
                end
              end},
              {"|<-", quit, function(ok, v)
                print("quit")
                exit = true
              end}
            )
          end
        end
        local function sender(ch, quit)
          ch:send("1")
          ch:send("2")
          ch:close()
        end
        local ch, quit = channel.make(), channel.make()
        async(receiver, ch, quit)
        async(sender, ch, quit):await()
        async.yield()
        """
    )
    assert out == "received:\t1\nreceived:\t2\nchannel closed\n"
