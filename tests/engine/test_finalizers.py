"""Finalizers: the engine's own run, a cell's never."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lupa.lua54 as lua54
import pytest

from llmspell_kernel.engine import finalizers

if TYPE_CHECKING:
    from conftest import LuaHarness

COUNT = """
local set, key = ...
local ran = 0
local function make()
  for _ = 1, 100 do set({}, { [key] = function() ran = ran + 1 end }) end
end
make()
collectgarbage()
return ran
"""


def test_finalizers_have_a_secret_name_here(lua: LuaHarness) -> None:
    assert lua.run("return require('finalizer')").startswith(b"__gc ")


def test_only_the_secret_name_finalizes(lua: LuaHarness) -> None:
    run = "return assert(load(...))(setmetatable, {})"
    assert lua.run(run.format("'__gc'"), COUNT.encode()) == 0
    assert lua.run(run.format("require('finalizer')"), COUNT.encode()) == 100


def test_the_secret_name_outlives_collections(lua: LuaHarness) -> None:
    lua.run("for i = 1, 20 do collectgarbage() local t = {} for j = 1, 1000 do t[j] = 'x' .. j end end")
    assert lua.run("return assert(load(...))(setmetatable, require('finalizer'))", COUNT.encode()) == 100


def test_a_cell_sets_metatables_with_lua_s_own_function(lua: LuaHarness) -> None:
    assert lua.run("return require('sandbox').build().setmetatable == setmetatable")


def test_where_the_name_cannot_be_changed_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finalizers, "_SEARCHED", 8)
    runtime = lua54.LuaRuntime(encoding=None, register_eval=False)
    assert finalizers.rename(runtime) == b"__gc"
    run = runtime.eval(b"function(code) return assert(load(code))(setmetatable, '__gc') end")
    assert run(COUNT.encode()) == 100


HIDDEN = """
local set = require("sandbox").build().setmetatable
local ran
local meta = { __index = { x = 1 }, __gc = function() ran = true end }
local made = set({}, meta)
local kept = made.x == 1 and meta.__gc ~= nil and getmetatable(made) == meta
local protected = set({}, { __metatable = "no" })
local refused = not pcall(set, protected, meta) and not pcall(set, 1, meta) and meta.__gc ~= nil
made = nil
collectgarbage()
return kept, refused, ran == nil
"""


def test_the_sandbox_then_hides_the_field_from_lua(lua: LuaHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finalizers, "_SEARCHED", 8)
    assert type(lua)().run(HIDDEN) == (True, True, True)
