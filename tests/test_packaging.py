"""What a wheel holds, and that installing it is all it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KERNELSPEC = {"kernel.json", "logo-32x32.png", "logo-64x64.png", "logo-svg.svg"}


def run(*command: str, **environ: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run("hatchling", "build", "--target", "wheel", "--directory", str(folder))
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def prefix(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel was installed, without what it depends on."""
    folder = tmp_path_factory.mktemp("prefix")
    run(
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--ignore-installed",
        "--prefix",
        str(folder),
        str(wheel),
    )
    return folder


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "llmspell_kernel").rglob("*")
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.parts)
    }
    assert ours - names == set()
    assert "llmspell_kernel/engine/lua/boot.lua" in names
    assert {f"llmspell_kernel/kernelspec/{name}" for name in KERNELSPEC} <= names


def test_nothing_but_the_package_is_importable_from_the_wheel(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.startswith("llmspell_kernel-")} == {"llmspell_kernel"}


def test_installing_the_wheel_makes_the_kernel_selectable(prefix: Path) -> None:
    data = prefix / "share" / "jupyter"
    listed = json.loads(
        run("jupyter", "kernelspec", "list", "--json", JUPYTER_PATH=str(data), JUPYTER_PREFER_ENV_PATH="0")
    )
    entry = listed["kernelspecs"]["llmspell-lua"]
    assert entry["spec"]["argv"] == ["python", "-m", "llmspell_kernel", "-f", "{connection_file}"]
    assert entry["spec"]["display_name"] == "LLMSpell Lua"
    assert entry["spec"]["language"] == "lua"
    assert entry["spec"]["interrupt_mode"] == "message"
    folder = Path(entry["resource_dir"])
    assert folder == data / "kernels" / "llmspell-lua"
    assert {path.name for path in folder.iterdir()} == KERNELSPEC


def test_installing_the_wheel_gives_the_command(prefix: Path, tmp_path: Path) -> None:
    [site] = prefix.glob("[Ll]ib/**/site-packages")
    command = next(
        path for path in (prefix / "bin" / "llmspell", prefix / "Scripts" / "llmspell.exe") if path.exists()
    )
    environ = {
        **os.environ,
        "PYTHONPATH": str(site),
        "HOME": str(tmp_path),
        "JUPYTER_DATA_DIR": str(tmp_path / "jupyter"),
    }
    ran = subprocess.run([command, "install"], env=environ, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert {path.name for path in (tmp_path / "jupyter/kernels/llmspell-lua").iterdir()} == KERNELSPEC


@pytest.mark.parametrize("size", [32, 64])
def test_logos_are_pngs_of_the_size_they_name(size: int) -> None:
    content = (ROOT / "kernelspec" / f"logo-{size}x{size}.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert (int.from_bytes(content[16:20]), int.from_bytes(content[20:24])) == (size, size)
