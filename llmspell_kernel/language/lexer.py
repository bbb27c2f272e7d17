"""Lua 5.4 tokens with offsets in Unicode code points, the unit Jupyter counts in.

The lexer never raises: what is malformed or still being typed becomes a token
of the kind it was going to be, and a :class:`Problem`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

KEYWORDS = frozenset(
    (
        *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in"),
        *("local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"),
    )
)

_LONG_OPENING = re.compile(r"\[(=*)\[")

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<long>--\[=*\[|\[=*\[)
    | (?P<comment>--[^\n]*)
    | (?P<number>0[xX](?:[0-9a-fA-F.]|[pP][+-]?)*\w*|\.?[0-9](?:[0-9.]|[eE][+-]?)*\w*)
    | (?P<string>"(?:[^"\\\n]|\\z\s*|\\(?:\r\n|.|\Z))*"?|'(?:[^'\\\n]|\\z\s*|\\(?:\r\n|.|\Z))*'?)
    | (?P<op>\.\.\.|\.\.|==|~=|<=|>=|<<|>>|//|::|[-+*/%^\#&~|<>=(){}\[\];:,.])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

_NUMBER = re.compile(
    r"0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?[0-9]+)?"
    r"|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
)


class Token(NamedTuple):
    """One token.

    `kind` is ``name``, ``number``, ``string``, ``comment``, ``other`` or ``eof``, else the text.
    """

    kind: str
    text: str
    start: int
    end: int


class Problem(NamedTuple):
    """What is wrong at ``start``; `at_end`: more text could still make it right."""

    message: str
    start: int
    end: int
    at_end: bool


class Lexed(NamedTuple):
    """The tokens of a text (the last is ``eof``), its comments apart from them, and what was malformed."""

    tokens: list[Token]
    comments: list[Token]
    problems: list[Problem]


def lex(text: str, start: int = 0) -> Lexed:
    """Split `text`, from offset `start`, into tokens."""
    tokens: list[Token] = []
    comments: list[Token] = []
    problems: list[Problem] = []
    match = _TOKEN.match
    position, length = start, len(text)
    while position < length:
        found = match(text, position)
        assert found is not None  # the last branch takes any character
        kind, begin = found.lastgroup, position
        position = found.end()
        if kind == "space":
            continue
        word = found.group()
        if kind == "name":
            tokens.append(Token(word if word in KEYWORDS else "name", word, begin, position))
        elif kind == "op":
            tokens.append(Token(word, word, begin, position))
        elif kind == "long":
            position = _long_end(text, begin, position, word, problems)
            is_comment = word[0] == "-"
            token = Token("comment" if is_comment else "string", text[begin:position], begin, position)
            (comments if is_comment else tokens).append(token)
        elif kind == "comment":
            comments.append(Token("comment", word, begin, position))
        else:
            assert kind is not None
            _check(kind, word, begin, position, length, problems)
            tokens.append(Token(kind, word, begin, position))
    tokens.append(Token("eof", "", length, length))
    return Lexed(tokens, comments, problems)


def _long_end(text: str, begin: int, position: int, opening: str, problems: list[Problem]) -> int:
    """The end of the long string or comment that opened at `begin`."""
    closing = opening.lstrip("-").replace("[", "]")
    found = text.find(closing, position)
    if found >= 0:
        return found + len(closing)
    what = "comment" if opening[0] == "-" else "string"
    problems.append(Problem(f"unfinished long {what} (no '{closing}')", begin, len(text), at_end=True))
    return len(text)


def _check(kind: str, word: str, begin: int, end: int, length: int, problems: list[Problem]) -> None:
    if kind == "number" and not _NUMBER.fullmatch(word):
        problems.append(Problem(f"malformed number near '{word}'", begin, end, at_end=False))
    elif kind == "string" and not is_closed(word):
        continued = end == length and bool(re.search(r"(?<!\\)(?:\\\\)*\\(?:z\s*|\r?\n?)\Z", word))
        problems.append(Problem(f"unfinished string near '{word[:40]}'", begin, end, at_end=continued))
    elif kind == "other":
        problems.append(Problem(f"unexpected symbol near '{word}'", begin, end, at_end=False))


def is_closed(string: str) -> bool:
    """Whether the source of a string token has its closing quote or bracket."""
    if string[0] == "[":
        opening = _LONG_OPENING.match(string)
        return opening is not None and string.endswith("]" + opening.group(1) + "]")
    if len(string) < 2 or string[-1] != string[0]:
        return False
    body = string[1:-1]
    return (len(body) - len(body.rstrip("\\"))) % 2 == 0


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\n": "\n"}
_ESCAPE = re.compile(r"\\(z\s*|x[0-9a-fA-F]{2}|[0-9]{1,3}|u\{[0-9a-fA-F]+\}|\r\n|.)", re.DOTALL)


def string_value(string: str) -> str:
    """The text that a string token stands for (bytes above 127 read as Latin-1), closed or not."""
    opening = _LONG_OPENING.match(string)
    if opening is not None:
        closing = "]" + opening.group(1) + "]"
        body = string[opening.end() :].removesuffix(closing)
        return body[1:] if body.startswith("\n") else body
    return _ESCAPE.sub(_unescape, string[1:-1] if is_closed(string) else string[1:])


def _unescape(found: re.Match[str]) -> str:
    code = found.group(1)
    if code[0] == "z":
        return ""
    if code[0] == "x" and len(code) == 3:
        return chr(int(code[1:], 16))
    if code[0] == "u" and len(code) > 1:
        point = int(code[2:-1], 16)
        return chr(point) if point < 0x110000 else "\ufffd"
    if code[0].isdigit():
        return chr(int(code))
    return _ESCAPES.get(code, "\n" if code == "\r\n" else code)
