"""Scalars as Lua writes them."""

from __future__ import annotations

import math
import re

_RESERVED = re.compile(
    "and|break|do|else|elseif|end|false|for|function|goto|if|in|local|nil|not|or|repeat|return|then|true|until|while"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]')
_NAMED_ESCAPES = {
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\\": "\\\\",
    '"': '\\"',
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\v": "\\v",
}


def number(value: float) -> str:
    """Write a number as Lua's ``tostring`` does: floats keep their point, 14 digits."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    text = f"{value:.14g}"
    return text if any(mark in text for mark in ".e") else f"{text}.0"


def quoted(text: str, ending: str = "") -> str:
    """Write text as a Lua string on one line; characters that would reorder or break the line are escaped."""
    return f'"{_ESCAPED.sub(_escape, text)}{ending}"'


def quoted_bytes(data: bytes, ending: str = "") -> str:
    r"""Write a binary string with ``\xFF`` escapes for what is not ASCII."""
    escaped = _ESCAPED.sub(_escape, data.decode("latin-1"))
    return '"' + re.sub(r"[\xa0-\xff]", lambda match: f"\\x{ord(match[0]):02X}", escaped) + ending + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in _NAMED_ESCAPES:
        return _NAMED_ESCAPES[char]
    return f"\\x{ord(char):02X}" if ord(char) < 0x100 else f"\\u{{{ord(char):X}}}"


def long_bracket(text: str) -> str:
    """Write text of several lines in long brackets, as it would stand in a program."""
    level = ""
    while f"]{level}]" in text or text.endswith(f"]{level}"):
        level += "="
    opening = f"[{level}[\n" if text.startswith("\n") else f"[{level}["
    return f"{opening}{text}]{level}]"


def is_readable_block(text: str) -> bool:
    """Whether text has several lines and nothing that would have to be escaped but quotes and backslashes."""
    return "\n" in text and not re.search(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text.replace("\r\n", "\n")
    )


def is_name(text: str) -> bool:
    """Whether text can be written as a key without brackets."""
    return _NAME.fullmatch(text) is not None and not _RESERVED.fullmatch(text)


def count(number_of: int, noun: str) -> str:
    """Say how many, with thousands separators: ``1 row``, ``1,000 rows``."""
    return f"{number_of:,} {noun}" if number_of == 1 else f"{number_of:,} {noun}s"
