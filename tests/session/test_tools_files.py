"""The built-in tools for files: inside of granted folders everything, outside nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from llmspell_kernel.config import Places, Settings
from llmspell_kernel.session.outcome import Failed
from llmspell_kernel.session.session import Session

from .conftest import Notebook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def notebook(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Notebook]:
    folder = tmp_path_factory.mktemp("files")
    (folder / "in").mkdir()
    (folder / "in" / "a.md").write_text("Hello.")
    (folder / "in" / "b.bin").write_bytes(b"\xff\x00")
    (folder / "in" / "sub").mkdir()
    (folder / "in" / "away").symlink_to("/etc")
    (folder / "out").mkdir()
    (folder / "secret.txt").write_text("secret")
    environ = {"LLMSPELL_GRANT_FILES": "read:in,write:out", "LLMSPELL_PROFILE": "trusted"}
    places = Places(config=folder / "config.toml", data=folder / "data")
    session = Session(Settings.load(folder, environ, places))
    await session.start()
    yield Notebook(session)
    await session.close()


def folder_of(notebook: Notebook) -> Path:
    return notebook.session.settings.folder


async def test_reading(notebook: Notebook) -> None:
    assert await notebook.value(
        "tools.file_read('in/a.md'), tools.execute('file_read', {path = 'in/a.md'})"
    ) == ('"Hello."\t"Hello."')
    assert await notebook.value("tools.file_read{path = 'in/b.bin'} == '\\xff\\0'") == "true"
    code = "local r, e = tools.file_read('in/none.md') return r, e.code"
    assert await notebook.value(code) == 'nil\t"not_found"'
    code = "local r, e = tools.file_read('in/sub') return r, e.code"
    assert await notebook.value(code) == 'nil\t"is_a_folder"'


async def test_writing_appending_deleting(notebook: Notebook) -> None:
    file = folder_of(notebook) / "out" / "new.txt"
    code = (
        "tools.file_write{path = 'out/new.txt', content = 'one\\n'}, "
        "tools.file_append{path = 'out/new.txt', content = 'two'}"
    )
    assert await notebook.value(code) == "4\t3"
    assert file.read_text() == "one\ntwo"
    await notebook.value("tools.execute('file_write', {path = 'out/new.txt', content = '\\xff'});")
    assert file.read_bytes() == b"\xff"
    code = (
        "tools.file_exists('out/new.txt'), tools.file_delete('out/new.txt'), tools.file_exists('out/new.txt')"
    )
    assert await notebook.value(code) == "true\ttrue\tfalse"
    assert not file.exists()


async def test_listing(notebook: Notebook) -> None:
    code = """
    local told = {}
    for _, e in ipairs(tools.file_list('in')) do
      told[#told + 1] = e.name .. ':' .. e.type .. ':' .. (e.type == 'file' and e.size or '')
    end
    return table.concat(told, ' '), #tools.file_list{path = 'in', pattern = '*.md'}"""
    assert await notebook.value(code) == '"a.md:file:6 away:other: b.bin:file:2 sub:folder:"\t1'
    code = "local r, e = tools.file_list('in/a.md') return r, e.code"
    assert await notebook.value(code) == 'nil\t"not_a_folder"'


@pytest.mark.parametrize(
    "call",
    [
        "tools.file_read('secret.txt')",
        "tools.file_read('in/../secret.txt')",
        "tools.file_read('in/away/passwd')",
        "tools.file_write{path = 'in/a.md', content = ''}",
        "tools.file_write{path = 'out/../secret.txt', content = ''}",
        "tools.file_append{path = 'in/a.md', content = ''}",
        "tools.file_delete('in/a.md')",
        "tools.file_exists('secret.txt')",
        "tools.file_list('.')",
        "tools.execute('file_delete', {path = 'secret.txt'})",
        "agent.create{tools = {'file_read'}}.tools[1].execute{path = 'secret.txt'}",
    ],
)
async def test_what_is_not_granted_is_refused(notebook: Notebook, call: str) -> None:
    outcome = await notebook.run(call)
    assert isinstance(outcome, Failed)
    assert "is not granted" in outcome.problem.evalue
    assert (folder_of(notebook) / "secret.txt").read_text() == "secret"
    assert (folder_of(notebook) / "in" / "a.md").read_text() == "Hello."


async def test_a_granted_folder_itself_cannot_be_deleted(notebook: Notebook) -> None:
    outcome = await notebook.run("tools.file_delete('out')")
    assert isinstance(outcome, Failed)
    assert "is the granted folder itself" in outcome.problem.evalue
    (folder_of(notebook) / "out" / "deep").mkdir(exist_ok=True)
    code = "local r, e = tools.file_delete('out/deep') return r, e.code"
    assert str(await notebook.value(code)).startswith('nil\t"')


async def test_wrong_arguments_raise(notebook: Notebook) -> None:
    outcome = await notebook.run("tools.file_read{}")
    assert isinstance(outcome, Failed)
    assert "bad argument 'path' to 'tools.file_read' (string expected, got nil)" in outcome.problem.evalue


async def test_metrics_and_history_count_built_in_tools(notebook: Notebook) -> None:
    await notebook.value(
        "tools.execute('file_read', {path = 'in/a.md'}) tools.execute('file_read', {path = 'in/none'});"
    )
    code = "local h = tools.get_history(1)[1] return tools.get_metrics('file_read').errors >= 1, h.tool, h.success"
    assert await notebook.value(code) == 'true\t"file_read"\tfalse'


async def test_under_the_strict_profile_only_harmless_tools_are_granted(tmp_path: Path) -> None:
    environ = {"LLMSPELL_PROFILE": "strict", "LLMSPELL_GRANT_FILES": f"write:{tmp_path}"}
    places = Places(config=tmp_path / "config.toml", data=tmp_path / "data")
    session = Session(Settings.load(tmp_path, environ, places))
    await session.start()
    try:
        strict = Notebook(session)
        assert await strict.value("tools.calculator('6 * 7')") == "42"
        outcome = await strict.run("tools.file_write{path = 'x', content = ''}")
        assert isinstance(outcome, Failed)
        assert "the tool file_write is not granted" in outcome.problem.evalue
    finally:
        await session.close()
