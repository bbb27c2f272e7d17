"""Images and files as input, from granted folders only; twenty questions at once; what fails says what to do."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from llm.scripted_server import ScriptedServer, failure, text

from llmspell_kernel.session.outcome import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Notebook, Open

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.script(text("seen"))
        yield running


@pytest.fixture
async def asking(server: ScriptedServer, open_notebook: Open, tmp_path: Path) -> Notebook:
    """A notebook that may read the folder `in` beside it."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(PNG)
    (folder / "notes.txt").write_text("The tide is high.")
    (tmp_path / "secret.png").write_bytes(PNG)
    return await open_notebook(
        OPENAI_BASE_URL=server.base_url, grant_files=f"read:{folder}", profile="trusted"
    )


async def test_images_and_files_go_with_the_question(asking: Notebook, server: ScriptedServer) -> None:
    code = (
        "llm.chat('What is this?', {images = {'in/a.png', 'https://x.test/b.png'}, files = {'in/notes.txt'}})"
    )
    assert await asking.value(code) == '"seen"'
    content = server.chats[0]["messages"][0]["content"]
    assert content[0] == {"type": "text", "text": "What is this?"}
    encoded = base64.b64encode(PNG).decode()
    assert content[1]["image_url"]["url"] == f"data:image/png;base64,{encoded}"
    assert content[2]["image_url"]["url"] == "https://x.test/b.png"
    assert "The tide is high." in str(content[3])


async def test_an_agent_looks_at_images_too(asking: Notebook, server: ScriptedServer) -> None:
    assert await asking.value("agent.create{}:run{prompt = 'What?', images = 'in/a.png'}.text") == '"seen"'
    assert len(server.chats[0]["messages"][0]["content"]) == 2


@pytest.mark.parametrize(
    ("path", "said"), [("secret.png", "grant"), ("in/notes.txt", "is no PNG, JPEG, GIF or WebP image")]
)
async def test_what_is_not_granted_or_no_image_is_refused(
    asking: Notebook, server: ScriptedServer, path: str, said: str
) -> None:
    outcome = await asking.run(f"llm.chat('What?', {{images = {{'{path}'}}}})")
    assert isinstance(outcome, Failed)
    assert said in "\n".join(outcome.problem.traceback)
    assert server.chats == []


async def test_twenty_questions_are_answered_at_once(asking: Notebook, server: ScriptedServer) -> None:
    server.script(text("ok", together=20))
    code = """
    local prompts = {}
    for i = 1, 20 do prompts[i] = 'question ' .. i end
    local results, good = llm.batch_process(prompts), 0
    for _, result in ipairs(results) do if result.success then good = good + 1 end end
    return good, results[20].prompt"""
    assert await asking.value(code) == '20\t"question 20"'
    assert server.most_at_once == 20


async def test_a_wait_that_the_server_asks_for_is_kept_and_told(
    asking: Notebook, server: ScriptedServer
) -> None:
    server.script(failure(429, "slow down", headers={"retry-after": "0.2"}), text("now"))
    assert await asking.value("llm.chat('q')") == '"now"'
    assert "Waiting" in asking.last.err


async def test_a_connection_that_is_cut_and_a_stream_that_is_none_are_told(
    asking: Notebook, server: ScriptedServer
) -> None:
    server.script(text("a", "b", "c", cut_after=2))
    code = "local s = '' local e = llm.stream_chat('q', function(t) s = s .. t end) return s, e.code, e.retryable"
    assert await asking.value(code) == '"ab"\t"connection_cut"\ttrue'
    server.script(text(raw=b"<html>not a stream</html>", content_type="text/html"))
    assert await asking.value("local r, e = llm.chat('q') return r, e.provider, #e.message > 0") == (
        'nil\t"openai"\ttrue'
    )


async def test_a_server_that_is_not_there_says_how_to_start_it(open_notebook: Open) -> None:
    notebook = await open_notebook(OLLAMA_HOST="127.0.0.1:9")
    shown = await notebook.value(
        "local r, e = llm.chat('q', {provider = 'ollama', model = 'x'}) return r, e.code, e.suggestion"
    )
    assert shown is not None
    assert "connection_refused" in shown
    assert "ollama serve" in shown
