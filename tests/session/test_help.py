"""`help` in a cell: of functions of modules and of cells, of values, of names, of everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.session.outcome import Failed

if TYPE_CHECKING:
    from .conftest import Notebook

CELL = """
--- Puts money in.
---@param amount number
local function deposit(amount) return amount end
account = { deposit = deposit, owner = "ada" }
"""


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("help(llm.chat)", ["llm.chat(prompt, options?) → string|llm.Response", "Ask a model."]),
        ("help(agents.create)", ["agent.create(name, config?) → Agent"]),
        ("help(llm)", ["llm", "Models by name, answers whole or piece by piece."]),
        ("help(string.rep)", ["string.rep(s, n, sep?) → string"]),
        ("help(('x').rep)", ["string.rep(s, n, sep?) → string"]),
        ("help(print)", ["print(...)"]),
        (
            "help(table.getn)",
            ["table.getn(list) → integer", "Old: write `#list`. Returns the length of a list."],
        ),
        ("help(unpack)", ["unpack(list, first?, last?) → any"]),
        ("help('string.gfind')", ["string.gfind(text, pattern) → function"]),
        ("help(log.create('x'))", ["  warning       method  (message, fields?)"]),
        ("help(data)", ["  values          function  (items) → table"]),
        ("help(JSON)", ["rs-llmspell's JSON, over `json`: `JSON.parse`, `JSON.stringify`."]),
        ("help('llm.chat')", ["Ask a model."]),
        ("help('string')", ["string"]),
        (
            "help(promise.resolve(1))",
            ["Promise", "A value that is still to come, or the error that came in its place."],
        ),
        (CELL + "help(deposit)", ["deposit(amount)", "Puts money in."]),
        (CELL + "help(account.deposit)", ["deposit(amount)", "Puts money in."]),
        (CELL + "help(account)", ["account", "Type:    table", "Size:    2 entries"]),
        ("help(42)", ["value", "Type:  number", "Value: 42"]),
        ("help('two words')", ["value", 'Value: "two words"']),
    ],
)
async def test_help_explains(notebook: Notebook, code: str, lines: list[str]) -> None:
    await notebook.value(code)
    (bundle, _, _) = notebook.last.shown[0]
    shown = bundle["text/plain"].splitlines()
    assert [line for line in lines if line not in shown] == [], bundle["text/plain"]
    assert set(bundle) == {"text/plain", "text/markdown", "text/html"}


async def test_help_alone_lists_everything(notebook: Notebook) -> None:
    await notebook.value("help()")
    shown = notebook.last.shown[0][0]["text/plain"]
    assert "  llm " in shown
    assert "  string " in shown
    assert "  print " in shown


async def test_an_unknown_name_is_an_error_with_the_nearest(notebook: Notebook) -> None:
    outcome = await notebook.run("help('llm.caht')")
    assert isinstance(outcome, Failed)
    assert "nothing is known of 'llm.caht': did you mean 'llm.chat'?" in outcome.problem.evalue
    outcome = await notebook.run("help(not_there)")
    assert isinstance(outcome, Failed)
    assert "the value is nil" in outcome.problem.evalue


async def test_help_runs_no_code_of_the_value(notebook: Notebook) -> None:
    code = """local function evil() error("ran") end
    local meta = { __index = evil, __pairs = evil, __tostring = evil, __eq = evil, __len = evil }
    help(setmetatable({ visible = 1 }, meta))"""
    await notebook.value(code)
    assert "visible" in notebook.last.shown[0][0]["text/plain"]


async def test_every_old_name_is_explained_where_cells_find_it(notebook: Notebook) -> None:
    code = """for _, library in ipairs{ "table", "string", "math" } do
      for name in pairs(_G[library]) do help(library .. "." .. name) end
    end"""
    await notebook.value(code)
    texts = [bundle["text/plain"] for bundle, _, _ in notebook.last.shown]
    assert len(texts) > 60
    assert [text for text in texts if text.count("\n\n") < 2] == []


async def test_a_name_that_an_earlier_cell_made_is_no_mistake(notebook: Notebook) -> None:
    await notebook.run(
        "function Total(x) return x end _G['Count'] = 1 local Sum = 2 error('made all the same')"
    )
    await notebook.run("local total, count, sum = 1, 2, 3 return Total(total), Count + count, Sum + sum")
    assert notebook.last.err == ""
    await notebook.run("print(tostrng)")
    assert notebook.last.err == "warning, line 1: 'tostrng' is not defined: did you mean 'tostring'?\n"


async def test_an_option_is_completed_though_its_beginning_is_a_keyword(notebook: Notebook) -> None:
    code = "json.encode({}, { in"
    assert (await notebook.session.complete(code, len(code), {})).matches[0] == "indent = "
