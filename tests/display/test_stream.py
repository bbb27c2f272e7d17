"""Streamed text: shown at once, then at a steady pace, in the end whole."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmspell_kernel.display.stream import StreamedText, growing_bundle


class Screen:
    """Keeps what was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, bool]] = []

    def __call__(self, bundle: dict[str, Any], *, update: bool) -> None:
        self.shown.append((bundle["text/plain"], update))


@pytest.fixture
def screen() -> Screen:
    return Screen()


async def test_the_first_delta_is_shown_at_once(screen: Screen) -> None:
    StreamedText(screen).push("Once")
    assert screen.shown == [("Once", False)]


async def test_a_thousand_deltas_are_shown_a_few_times_and_the_last_one_too(screen: Screen) -> None:
    stream = StreamedText(screen, interval=0.02)
    for number in range(1000):
        stream.push(f"{number} ")
        if number % 100 == 0:
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.3)
    assert 2 <= len(screen.shown) <= 12
    assert screen.shown[-1] == (stream.text, True)
    assert stream.text.endswith("998 999 ")


async def test_the_end_shows_the_whole_answer_in_its_place(screen: Screen) -> None:
    stream = StreamedText(screen, interval=10)
    stream.push("Once ")
    stream.push("upon")
    stream.finish({"model": "small"})
    stream.push(" a time")
    assert screen.shown == [("Once ", False), ("Once upon\n\n— small", True)]


async def test_a_stop_leaves_what_came(screen: Screen) -> None:
    stream = StreamedText(screen, interval=10)
    stream.push("Once ")
    stream.push("upon")
    stream.stop("interrupted")
    assert screen.shown[-1] == ("Once upon\n\n— interrupted", True)


async def test_a_stop_before_anything_came_shows_nothing(screen: Screen) -> None:
    StreamedText(screen).stop("interrupted")
    assert screen.shown == []


async def test_no_timer_is_left_behind(screen: Screen) -> None:
    stream = StreamedText(screen, interval=0.01)
    stream.push("a")
    stream.push("b")
    stream.finish({"content": "ab"})
    await asyncio.sleep(0.05)
    assert len(screen.shown) == 2


def test_a_growing_answer_closes_its_code_block() -> None:
    bundle = growing_bundle("text\n```lua\nlocal x")
    assert bundle["text/markdown"] == "text\n```lua\nlocal x"
    assert bundle["text/html"].count("<pre>") == bundle["text/html"].count("</pre>") == 1


def test_the_caret_follows_the_last_word_and_is_no_text() -> None:
    assert '<p>Once upon<span class="ls-caret"></span></p>' in growing_bundle("Once upon")["text/html"]
    listed = growing_bundle("- one\n- two")["text/html"]
    assert listed.index("</ul>") < listed.index('<span class="ls-caret"></span>')
