from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confined import Confined

collect_ignore_glob = (
    [] if sys.platform == "linux" else ["test_linux*.py", "test_seccomp.py", "test_landlock.py"]
)

ORDINARY_USER = 1000


@pytest.fixture(scope="module", params=["as_started", "as_ordinary_user"])
def confined(request: pytest.FixtureRequest) -> Iterator[Confined]:
    """A confined process; where the tests run as the superuser, a second one as an ordinary user."""
    from confined import Confined

    ordinary = request.param == "as_ordinary_user"
    if ordinary and os.geteuid() != 0:
        pytest.skip("needs the superuser, to become someone else; the tests run as an ordinary user already")
    process = Confined(uid=ORDINARY_USER if ordinary else None, memory=64 << 20)
    yield process
    process.close()
