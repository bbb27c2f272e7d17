"""`rag` and `memory` from a cell: files of granted folders, vectors made on this machine, results that are drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest
import pytest_asyncio

from llmspell_kernel.config import Places, Settings
from llmspell_kernel.llm.assets import MINILM
from llmspell_kernel.session.outcome import Failed, Succeeded
from llmspell_kernel.session.session import Session
from tests.conftest import require

from .conftest import Notebook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def notebook(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Notebook]:
    """One notebook for all; each test has collections of its own."""
    weights = Path(platformdirs.user_cache_dir("llmspell")) / "models" / MINILM.name
    require(str(weights) if weights.is_dir() else None, f"no {MINILM.name} here: llmspell models pull")
    folder = tmp_path_factory.mktemp("project")
    notes = folder / "notes" / "deep"
    notes.mkdir(parents=True)
    (folder / "notes" / "tea.md").write_text("# Tea\n\nGreen tea is steeped at 75 degrees for two minutes.\n")
    (notes / "coffee.txt").write_text("Espresso is pressed through finely ground beans in half a minute.\n")
    (folder / "notes" / "people.csv").write_text(
        "name,born,field\nAda,1815,mathematics\nMarie,1867,physics\n"
    )
    (folder / "notes" / "picture.txt").write_bytes(b"\xff\xd8\xff\xe0")
    (folder / "notes" / ".hidden.md").write_text("The password is swordfish.\n")
    (folder / "secret.md").write_text("The vault's number is 1234.\n")
    (folder / "notes" / "link.md").symlink_to(folder / "secret.md")
    environ = {"LLMSPELL_GRANT_FILES": "read:notes", "LLMSPELL_PROFILE": "trusted"}
    places = Places(config=folder / "config.toml", data=folder / "data")
    session = Session(Settings.load(folder, environ, places))
    await session.start()
    yield Notebook(session)
    await session.close()


async def test_ones_own_files_are_found_by_their_meaning(notebook: Notebook) -> None:
    shown = await notebook.value(
        "local d = rag.ingest({folder = 'notes'}, {collection = 'notes'}) return d.documents, d.chunks, #d.ids"
    )
    assert shown == "3\t4\t3"
    code = "found = rag.search('How hot should the water be for a brew?', {collection = 'notes', k = 2})"
    await notebook.value(code)
    assert await notebook.value("found.results[1].id, found.results[1].metadata.source") == (
        '"notes/tea.md"\t"notes/tea.md"'
    )
    assert (
        await notebook.value("found.results[1].score <= 1, found.results[1].similarity > 0.3") == "true\ttrue"
    )
    code = "rag.search('scientist', {collection = 'notes', k = 5, filter = {born = {gt = 1850}}}).results[1].text"
    assert "Marie" in str(await notebook.value(code))
    assert (
        await notebook.value(
            "#rag.search('swordfish vault', {collection = 'notes', mode = 'keyword'}).results"
        )
        == "0"
    )


async def test_results_are_drawn_and_read_as_their_texts(notebook: Notebook) -> None:
    await notebook.value("rag.ingest({'Cats purr.', 'Dogs bark.'}, {collection = 'pets'});")
    outcome = await notebook.run("rag.search('purring', {collection = 'pets', k = 1})")
    assert isinstance(outcome, Succeeded)
    assert "1. " in str(outcome.bundle["text/plain"])
    assert "ls-hits" in outcome.bundle["text/html"]
    code = "tostring(rag.search('purring', {collection = 'pets', k = 1}))"
    assert await notebook.value(code) == '"1. Cats purr."'


async def test_a_file_that_is_not_granted_is_refused(notebook: Notebook) -> None:
    for path in ("secret.md", "notes/../secret.md", "notes/link.md", "/etc/passwd"):
        outcome = await notebook.run(f"rag.ingest{{file = '{path}'}}")
        assert isinstance(outcome, Failed)
        assert "is not granted" in outcome.problem.evalue


async def test_files_that_are_not_there_or_no_text_are_told(notebook: Notebook) -> None:
    assert '"not_text"' in str(
        await notebook.value("local r, e = rag.ingest{file = 'notes/picture.txt'} return r, e.code")
    )
    assert '"not_found"' in str(
        await notebook.value("local r, e = rag.ingest{file = 'notes/none.md'} return r, e.code")
    )


async def test_tables_and_progress(notebook: Notebook) -> None:
    code = """
    local heard = {}
    local done = rag.ingest({{city = 'Oslo', people = 700000}, {city = 'Bergen', people = 290000}},
      {collection = 'cities', vectors = false, template = '{city} has {people} people',
       on_progress = function(n, of) heard[#heard + 1] = n .. '/' .. of end})
    local found = rag.search('Oslo', {collection = 'cities'}).results[1]
    return done.chunks, heard[1], found.text, found.metadata.people, found.similarity"""
    assert await notebook.value(code) == '2\t"1/1"\t"Oslo has 700000 people"\t700000\tnil'


async def test_models_are_not_mixed(notebook: Notebook) -> None:
    await notebook.value("rag.ingest('One.', {collection = 'one'});")
    outcome = await notebook.run(
        "rag.ingest('Two.', {collection = 'one', model = 'openai:text-embedding-3-small'})"
    )
    assert isinstance(outcome, Failed)
    assert "all-MiniLM-L6-v2" in outcome.problem.evalue
    assert "cannot be mixed" in outcome.problem.evalue


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("rag.ingest(true)", "bad argument #1 to 'rag.ingest'"),
        ("rag.ingest{{text = 1}}", "takes {text =}"),
        ("rag.ingest({{a = 1}, {b = 2}, {text = true}})", "takes {text =}"),
        ("rag.ingest({true})", "texts or tables expected, got boolean"),
        ("rag.ingest{file = 1}", "takes {text =}"),
        (
            "rag.ingest{{text = 'y', metadata = {tags = {'a', print}}}}",
            "(metadata.tags[2] holds a function, which cannot be kept)",
        ),
        (
            "rag.ingest{{text = 'y', metadata = {f = 'a\\255'}}}",
            "(metadata.f holds bytes that are no text, which cannot be kept)",
        ),
        (
            "rag.search('a\\255')",
            "bad argument #1 to 'rag.search' (string expected, got a string that is not UTF-8)",
        ),
        ("rag.search('x', {mode = 'magic'})", "one of hybrid, vector, keyword expected, got 'magic'"),
        ("rag.search('x', {k = 0})", "bad option 'k' to 'rag.search' (from 1 to 1000, got 0)"),
        ("rag.delete({})", "needs an id, a scope or a filter"),
        ("memory.add(1)", "bad argument #1 to 'memory.add' (string expected, got number)"),
    ],
)
async def test_what_is_written_wrongly_raises(notebook: Notebook, code: str, message: str) -> None:
    outcome = await notebook.run(code)
    assert isinstance(outcome, Failed)
    assert message in outcome.problem.evalue


async def test_nothing_to_ingest_is_no_document(notebook: Notebook) -> None:
    assert await notebook.value("rag.ingest({}, {collection = 'empty'}).documents") == "0"


async def test_an_unknown_option_is_a_warning_with_the_nearest(notebook: Notebook) -> None:
    await notebook.value("rag.search('x', {colection = 'y'});")
    assert "did you mean 'collection'?" in notebook.last.err


async def test_what_was_remembered_is_recalled_and_forgotten(notebook: Notebook) -> None:
    assert await notebook.value("#memory.search('anything').results") == "0"
    code = (
        "memory.add('Ada prefers tea to coffee.', {id = 'tea', scope = 'ada', metadata = {about = 'drinks'}})"
    )
    assert await notebook.value(code) == '"tea"'
    await notebook.value("memory.add('The meeting is on Friday.', {scope = 'work'});")
    assert "Friday" in str(await notebook.value("memory.search('When do we meet?').results[1].text"))
    assert "Ada" in str(await notebook.value("memory.search('meeting', {scope = 'ada'}).results[1].text"))
    await notebook.value("memory.add('Ada prefers coffee now.', {id = 'tea', scope = 'ada'});")
    assert await notebook.value("#memory.list(), memory.list{scope = 'ada'}[1].id") == '2\t"tea"'
    assert (
        await notebook.value("memory.forget('tea', {scope = 'ada'}), memory.forget('tea')") == "true\tfalse"
    )
    await notebook.value("memory.clear();")
    assert await notebook.value("#memory.list()") == "0"


async def test_searching_and_remembering_as_tools_of_an_agent(notebook: Notebook) -> None:
    code = """
    tools.register(rag.as_tool{name = 'search_pets', collection = 'pets'})
    for _, tool in ipairs(memory.as_tools{scope = 'tool'}) do tools.register(tool) end
    tools.execute('remember', {text = 'The key is under the mat.'})
    return tools.execute('search_pets', {query = 'purring'}), tools.execute('recall', {query = 'key'})[1]"""
    shown = str(await notebook.value(code))
    assert "[1] Cats purr." in shown
    assert "under the mat" in shown


async def test_what_was_ingested_is_there_after_a_reset(notebook: Notebook) -> None:
    await notebook.value(
        "rag.ingest({text = 'Persistence is a virtue.', id = 'p'}, {collection = 'kept', vectors = false});"
    )
    await notebook.session.reset()
    assert await notebook.value("rag.search('virtue', {collection = 'kept'}).results[1].id") == '"p"'
