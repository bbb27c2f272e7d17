from __future__ import annotations

import struct

import pytest

from llmspell_kernel.engine.confine import landlock


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        (1, (0x1FFF,)),
        (2, (0x3FFF,)),
        (3, (0x7FFF,)),
        (4, (0x7FFF, 3)),
        (5, (0xFFFF, 3)),
        (6, (0xFFFF, 3, 3)),
        (9, (0xFFFF, 3, 3)),
    ],
)
def test_each_version_is_asked_for_all_that_it_can(version: int, fields: tuple[int, ...]) -> None:
    assert struct.unpack(f"={len(fields)}Q", landlock.attribute(version)) == fields


def test_what_a_version_covers_is_said() -> None:
    assert landlock.covers(1) == "files"
    assert landlock.covers(4) == "files, TCP"
    assert landlock.covers(7) == "files, TCP, signals and abstract sockets"
