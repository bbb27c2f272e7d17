"""Inspection: a table of cases over a real Lua state, and the forms that it is shown in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llmspell_kernel.language.intelligence import Intelligence
from llmspell_kernel.language.live import NoState
from tests.language.world import CELLS, RealLua, cut, intelligence

if TYPE_CHECKING:
    from llmspell_kernel.language.live import LiveState

TABLE = Path(__file__).with_name("inspection_cases.txt")


def read_cases() -> list[tuple[str, int, list[str]]]:
    cases: list[tuple[str, int, list[str]]] = []
    for line in TABLE.read_text("utf-8").splitlines():
        if line.startswith(">>>"):
            marks, _, code = line.partition(" ")
            cases.append((code.replace("⏎", "\n"), len(marks) - 3, []))
        elif line.strip() and not line.startswith("# "):
            cases[-1][2].append(line)
    return cases


CASES = read_cases()


@pytest.fixture(scope="module")
def live() -> RealLua:
    return RealLua()


@pytest.fixture(scope="module")
def mind() -> Intelligence:
    return intelligence()


async def inspect(mind: Intelligence, live: LiveState, marked: str, detail: int = 0) -> dict[str, Any] | None:
    code, offset = cut(marked)
    return await mind.inspect(code, offset, detail, live)


def plain(text: str) -> str:
    return re.sub(r"[ \t]+", " ", text.strip())


def test_the_table_is_large() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize(("marked", "detail", "lines"), CASES, ids=[case[0] for case in CASES])
async def test_case(marked: str, detail: int, lines: list[str], mind: Intelligence, live: RealLua) -> None:
    found = await inspect(mind, live, marked, detail)
    if lines == ["nothing"]:
        assert found is None
        return
    assert found is not None
    shown = [plain(line) for line in found["text/plain"].splitlines()]
    for line in lines:
        if line.startswith("!"):
            assert plain(line[1:]) not in shown
            assert not any(other.startswith(plain(line[1:])) for other in shown)
        else:
            assert plain(line) in shown


async def test_the_three_forms_say_the_same(mind: Intelligence, live: RealLua) -> None:
    found = await inspect(mind, live, "llm.chat|")
    assert found is not None
    assert list(found) == ["text/plain", "text/markdown", "text/html"]
    markdown, html = found["text/markdown"], found["text/html"]
    assert markdown.startswith("```lua\nllm.chat(prompt, options?) → llm.Response, Error?\n```\n")
    assert "| `prompt` | `string\\|table` | what to ask |" in markdown
    assert '<code class="language-lua">llm.chat(prompt, options?)' in html
    assert "<td><code>&nbsp;&nbsp;model</code></td><td>string</td><td>which model answers</td>" in html


async def test_values_cannot_become_markup() -> None:
    live = RealLua("""x = "<script>alert(1)</script> `code` | bar" """)
    found = await inspect(Intelligence(), live, "x|")
    assert found is not None
    assert "<script>" not in found["text/html"]
    assert "&lt;script&gt;" in found["text/html"]
    assert '`` "<script>alert(1)</script> `code` | bar" ``' in found["text/markdown"]


async def test_while_a_cell_runs_the_texts_and_the_snapshot_answer(mind: Intelligence, live: RealLua) -> None:
    snapshot = live.snapshot()
    asked = len(live.asked)
    found = await inspect(mind, snapshot, "account:deposit|")
    assert found is not None
    assert "Puts money in." in found["text/plain"]
    found = await inspect(mind, snapshot, "only_live.beta|")
    assert found is not None
    assert found["text/plain"].startswith("only_live.beta(x, y, ...)")
    assert len(live.asked) == asked


async def test_a_notebook_that_never_ran_is_inspected_from_its_texts() -> None:
    mind = Intelligence()
    mind.follow(CELLS)
    found = await inspect(mind, NoState(), "Account.new|", 1)
    assert found is not None
    assert "Opens an account." in found["text/plain"]
    assert "function Account.new(owner, balance)" in found["text/plain"]


async def test_source_is_found_in_cells_of_long_ago() -> None:
    mind = Intelligence()
    cells = {"cell 1": "\n\n-- First.\nfunction first(a)\n  return a\nend"}
    mind.follow(cells | {f"cell {number}": f"v{number} = {number}" for number in range(2, 400)})
    live = RealLua("first = load('\\n\\n\\nreturn function(a)\\n  return a\\nend', '=cell 1')()")
    found = await inspect(mind, live, "first|", 1)
    assert found is not None
    assert found["text/plain"].endswith("Source:\n  -- First.\n  function first(a)\n    return a\n  end")


async def test_every_cursor_in_a_cell_gets_an_answer(mind: Intelligence, live: RealLua) -> None:
    code = CELLS["cell 1"]
    for offset in range(-1, len(code) + 2):
        await mind.inspect(code, offset, 1, live)
