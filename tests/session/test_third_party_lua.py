"""A bridge of another package may bring Lua of its own: annotated functions that run where cells do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.reference import reference
from llmspell_kernel.session.outcome import Failed, Interrupted

if TYPE_CHECKING:
    from .conftest import Notebook, Offer, Open

SOURCE = """\
local native = ...
local M = {}

--- How a table of the weather looks.
---@class weather.Style
---@field unit? string

--- Says what the weather of a city is like.
--- ```lua
--- print(weather.describe("Oslo", 2)) --> Oslo: snow snow
--- ```
---@param city string|{ name: string }
---@param days? integer
---@param style? weather.Style
---@param hear? fun(line: string)
---@return string text
function M.describe(city, days, style, hear)
  local name = type(city) == "table" and city.name or city
  local kind = native.look(name)
  local text = name .. ":" .. (" " .. kind):rep(days or 1)
  if hear then hear(text) end
  return text
end

local function inner() error("no such place") end

--- Fails.
function M.fail() inner() end

--- Stays.
M.count = 3

function M.power() return tostring(io.popen), tostring(debug) end

return M
"""


class Weather(Bridge):
    """The weather."""

    module: ClassVar[str] = "weather"
    lua_code: ClassVar[str | None] = SOURCE

    def __init__(self, host: Any) -> None:
        self._host = host

    @export(returns="string")
    async def look(self, city: str) -> Any:
        """Look out of the window."""
        return "snow" if city == "Oslo" else "sun"


class Slow(Weather):
    """Never ready."""

    module: ClassVar[str] = "slow"
    lua_code: ClassVar[str | None] = "if not ready then while true do end end return { fine = true }"


class Broken(Weather):
    """Wrong."""

    module: ClassVar[str] = "broken"
    lua_code: ClassVar[str | None] = "return {\n  a = = 1\n}"


class Nothing(Weather):
    """Gives nothing."""

    module: ClassVar[str] = "nothing"
    lua_code: ClassVar[str | None] = "local x = 1"


@pytest.fixture
async def cell(open_notebook: Open, offer: Offer) -> Notebook:
    offer(Weather, Slow, Broken, Nothing)
    return await open_notebook()


async def test_its_functions_and_the_exported_ones_are_one_module(cell: Notebook) -> None:
    assert await cell.value("weather.describe('Oslo', 2)") == '"Oslo: snow snow"'
    assert await cell.value("weather.look('Rome'), weather.count, require('weather') == weather") == (
        '"sun"\t3\ttrue'
    )
    assert await cell.value("weather.describe({name = 'Rome'}, nil, {}, print)") == '"Rome: sun"'
    assert cell.last.out == "Rome: sun\n"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("weather.describe()", "#1 to 'weather.describe' (string or table expected, got nil)"),
        ("weather.describe(print)", "#1 to 'weather.describe' (string or table expected, got function)"),
        ("weather.describe('x', 1.5)", "#2 to 'weather.describe' (integer expected, got number)"),
        ("weather.describe('x', 1, 'y')", "#3 to 'weather.describe' (table expected, got string)"),
        ("weather.describe('x', 1, {}, 'y')", "#4 to 'weather.describe' (function expected, got string)"),
    ],
)
async def test_what_its_comments_say_of_arguments_is_checked(cell: Notebook, call: str, told: str) -> None:
    outcome = await cell.run(call)
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == f"bad argument {told}"
    assert outcome.problem.place == "cell 1:1"


async def test_an_error_in_it_shows_its_lines_and_the_callers(cell: Notebook) -> None:
    outcome = await cell.run("local function mine() weather.fail() end\nmine()")
    assert isinstance(outcome, Failed)
    text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(outcome.problem.traceback))
    assert "no such place" in text
    for place in (
        "weather.lua:25",
        "weather.lua:28",
        "cell 1:1 in function 'mine'",
        "cell 1:2 in main chunk",
    ):
        assert place in text, text
    assert 'error("no such place")' in text


async def test_it_may_do_no_more_than_a_cell(cell: Notebook) -> None:
    assert await cell.value("weather.power()") == '"nil"\t"nil"'


async def test_lua_that_never_ends_is_stopped_and_can_be_loaded_later(cell: Notebook) -> None:
    cell.session.tighten({"time": "0.3 s"})
    assert isinstance(await cell.run("return slow.fine"), Interrupted)
    cell.session.untighten()
    assert await cell.value("ready = true return slow.fine") == "true"


async def test_lua_that_cannot_be_loaded_says_why(cell: Notebook) -> None:
    outcome = await cell.run("broken.a()")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue.startswith("the Lua of module 'broken' cannot be loaded: broken.lua:2: ")
    outcome = await cell.run("nothing.a()")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == "the Lua of module 'nothing' must return a table of its members"


async def test_it_is_in_the_reference_and_completes(cell: Notebook) -> None:
    found = {entry.name: entry for entry in reference([Weather])}
    assert found["weather.describe"].doc == "Says what the weather of a city is like."
    assert found["weather.describe"].parameters[2].options[0].name == "unit"
    found_names = await cell.session.complete("weather.", 8, {})
    assert {"describe", "look"} <= {match.removeprefix("weather.") for match in found_names.matches}
    bundle = await cell.session.inspect("weather.describe", 16, 0)
    assert bundle is not None
    assert "Says what the weather" in bundle["text/plain"]
