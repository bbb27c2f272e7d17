"""``llmspell run``: a spell as a program."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the person's configuration."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)


def test_a_spell_prints_shows_its_value_and_finds_its_arguments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hello.lua").write_text(
        "#!/usr/bin/env -S llmspell run\nprint('hello ' .. arg[1], arg[0])\nreturn #arg, arg[2]\n"
    )
    assert main(["run", "hello.lua", 'wörld "]]', "b"]) == 0
    assert capsys.readouterr().out == 'hello wörld "]]\thello.lua\n2\t"b"\n'


def test_it_exits_as_the_spell_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("print('before') os.exit(3)"))
    assert main(["run", "-"]) == 3
    assert capsys.readouterr().out == "before\n"


def test_an_error_goes_to_stderr_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "wrong.lua").write_text("local t\nprint(t.x)\n")
    assert main(["run", "wrong.lua"]) == 1
    told = capsys.readouterr().err
    assert "wrong.lua" in told
    assert "attempt to index a nil value (local 't')" in told
    assert main(["run", "nowhere.lua"]) == 1
    assert "cannot read nowhere.lua" in capsys.readouterr().err
