"""Widgets through real comm messages: what a page would send, and what it would get."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from llm.scripted_server import ScriptedServer, text

from llmspell_kernel.kernel.comms import INTERVAL
from tests.kernel.conftest import TIMEOUT

if TYPE_CHECKING:
    from tests.kernel.conftest import Console, Open, Ran

VIEW = "application/vnd.jupyter.widget-view+json"


class Page:
    """A front end's widget manager: the state of every model, by the kernel's messages alone."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.models: dict[str, dict[str, Any]] = {}
        self.updates = 0
        console.overheard = self._take

    def run(self, code: str) -> Ran:
        return self.finish(self.console.start(code))

    def finish(self, message_id: str) -> Ran:
        """Wait for the end of a cell, and take its messages too: what a callback shows may come under any cell."""
        return self.console.finish(message_id, self._take)

    def _take(self, message: dict[str, Any]) -> None:
        content, kind = message["content"], message["msg_type"]
        if kind == "comm_open":
            self.models[content["comm_id"]] = content["data"]["state"]
        elif kind == "comm_close":
            del self.models[content["comm_id"]]
        elif kind == "comm_msg" and content["data"]["method"] == "update":
            self.updates += 1
            self.models[content["comm_id"]].update(content["data"]["state"])

    def find(self, name: str) -> str:
        return next(key for key, state in self.models.items() if state["_model_name"] == f"{name}Model")

    def send(self, name: str, data: dict[str, Any]) -> None:
        """Say what a person did to the first widget of a kind."""
        client = self.console.client
        message = client.session.msg("comm_msg", {"comm_id": self.find(name), "data": data})
        client.shell_channel.send(message)

    def set(self, name: str, value: object) -> None:
        self.send(name, {"method": "update", "state": {"value": value}, "buffer_paths": []})

    def click(self) -> None:
        self.send("Button", {"method": "custom", "content": {"event": "click"}})

    def text(self) -> str:
        """All that Output widgets show."""
        entries = [e for s in self.models.values() if s["_model_name"] == "OutputModel" for e in s["outputs"]]
        return "".join(
            entry.get("text") or entry.get("evalue") or str(entry["data"]["text/plain"]) for entry in entries
        )

    def wait_for(self, text: str) -> str:
        """Take messages until the Output widgets show `text`; returns all that they show."""
        deadline = time.monotonic() + TIMEOUT
        while text not in self.text():
            self._take(self.console.client.get_iopub_msg(timeout=deadline - time.monotonic()))
        return self.text()


def test_a_slider_calls_lua_and_shows_below_it_what_that_prints_and_raises(console: Console) -> None:
    page = Page(console)
    ran = page.run("""
        s = widgets.IntSlider{min = 0, max = 10, value = 3}
        s:observe(function(change)
          print(change.name, change.old, change.new, change.owner.max)
          if change.new == 9 then error("nine") end
        end)
        s
    """)
    shown = ran.of("execute_result")[0]["data"]
    assert shown["text/plain"] == "IntSlider{value=3, min=0, max=10}"
    assert page.models[shown[VIEW]["model_id"]]["_model_name"] == "VBoxModel"
    page.set("IntSlider", 5)
    assert page.wait_for("\n") == "value\t3\t5\t10\n"
    page.set("IntSlider", 9)
    assert page.wait_for("nine") == "value\t3\t5\t10\nvalue\t5\t9\t10\nnine"
    assert page.run("s.value").result == "9"


def test_a_button_works_while_a_cell_waits_and_never_inside_one_that_does_not(console: Console) -> None:
    page = Page(console)
    page.run("""
        clicks, seen = 0, nil
        b = widgets.Button("Go")
        b:on_click(function() clicks = clicks + 1; print("clicked", clicks) end)
        b
    """)
    page.click()
    page.wait_for("clicked\t1")
    running = console.start("while clicks < 2 do async.sleep(0.02) end; 'waited'")
    page.click()
    assert page.finish(running).result == '"waited"'
    busy = console.start(
        "local before, start = clicks, os.clock()\nwhile os.clock() - start < 0.5 do end\nclicks == before"
    )
    page.click()
    ran = page.finish(busy)
    assert ran.result == "true"
    page.wait_for("clicked\t3")


def test_an_interact_shows_each_result_in_place_and_cancels_the_call_before(console: Console) -> None:
    page = Page(console)
    page.run("""
        ended = {}
        interact(function(x)
          if x == 1 then print("begun") async.sleep(60) end
          ended[#ended + 1] = x
          return "x is " .. x
        end, { x = { 0, 10 } })
    """)
    assert page.text() == '"x is 5"'
    page.set("IntSlider", 1)
    page.wait_for("begun")
    page.set("IntSlider", 7)
    page.wait_for("x is 7")
    assert page.text() == '"x is 7"'
    assert page.run("table.concat(ended, ' ')").result == '"5 7"'


def test_a_thousand_updates_become_a_few_messages(console: Console) -> None:
    page = Page(console)
    page.run("p = widgets.IntProgress{max = 1000}; p")
    began = time.monotonic()
    ran = page.run("for i = 1, 1000 do p.value = i end")
    assert ran.reply["status"] == "ok"
    assert page.models[page.find("IntProgress")]["value"] == 1000
    assert page.updates <= (time.monotonic() - began) / INTERVAL + 3


def test_an_interact_around_a_model_leaves_no_call_behind(open_kernel: Open) -> None:
    with ScriptedServer() as server:
        server.script(text("slow", delay=60), text("quick"))
        page = Page(open_kernel(OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-test"))
        page.run("""
            interact(function(x)
              if x == 5 then return "first" end
              return llm.chat("about " .. x)
            end, { x = { 0, 10 } })
        """)
        page.set("IntSlider", 6)
        assert server.wait_for_chats(seconds=TIMEOUT)
        page.set("IntSlider", 7)
        page.wait_for("quick")
        deadline = time.monotonic() + TIMEOUT
        while server.open > 1 and time.monotonic() < deadline:  # that of the answer may be kept for the next
            time.sleep(0.02)
        assert server.open <= 1
        asked = [chat["messages"][-1]["content"] for chat in server.chats]
        assert asked == ["about 6", "about 7"]


def test_links_in_the_page_are_models_of_their_own(console: Console) -> None:
    page = Page(console)
    page.run("a, b = widgets.IntSlider(), widgets.IntText(); widgets.jslink(a, 'value', b, 'value')")
    page.run("widgets.jsdlink(a, 'max', b, 'value')")
    states = {state["_model_name"]: state for state in page.models.values()}
    assert states["LinkModel"]["source"] == [f"IPY_MODEL_{page.find('IntSlider')}", "value"]
    assert states["DirectionalLinkModel"]["target"] == [f"IPY_MODEL_{page.find('IntText')}", "value"]


def test_a_form_waits_without_holding_up_tasks(console: Console) -> None:
    page = Page(console)
    waiting = console.start("""
        local beats = 0
        local task = async(function() while true do beats = beats + 1; async.sleep(0.01) end end)
        local answer = ask({ { "name", "Ada" }, { "sure", false } }, { title = "Who?" })
        task:cancel()
        return answer.name, answer.sure, beats > 0
    """)
    message: dict[str, Any] = {"msg_type": ""}
    while message["msg_type"] != "display_data":  # nobody can click before it is shown
        message = console.client.get_iopub_msg(timeout=TIMEOUT)
        page._take(message)
    page.set("Text", "Grace")
    page.set("Checkbox", True)
    page.click()
    assert page.finish(waiting).result == '"Grace"\ttrue\ttrue'
    refused = console.run("ask{ name = 'Ada' }", allow_stdin=False)
    assert "nobody can answer a form here" in refused.reply["evalue"]


def test_what_nothing_leads_to_is_closed_unless_it_is_on_the_page(open_kernel: Open) -> None:
    page = Page(open_kernel(LLMSPELL_CHECKPOINTS="false"))
    page.run("kept = widgets.VBox{ widgets.IntSlider{} }; kept")
    page.run("for _ = 1, 5 do widgets.FloatSlider{} end")
    page.run("collectgarbage() collectgarbage() async.sleep(1.5)")
    names = [state["_model_name"] for state in page.models.values()]
    assert "IntSliderModel" in names
    assert "FloatSliderModel" not in names
    page.run("kept.children[1]:close()")
    assert "IntSliderModel" not in [state["_model_name"] for state in page.models.values()]
