"""papermill writes parameters into Lua notebooks.

papermill has no entry point for translators, but it imports every ``papermill.engine`` entry point when it starts:
importing this module registers ours.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # papermill is untyped: what of it is used here

    class NBClientEngine:
        """Runs notebooks with nbclient."""

    class Translator:
        """Writes parameters in some language."""

        @classmethod
        def translate(cls, val: Any) -> str: ...

    class Translators:
        """The translators by language."""

        def register(self, language: str, translator: type[Translator]) -> None: ...

    papermill_translators = Translators()

else:
    from papermill.engines import NBClientEngine
    from papermill.translators import Translator, papermill_translators

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEYWORDS = frozenset(
    [
        *(
            "and",
            "break",
            "do",
            "else",
            "elseif",
            "end",
            "false",
            "for",
            "function",
            "goto",
            "if",
            "in",
            "local",
        ),
        *("nil", "not", "or", "repeat", "return", "then", "true", "until", "while"),
    ]
)


class LuaTranslator(Translator):
    """Parameters as Lua assignments, one a line."""

    @classmethod
    def translate(cls, val: Any) -> str:
        """Write a JSON-like value as a Lua literal."""
        if isinstance(val, float) and not math.isfinite(val):
            return "0/0" if math.isnan(val) else ("math.huge" if val > 0 else "-math.huge")
        return super().translate(val)

    @classmethod
    def translate_none(cls, val: Any) -> str:
        """None is nil."""
        return "nil"

    @classmethod
    def translate_bool(cls, val: bool) -> str:
        """Booleans are written in lower case."""
        return "true" if val else "false"

    @classmethod
    def translate_str(cls, val: str) -> str:
        """Quote a string; control characters are written as escapes."""
        escaped = val.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
        return (
            '"' + re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", lambda m: f"\\{ord(m[0]):03d}", escaped) + '"'
        )

    @classmethod
    def translate_list(cls, val: list[Any]) -> str:
        """A list is a table."""
        return "{" + ", ".join(cls.translate(item) for item in val) + "}"

    @classmethod
    def translate_dict(cls, val: dict[str, Any]) -> str:
        """A map is a table; keys that are no names are bracketed."""
        return "{" + ", ".join(f"{cls._key(key)} = {cls.translate(item)}" for key, item in val.items()) + "}"

    @classmethod
    def _key(cls, key: Any) -> str:
        if isinstance(key, str) and _NAME.fullmatch(key) and key not in _KEYWORDS:
            return key
        return f"[{cls.translate(key)}]"

    @classmethod
    def comment(cls, cmt_str: str) -> str:
        """Write a comment line."""
        return f"-- {cmt_str}".strip()


class LuaEngine(NBClientEngine):
    """papermill's own engine; it is named so that the module is imported."""


papermill_translators.register("lua", LuaTranslator)
