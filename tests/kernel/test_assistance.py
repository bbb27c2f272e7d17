"""Completion and inspection over the wire: types, code points, and answers while a cell runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conftest import Console

NAMES = """--- Counts the 🦉.
function owls(n) return n end
flock = { snowy = 1, ["barn owl"] = 2 }
local hidden_local = "here"
"""


def ask(console: Console, kind: str, marked: str) -> dict[str, Any]:
    code, offset = marked.replace("|", ""), marked.index("|")
    return getattr(console.client, kind)(code, offset, reply=True, timeout=20)["content"]


def answers(console: Console) -> None:
    """What is asked here is known of texts, documentation and names, whether a cell runs or not."""
    assert ask(console, "complete", "flock.|")["matches"] == [".snowy", '["barn owl"]']
    assert ask(console, "complete", "hidden|")["matches"] == ["hidden_local"]
    assert ask(console, "complete", "llm.chat{ temp|")["matches"][0] == "temperature = "
    assert ask(console, "complete", "string.form|")["matches"] == ["format"]
    assert "Counts the 🦉." in ask(console, "inspect", "owls|")["data"]["text/plain"]
    assert "text/html" in ask(console, "inspect", "llm.chat|")["data"]


def test_answers_come_between_cells_and_while_one_runs(console: Console) -> None:
    console.run(NAMES)
    answers(console)
    console.run("for i = 1, 100000 do _G['name_' .. i] = i end")
    assert len(ask(console, "complete", "name_|")["matches"]) == 1000
    running = console.start("while true do end")
    while console.client.get_iopub_msg(timeout=20)["content"].get("execution_state") != "busy":
        pass
    answers(console)  # the cell runs for ever: these come before its end
    console.manager.interrupt_kernel()
    assert console.finish(running).reply["ename"] == "Interrupted"


def test_replies_carry_types_and_count_code_points(console: Console) -> None:
    found = ask(console, "complete", "x = '🦉🦉' string.re|")
    assert (found["cursor_start"], found["cursor_end"]) == (16, 18)
    first = found["metadata"]["_jupyter_types_experimental"][0]
    assert first == {
        "start": 16,
        "end": 18,
        "text": "rep",
        "type": "function",
        "signature": "(s, n, sep?) → string",
        "documentation": "Returns `n` copies of `s`, with `sep` between them.",
    }
    console.run("key = {['🦉 owl'] = 1}")
    found = ask(console, "complete", "'🦉' .. key[\"🦉|")
    assert (found["matches"], found["cursor_start"]) == (['🦉 owl"]'], 12)
