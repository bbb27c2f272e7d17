"""Lua modules as plain, typed, async Python: one class for each global that spells call.

What a package needs that brings modules of its own is here: subclass `Bridge`, export its methods, and name the class
as an entry point of the group ``llmspell.bridges``.
"""

from llmspell_kernel.bridges.declaration import Bridge, Handle, export, table_type
from llmspell_kernel.bridges.registry import Host, Results
from llmspell_kernel.engine.values import CallbackRef
from llmspell_kernel.language.annotations import option

__all__ = ["Bridge", "CallbackRef", "Handle", "Host", "Results", "export", "option", "table_type"]
