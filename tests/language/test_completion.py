"""Completion: a table of cases over a real Lua state, and what a table cannot say."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.language.intelligence import Intelligence
from llmspell_kernel.language.live import Fields, Names, NoState, Row
from tests.language.world import CELLS, MAGICS, RealLua, cut, intelligence

if TYPE_CHECKING:
    from llmspell_kernel.language.candidates import Completions, Item
    from llmspell_kernel.language.live import LiveState

TABLE = Path(__file__).with_name("completion_cases.txt")
CASES = [line for line in TABLE.read_text("utf-8").splitlines() if "→" in line]


@pytest.fixture(scope="module")
def live() -> RealLua:
    return RealLua()


@pytest.fixture(scope="module")
def mind() -> Intelligence:
    return intelligence()


async def complete(mind: Intelligence, live: LiveState, marked: str) -> Completions:
    code, offset = cut(marked)
    return await mind.complete(code, offset, live, MAGICS)


def test_the_table_is_large() -> None:
    assert len(CASES) >= 150


@pytest.mark.parametrize("case", CASES)
async def test_case(case: str, mind: Intelligence, live: RealLua) -> None:
    marked, _, offered = case.partition("  →  ")
    marked = marked.replace("⏎", "\n")
    start = marked.find("‹")
    code, offset = cut(marked.replace("‹", ""))
    found = await mind.complete(code, offset, live, MAGICS)
    expected = [text.replace("⏎", "\n") for text in offered.split(" ‖ ") if text]
    if expected and expected[-1] == "…":
        assert found.matches[: len(expected) - 1] == expected[:-1]
        assert len(found.matches) > len(expected)
    else:
        assert found.matches == expected
    assert (found.start, found.end) == (offset if start < 0 else start, offset)
    for item in found.items:
        assert (item.start, item.end) == (found.start, found.end)


async def item(mind: Intelligence, live: LiveState, marked: str, text: str) -> Item:
    found = await complete(mind, live, marked)
    return next(item for item in found.items if item.text == text)


@pytest.mark.parametrize(
    ("marked", "text", "kind", "signature", "doc"),
    [
        (
            "string.r|",
            "rep",
            "function",
            "(s, n, sep?) → string",
            "Returns `n` copies of `s`, with `sep` between them.",
        ),
        (
            "greeting:r|",
            "rep",
            "method",
            "(s, n, sep?) → string",
            "Returns `n` copies of `s`, with `sep` between them.",
        ),
        (
            "llm.ch|",
            "chat",
            "function",
            "(prompt, options?) → llm.Response, Error?",
            "Sends a prompt and waits for the answer.",
        ),
        ("account:|", "deposit", "method", "(amount)", "Puts money in."),
        ("Account.|", "new", "function", "(owner, balance?) → Account", "Opens an account."),
        ("only_live.|", ".beta", "function", "(x, y, ...)", ""),
        ("only_live.a|", "alpha", "number", "", "1"),
        ("greet|", "greeting", "string", "", '"hello"'),
        ("cou|", "count", "function", "()", "Counts up."),
        ("math.p|", "pi", "number", "", "The number π."),
        ("ll|", "llm", "module", "", "Asks language models."),
        ("%who|", "%whos", "magic", "", "with values"),
        ("llm.chat{ mo|", "model = ", "string", "", "which model answers"),
        ("llm.chat{ model = '|", "gpt-5'", "model", "", ""),
        ("function f(amount) am|", "amount", "parameter", "", ""),
        ("---@param amount number⏎function f(amount) am|", "amount", "parameter", "", "number"),
        ("session:|", "send", "method", "(text)", "Sends a message."),
        ("whi|", "while", "keyword", "", ""),
    ],
)
async def test_items_tell_type_signature_and_documentation(
    mind: Intelligence, live: RealLua, marked: str, text: str, kind: str, signature: str, doc: str
) -> None:
    found = await item(mind, live, marked.replace("⏎", "\n"), text)
    assert (found.type, found.signature, found.doc) == (kind, signature, doc)


async def test_the_metadata_is_what_jupyter_front_ends_read(mind: Intelligence, live: RealLua) -> None:
    found = await complete(mind, live, "string.rep|")
    assert found.metadata() == {
        "_jupyter_types_experimental": [
            {
                "start": 7,
                "end": 10,
                "text": "rep",
                "type": "function",
                "signature": "(s, n, sep?) → string",
                "documentation": "Returns `n` copies of `s`, with `sep` between them.",
            }
        ]
    }


async def test_while_a_cell_runs_the_last_snapshot_answers(mind: Intelligence, live: RealLua) -> None:
    snapshot = live.snapshot()
    asked = len(live.asked)
    assert (await complete(mind, snapshot, "only_live.b|")).matches == ["beta"]
    assert (await complete(mind, snapshot, "only_l|")).matches == ["only_live"]
    assert (await complete(mind, snapshot, "account:d|")).matches == ["deposit"]
    assert (await complete(mind, snapshot, "string.re|")).matches == ["rep", "reverse"]
    assert len(live.asked) == asked


class Stuck(NoState):
    """A state that never answers."""

    async def fields(self, path: object, prefix: str = "", limit: int = 2000) -> Fields | None:
        await asyncio.sleep(60)

    async def names(self, prefix: str = "", limit: int = 2000) -> Names | None:
        await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("marked", "offered"),
    [
        ("account.bal|", ["balance"]),
        ("coun|", ["count", "counter"]),
        ("local x = account or cfg or people x.own|", ["owner"]),
    ],
)
async def test_a_state_that_does_not_answer_is_not_waited_for(
    mind: Intelligence, marked: str, offered: list[str]
) -> None:
    found = await asyncio.wait_for(complete(mind, Stuck(), marked), 20)
    assert found.matches == offered


async def test_the_texts_alone_complete_a_notebook_that_never_ran() -> None:
    mind = Intelligence()
    mind.follow(CELLS)
    assert (await complete(mind, NoState(), "account:|")).matches == ["deposit", "withdraw", "new"]
    assert (await complete(mind, NoState(), "cfg.ne|")).matches == ["nested"]


async def test_later_cells_win_and_forgotten_ones_are_gone() -> None:
    mind = Intelligence()
    mind.follow({"cell 1": "t = { old = 1 }", "cell 2": "t = { new = 1 }"})
    assert (await complete(mind, NoState(), "t.|")).matches == ["new"]
    mind.follow({"cell 1": "t = { old = 1 }"})
    assert (await complete(mind, NoState(), "t.|")).matches == ["old"]


@pytest.mark.parametrize("offset", [-5, 0, 3, 4, 1000])
async def test_a_cursor_outside_the_text_is_put_inside(
    mind: Intelligence, live: RealLua, offset: int
) -> None:
    found = await mind.complete("prin", offset, live, MAGICS)
    assert 0 <= found.start <= found.end <= 4


async def test_every_cursor_in_a_cell_gets_an_answer(mind: Intelligence, live: RealLua) -> None:
    code = CELLS["cell 2"]
    for offset in range(len(code) + 1):
        found = await mind.complete(code, offset, live, MAGICS)
        assert found.start <= offset == found.end


async def test_very_many_names_are_bounded(mind: Intelligence) -> None:
    class Many(NoState):
        async def names(self, prefix: str = "", limit: int = 2000) -> Names | None:
            return Names([Row(f"name_{number}", "number") for number in range(5000)], truncated=True)

    found = await complete(mind, Many(), "nam|")
    assert len(found.matches) == 1000
