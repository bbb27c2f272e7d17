"""The body of an answer: read piece by piece, unpacked, and never larger than allowed."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

_STEP = 2**16
"""Bytes that are unpacked at a time: what is packed well is a thousand times as large."""
_MOST_CODINGS = 2
_EMPTY = frozenset({204, 304})
"""Statuses without a body, though headers may tell of one (RFC 9110, 8.6)."""
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_BEGINS = b"\x1f"


class TooLarge(Exception):
    """The body is larger than allowed."""


class BadlyPacked(Exception):
    """The body is not packed as its headers say, or ends too early."""


async def read_body(response: httpx2.Response, most: int) -> bytes:
    """Return the body, unpacked where it is packed with gzip or deflate.

    Raises:
        TooLarge: It has more than `most` bytes.
        BadlyPacked: It cannot be unpacked.
    """
    if response.request.method == "HEAD" or response.status_code in _EMPTY:
        return b""
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise TooLarge
    pieces = response.aiter_raw()
    for coding in _codings(response.headers.get("content-encoding", "")):
        pieces = _unpacked(pieces, coding)
    body = bytearray()
    try:
        async for piece in pieces:
            body += piece
            if len(body) > most:
                raise TooLarge
    except zlib.error as error:
        raise BadlyPacked from error
    return bytes(body)


def _codings(header: str) -> list[str]:
    """Return the codings to undo, the last that was applied first; none if one of them is not known here."""
    codings = [name.strip().lower() for name in header.split(",")]
    codings = [name for name in reversed(codings) if name not in ("", "identity")]
    if len(codings) > _MOST_CODINGS:
        raise BadlyPacked
    return codings if all(name in _GZIP or name == "deflate" for name in codings) else []


async def _unpacked(pieces: AsyncIterator[bytes], coding: str) -> AsyncIterator[bytes]:
    unpacker, ended = None, False
    async for piece in pieces:
        while piece:
            if unpacker is None:
                if ended and not (coding in _GZIP and piece.startswith(_GZIP_BEGINS)):
                    return  # padding; gzip alone may go on with another member (RFC 1952, 2.2)
                unpacker = zlib.decompressobj(_window(coding, piece))
            yield unpacker.decompress(piece, _STEP)
            piece = unpacker.unconsumed_tail or unpacker.unused_data
            if unpacker.eof:
                unpacker, ended = None, True
    if unpacker is not None:
        yield unpacker.flush()
        if not unpacker.eof:
            raise BadlyPacked


def _window(coding: str, begin: bytes) -> int:
    """Return what zlib takes for a coding; some servers leave out the header that deflate should have."""
    if coding in _GZIP:
        return zlib.MAX_WBITS | 16
    return zlib.MAX_WBITS if begin[0] & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS
