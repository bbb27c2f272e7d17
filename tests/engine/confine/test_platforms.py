"""What other systems get, and what they are told they lack. (Tried on this one, under their names.)"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SOURCE = """
import json, os, resource, sys
from llmspell_kernel.engine.confine import Limits, adopt_parent, confine
sys.platform = sys.argv[1]
report = confine(Limits(parent=os.getppid(), keep=(1,), memory=1 << 30))
adopted = adopt_parent(os.getppid())
limits = [resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE)]
print(json.dumps([report.statuses(), adopted, limits, os.getpgid(0) == os.getpid()]))
"""


def under(platform: str) -> list[object]:
    finished = subprocess.run(
        [sys.executable, "-c", SOURCE, platform], env={}, capture_output=True, check=True, text=True
    )
    return json.loads(finished.stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix")
def test_macos_gets_resource_limits_and_is_told_the_rest() -> None:
    statuses, adopted, limits, own_group = under("darwin")
    assert statuses == {
        "environment": "active",
        "process group": "active",
        "descriptors": "active",
        "resource limits": "active",
        "memory": "unavailable",
        "system calls": "unavailable",
    }
    assert adopted is False
    assert limits == [0, 0]
    assert own_group


@pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix")
def test_windows_is_told_that_it_has_nothing() -> None:
    statuses, adopted, _, _ = under("win32")
    assert statuses == {"confinement": "unavailable"}
    assert adopted is False
