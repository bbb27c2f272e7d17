"""How many tokens a text has, about.

Every model cuts text in its own way, and most tokenizers would have to be downloaded. The estimate counts
what byte pair encodings have in common: a word of ordinary length is one token, a long one several, a number
one for every three digits, a Chinese character or an emoji one or two, punctuation one.
"""

from __future__ import annotations

import re
from math import ceil

import msgspec

from llmspell_kernel.llm.protocol import FilePart, ImagePart, Message, Request, TextPart

_PIECES = re.compile(r"[A-Za-z']+|[0-9]+|[^\W\d_]+|[ \t]{2,}|\n+|[^\w\s]|_", re.UNICODE)
_PER_MESSAGE = 4
_PER_IMAGE = 1000
"""What providers charge for an image of ordinary size."""


def estimate_tokens(text: str) -> int:
    """Tokens of a text, within about a fifth for ordinary prose and code."""
    return sum(map(_tokens_of, _PIECES.findall(text)))


def _tokens_of(piece: str) -> int:
    first = piece[0]
    if first.isascii():
        if first.isalpha():
            return 1 if len(piece) <= 9 else ceil(len(piece) / 6)
        return ceil(len(piece) / 3) if first.isdigit() else 1
    # Alphabets other than the Latin one are cut into smaller pieces, and everything else into single
    # characters.
    return ceil(len(piece) / 2.5) if "\u00aa" <= first < "\u2e80" else len(piece)


def estimate_message(message: Message) -> int:
    """Tokens of one turn."""
    parts = (TextPart(text=message.content),) if isinstance(message.content, str) else message.content
    count = _PER_MESSAGE
    for part in parts:
        match part:
            case TextPart(text=text):
                count += estimate_tokens(text)
            case ImagePart():
                count += _PER_IMAGE
            case FilePart(data=data):
                count += len(data) // 3
    return count + sum(estimate_tokens(msgspec.json.encode(call).decode()) for call in message.tool_calls)


def estimate_request(request: Request) -> int:
    """Tokens that a provider reads to answer: the conversation, the tools and the schema."""
    extras = [*request.tools, *([request.schema] if request.schema is not None else [])]
    described = sum(estimate_tokens(msgspec.json.encode(extra).decode()) for extra in extras)
    return described + sum(map(estimate_message, request.messages))
