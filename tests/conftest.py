"""Fixtures that every part of the tests shares."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import hypothesis
import pytest
from jupyter_client.kernelspec import KernelSpecManager

ROOT = Path(__file__).parents[1]
REQUIRE_ALL = os.environ.get("LLMSPELL_TEST_REQUIRE_ALL") == "1"

# what a run of all tests says depends on the code, on no clock and no luck; HYPOTHESIS_PROFILE=exploring tries its luck
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.register_profile("exploring", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def require(part: str | None, advice: str) -> str:
    """Return `part`, or skip the test with `advice`; where everything is required, fail instead."""
    if part is not None:
        return part
    if REQUIRE_ALL:
        pytest.fail(advice)
    pytest.skip(advice)


@pytest.fixture
def chromium() -> str:
    """The path of a Chromium, without which a browser test cannot run."""
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))),
        None,
    )
    return require(
        found, "no Chromium here: install it (on Debian: apt-get install chromium) to run the browser tests"
    )


@pytest.fixture
def jupyter_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Private Jupyter folders that know our kernel and nothing of the person's."""
    for name in (
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "JUPYTER_CONFIG_DIR",
        "IPYTHONDIR",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
    ):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    KernelSpecManager().install_kernel_spec(
        str(ROOT / "kernelspec"), "llmspell-lua", prefix=str(tmp_path / "prefix")
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "prefix" / "share" / "jupyter"))
    return tmp_path
