"""What grows, as each kind of client gets it: in place in a notebook, once in a batch run, as text in a console."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from llm.scripted_server import ScriptedServer, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kernel.conftest import Console, Open, Ran

STREAM = "answer = llm.chat{ prompt = 'count', stream = true }"
LOOP = "for i in progress(3, 'adding') do async.sleep(0.15) end"
FULL = f"adding: [{'█' * 20}] 3 of 3"


@pytest.fixture
def model() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def console(open_kernel: Open, model: ScriptedServer) -> Console:
    return open_kernel(OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="sk-test")


def start_in_notebook(console: Console, code: str) -> str:
    """Start a cell as JupyterLab does."""
    client = console.client
    content = {
        "code": code,
        "silent": False,
        "store_history": True,
        "allow_stdin": True,
        "stop_on_error": True,
    }
    message = client.session.msg("execute_request", content, metadata={"cellId": "one"})
    client.shell_channel.send(message)
    return message["header"]["msg_id"]


def in_notebook(console: Console, code: str) -> Ran:
    return console.finish(start_in_notebook(console, code))


def texts(contents: list[dict[str, Any]]) -> list[str]:
    return [content["data"]["text/plain"] for content in contents]


def test_an_answer_grows_in_place_in_a_notebook_is_shown_once_in_batch_and_printed_in_a_console(
    console: Console, model: ScriptedServer
) -> None:
    steps = threading.Semaphore(0)
    model.script(text("one ", "two ", "**three**", steps=steps))
    whole = "one two **three**\n\n— openai/tiny-chat · 10 → 5 tokens · $0.00"
    grown = console.finish(
        start_in_notebook(console, STREAM),
        lambda message: message["msg_type"] == "display_data" and steps.release(100),
    )
    (first,), updates = grown.of("display_data"), grown.of("update_display_data")
    assert first["data"]["text/plain"] == "one "
    assert texts(updates)[-1] == whole
    assert "<strong>three</strong>" in updates[-1]["data"]["text/html"]
    assert {each["transient"]["display_id"] for each in updates} == {first["transient"]["display_id"]}
    batch = console.run(STREAM, allow_stdin=False)
    assert texts(batch.of("display_data")) == [whole]
    assert not batch.of("update_display_data")
    assert console.run(STREAM).text() == "one two **three**\n"


def test_an_interrupt_leaves_what_came(console: Console, model: ScriptedServer) -> None:
    model.script(text("one ", "two ", hang_after=1))
    running = start_in_notebook(console, STREAM)
    while console.client.get_iopub_msg(timeout=30)["msg_type"] != "display_data":
        pass
    console.manager.interrupt_kernel()
    ran = console.finish(running)
    assert ran.reply["status"] == "error"
    assert texts(ran.of("update_display_data"))[-1] == "one \n\n— interrupted"


def test_a_bar_moves_in_place_or_ends_the_same_in_batch(console: Console) -> None:
    moved = in_notebook(console, LOOP)
    assert len(moved.of("update_display_data")) >= 2
    assert texts(moved.of("update_display_data"))[-1] == FULL
    batch = console.run(LOOP, allow_stdin=False)
    assert texts(batch.of("display_data")) == [FULL]
    assert batch.of("display_data")[0]["data"] == moved.of("update_display_data")[-1]["data"]
    lines = console.run(LOOP).text("stderr").split("\r")
    assert lines[-1] == f"{FULL:<79}\n"
    assert len(lines) > 3


def test_bars_inside_a_bar_take_the_place_of_their_forerunners(console: Console) -> None:
    code = """
        for i in progress(3, "outer") do
          for j in progress(2, "first") do end
          for j in progress({ "a" }, "second") do end
        end
        for i in progress(1, "after") do end
    """
    moved = in_notebook(console, code)
    ended: dict[str, str] = {}
    for message in moved.messages:
        if message["msg_type"] in ("display_data", "update_display_data"):
            ended[message["content"]["transient"]["display_id"]] = message["content"]["data"]["text/plain"]
    assert len(moved.of("display_data")) == 4
    assert [text.split(":")[0] for text in ended.values()] == ["outer", "first", "second", "after"]
    assert texts(console.run(code, allow_stdin=False).of("display_data")) == list(ended.values())
    lines = console.run(code).text("stderr")
    assert [line.split("\r")[-1].split(":")[0] for line in lines.split("\n")] == ["outer", "after", ""]
