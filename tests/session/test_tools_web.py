"""The built-in tools for the web, and what cassettes keep of them, of `http` and of MCP servers."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from llm.scripted_server import ScriptedServer, text

from llmspell_kernel.session.outcome import Failed

from .conftest import Notebook, Open

PAGE = b"<html><head><title>The &amp; Title</title></head><body><h1>Head</h1><p>Some <b>words</b>.</p></body></html>"


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))  # pyright: ignore
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/page":
            self._answer(200, PAGE, "text/html; charset=utf-8")
        elif path == "/search":
            found = [
                {"title": f"{query['q'][0]} &amp; {n}", "url": f"https://e.org/{n}", "content": "<b>w</b>"}
                for n in range(9)
            ]
            self._answer(200, json.dumps({"results": found}).encode(), "application/json")
        elif path == "/brave":
            key = self.headers.get("X-Subscription-Token")
            found = [{"title": "B", "url": "https://e.org", "description": f"key {key}"}]
            self._answer(200, json.dumps({"web": {"results": found}}).encode(), "application/json")
        elif path == "/image":
            self._answer(200, b"\x89PNG", "image/png")
        else:
            self._answer(404, b"gone", "text/plain")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Set-Cookie", "session=cookie-of-the-test")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class Web:
    def __init__(self) -> None:
        self.server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
        self.server.seen = []
        self.at = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    @property
    def seen(self) -> list[tuple[str, dict[str, str]]]:
        return self.server.seen

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    running = Web()
    yield running
    running.close()


async def test_a_page_is_read_as_a_reader_sees_it(web: Web, open_notebook: Open) -> None:
    notebook = await open_notebook(LLMSPELL_GRANT_HTTP="127.0.0.1:*", profile="trusted")
    await notebook.run(f"p = tools.web_fetch('{web.at}/page') print(p.title, p.text, p.cut, p.content_type)")
    assert notebook.last.out == "The & Title\t# Head\n\nSome words.\tfalse\ttext/html\n"
    assert (
        await notebook.value("return p.status, p.content == p.text, #p, (p .. '!'):sub(-2)")
        == '200\ttrue\t19\t".!"'
    )
    code = f"tools.execute('web_fetch', {{url = '{web.at}/page', max_chars = 6}})"
    assert await notebook.value(f"local p = {code} return p.text, p.cut") == '"# Head"\ttrue'
    assert '"http_404"' in str(
        await notebook.value(f"local r, e = tools.web_fetch('{web.at}/x') return r, e.code")
    )
    assert '"not_text"' in str(
        await notebook.value(f"local r, e = tools.web_fetch('{web.at}/image') return r, e.code")
    )


async def test_a_host_that_is_not_granted_is_refused(web: Web, open_notebook: Open) -> None:
    notebook = await open_notebook(profile="trusted")
    outcome = await notebook.run(f"tools.web_fetch('{web.at}/page')")
    assert isinstance(outcome, Failed)
    assert "is not granted" in outcome.problem.evalue
    assert web.seen == []


async def test_the_configured_engine_searches(web: Web, open_notebook: Open) -> None:
    notebook = await open_notebook(
        LLMSPELL_GRANT_HTTP="127.0.0.1:*", profile="trusted", LLMSPELL_SEARCH_URL=f"{web.at}/search"
    )
    code = "local r = tools.web_search{query = 'lua & c', limit = 3} return #r, r[2].title, r[2].text"
    assert await notebook.value(code) == '3\t"lua & c & 1"\t"w"'


async def test_an_engine_with_a_key_gets_it_and_the_spell_does_not(web: Web, open_notebook: Open) -> None:
    notebook = await open_notebook(
        LLMSPELL_GRANT_HTTP="127.0.0.1:*",
        profile="trusted",
        LLMSPELL_SEARCH_URL=f"{web.at}/brave",
        LLMSPELL_SEARCH_ENGINE="brave",
        LLMSPELL_SEARCH_API_KEY_ENV="ENGINE_KEY",
        ENGINE_KEY="key-of-the-engine",
    )
    assert await notebook.value("tools.web_search('x')[1].text") == '"key [secret]"'
    assert web.seen[0][1]["X-Subscription-Token"] == "key-of-the-engine"


async def test_without_an_engine_it_says_how_to_name_one(open_notebook: Open) -> None:
    notebook = await open_notebook(profile="trusted")
    shown = str(await notebook.value("local r, e = tools.web_search('x') return r, e.code, e.suggestion"))
    assert '"no_search_engine"' in shown
    assert "[search]" in shown


# ── cassettes ────────────────────────────────────────────────────────────────────────────────────


_ZONES = "{source_timezone = 'UTC', time = '12:00', target_timezone = 'Asia/Tokyo'}"


def cells(web: str) -> list[str]:
    return [
        f"tools.web_fetch('{web}/page').text",
        f"(tools.web_fetch('{web}/gone'))",
        f"http.get('{web}/page', {{Authorization = 'Bearer token-of-the-person'}}).status",
        f"mcp.call('time', 'convert_time', {_ZONES}).source.timezone",
        "tools.get('time.get_current_time').name",
        "local t = {} llm.stream_chat('count', function(p) t[#t + 1] = p end) return table.concat(t, '|')",
    ]


def configure(folder: Path) -> None:
    (folder / "config.toml").write_text(
        f'[grants]\nmcp = ["time"]\n[mcp.time]\ncommand = "{sys.executable}"\nargs = ["-m", "mcp_server_time"]\n'
    )


async def results(notebook: Notebook, codes: list[str]) -> list[str | None]:
    return [await notebook.value(code) for code in codes]


async def test_what_tools_servers_and_models_answered_is_replayed_without_them(
    web: Web, open_notebook: Open, tmp_path: Path
) -> None:
    configure(tmp_path)
    options = {"LLMSPELL_GRANT_HTTP": "127.0.0.1:*", "LLMSPELL_PROFILE": "trusted"}
    with ScriptedServer() as model:
        model.script(text("one ", "two"))
        options["OPENAI_BASE_URL"] = model.base_url
        recording = await open_notebook(**options, record="auto")
        first = await results(recording, cells(web.at))
        await recording.session.close()
    assert first[-1] == '"one |two"'
    written = (tmp_path / "cassette.yaml").read_text()
    assert "token-of-the-person" not in written
    assert "cookie-of-the-test" not in written
    asked = len(web.seen)
    (tmp_path / "config.toml").write_text(
        '[grants]\nmcp = ["time"]\n[mcp.time]\ncommand = "no-such-program"\n'
    )
    replaying = await open_notebook(**options, record="replay")
    assert await results(replaying, cells(web.at)) == first
    assert len(web.seen) == asked
    outcome = await replaying.run(f"http.get('{web.at}/page?changed=1')")
    assert isinstance(outcome, Failed)
    assert "holds no answer to this" in outcome.problem.evalue
    assert f"+url: {web.at}/page?changed=1" in outcome.problem.evalue
    outcome = await replaying.run("mcp.call('time', 'convert_time', {source_timezone = 'CET'})")
    assert isinstance(outcome, Failed)
    assert "+  source_timezone: CET" in outcome.problem.evalue
