"""The Lua state: what its own modules see."""

from __future__ import annotations

from typing import Any


def test_engine_modules_load_once_and_see_no_python(lua: Any) -> None:
    assert lua.run("return require('host') == require('host'), python, package.loaded.python") == (
        True,
        None,
        None,
    )


def test_host_functions_are_lua_functions(lua: Any) -> None:
    assert lua.run("return type(require('host').now), require('host').now() > 0") == (b"function", True)
