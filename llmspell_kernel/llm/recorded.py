"""Questions and answers as the plain values that a cassette holds, and back."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import TYPE_CHECKING, Any

import msgspec

from llmspell_kernel.llm.protocol import (
    Delta,
    Embeddings,
    FilePart,
    Finished,
    ImagePart,
    Message,
    ReasoningDelta,
    Response,
    TextDelta,
    ToolCallDelta,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmspell_kernel.llm.calls import Asked


def question_of(asked: Asked) -> dict[str, Any]:
    """What makes a question this question; how long to wait for it and whether to stream it do not."""
    request = msgspec.structs.replace(asked.request, timeout=None, messages=())
    plain: dict[str, Any] = {"provider": asked.provider} if asked.provider else {}
    plain |= {name: value for name, value in msgspec.to_builtins(request).items() if value}
    plain["messages"] = [_plain_message(message) for message in asked.request.messages]
    return plain


def _plain_message(message: Message) -> dict[str, Any]:
    if isinstance(message.content, str):
        return msgspec.to_builtins(message)
    plain: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(message, content=""))
    plain["content"] = [
        _plain_bytes(part)
        if isinstance(part, ImagePart | FilePart) and part.data
        else msgspec.to_builtins(part)
        for part in message.content
    ]
    return plain


def _plain_bytes(part: ImagePart | FilePart) -> dict[str, Any]:
    digest = hashlib.sha256(part.data).hexdigest()[:16]
    kind = "image" if isinstance(part, ImagePart) else "file"
    return {"type": kind, "media_type": part.media_type, "bytes": len(part.data), "sha256": digest}


def written(deltas: Sequence[Delta]) -> dict[str, Any]:
    """A stream as plain values: the whole answer, and where it was cut into pieces."""
    finished = deltas[-1]
    assert isinstance(finished, Finished)
    plain: dict[str, Any] = msgspec.to_builtins(finished.response)
    pieces = deltas[:-1]
    whole = "".join(delta.text for delta in pieces if isinstance(delta, TextDelta))
    thought = "".join(delta.text for delta in pieces if isinstance(delta, ReasoningDelta))
    only_text = not any(isinstance(delta, ToolCallDelta) for delta in pieces)
    response = finished.response
    if only_text and whole == response.content and thought == response.reasoning:
        if pieces:
            plain["pieces"] = " ".join(_length(delta) for delta in pieces)
    else:
        plain["deltas"] = [msgspec.to_builtins(delta) for delta in pieces]
    return plain


def _length(delta: Delta) -> str:
    """``12`` for twelve characters of text, ``r12`` for twelve of reasoning."""
    assert isinstance(delta, TextDelta | ReasoningDelta)
    return f"{'r' if isinstance(delta, ReasoningDelta) else ''}{len(delta.text)}"


def play(answered: dict[str, Any], *, stream: bool) -> list[Delta]:
    """The deltas that were recorded."""
    plain = dict(answered)
    lengths = str(plain.pop("pieces", ""))
    deltas: list[Delta] = msgspec.convert(plain.pop("deltas", []), list[Delta])
    response = msgspec.structs.replace(msgspec.convert(plain, Response), recorded=True)
    if not stream:
        return [Finished(response=response)]
    if lengths:
        deltas = _cut(response, lengths.split())
    elif not deltas and response.content:
        deltas = [TextDelta(text=response.content)]
    return [*deltas, Finished(response=response)]


def _cut(response: Response, lengths: Sequence[str]) -> list[Delta]:
    """The answer in the pieces it came in; edited by hand, it is cut as far as it reaches."""
    deltas: list[Delta] = []
    at = {"text": 0, "reasoning": 0}
    for length in lengths:
        kind = "reasoning" if length.startswith("r") else "text"
        source = response.reasoning if kind == "reasoning" else response.content
        begin = at[kind]
        at[kind] = begin + int(length.removeprefix("r"))
        if piece := source[begin : at[kind]]:
            deltas.append(ReasoningDelta(text=piece) if kind == "reasoning" else TextDelta(text=piece))
    if rest := response.content[at["text"] :]:
        deltas.append(TextDelta(text=rest))
    return deltas


def write_embeddings(answer: Embeddings) -> dict[str, Any]:
    """Vectors as plain values, exact to the last bit."""
    plain: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(answer, vectors=()))
    plain["vectors"] = [base64.b64encode(struct.pack(f"<{len(v)}d", *v)).decode() for v in answer.vectors]
    return plain


def read_embeddings(answered: dict[str, Any]) -> Embeddings:
    """The vectors that `write_embeddings` wrote."""
    rows = [base64.b64decode(text) for text in answered["vectors"]]
    vectors = tuple(struct.unpack(f"<{len(row) // 8}d", row) for row in rows)
    plain: dict[str, Any] = {**answered, "vectors": []}
    return msgspec.structs.replace(msgspec.convert(plain, Embeddings), vectors=vectors)
