"""``memory``: what a spell wants to remember. It is written in Lua, over ``rag``."""

from __future__ import annotations

from typing import ClassVar

from llmspell_kernel.bridges.declaration import Bridge
from llmspell_kernel.bridges.registry import Host


class MemoryBridge(Bridge):
    """Short notes that last from notebook to notebook of a project, found again by their meaning."""

    module: ClassVar[str] = "memory"
    lua_part: ClassVar[str | None] = "lib.memory"

    def __init__(self, host: Host) -> None:
        """Nothing of `host` is needed."""
