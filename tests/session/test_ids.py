"""Ids complete inside strings: what spells have registered, models at hand, files inside granted folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm.scripted_server import ScriptedServer

from .conftest import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Notebook, Open


class Asking(Recorder):
    """A person who presses Tab while a cell asks them."""

    def __init__(self, notebook: Notebook) -> None:
        super().__init__()
        self.notebook = notebook
        self.offered: list[str] = []

    async def ask(self, prompt: str, password: bool) -> str:
        self.offered = await offered(self.notebook, 'tools.execute("roll|") ')
        return "go on"


async def offered(notebook: Notebook, marked: str) -> list[str]:
    code, offset = marked.replace("|", ""), marked.index("|")
    return (await notebook.session.complete(code, offset, {})).matches


async def test_tools_agents_and_states_complete_by_name(notebook: Notebook) -> None:
    await notebook.value("""
    tools.register("roll_dice", "Rolls.", {}, function() end)
    agents.register("writer", function(text) return text end)
    state.create("progress", { defaults = { n = 1 } });""")
    assert await offered(notebook, 'tools.execute("roll|") ') == ["roll_dice"]
    assert await offered(notebook, 'tools.execute("calc|") ') == ["calculator"]
    assert await offered(notebook, 'agents.execute("w|") ') == ["writer"]
    assert await offered(notebook, 'agent.create{ tools = { "rol|" } }') == ["roll_dice"]
    assert await offered(notebook, 'state.create("pro|") ') == ["progress"]
    assert await offered(notebook, 'require("promi|")') == ["promise"]
    assert "core" in await offered(notebook, 'require("|")')


async def test_events_stored_files_and_spells_complete(open_notebook: Open, tmp_path: Path) -> None:
    (tmp_path / "spells").mkdir()
    (tmp_path / "greet.lua").write_text("return 1")
    (tmp_path / "notes.txt").write_text("x")
    notebook = await open_notebook(grant_files="read:.")
    await notebook.value("""
    local door = events.new() door:on("door.opened", print):on("door.*", print) events.on("doorbell", print)
    storage.write("drafts/one.txt", "x")""")
    assert sorted(await offered(notebook, 'events.emit("door|") ')) == ["door.opened", "doorbell"]
    assert await offered(notebook, 'storage.read("dr|") ') == ["drafts/one.txt"]
    assert await offered(notebook, 'spell.run("g|") ') == ["greet.lua"]
    assert await offered(notebook, 'spell.run("s|") ') == ["spells/"]
    assert await offered(notebook, 'spell.run("n|") ') == []


async def test_kept_states_of_other_sessions_complete(open_notebook: Open) -> None:
    first = await open_notebook()
    await first.value('state.create("kept_one", { persistent = true, defaults = { n = 1 } });')
    second = await open_notebook()
    assert await offered(second, 'state.create("kept|") ') == ["kept_one"]


async def test_names_are_undone_with_the_cell_that_made_them(notebook: Notebook) -> None:
    await notebook.value('tools.register("roll_dice", function() end);')
    await notebook.session.reset()
    assert await offered(notebook, 'tools.execute("roll|") ') == []


async def test_models_complete_once_they_are_known(open_notebook: Open) -> None:
    with ScriptedServer(models=("tiny-chat", "big-chat")) as server:
        notebook = await open_notebook(OPENAI_BASE_URL=server.base_url, LLMSPELL_MODEL="openai:tiny-chat")
        assert await offered(notebook, 'llm.chat{ model = "openai:|" }') == ["openai:tiny-chat"]
        assert server.requests == []
        await notebook.value('llm.models("openai");')
        found = await offered(notebook, 'llm.chat{ model = "openai:|" }')
        assert sorted(found) == ["openai:big-chat", "openai:tiny-chat"]
    assert "openrouter" in await offered(notebook, 'llm.chat{ provider = "open|" }')


async def test_files_complete_inside_granted_folders_alone(open_notebook: Open, tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, inside / "deep", outside):
        folder.mkdir()
        (folder / "notes.txt").write_text("x")
    (inside / ".hidden").write_text("x")
    (inside / "link").symlink_to(outside)
    notebook = await open_notebook(grant_files=f"read:{inside}")
    ids = notebook.session.ids
    assert [one.text for one in await ids("file", "inside/")] == [
        "inside/deep/",
        "inside/link",
        "inside/notes.txt",
    ]
    assert [one.text for one in await ids("file", "inside/deep/n")] == ["inside/deep/notes.txt"]
    assert [one.text for one in await ids("file", f"{inside}/d")] == [f"{inside}/deep/"]
    for closed in ("outside/", "", "inside/link/", "inside/../outside/", "/etc/", "inside/\0"):
        assert await ids("file", closed) == []
    assert [one.text for one in await ids("file", "inside/.")] == ["inside/.hidden"]


async def test_while_a_cell_runs_the_last_names_are_offered(notebook: Notebook) -> None:
    await notebook.value('tools.register("roll_dice", function() end);')
    assert await offered(notebook, 'tools.execute("roll|") ') == ["roll_dice"]
    surface = Asking(notebook)
    await notebook.session.execute("input('?')", surface, "cell 9")
    assert surface.offered == ["roll_dice"]


async def test_options_of_formats_and_tests_complete(notebook: Notebook) -> None:
    async def options(marked: str) -> set[str]:
        return {one.removesuffix(" = ") for one in await offered(notebook, marked) if one.endswith(" = ")}

    reading = {"all", "columns", "delimiter", "header", "numbers", "quote", "whitespace"}
    assert await options('data.parse(text, "csv", { | })') == reading
    assert await options('data.stringify(rows, "yaml", { | })') >= {"flow", "indent", "columns", "sort"}
    assert await options("data.to_json(rows, { | })") == {"indent", "sort"}
    assert await options('testing.skip("later", nil, { | })') == {"timeout"}
    assert await offered(notebook, 'data.parse(text, "ya|")') == ["yaml"]
