"""Looking for a model server on this machine.

Two small HTTP requests to loopback need no HTTP library, whose import alone takes longer than all probes
together may.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import msgspec

from llmspell_kernel.llm.catalogue import first_chat_model

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE = 0.2
"""Seconds that all probes together may take."""

_MOST_BYTES = 1 << 20


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A server that answered."""

    provider: str
    base_url: str
    model: str
    """The model it would answer with: the first of its list that can chat."""
    models: tuple[str, ...]


async def discover(where: Sequence[tuple[str, str]], *, patience: float = PATIENCE) -> Found | None:
    """Ask all of `where` at once; the first in that order which has a model that can chat, or None."""
    tasks = [asyncio.create_task(_probe(provider, url)) for provider, url in where]
    try:
        await asyncio.wait(tasks, timeout=patience)
    finally:
        for task in tasks:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    return next((answer for answer in answers if isinstance(answer, Found)), None)


async def _probe(provider: str, base_url: str) -> Found | None:
    body = await _get(f"{base_url}/models")
    names = _names(body)
    model = first_chat_model(names)
    if model is None:
        return None
    return Found(provider=provider, base_url=base_url, model=model, models=tuple(names))


def _names(body: bytes) -> list[str]:
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return []
    data: Any = cast("dict[str, Any]", answer).get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list):
        return []
    entries = [cast("dict[str, Any]", entry) for entry in cast("list[Any]", data) if isinstance(entry, dict)]
    return [entry["id"] for entry in entries if isinstance(entry.get("id"), str)]


async def _get(url: str) -> bytes:
    """The body of a successful answer, empty for any other.

    HTTP/1.0, so that no server answers in chunks and every one closes the connection after its answer.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=parts.scheme == "https")
    try:
        writer.write(
            f"GET {parts.path} HTTP/1.0\r\nHost: {parts.netloc}\r\nAccept: application/json\r\n\r\n".encode()
        )
        await writer.drain()
        answer = await reader.read(_MOST_BYTES)
        while more := await reader.read(_MOST_BYTES):
            answer += more
            if len(answer) > _MOST_BYTES:
                return b""
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return body if b" 200 " in head.partition(b"\r\n")[0] + b" " else b""
