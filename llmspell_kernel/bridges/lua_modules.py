"""The modules that are written in Lua: each a file of ``engine/lua/lib/`` whose comments are its reference.

They come through the same door as every bridge (the entry point group ``llmspell.bridges``), but nothing of them runs
in the kernel process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from llmspell_kernel.bridges.declaration import Bridge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell_kernel.bridges.registry import Host


class LuaModule(Bridge):
    """A module without a part in Python."""

    def __init__(self, host: Host) -> None:
        """Nothing of `host` is needed."""


class Promise(LuaModule):
    """Values that are still to come."""

    module: ClassVar[str] = "promise"
    lua_part: ClassVar[str | None] = "lib.promise"


class Async(LuaModule):
    """Tasks, waiting, channels."""

    module: ClassVar[str] = "async"
    aliases: ClassVar[tuple[str, ...]] = ("core",)
    lua_part: ClassVar[str | None] = "lib.async"
    called_as: ClassVar[str | None] = "spawn"


class Channel(LuaModule):
    """Values from task to task."""

    module: ClassVar[str] = "channel"
    lua_part: ClassVar[str | None] = "lib.channel"


class Workflow(LuaModule):
    """Steps put together: one after the other, side by side, by conditions, in loops."""

    module: ClassVar[str] = "workflow"
    lua_part: ClassVar[str | None] = "lib.workflow"
    lua_more: ClassVar[tuple[str, ...]] = ("lib.workflow_builder", "lib.workflow_object")


class Errors(LuaModule):
    """Error objects, catching them, trying again."""

    module: ClassVar[str] = "errors"
    lua_part: ClassVar[str | None] = "lib.errors"


class Events(LuaModule):
    """Who is interested in what happens says so, and is told."""

    module: ClassVar[str] = "events"
    lua_part: ClassVar[str | None] = "lib.events"


class Hooks(LuaModule):
    """Functions that run before, after and around calls."""

    module: ClassVar[str] = "hooks"
    lua_part: ClassVar[str | None] = "lib.hooks"


class Log(LuaModule):
    """Lines about what goes on, with levels and fields."""

    module: ClassVar[str] = "log"
    aliases: ClassVar[tuple[str, ...]] = ("logging",)
    lua_part: ClassVar[str | None] = "lib.log"


class Testing(LuaModule):
    """Groups of tests, what they expect, and stand-ins."""

    module: ClassVar[str] = "testing"
    lua_part: ClassVar[str | None] = "lib.testing"
    lua_more: ClassVar[tuple[str, ...]] = ("lib.testing_expect", "lib.testing_mock")


class Compat(LuaModule):
    """Names of Lua 5.1 that older spells use; the globals and libraries have them too."""

    module: ClassVar[str] = "compat"
    lua_part: ClassVar[str | None] = "lib.compat"
    elsewhere: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "": ("unpack", "loadstring"),
        "table": ("getn", "maxn", "foreach", "foreachi"),
        "string": ("gfind",),
        "math": ("pow", "mod", "log10", "sinh", "cosh", "tanh", "ldexp", "frexp"),
    }


class Utils(LuaModule):
    """Small helpers that older spells use."""

    module: ClassVar[str] = "utils"
    lua_part: ClassVar[str | None] = "lib.utils"


class Parallel(LuaModule):
    """Computing on all cores, in forks of the engine."""

    module: ClassVar[str] = "parallel"
    lua_part: ClassVar[str | None] = "lib.parallel"
