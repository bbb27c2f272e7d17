"""The ``llmspell`` command."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from llmspell_kernel import __version__
from llmspell_kernel.cli import COMMANDS, main
from llmspell_kernel.commands import checks, models
from llmspell_kernel.commands.checks import Check, Finding, State
from llmspell_kernel.commands.doctor import examine
from llmspell_kernel.errors import BadArgument
from llmspell_kernel.llm.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

HEAVY = {
    "IPython",
    "ipykernel",
    "jupyter_client",
    "lupa",
    "numpy",
    "openai",
    "pydantic",
    "pydantic_ai",
    "zmq",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home without anything in it; the current folder is in it, too."""
    for name in ("JUPYTER_DATA_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in (
        "JUPYTER_PATH",
        "LLMSPELL_CONFIG",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path


# ── the table ─────────────────────────────────────────────────────────────────────────────────────


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert [command.name for command in COMMANDS if command.name not in shown] == []


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"llmspell {command}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["conjure"], ["models"], ["install", "--user", "--sys-prefix"]])
def test_what_is_not_understood_is_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: llmspell" in capsys.readouterr().err


def test_the_command_line_imports_nothing_heavy_before_a_command_runs() -> None:
    code = f"import sys, llmspell_kernel.cli; print(sorted({HEAVY!r} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_version_names_the_kernel_and_its_parts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"llmspell-kernel {__version__}\nPython 3.")
    assert "\nlupa 2." in shown


# ── install, uninstall ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("flags", [[], ["--user"]])
def test_install_makes_the_kernel_selectable_with_this_interpreter(home: Path, flags: list[str]) -> None:
    assert main(["install", *flags]) == 0
    folder = home / "jupyter_data_dir" / "kernels" / "llmspell-lua"
    assert sorted(path.name for path in folder.iterdir()) == [
        "kernel.json",
        "logo-32x32.png",
        "logo-64x64.png",
        "logo-svg.svg",
    ]
    assert json.loads((folder / "kernel.json").read_text()) == {
        "argv": [sys.executable, "-m", "llmspell_kernel", "-f", "{connection_file}"],
        "display_name": "LLMSpell Lua",
        "language": "lua",
        "interrupt_mode": "message",
        "metadata": {"debugger": False},
    }
    assert KernelSpecManager().get_kernel_spec("llmspell-lua").resource_dir == str(folder)


def test_install_under_a_prefix(home: Path) -> None:
    assert main(["install", "--prefix", str(home / "other")]) == 0
    assert (home / "other/share/jupyter/kernels/llmspell-lua/kernel.json").is_file()
    assert not (home / "jupyter_data_dir").exists()


def test_install_twice_is_the_same_as_once(home: Path) -> None:
    assert main(["install"]) == 0
    assert main(["install"]) == 0


def test_install_in_a_place_that_cannot_be_written(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "file").write_text("")
    assert main(["install", "--prefix", str(home / "file")]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("llmspell install: cannot write the kernelspec: ")
    assert "llmspell install --user" in shown


def test_uninstall_takes_back_what_install_did(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["install", "--prefix", str(home / "other")])
    assert main(["uninstall", "--prefix", str(home / "other")]) == 0
    assert not (home / "other/share/jupyter/kernels/llmspell-lua").exists()
    assert main(["uninstall", "--prefix", str(home / "other")]) == 1
    assert "there is no kernelspec in" in capsys.readouterr().err


def test_uninstall_tells_where_the_kernelspec_is_instead(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["install", "--prefix", str(home / "other")])
    monkeypatch.setenv("JUPYTER_PATH", str(home / "other/share/jupyter"))
    assert main(["uninstall"]) == 1
    assert f"llmspell uninstall --prefix {home / 'other'}" in capsys.readouterr().err


# ── doctor ────────────────────────────────────────────────────────────────────────────────────────


def examined(*findings: Finding) -> tuple[int, str]:
    out = io.StringIO()
    return examine([Check("Wand", lambda: list(findings))], out), out.getvalue()


def test_what_is_well_needs_no_fix() -> None:
    assert examined(Finding(State.OK, "straight")) == (0, "Wand\n  ✓ straight\n\nEverything works here.\n")


def test_what_is_lacking_shows_its_fix_and_is_no_failure() -> None:
    code, shown = examined(Finding(State.LACKS, "no polish", "buy some\nor borrow"))
    assert code == 0
    assert shown.startswith("Wand\n  – no polish\n    fix: buy some\n         or borrow\n")


def test_what_fails_makes_the_exit_code_1() -> None:
    code, shown = examined(Finding(State.OK, "long"), Finding(State.FAILS, "broken", "a new one"))
    assert code == 1
    assert "  ✗ broken\n    fix: a new one\n" in shown


def test_a_check_that_breaks_does_not_hide_the_others() -> None:
    def broken() -> list[Finding]:
        raise BadArgument("upside down")

    out = io.StringIO()
    later = Check("Hat", lambda: [Finding(State.OK, "pointed")])
    assert examine([Check("Wand", broken), later], out) == 1
    assert "could not be examined: BadArgument: upside down" in out.getvalue()
    assert "Hat\n  ✓ pointed" in out.getvalue()


def test_doctor_starts_the_engine_and_finds_the_installed_kernel(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["install"])
    code = main(["doctor"])
    shown = capsys.readouterr().out
    assert code == 0, shown
    assert "✓ 1 + 1 = 2, after " in shown
    assert f"✓ {home / 'jupyter_data_dir' / 'kernels' / 'llmspell-lua'}" in shown
    assert "the local model is not on this machine yet\n    fix: llmspell models pull" in shown


def test_a_kernelspec_whose_interpreter_is_gone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main(["install", "--prefix", str(home / "other")])
    monkeypatch.setenv("JUPYTER_PATH", str(home / "other/share/jupyter"))
    file = home / "other/share/jupyter/kernels/llmspell-lua/kernel.json"
    file.write_text(file.read_text().replace(sys.executable, "/gone/python"))
    [finding] = checks.CHECKS[0].look()
    assert finding.state is State.FAILS
    assert finding.fix == f"llmspell install --prefix {home / 'other'}"
    assert "starts /gone/python, which is gone" in finding.text


def test_a_kernel_that_jupyter_does_not_find(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(self: KernelSpecManager, name: str) -> None:
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", nowhere)
    assert checks.CHECKS[0].look() == [
        Finding(State.FAILS, "Jupyter does not find the kernel", "llmspell install")
    ]


def test_a_wrong_setting_is_a_failing_line_with_its_place(home: Path) -> None:
    file = home / "xdg_config_home/llmspell/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("[limits]\nmemry = 1\n")
    configuration = next(check for check in checks.CHECKS if check.title == "Configuration")
    [finding] = configuration.look()
    assert finding.state is State.FAILS
    assert f"{file}:2" in finding.text
    assert "limits.memory" in finding.fix


# ── models ────────────────────────────────────────────────────────────────────────────────────────


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def tell(out: io.StringIO) -> None:
    line = models.ProgressLine(out)
    for done in range(0, 101, 5):
        line.tell(Progress(text="Downloading", done=done * 1_000_000, total=100_000_000))
    line.tell(Progress(text="it is here", done=1, total=1))


def test_progress_in_a_log_is_a_line_for_each_tenth() -> None:
    tell(out := io.StringIO())
    lines = out.getvalue().splitlines()
    assert lines[0] == "Downloading"
    assert lines[1] == "Downloading  10 MB   10%"
    assert lines[-1] == "it is here"
    assert len(lines) == 12


def test_progress_on_a_terminal_is_one_line_that_changes() -> None:
    tell(out := Terminal())
    assert out.getvalue().count("\n") == 2
    assert out.getvalue().endswith("\r\x1b[2Kit is here\n")


def test_models_list_says_how_to_get_what_is_not_here(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    assert "llmspell models pull SmolLM2-135M-Instruct" in capsys.readouterr().out


def test_pulling_what_does_not_exist_is_one_plain_line(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "pull", "nothing.gguf"]) == 1
    assert capsys.readouterr().err.startswith("llmspell models: there is no model, file or address")


def test_a_gguf_file_is_pulled_and_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "work" / "tiny.gguf").write_bytes(b"GGUF" + bytes(1_000_000))
    assert main(["models", "pull", "tiny.gguf"]) == 0
    capsys.readouterr()
    assert main(["models", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split()[:4] == ["tiny", "chat", "1", "MB"]


# ── trust, config ─────────────────────────────────────────────────────────────────────────────────


def test_trust_is_remembered_listed_and_taken_back(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "work" / "llmspell.toml"
    file.write_text("[limits]\ntime = 5\n")
    assert main(["trust"]) == 0
    capsys.readouterr()
    assert main(["trust", "--list"]) == 0
    assert capsys.readouterr().out == f"trusted  {file}\n"
    file.write_text("[limits]\ntime = 6\n")
    main(["trust", "--list"])
    assert capsys.readouterr().out == f"changed  {file}\n"
    assert main(["untrust"]) == 0
    assert capsys.readouterr().out == "No longer trusted.\n"


def test_trusting_a_folder_without_project_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", str(home)]) == 1
    assert capsys.readouterr().err.startswith("llmspell trust: cannot read")


def test_config_shows_values_and_where_they_came_from(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLMSPELL_TIME_LIMIT", "30")
    assert main(["config", "limits.time"]) == 0
    assert capsys.readouterr().out == "limits.time  30 s  LLMSPELL_TIME_LIMIT\n"


def test_config_with_a_wrong_value_fails_and_names_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLMSPELL_TIME_LIMIT", "soon")
    assert main(["config", "limits.time"]) == 1
    assert "wrong: LLMSPELL_TIME_LIMIT" in capsys.readouterr().err


def test_config_of_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "wands"]) == 1
    assert "no setting has 'wands' in its name" in capsys.readouterr().err


def test_an_interrupt_is_no_traceback(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> ModuleType:
        raise KeyboardInterrupt

    monkeypatch.setattr(models, "_store", interrupted)
    assert main(["models", "list"]) == 130
    assert capsys.readouterr().err == "stopped\n"
