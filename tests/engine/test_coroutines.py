"""Coroutines and protected calls of cells: Lua's own meaning, and a maker that is replaced when it dies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_host import FakeHost

from llmspell_kernel.engine.state import LuaState

if TYPE_CHECKING:
    from conftest import LuaHarness

RUN = """
local code, cell = ...
return pcall(load(code, "=cell 1", "t", cell and require("sandbox").build() or _G))
"""

SAME = [
    "return select('#', coroutine.resume(coroutine.create(function() end)))",
    "return select('#', coroutine.wrap(function() end)())",
    "return select('#', coroutine.wrap(function() coroutine.yield(nil, nil) end)())",
    "return select('#', coroutine.resume(coroutine.create(function(...) return select('#', ...) end), nil, nil))",
    "return select('#', pcall(function() end)), select('#', pcall(function() return nil, nil end))",
    "return select(2, pcall(function() coroutine.create(7) end))",
    "return select(2, pcall(function() coroutine.wrap({}) end))",
    "return select(2, pcall(function() coroutine.create() end))",
    "return select(2, pcall(function() coroutine.wrap('f') end))",
    "return pcall(coroutine.create, print) == true",
    "return select(2, xpcall(function(...) return ... end, print, 5))",
    "return xpcall(error, function(e) return e .. '!' end, 'x')",
    "local h = function(e) return e .. '!' end return xpcall(error, h, 'a'), select(2, xpcall(error, h, 'b'))",
    "return select(2, pcall(xpcall, print, 7))",
    "local ok, e = xpcall(error, setmetatable({}, {__eq = function() return true end}), 1) return ok, e",
    "return pcall(error, setmetatable({}, {__eq = function() return true end})) == false",
    "return select(2, pcall(error, 'ends in \\3'))",
]


@pytest.mark.parametrize("code", SAME)
def test_cells_see_what_lua_itself_gives(lua: LuaHarness, code: str) -> None:
    assert lua.run(RUN, code.encode(), True) == lua.run(RUN, code.encode(), False)


def test_a_maker_that_died_is_replaced(lua: LuaHarness) -> None:
    made = lua.run("""
      local coroutines = require("coroutines")
      local made = 0
      for turn = 1, 50 do
        assert(not pcall(coroutines.create, nil)) -- kills it
        if coroutine.resume(coroutines.create(function() made = made + 1 end)) then end
      end
      return made
    """)
    assert made == 50


def test_makers_inherit_what_the_seed_has(lua: LuaHarness) -> None:
    assert lua.run("""
      local coroutines = require("coroutines")
      debug.sethook(coroutines.seed, function() end, "", 1000)
      local function hooked(thread) return select(3, debug.gethook(thread)) == 1000 end
      local first = coroutines.create(print)
      pcall(coroutines.create, nil)
      local second = coroutines.create(print)
      coroutines.configure()
      return hooked(first) and hooked(second) and hooked(coroutines.create(print))
        and hooked(coroutines.create_uncounted(print)) and not hooked(coroutine.create(print))
    """)


def test_where_memory_is_short_the_next_coroutine_can_be_made() -> None:
    state = LuaState(FakeHost(), memory_limit=64 << 20)
    assert state.run("""
      local create = require("coroutines").create
      local kept, ok, why = {}, true, nil
      while ok do
        ok, why = pcall(create, function() end)
        kept[#kept + 1] = ok and why or nil
      end
      local made = #kept
      kept = nil
      collectgarbage()
      for _ = 1, 1000 do create(function() end) end
      return why == "not enough memory" and made > 100
    """)


def test_where_memory_shows_that_few_are_alive_they_are_not_noted() -> None:
    state = LuaState(FakeHost())
    made, alive, all_told, later = state.run("""
      local coroutines, limits = require("coroutines"), require("limits")
      limits.most.coroutines = 100000
      for _ = 1, 10000 do coroutines.create(print) end
      local made, alive, exact = coroutines.used()
      coroutines.begin_cell()
      kept = { coroutines.create(print) }
      local later = coroutines.used()
      return made, alive, exact, later
    """)
    assert made == 10000
    assert alive < 5000
    assert not all_told
    assert later == 1


@pytest.mark.parametrize("most", [500, 5000, 20000])
def test_the_limit_holds_although_not_all_are_noted(most: int) -> None:
    state = LuaState(FakeHost(), memory_limit=512 << 20)
    held = state.run(
        """
      local most = ...
      local coroutines, limits = require("coroutines"), require("limits")
      limits.most.coroutines = most
      local kept, ok = {}, true
      while ok and #kept < 10 * most do
        ok = pcall(function() kept[#kept + 1] = coroutines.create(print) end)
      end
      return #kept
    """,
        most,
    )
    assert most <= held < 2 * most
    if most == 500:  # all of few are noted
        assert held == most
