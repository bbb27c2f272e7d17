"""``display``, as the reference knows it: a global from the beginning (``globals.lua``), and no entry point."""

from __future__ import annotations

from typing import ClassVar

from llmspell_kernel.bridges.declaration import Bridge


class Display(Bridge):
    """Shows values below the cell: tables, media, markup, and types of your own."""

    module: ClassVar[str] = "display"
    lua_part: ClassVar[str | None] = "lib.display"
    called_as: ClassVar[str | None] = "show"
