"""The kinds of value a setting can have: how each is read and how it is shown.

The same reader serves TOML and the environment, so a value may always be written as text: `"30s"`,
`"512MB"`, `"off"`. Readers raise `ValueError` whose text completes the sentence "expected …".
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import msgspec

from llmspell_kernel.config.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = {"ms": 0.001, "s": 1, "": 1, "m": 60, "min": 60, "h": 3600}
_DECIMAL = {"": 1, "b": 1, "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9}
_BYTES = _DECIMAL | {"kib": 2**10, "mib": 2**20, "gib": 2**30}
_SHOWN = (("GiB", 2**30), ("GB", 10**9), ("MiB", 2**20), ("MB", 10**6), ("KiB", 2**10), ("KB", 10**3))
_NUMBER = re.compile(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE)
_FLAGS = {
    "true": True,
    "on": True,
    "yes": True,
    "1": True,
    "false": False,
    "off": False,
    "no": False,
    "0": False,
}
_NONE = ("none", "unlimited")
_MOST = 2**53


class Kind(msgspec.Struct, frozen=True):
    """A kind of value.

    Attributes:
        name: What a person calls it, in the reference.
        read: Makes the value from what TOML or the environment holds.
        show: Writes it as a person would.
    """

    name: str
    read: Callable[[object], object]
    show: Callable[[object], str] = str


def is_none(value: object) -> bool:
    """Tell whether a value is the word for "no value": `none` or `unlimited`."""
    return isinstance(value, str) and value.strip().lower() in _NONE


def choice(*words: str) -> Kind:
    """Return the kind of value that is one of a few words."""

    def read(value: object) -> str:
        word = value.strip().lower() if isinstance(value, str) else ""
        if word not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return word

    return Kind(" or ".join(words), read)


def _flag(value: object) -> bool:
    flag = value if isinstance(value, bool) else _FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise ValueError("true or false")
    return flag


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("a text")
    return value.strip()


def _variable(value: object) -> str:
    """Read the name of a variable; the value is never shown, because people put the secret itself there."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", value.strip()):
        raise ValueError("the name of a variable in capitals, like MY_API_KEY, not the secret itself")
    return value.strip()


def _url(value: object) -> str:
    expected = "a URL like https://example.org/v1, without user name or password"
    try:
        parts = urlsplit(_text(value))
    except ValueError as error:
        raise ValueError(expected) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(expected)
    return str(value).strip().rstrip("/")


def _amount(value: object, units: dict[str, int] | dict[str, float], expected: str) -> Decimal:
    """Read a number that is not negative, with a unit if it is a text."""
    text = repr(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    found = _NUMBER.fullmatch(text) if isinstance(text, str) and len(text) < 40 else None
    unit = units.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise ValueError(expected)
    amount = Decimal(found[1].replace("_", "")) * Decimal(str(unit))
    if amount > _MOST:
        raise ValueError(expected + ", and not as many")
    return amount


def _seconds(value: object) -> float:
    seconds = float(_amount(value, _SECONDS, "seconds, like 30, 0.5, 500ms, 2m"))
    if not seconds or math.isinf(seconds):
        raise ValueError('more than 0 seconds, or "none"')
    return seconds


def _bytes(value: object) -> int:
    return math.ceil(_amount(value, _BYTES, "a size in bytes, like 1048576, 512MB, 1GiB"))


def _count(value: object) -> int:
    amount = _amount(value, {"": 1}, "a whole number")
    if amount != int(amount):
        raise ValueError("a whole number")
    return int(amount)


def _dollars(value: object) -> float:
    return float(_amount(value, {"": 1, "usd": 1}, "an amount in US dollars, like 0.50"))


def _words(value: object) -> tuple[str, ...]:
    """Read a list of texts; the environment writes it with commas."""
    items = cast("list[object]", value) if isinstance(value, list) else str(value).split(",")
    if isinstance(value, (str, list)) and all(isinstance(item, str) for item in items):
        return tuple(item.strip() for item in cast("list[str]", items) if item.strip())
    raise ValueError('a list of texts, like ["a", "b"]')


def _secret(value: object) -> Secret:
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return Secret(value, "configuration")


def _secrets(value: object) -> dict[str, Secret]:
    """Read a table of texts, any of which may be a secret."""
    entries = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    if isinstance(value, dict) and all(isinstance(item, str) for item in entries.values()):
        return {name: Secret(cast("str", item), "configuration") for name, item in entries.items()}
    raise ValueError('a table of texts, like { NAME = "value" }')


def _path(value: object) -> Path:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("a path")
    try:
        return Path(value.strip()).expanduser()
    except RuntimeError as error:
        raise ValueError("a path whose home folder exists") from error


def _show_seconds(value: object) -> str:
    return f"{value:g} s"


def _show_bytes(value: object) -> str:
    size = cast("int", value)
    for unit, factor in _SHOWN:
        if size >= factor and size * 100 % factor == 0:
            return f"{size / factor:.2f}".rstrip("0").rstrip(".") + f" {unit}"
    return f"{size:,} bytes"


def _show_words(value: object) -> str:
    return ", ".join(cast("tuple[str, ...]", value)) or "none"


FLAG = Kind("true or false", _flag, lambda value: "on" if value else "off")
TEXT = Kind("text", _text)
VARIABLE = Kind("variable", _variable)
URL = Kind("URL", _url)
SECONDS = Kind("seconds", _seconds, _show_seconds)
BYTES = Kind("bytes", _bytes, _show_bytes)
COUNT = Kind("number", _count, lambda value: f"{value:,}")
DOLLARS = Kind("US dollars", _dollars, lambda value: f"${value:.2f}")
WORDS = Kind("list", _words, _show_words)
SECRET = Kind("text", _secret)
SECRETS = Kind("table", _secrets, lambda value: ", ".join(cast("dict[str, Secret]", value)) or "none")
PATH = Kind("path", _path, lambda value: "in your data folder" if value == Path() else str(value))
