"""The tutorials run, and their saved outputs are true."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.session.models import weights_folder
from tests.conftest import ROOT, require

if TYPE_CHECKING:
    from pathlib import Path

TUTORIALS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_gives_what_it_shows(tutorial: Path, jupyter_home: Path) -> None:
    require(
        str(weights_folder()) if any(weights_folder().rglob("*.gguf")) else None,
        "the tutorials ask the local model: run `llmspell models pull` to have it",
    )
    shutil.copy(tutorial, jupyter_home)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", tutorial.name, "-q", "-p", "no:cacheprovider"],
        cwd=jupyter_home,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
