"""execute_request, word for word as the messaging specification has it."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Console, Open


def test_a_value_is_shown_and_counted(console: Console) -> None:
    first, second = console.run("6 * 7"), console.run("1, 'a'")
    assert first.result == "42"
    assert second.result == '1\t"a"'
    assert (first.reply["execution_count"], second.reply["execution_count"]) == (1, 2)


def test_messages_come_in_the_order_of_the_specification(console: Console) -> None:
    ran = console.run("print('out') return 5")
    assert [m["msg_type"] for m in ran.messages] == [
        "status",
        "execute_input",
        "stream",
        "execute_result",
        "status",
    ]


def test_silent_broadcasts_nothing_and_stores_nothing(console: Console) -> None:
    console.run("x = 1")
    ran = console.run(
        "x = 2 print('heard?') io.stderr:write('heard?') display('seen?') return x", silent=True
    )
    assert {m["msg_type"] for m in ran.messages} == {"status"}
    assert ran.reply["status"] == "ok"
    assert ran.reply["execution_count"] == 1
    assert console.run("x").result == "2"


def test_a_silent_error_is_in_the_reply_only(console: Console) -> None:
    ran = console.run("error('quiet')", silent=True)
    assert {m["msg_type"] for m in ran.messages} == {"status"}
    assert (ran.reply["status"], ran.reply["evalue"]) == ("error", "quiet")


def test_without_store_history_the_counter_stands_still(console: Console) -> None:
    console.run("1")
    assert console.run("print('x')", store_history=False).reply["execution_count"] == 1
    assert console.run("2").reply["execution_count"] == 2


def test_user_expressions_are_evaluated_after_the_cell(console: Console) -> None:
    ran = console.run("local n = 20", user_expressions={"good": "n + 1", "bad": "nothing.here"})
    good, bad = ran.reply["user_expressions"]["good"], ran.reply["user_expressions"]["bad"]
    assert good == {"status": "ok", "data": {"text/plain": "21"}, "metadata": {}}
    assert (bad["status"], bad["evalue"]) == ("error", "attempt to index a nil value (global 'nothing')")


def test_evalue_does_not_change_when_a_cell_is_run_again(console: Console) -> None:
    first, second = console.run("\nlocal t = nil\nt.x = 1"), console.run("\nlocal t = nil\nt.x = 1")
    assert first.reply["evalue"] == second.reply["evalue"] == "attempt to index a nil value (local 't')"
    assert first.of("error")[0]["ename"] == "LuaError"


def test_cells_queued_behind_an_error_are_aborted(console: Console) -> None:
    failing, waiting = console.start("for i = 1, 2e7 do end error('stop')"), console.start("print('never')")
    assert console.finish(failing).reply["status"] == "error"
    assert console.finish(waiting).reply["status"] == "aborted"
    assert console.run("1").reply["status"] == "ok"


def test_stop_on_error_false_lets_the_queue_go_on(console: Console) -> None:
    failing = console.start("for i = 1, 2e7 do end error('stop')", stop_on_error=False)
    waiting = console.start("return 'ran'")
    assert console.finish(failing).reply["status"] == "error"
    assert console.finish(waiting).result == '"ran"'


def test_input_asks_the_person(console: Console) -> None:
    message_id = console.client.execute(
        "local name = input('name? ') return 'hello ' .. name", allow_stdin=True
    )
    asked = console.client.get_stdin_msg(timeout=20)
    assert asked["content"] == {"prompt": "name? ", "password": False}
    console.client.input("Ada")
    assert console.finish(message_id).result == '"hello Ada"'


def test_io_read_takes_the_formats_of_lua(console: Console) -> None:
    message_id = console.client.execute("return io.read('n', 'l')", allow_stdin=True)
    console.client.get_stdin_msg(timeout=20)
    console.client.input("12.5 apples")
    assert console.finish(message_id).result == '12.5\t" apples"'


def test_input_without_stdin_is_an_error_that_says_so(console: Console) -> None:
    ran = console.run("io.read()", allow_stdin=False)
    assert "does not take input" in ran.reply["evalue"]


def test_interrupting_a_question_ends_the_cell(console: Console) -> None:
    message_id = console.client.execute("x = 5 input('?')", allow_stdin=True)
    console.client.get_stdin_msg(timeout=20)
    console.manager.interrupt_kernel()
    assert console.finish(message_id).reply["ename"] == "Interrupted"
    assert console.run("x").result == "5"


def _wait_for(console: Console, kind: str) -> None:
    while console.client.get_iopub_msg(timeout=20)["msg_type"] != kind:
        pass


def test_an_interrupt_keeps_what_the_cell_did(console: Console) -> None:
    message_id = console.start("x = 1 print(x) while true do x = x + 1 end")
    _wait_for(console, "stream")
    console.manager.interrupt_kernel()
    ran = console.finish(message_id)
    assert (ran.reply["ename"], ran.reply["evalue"]) == ("Interrupted", "interrupted")
    assert console.run("x > 1").result == "true"


def test_an_interrupt_stops_a_cell_that_has_not_begun(open_kernel: Open) -> None:
    console = open_kernel()  # its session is still coming up
    message_id = console.start("while true do end")
    _wait_for(console, "execute_input")
    console.manager.interrupt_kernel()
    assert console.finish(message_id).reply["ename"] == "Interrupted"
    assert console.run("1").result == "1"


def test_sigint_interrupts_and_never_ends_the_kernel(console: Console) -> None:
    message_id = console.start("print('on') while true do pcall(function() while true do end end) end")
    _wait_for(console, "stream")
    os.kill(console.manager.provisioner.process.pid, signal.SIGINT)
    assert console.finish(message_id).reply["ename"] == "Interrupted"
    assert console.run("1").result == "1"


def test_output_is_batched_and_all_of_it_comes_before_idle(console: Console) -> None:
    begun = time.monotonic()
    ran = console.run("for i = 1, 100000 do print(i) end")
    seconds = time.monotonic() - begun
    assert ran.text() == "".join(f"{i}\n" for i in range(1, 100_001))
    assert len(ran.of("stream")) <= 2 + 30 * seconds


def test_output_streams_while_the_cell_runs(console: Console) -> None:
    message_id = console.start("print('first') while true do end")
    while True:
        message = console.client.get_iopub_msg(timeout=20)
        if message["msg_type"] == "stream":
            break
    assert message["content"]["text"] == "first\n"
    console.manager.interrupt_kernel()
    console.finish(message_id)


def test_output_past_its_budget_goes_to_a_file_that_is_named(open_kernel: Open) -> None:
    console = open_kernel(LLMSPELL_OUTPUT_LIMIT="2000")
    ran = console.run("for i = 1, 1000 do print('0123456789') end")
    shown = ran.text()
    assert len(shown) == 2000
    assert "output limit" in ran.text("stderr")
    path = ran.text("stderr").split(" is in ")[1].split(". LLMSPELL")[0]
    with open(path) as rest:
        assert shown + rest.read() == "0123456789\n" * 1000
    os.unlink(path)


def test_a_display_can_be_updated_in_place(console: Console) -> None:
    ran = console.run("local h = display('one') h:update('two') clear_output()")
    shown, updated = ran.of("display_data")[0], ran.of("update_display_data")[0]
    assert shown["transient"] == updated["transient"]
    assert (shown["data"]["text/plain"], updated["data"]["text/plain"]) == ('"one"', '"two"')
    assert ran.of("clear_output") == [{"wait": False}]


def test_the_engine_can_die_and_the_variables_stay(console: Console) -> None:
    console.run("local kept = 41 function bump() kept = kept + 1 return kept end")
    message_id = console.start("kept = 0 other = 1 while true do end")
    time.sleep(0.5)
    for pid in _children(console.manager.provisioner.process.pid):
        os.kill(int(pid), signal.SIGKILL)
    ran = console.finish(message_id)
    assert ran.reply["ename"] == "EngineDied"
    assert console.run("bump(), other").result == "42\tnil"


def test_a_cell_that_cannot_be_stopped_is_killed_and_rolled_back(console: Console) -> None:
    console.run("kept = 'here'")
    message_id = console.start("kept = nil string.find(('a'):rep(60), ('a?'):rep(60) .. ('a'):rep(60))")
    time.sleep(0.3)
    console.manager.interrupt_kernel()
    ran = console.finish(message_id)
    assert "killed" in ran.reply["evalue"]
    assert console.run("kept").result == '"here"'


def test_a_time_limit_stops_a_cell_and_says_how_to_raise_it(open_kernel: Open) -> None:
    console = open_kernel(LLMSPELL_TIME_LIMIT="0.5")
    ran = console.run("n = 0 while true do n = n + 1 end")
    assert ran.reply["ename"] == "LimitExceeded"
    assert "LLMSPELL_TIME_LIMIT" in "".join(ran.reply["traceback"])
    assert console.run("n > 0").result == "true"


def test_reset_begins_again(console: Console) -> None:
    console.run("x = 1 local y = 2")
    console.run("%reset")
    assert console.run("x, y").result is None


def test_restart_begins_again(console: Console) -> None:
    console.run("x = 1")
    console.client.stop_channels()
    console.manager.restart_kernel()
    console.client = console.manager.blocking_client()
    console.client.start_channels()
    console.client.wait_for_ready(timeout=30)
    assert console.run("x").result is None


def test_nothing_outlives_a_killed_kernel(console: Console) -> None:
    console.run("x = 1")
    message_id = console.start("while true do end")
    assert message_id
    time.sleep(0.5)
    kernel = console.manager.provisioner.process.pid
    engines = _children(kernel)
    copies = [pid for engine in engines for pid in _children(int(engine))]
    assert engines
    assert copies
    os.kill(kernel, signal.SIGKILL)
    deadline = time.monotonic() + 5
    alive = [*engines, *copies]
    while alive and time.monotonic() < deadline:
        alive = [pid for pid in alive if os.path.exists(f"/proc/{pid}") and "Z" not in _state(pid)]
        time.sleep(0.05)
    assert alive == []


def _children(pid: int) -> list[str]:
    return [
        child
        for task in os.listdir(f"/proc/{pid}/task")
        for child in _words(f"/proc/{pid}/task/{task}/children")
    ]


def _words(path: str) -> list[str]:
    with open(path) as file:
        return file.read().split()


def _state(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


def test_a_malformed_request_is_answered(console: Console) -> None:
    message = console.client.session.msg("execute_request", {"silent": False})
    console.client.shell_channel.send(message)
    reply = console.client.get_shell_msg(timeout=20)
    while reply["parent_header"]["msg_id"] != message["header"]["msg_id"]:
        reply = console.client.get_shell_msg(timeout=20)
    assert reply["content"]["status"] == "error"
    assert console.run("1").result == "1"


def test_completion_answers_while_a_cell_runs(console: Console) -> None:
    message_id = console.start("while true do end")
    reply = console.client.complete("string.form", reply=True, timeout=10)
    assert "format" in reply["content"]["matches"]
    console.manager.interrupt_kernel()
    assert console.finish(message_id).reply["ename"] == "Interrupted"


def test_history_survives_a_restart(console: Console, open_kernel: Open) -> None:
    console.run("return 'remember me'")
    again = open_kernel()
    reply = again.client.history(
        hist_access_type="search", pattern="*remember*", output=True, reply=True, timeout=10
    )
    assert reply["content"]["history"][-1][2] == ["return 'remember me'", '"remember me"']


def test_time_and_timeit_tell_durations(console: Console) -> None:
    assert "wall time" in console.run("%time local s = 0 for i = 1, 1000 do s = s + i end").text()
    assert "per run" in console.run("%timeit math.floor(2.5)").text()
    assert "per run" in console.run("%timeit local s = 0 for i = 1, 10 do s = s + i end").text()


def test_an_unknown_magic_suggests_the_nearest(console: Console) -> None:
    assert "did you mean %reset" in console.run("%resett").reply["evalue"]


def test_who_lists_globals_and_session_locals(console: Console) -> None:
    console.run("apple = 1 local pear = {1, 2}")
    assert console.run("%who").result == "apple  pear"
    assert "table" in (console.run("%whos").result or "")


def test_config_shows_each_value_and_where_it_came_from(open_kernel: Open) -> None:
    console = open_kernel(LLMSPELL_TIME_LIMIT="90")
    shown = console.run("%config limits.time").result or ""
    assert "LLMSPELL_TIME_LIMIT" in shown
    assert "90" in shown


def test_a_wrong_setting_is_told_and_the_kernel_starts(open_kernel: Open) -> None:
    console = open_kernel(LLMSPELL_TIME_LIMIT="soon")
    reply = console.client.kernel_info(reply=True, timeout=20)
    assert "LLMSPELL_TIME_LIMIT" in reply["content"]["banner"]
    assert console.run("1").result == "1"


def test_a_likely_mistake_is_warned_of_once_and_still_runs(console: Console) -> None:
    first, second = console.run("x = string.formt and 1"), console.run("x = string.formt and 1")
    assert "did you mean 'format'" in first.text("stderr")
    assert second.text("stderr") == ""
    assert first.reply["status"] == "ok"
    assert "did you mean 'format'" in (console.run("%check x = string.formt").result or "")


def test_sandbox_and_limits_tell_what_holds(console: Console) -> None:
    assert "system calls" in (console.run("%sandbox").result or "")
    limits = console.run("%limits").result or ""
    assert "last cell" in limits
    for name, variable in (
        ("memory", "MEMORY_LIMIT"),
        ("grace", "GRACE"),
        ("call_depth", "CALL_DEPTH_LIMIT"),
    ):
        assert re.search(rf"^{name} .* limits\.{name} +LLMSPELL_{variable} ", limits, re.MULTILINE), limits


def test_a_cell_tightens_limits_and_takes_that_back(console: Console) -> None:
    console.run("%limits time=0.3")
    assert "a cell (%limits)" in (console.run("%limits").result or "")
    assert console.run("while true do end").reply["evalue"] == "time limit reached (0.3 s)"
    assert "cannot loosen" in console.run("%limits time=9").reply["evalue"]
    assert "write %limits" in console.run("%limits time").reply["evalue"]
    console.run("%limits --reset")
    assert "a cell" not in (console.run("%limits").result or "").replace("last cell", "")


def test_cache_tells_what_had_been_compiled_before(console: Console) -> None:
    console.run("local once = 1")
    console.run("local once = 1")
    told = console.run("%cache").result or ""
    assert "cells ran from a parse that was kept" in told
    assert "had been compiled before" in told
