"""`storage` from a cell: its folder, and nothing outside of it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.bridges import storage

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Notebook, Open


@pytest.fixture
async def cell(open_notebook: Open, tmp_path: Path) -> Notebook:
    return await open_notebook(storage_folder=str(tmp_path / "kept"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The storage folder."""
    made = tmp_path / "kept" / "files"
    made.mkdir(parents=True)
    return made


async def test_files_and_values(cell: Notebook, folder: Path) -> None:
    cells = [
        ("storage.write('a/b/c.txt', 'one'), storage.read('a/b/c.txt')", 'true\t"one"'),
        ("storage.write('a/b/c.txt', '\\xff\\0'), #storage.read('a/b/c.txt')", "true\t2"),
        ("storage.exists('a/b/c.txt'), storage.exists('a'), storage.exists('b')", "true\ttrue\tfalse"),
        (
            "storage.set('v', {n = 1, l = json.array()}), json.encode(storage.get('v'))",
            '{\\"l\\":[],\\"n\\":1}',
        ),
        (
            "storage.get('w', 5), storage.get('w'), storage.set('v', false), storage.get('v')",
            "5\tnil\ttrue\tfalse",
        ),
        ("table.concat(storage.list(), ' '), #storage.list('a/'), #storage.list('x')", '"a/b/c.txt v"\t1\t0'),
        ("select(2, storage.get('a/b/c.txt')).code", "bad_json"),
        (
            "select(2, storage.read('nothing')).code, select(2, storage.read('a')).code",
            'not_found"\t"io_error',
        ),
        ("select(2, storage.delete('a')).code", "io_error"),
        (
            "storage.delete('a/b/c.txt'), storage.delete('a/b/c.txt'), storage.delete('a/b')",
            "true\tfalse\ttrue",
        ),
        ("storage.set('v', nil), #storage.list()", "true\t0"),
    ]
    for code, shown in cells:
        assert shown in str(await cell.value(code)), code


@pytest.mark.parametrize(
    "path", ["../out", "/etc/passwd", "a/../../out", "link/x", "file-link", "", "a\\0b", "/proc/self/environ"]
)
async def test_what_leads_out_is_refused(cell: Notebook, folder: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "out").write_text("secret")
    (folder / "link").symlink_to(tmp_path)
    (folder / "file-link").symlink_to(tmp_path / "out")
    for call in (f"storage.read('{path}')", f"storage.write('{path}', 'x')", f"storage.delete('{path}')"):
        shown = str(await cell.value(f"pcall(function() return assert({call}) end)"))
        assert shown.startswith("false"), call
        assert "secret" not in shown
    assert (tmp_path / "out").read_text() == "secret"


async def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(
    cell: Notebook, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a").mkdir()
    (tmp_path / "elsewhere").mkdir()
    inside = storage.inside

    def swapped(root: Path, path: str, **options: object) -> object:
        place = inside(root, path, **options)
        if path == "a/x":
            (folder / "a").rmdir()
            (folder / "a").symlink_to(tmp_path / "elsewhere")
        return place

    monkeypatch.setattr(storage, "inside", swapped)
    shown = str(await cell.value("pcall(function() return assert(storage.write('a/x', 'y')) end)"))
    assert shown.startswith("false")
    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_what_is_no_plain_file_is_not_opened(cell: Notebook, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert "neither a file nor a folder" in str(await cell.value("storage.read('pipe')"))


async def test_size_is_limited(cell: Notebook, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_LARGEST", 100)
    monkeypatch.setattr(storage, "_LARGEST_WHOLE", 150)
    assert "too large" in str(await cell.value("storage.write('a', ('x'):rep(101))"))
    assert (
        await cell.value("storage.write('a', ('x'):rep(100)), storage.write('a', ('y'):rep(90))")
        == "true\ttrue"
    )
    assert "too large" in str(await cell.value("storage.write('b', ('x'):rep(80))"))
    assert await cell.value("storage.delete('a'), storage.write('b', ('x'):rep(80))") == "true\ttrue"
    (folder / "big").write_bytes(b"x" * 101)
    assert "too large" in str(await cell.value("storage.read('big')"))


async def test_names_may_be_as_long_as_the_system_takes_them(cell: Notebook) -> None:
    assert await cell.value("storage.write(('n'):rep(255), 'x'), storage.read(('n'):rep(255))") == 'true\t"x"'
    assert "too long" in str(await cell.value("storage.write(('n'):rep(256), 'x')"))


async def test_paths_that_would_take_minutes_are_refused(cell: Notebook, folder: Path) -> None:
    code = "pcall(storage.write, ('d/'):rep(2000) .. 'f', 'x')"
    assert "a path leads through at most 128 folders" in str(await cell.value(code))
    assert os.listdir(folder) == []


async def test_a_folder_that_cannot_be_made_is_told_without_its_place(
    open_notebook: Open, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text("a file")
    cell = await open_notebook(storage_folder=str(tmp_path / "kept"))
    for call in ("read('a')", "write('a', 'x')", "list()", "delete('a')", "get('a')", "set('a', 1)"):
        code = (
            f"local r, err = storage.{call} return err.code .. ', ' .. err.message .. ', ' .. err.suggestion"
        )
        shown = str(await cell.value(code))
        assert shown.startswith('"io_error, the storage folder cannot be used: Not a directory, `%config'), (
            call
        )
        assert str(tmp_path) not in shown
    assert await cell.value("storage.exists('a')") == "false"


async def test_files_whose_names_are_no_text_are_passed_by(cell: Notebook, folder: Path) -> None:
    (folder / os.fsdecode(b"bad\xff")).write_text("x")
    assert await cell.value("storage.write('é', 'x'), table.concat(storage.list(), ' ')") == 'true\t"é"'


async def test_a_full_disk_is_told(cell: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    await cell.value("storage.write('a', 'old');")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    code = "local done, err = storage.write('a', 'new') return done, err.code, err.message"
    assert await cell.value(code) == 'nil\t"storage_full"\t"a cannot be used: No space left on device"'
    monkeypatch.undo()
    assert await cell.value("storage.read('a'), #storage.list()") == '"old"\t1'
