"""``ilua``: the names that notebooks for xeus-lua use."""

from __future__ import annotations

from typing import ClassVar

from llmspell_kernel.bridges.lua_modules import LuaModule


class Ilua(LuaModule):
    """The names that notebooks written for xeus-lua use: `ilua.display` and `ilua.widgets`."""

    module: ClassVar[str] = "ilua"
    lua_part: ClassVar[str | None] = "lib.ilua"
