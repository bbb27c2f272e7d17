"""A cell's output past its limit goes to one file, whenever it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmspell_kernel.session.output import CellOutput

from .conftest import Recorder


def test_what_tasks_write_after_their_cell_goes_to_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sink = Recorder()
    output = CellOutput(sink, 4, 1000, lambda: None)
    output.write(1, b"123456")
    output.finish()
    for _ in range(3):
        output.write(1, b"later")
    assert sink.out == "1234"
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == b"56laterlaterlater"
    assert sink.err.count(str(file)) == 1


def test_a_cell_that_only_its_tasks_bring_over_the_limit_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sink = Recorder()
    output = CellOutput(sink, 4, 1000, lambda: None)
    output.finish()
    output.write(1, b"123456")
    output.write(1, b"789")
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == b"56789"
    assert sink.err.count(str(file)) == 1
