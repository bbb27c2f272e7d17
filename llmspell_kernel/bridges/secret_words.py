"""Secrets taken out of what a server answers, in the spellings of URLs, JSON and HTML too."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from urllib.parse import quote

_IN_HTML = {'"': "&#34;|&#x22;", "'": "&#39;|&apos;"}
HIDDEN = "[secret]"


def hide(data: bytes, words: Iterable[str]) -> bytes:
    """Return `data` with `[secret]` in the place of each of the words."""
    for word in words:
        if word:
            data = re.sub(b"".join(map(_spellings, word)), HIDDEN.encode(), data)
    return data


def hide_text(text: str, words: Iterable[str]) -> str:
    """Return `text` with `[secret]` in the place of each of the words."""
    return hide(text.encode("utf-8", "surrogateescape"), words).decode("utf-8", "surrogateescape")


def _spellings(character: str) -> bytes:
    """Return a pattern for the ways in which a character is written; letters and digits are only ever themselves."""
    if character.isascii() and (character.isalnum() or character in "-_."):
        return re.escape(character).encode()
    ways = {re.escape(character), re.escape(escape(character)), f"(?i:{quote(character, safe='')})"}
    ways |= {_in_json(character), f"(?i:&#{ord(character)};)", f"(?i:&#x{ord(character):x};)"}
    ways |= {re.escape(f"\\{character}")} if character in '"\\/' else set()
    ways |= {r"\+"} if character == " " else set()
    ways |= set(_IN_HTML.get(character, "").split("|")) - {""}
    if not character.isascii():  # read as Latin-1, as headers are by many servers, and written again
        read = character.encode().decode("latin-1")
        ways |= {read, "".join(map(_in_json, read))}
    return b"(?:" + b"|".join(way.encode() for way in sorted(ways, key=len, reverse=True)) + b")"


def _in_json(character: str) -> str:
    units = character.encode("utf-16-be")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "(?i:" + "".join(rf"\\u{pair}" for pair in pairs) + ")"
